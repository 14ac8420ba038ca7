"""Days, holidays, seasons and office hours of a demo market.

Day 0 starts at a local midnight in the market's zone (UTC+8 all year round). Instants
are whole seconds since 1970 UTC.
"""

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from experiments.market_settings import (
    BoolArray,
    FloatArray,
    IntArray,
    MarketSettings,
)

DAY = 86_400
HOUR = 3_600
HOME_OFFSET = 8 * HOUR
OPENS, CLOSES = 9 * HOUR, 18 * HOUR

ZONES = ("Asia/Shanghai", "America/New_York", "America/Los_Angeles", "Europe/Berlin")
"""Where reps work."""

_MARGIN = 60  # days known beyond the end, so that looking ahead stays in range
_MONTH = {2: 0.7, 3: 1.15, 4: 1.05, 6: 1.05, 7: 0.95, 8: 0.9, 9: 1.1, 11: 1.15}
_WEEKDAY = np.array([1.15, 1.1, 1.05, 1.05, 0.95, 0.45, 0.35])
_HOLIDAY_ARRIVALS = 0.25
# Local hour -> relative number of leads that arrive in it.
# fmt: off
_HOURS = np.array([
    1, 1, 1, 1, 1, 1, 2, 4, 8, 14, 16, 14, 9, 12, 15, 15, 13, 11, 7, 6, 6, 5, 3, 2,
], dtype=np.float64)
# fmt: on
_NEW_MOON = datetime(2000, 1, 6, 18, 14, tzinfo=UTC)
_LUNATION = timedelta(days=29.530588853)


def spring_festival(year: int) -> date:
    """First day of the Chinese year, right to a day.

    It is the new moon from 21 January on; the mean lunation stands for the true one.

    >>> spring_festival(2026)
    datetime.date(2026, 2, 17)
    """
    earliest = datetime(year, 1, 20, 18, tzinfo=UTC)
    lunations = math.ceil((earliest - _NEW_MOON) / _LUNATION)
    return (_NEW_MOON + lunations * _LUNATION + timedelta(hours=8)).date()


def is_holiday(day: date) -> bool:
    """Whether the market's home country is on holiday."""
    since_festival = (day - spring_festival(day.year)).days
    return (
        -1 <= since_festival <= 6
        or (day.month, day.day) == (1, 1)
        or (day.month == 5 and day.day <= 3)
        or (day.month == 10 and day.day <= 7)
    )


@dataclass(frozen=True, eq=False, slots=True)
class Calendar:
    """The days of one market and some more.

    Attributes:
        n_days: Days up to and with the one that ``end`` falls in.
        midnight: Local midnight that starts day 0.
        end: The market's last instant.
        month: Month of each day, 1 to 12.
        weekday: 0 is Monday.
        quarter: Quarters since year 0, whole.
        working: Whether reps at home (row 0) and abroad (row 1) work that day;
            bool (2, n_days + margin).
        offset: Seconds east of UTC by zone and day; int64 (n_zones, n_days + margin).
    """

    n_days: int
    midnight: int
    end: int
    month: IntArray
    weekday: IntArray
    quarter: IntArray
    working: BoolArray
    offset: IntArray

    @classmethod
    def of(cls, settings: MarketSettings) -> "Calendar":
        """The calendar that ends with the market."""
        end = settings.end_second
        last = (datetime.fromtimestamp(end, UTC) + timedelta(hours=8)).date()
        first = last - timedelta(days=settings.days)
        days = [first + timedelta(days=n) for n in range(settings.days + 1 + _MARGIN)]
        workday = np.array([day.weekday() < 5 for day in days])
        festive = np.array([is_holiday(day) for day in days])
        noon = [datetime(day.year, day.month, day.day, 12, tzinfo=UTC) for day in days]
        return cls(
            n_days=settings.days + 1,
            midnight=int(noon[0].timestamp()) - DAY // 2 - HOME_OFFSET,
            end=end,
            month=np.array([day.month for day in days]),
            weekday=np.array([day.weekday() for day in days]),
            quarter=np.array([day.year * 4 + (day.month - 1) // 3 for day in days]),
            working=np.stack([workday & ~festive, workday]),
            offset=np.stack([_offsets(zone, noon) for zone in ZONES]),
        )

    def day_of(self, at: IntArray) -> IntArray:
        """Day that each instant falls in, by the market's own zone."""
        return (at - self.midnight) // DAY

    def date_of(self, day: int) -> date:
        """The date of a day; days before 0 are allowed."""
        noon = self.midnight + HOME_OFFSET + day * DAY
        return datetime.fromtimestamp(noon, UTC).date()

    def arrivals(self) -> FloatArray:
        """How many leads arrive on each day, relative to an ordinary one."""
        days = slice(self.n_days)
        month = np.array([_MONTH.get(int(m), 1.0) for m in self.month[days]])
        festive = ~self.working[0, days] & self.working[1, days]
        rate = month * _WEEKDAY[self.weekday[days]]
        return np.asarray(np.where(festive, rate * _HOLIDAY_ARRIVALS, rate))

    def time_of_day(self, rng: np.random.Generator, count: int) -> IntArray:
        """Seconds after local midnight at which leads arrive."""
        steps = np.cumsum(_HOURS / _HOURS.sum())
        hour = np.minimum(np.searchsorted(steps, rng.random(count), "right"), 23)
        return hour * HOUR + rng.integers(0, HOUR, count)

    def into_hours(
        self, at: IntArray, zone: IntArray, rng: np.random.Generator
    ) -> IntArray:
        """Each instant, or the rep's next working hours when it falls outside.

        Args:
            at: Instants; int64 (n,).
            zone: Zone of each; int64 (n,), position in ``ZONES``.
            rng: Spreads what waited for the morning over its first 90 minutes.

        Returns:
            Instants at or after ``at``; int64 (n,). A clock change in between may
            move them by an hour.
        """
        last = self.offset.shape[1] - 1
        near = np.clip(self.day_of(at), 0, last)
        shift = self.offset[zone, near]
        # Days are numbered alike in every zone: by the zone's own date.
        local = at + shift - (self.midnight + HOME_OFFSET)
        day, second = np.clip(local // DAY, 0, last), local % DAY
        abroad = (zone > 0).astype(np.int64)
        open_now = self.working[abroad, day] & (second >= OPENS) & (second < CLOSES)
        later = np.where(second < OPENS, day, np.minimum(day + 1, last))
        opening = self._next_working()[abroad, later] * DAY + OPENS
        opening += rng.integers(0, 90 * 60, at.size)
        moved = np.maximum(opening - local, 0)
        return at + np.where(open_now, 0, moved)

    def _next_working(self) -> IntArray:
        """The first working day from each day on; int64 like ``working``."""
        width = self.working.shape[1]
        days = np.where(self.working, np.arange(width), width - 1)
        return np.minimum.accumulate(days[:, ::-1], axis=1)[:, ::-1]


def _offsets(zone: str, noon: list[datetime]) -> IntArray:
    here = ZoneInfo(zone)
    shifts = [at.astimezone(here).utcoffset() or timedelta() for at in noon]
    return np.array([int(shift.total_seconds()) for shift in shifts])
