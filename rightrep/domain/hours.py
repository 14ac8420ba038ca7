"""When a rep works: shifts and leave, in the rep's own time zone."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from rightrep.domain.rep import Leave, Shift


def on_leave(leave: Sequence[Leave], *, zone: str, at: datetime) -> bool:
    """Whether the local day of ``at`` is a day away.

    Args:
        leave: Days away.
        zone: IANA zone of the rep.
        at: Aware instant.
    """
    day = at.astimezone(ZoneInfo(zone)).date()
    return any(away.first <= day <= away.last for away in leave)


def next_working_instant(
    shifts: Sequence[Shift], leave: Sequence[Leave], *, zone: str, at: datetime
) -> datetime | None:
    """The first instant at or after ``at`` when the rep works.

    Looks 14 days ahead. No shifts means every hour of every day that is not leave.

    Args:
        shifts: Working hours by weekday.
        leave: Days away.
        zone: IANA zone of the rep; shifts that fall into a clock change last as long
            as the wall clock says.
        at: Aware instant.

    Returns:
        Aware UTC instant, or None when there is none in 14 days.
    """
    here = ZoneInfo(zone)
    start_day = at.astimezone(here).date()
    for day in (start_day + timedelta(days=n) for n in range(15)):
        if any(away.first <= day <= away.last for away in leave):
            continue
        midnight = datetime(day.year, day.month, day.day, tzinfo=here)
        spans = [
            (datetime.combine(day, s.start, here), datetime.combine(day, s.end, here))
            for s in sorted(shifts, key=lambda s: s.start)
            if s.weekday == day.weekday()
        ]
        if not shifts:
            spans = [(midnight, midnight + timedelta(days=1))]
        for first, end in spans:
            if end.astimezone(UTC) > at:
                return max(first.astimezone(UTC), at.astimezone(UTC))
    return None


def works_within(
    shifts: Sequence[Shift],
    leave: Sequence[Leave],
    *,
    zone: str,
    at: datetime,
    hours: float,
) -> bool:
    """Whether the rep works at ``at`` or within ``hours`` after it.

    Args:
        shifts: Working hours by weekday; empty means always.
        leave: Days away.
        zone: IANA zone of the rep.
        at: Aware instant.
        hours: How far to look ahead; 0 asks for right now.
    """
    first = next_working_instant(shifts, leave, zone=zone, at=at)
    return first is not None and first <= at + timedelta(hours=hours)
