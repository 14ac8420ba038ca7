"""Slots shared between arms: whole ones, odd ones by lot, none lent.

>>> from rightrep.domain.experiment import Arm
>>> arms = [Arm(arm="control", policy="round_robin_lot", share=0.5),
...         Arm(arm="treatment", policy="optimal", share=0.5)]
>>> shares = [arm.share for arm in arms]
>>> split_slots(np.array([4, 5]), shares, ["Wang", "Li"], salt="spring").tolist()
[[2, 2], [3, 2]]
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from rightrep.domain.ids import RepId
from rightrep.domain.lottery import lottery_draw

IntArray = NDArray[np.int64]


def split_slots(
    slots: IntArray,
    shares: Sequence[float] | IntArray,
    keys: Sequence[str],
    *,
    salt: str,
) -> IntArray:
    """Each rep's slots shared out, odd ones by lot.

    Systematic rounding: a part gets its share of the slots on average exactly, and
    never a whole slot more or less than that.

    Args:
        slots: Slots of each rep; int64 (n_reps,), at least 0.
        shares: Share of each part; n_parts numbers of which one is positive, or as
            many for each rep, (n_reps, n_parts).
        keys: What the lot is drawn for: the rep and the local day; n_reps entries.
        salt: The experiment's salt.

    Returns:
        int64 (n_reps, n_parts); each row adds up to the rep's slots.
    """
    part = np.atleast_2d(np.asarray(shares, dtype=np.float64))
    upto_part = np.cumsum(part / part.sum(axis=1, keepdims=True), axis=1)
    ends = slots[:, None] * upto_part
    ends[:, -1] = slots
    lot = np.array([lottery_draw(key, f"{salt}\x00slots") for key in keys])
    upto = np.floor(ends + lot[:, None]).astype(np.int64)
    upto[:, -1] = slots
    return np.asarray(np.diff(upto, axis=1, prepend=0))


@dataclass(frozen=True, slots=True)
class ArmKey:
    """An arm of an experiment.

    Attributes:
        experiment: The experiment's name.
        arm: The arm's name.
    """

    experiment: str
    arm: str


@dataclass(frozen=True, slots=True)
class SlotPart:
    """A part of every rep's slots.

    Attributes:
        share: How large; positive.
        arms: Who gives these slots: one arm, or several that take turns in time.
    """

    share: float
    arms: tuple[ArmKey, ...]


@dataclass(frozen=True, slots=True)
class SlotSplit:
    """How every rep's slots of a local day are shared between arms.

    Attributes:
        parts: The parts, at least one.
        salt: What the lots of odd slots are drawn with.
    """

    parts: tuple[SlotPart, ...]
    salt: str

    @property
    def arms(self) -> list[ArmKey]:
        """Every arm that has slots."""
        return [arm for part in self.parts for arm in part.arms]

    def part_of(self, arm: ArmKey) -> int | None:
        """Place of the part that an arm gives; None for an arm without slots."""
        for place, part in enumerate(self.parts):
            if arm in part.arms:
                return place
        return None

    def shared(self, slots: IntArray, reps: Sequence[RepId], day: date) -> IntArray:
        """Slots of a local day by part.

        Args:
            slots: All slots of each rep; int64 (n_reps,), at least 0.
            reps: The reps; n_reps ids.
            day: The local day, which the odd slots' lots are drawn for.

        Returns:
            int64 (n_reps, n_parts).
        """
        if len(self.parts) == 1:
            return slots[:, None].copy()
        keys = [f"{rep} {day.isoformat()}" for rep in reps]
        shares = [part.share for part in self.parts]
        return split_slots(slots, shares, keys, salt=self.salt)

    def left(
        self, open_slots: IntArray, given: IntArray, reps: Sequence[RepId], day: date
    ) -> IntArray:
        """Slots that each part may still give today.

        What the arms gave today and what is open make up the day's slots. A part that
        gave more than its share, because slots went to others meanwhile, has none left,
        and what it overdrew is missing from those that come last.

        Args:
            open_slots: Open slots of each rep; int64 (n_reps,), at least 0.
            given: Leads each part gave today; int64 (n_reps, n_parts).
            reps: The reps; n_reps ids.
            day: The local day.

        Returns:
            int64 (n_reps, n_parts), at least 0; no row adds up to more than is open.
        """
        mine = self.shared(open_slots + given.sum(axis=1), reps, day)
        rest = np.maximum(mine - given, 0)
        upto = np.minimum(np.cumsum(rest, axis=1), open_slots[:, None])
        return np.asarray(np.diff(upto, axis=1, prepend=0))
