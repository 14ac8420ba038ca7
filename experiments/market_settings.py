"""How large a demo market is, when it ends, and what is true in it."""

import zlib
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from rightrep.errors import InvalidInput

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

DEFAULT_END = datetime(2026, 6, 30, 2, 0, tzinfo=UTC)
"""A Tuesday, ten in the morning in the market's zone."""

ZONE = "Asia/Shanghai"
"""The tenant's zone; it has no clock changes."""

CURRENCY = "CNY"


@dataclass(frozen=True, kw_only=True, slots=True)
class MarketSettings:
    """Everything a demo market depends on; the same settings give the same market.

    Attributes:
        n_leads: Leads, the unassigned ones at the end included; at least 100.
        n_reps: Reps, those who joined late or left included; at least 2.
        days: Length of the history in days; at least 30.
        seed: Seed of every draw; >= 0.
        end: The market's last instant; aware. Nothing is dated after it.
        rep_effect: How much the rep matters, as a factor on every rep term of the
            truth; >= 0. 1 is the usual market, 0 (or False) the null world, in which
            outcomes do not depend on the rep at all.
        drift: How fast the market and the reps change, as a factor; >= 0. 0 is a
            stationary market.
        conversion: Mean chance to win within the label window when reps are drawn at
            random; in (0.01, 0.9).
        label_window_days: Days after a decision in which a win counts; at least 7.
        lottery_share: Part of the decisions drawn by lot, with propensity; [0, 1].
        backlog_share: Part of the leads that arrive in the last days and are still
            unassigned; [0, 0.5].
        backlog_days: Length of those last days; at least 1, less than half of ``days``.
        activities_per_lead: Follow-ups per decision on average; >= 0.

    Raises:
        InvalidInput: A value is outside its range.
    """

    n_leads: int = 12_000
    n_reps: int = 40
    days: int = 540
    seed: int = 7
    end: datetime = DEFAULT_END
    rep_effect: float = 1.0
    drift: float = 1.0
    conversion: float = 0.15
    label_window_days: int = 60
    lottery_share: float = 0.25
    backlog_share: float = 0.06
    backlog_days: int = 5
    activities_per_lead: float = 4.0

    def __post_init__(self) -> None:
        if self.end.tzinfo is None:
            raise InvalidInput("end needs a time zone.", field="end")
        _within("n_leads", self.n_leads, 100, 100_000_000)
        _within("n_reps", self.n_reps, 2, 100_000)
        _within("days", self.days, 30, 36_500)
        _within("seed", self.seed, 0, 2**63)
        _within("rep_effect", self.rep_effect, 0.0, 100.0)
        _within("drift", self.drift, 0.0, 100.0)
        _within("conversion", self.conversion, 0.01, 0.9)
        _within("label_window_days", self.label_window_days, 7, 3650)
        _within("lottery_share", self.lottery_share, 0.0, 1.0)
        _within("backlog_share", self.backlog_share, 0.0, 0.5)
        _within("backlog_days", self.backlog_days, 1, (self.days - 1) // 2)
        _within("activities_per_lead", self.activities_per_lead, 0.0, 1000.0)

    @property
    def end_second(self) -> int:
        """``end`` in whole seconds since 1970 UTC."""
        return int(self.end.timestamp())

    def stream(self, name: str) -> np.random.Generator:
        """Random numbers for one part of the market.

        Each part has its own, so that a draw more in one changes no other.
        """
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InvalidInput(
            f"{name} is {value}; it must be from {low} to {high}.", field=name
        )
