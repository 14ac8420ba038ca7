"""When a rep works: shifts, leave and holidays, in the rep's own time zone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from rightrep.domain.rep import Leave, Shift

DAYS_AHEAD = 14
"""So far ahead the next working hour is looked for."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days on which a country does not follow the week.

    Attributes:
        closed: Public holidays, and the days off in their place.
        made_up: Days worked in exchange, though the week says they are free.
    """

    closed: frozenset[date] = frozenset()
    made_up: frozenset[date] = frozenset()


EVERY_WEEK = Calendar()
"""No holidays."""


def on_leave(leave: Sequence[Leave], *, zone: str, at: datetime) -> bool:
    """Whether the local day of ``at`` is a day away.

    Args:
        leave: Days away.
        zone: IANA zone of the rep.
        at: Aware instant.
    """
    day = _day_of(zone, at)
    return any(away.first <= day <= away.last for away in leave)


@lru_cache(maxsize=64)
def _day_of(zone: str, at: datetime) -> date:
    """The local day of an instant; asked for every rep of a roster."""
    return at.astimezone(ZoneInfo(zone)).date()


def next_working_instant(
    shifts: Sequence[Shift],
    leave: Sequence[Leave],
    *,
    zone: str,
    at: datetime,
    calendar: Calendar = EVERY_WEEK,
) -> datetime | None:
    """The first instant at or after ``at`` when the rep works.

    Looks 14 days ahead. No shifts means every hour of every day that is neither leave
    nor a holiday.

    Args:
        shifts: Working hours by weekday.
        leave: Days away.
        zone: IANA zone of the rep; shifts that fall into a clock change last as long
            as the wall clock says.
        at: Aware instant.
        calendar: Holidays, and days worked in their place.

    Returns:
        Aware UTC instant, or None when there is none in 14 days.
    """
    here = ZoneInfo(zone)
    first_day = at.astimezone(here).date()
    for day in (first_day + timedelta(days=n) for n in range(DAYS_AHEAD + 1)):
        if any(away.first <= day <= away.last for away in leave):
            continue
        for start, end in working_spans(shifts, day, zone=here, calendar=calendar):
            if end > at:
                return max(start, at.astimezone(UTC))
    return None


def working_spans(
    shifts: Sequence[Shift],
    day: date,
    *,
    zone: ZoneInfo,
    calendar: Calendar = EVERY_WEEK,
) -> Iterator[tuple[datetime, datetime]]:
    """When a rep with these shifts works on a day, in order, leave left out.

    A made-up day has the shifts of its own weekday; where it has none, those of the
    first weekday that has.

    Args:
        shifts: Working hours by weekday; empty is the whole day.
        day: The rep's local day.
        zone: Zone of the rep.
        calendar: Holidays, and days worked in their place.

    Yields:
        [start, end), aware, in UTC.
    """
    if day in calendar.closed:
        return
    if not shifts:
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
        yield (
            midnight.astimezone(UTC),
            (midnight + timedelta(days=1)).astimezone(UTC),
        )
        return
    weekday = day.weekday()
    worked = {shift.weekday for shift in shifts}
    if day in calendar.made_up and weekday not in worked:
        weekday = min(worked)
    for shift in sorted(shifts, key=lambda shift: shift.start):
        if shift.weekday == weekday:
            start, end = (
                datetime.combine(day, at, zone).astimezone(UTC)
                for at in (shift.start, shift.end)
            )
            if start < end:  # clocks that go forward may skip a whole shift
                yield start, end


def works_within(
    shifts: Sequence[Shift],
    leave: Sequence[Leave],
    *,
    zone: str,
    at: datetime,
    hours: float,
    calendar: Calendar = EVERY_WEEK,
) -> bool:
    """Whether the rep works at ``at`` or within ``hours`` after it.

    Args:
        shifts: Working hours by weekday; empty means always.
        leave: Days away.
        zone: IANA zone of the rep.
        at: Aware instant.
        hours: How far to look ahead, as a clock that never changes counts; 0 asks for
            right now.
        calendar: Holidays, and days worked in their place.
    """
    first = next_working_instant(shifts, leave, zone=zone, at=at, calendar=calendar)
    return first is not None and first <= at + timedelta(hours=hours)
