"""Which arm a unit belongs to: salted hashes, before any outcome.

A unit's arm depends on its name and the experiment's salt alone, so it is the same in
every process, however often it is asked, and nobody can aim at it. Slices of time flip
within pairs of days, so that each arm has as many Mondays at nine as the other.

>>> from rightrep.domain.experiment import Arm
>>> arms = [Arm(arm="control", policy="round_robin_lot", share=0.5),
...         Arm(arm="treatment", policy="optimal", share=0.5)]
>>> arms_of_units(["lead-1", "lead-2", "lead-3"], arms, salt="spring").tolist()
[1, 0, 0]
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from rightrep.domain.experiment import Arm
from rightrep.domain.lottery import lottery_draw
from rightrep.errors import InvalidInput

IntArray = NDArray[np.int64]

HOURS_A_DAY = 24


def arms_of_units(units: Sequence[str], arms: Sequence[Arm], *, salt: str) -> IntArray:
    """The arm of each unit, by a hash of its name.

    Args:
        units: Names of units: lead ids, or ``team_day`` names.
        arms: The arms; a change of their order changes the units' arms.
        salt: The experiment's salt.

    Returns:
        Place in ``arms``; int64 (n_units,).
    """
    ends = np.cumsum([arm.share for arm in arms])
    draws = np.array([lottery_draw(unit, salt) for unit in units], dtype=np.float64)
    return np.minimum(np.searchsorted(ends, draws, side="right"), len(arms) - 1)


def team_day(team: str | None, day: date) -> str:
    """Name of a team's day as a unit."""
    return f"{day.isoformat()} {team or ''}".rstrip()


def slice_of(at: datetime, zone: str, slice_hours: int) -> str:
    """Name of the slice of local time that an instant falls into.

    Args:
        at: An instant; aware.
        zone: The tenant's IANA zone.
        slice_hours: Length of a slice, a divisor of 24.

    Raises:
        InvalidInput: A day has no whole number of such slices.
    """
    if slice_hours < 1 or HOURS_A_DAY % slice_hours:
        raise InvalidInput(
            f"A day has no whole number of slices of {slice_hours} hours.",
            field="slice_hours",
            remedy="Give 1, 2, 3, 4, 6, 8, 12 or 24.",
        )
    local = at.astimezone(ZoneInfo(zone))
    return f"{local.date().isoformat()}T{local.hour // slice_hours * slice_hours:02}"


def arms_of_slices(slices: Sequence[str], *, salt: str) -> IntArray:
    """The arm of each slice of time: one of two, the other one on the pair's other day.

    Args:
        slices: Names that ``slice_of`` gave.
        salt: The experiment's salt.

    Returns:
        0 or 1; int64 (n_slices,).
    """
    pairs = [pair_of_slice(name) for name in slices]
    second = np.array([_ordinal(name) % 2 for name in slices], dtype=np.int64)
    flip = np.array([lottery_draw(pair, salt) < 0.5 for pair in pairs], dtype=np.int64)
    return second ^ flip


def pair_of_slice(name: str) -> str:
    """The two slices of the same hour on the two days of a pair share this name."""
    first = date.fromordinal(_ordinal(name) // 2 * 2)
    return f"{first.isoformat()}+{(first + timedelta(days=1)).day:02}{name[10:]}"


def _ordinal(name: str) -> int:
    return date.fromisoformat(name[:10]).toordinal()


def in_holdout(units: Sequence[str], share: float, *, salt: str) -> NDArray[np.bool_]:
    """Whether each unit is kept on the control for good.

    Args:
        units: Names of units.
        share: Part of the units kept, in [0, 1].
        salt: The tenant's salt for its holdout, which no experiment has.
    """
    draws = [lottery_draw(unit, f"{salt}\x00holdout") for unit in units]
    return np.array(draws, dtype=np.float64) < share
