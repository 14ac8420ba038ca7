"""Since when a rep has been taking leads, and on which days of the month."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta

from rightrep.domain.days import day_bounds, local_day, zone_of
from rightrep.domain.rep import Leave, RepStatus

StatusChange = tuple[datetime, RepStatus]


def back_since(
    joined_at: datetime,
    changes: Sequence[StatusChange],
    leave: Sequence[Leave],
    *,
    zone: str,
    at: datetime,
) -> datetime:
    """Since when the rep has taken leads without a break: joined, resumed or returned.

    Args:
        joined_at: When the rep was first known.
        changes: Since when the rep had each status, oldest first.
        leave: Days away.
        zone: IANA zone of the rep.
        at: Now; what is later is not looked at.

    Returns:
        At most ``at``.
    """
    since = joined_at
    was_active = True
    for changed_at, status in changes:
        if changed_at > at:
            break
        is_active = status is RepStatus.ACTIVE
        if is_active and not was_active:
            since = max(since, changed_at)
        was_active = is_active
    here = zone_of(zone)
    for away in leave:
        back = datetime.combine(away.last + timedelta(days=1), time(), here)
        if since < back <= at:
            since = back
    return min(since, at)


def settled_share(since: datetime, at: datetime, settling_days: float) -> float:
    """How far a rep has settled in after joining or coming back; in [0, 1].

    Args:
        since: Since when the rep has taken leads.
        at: Now.
        settling_days: Days it takes; 0 settles everybody at once.
    """
    days = (at - since) / timedelta(days=1)
    return min(1.0, days / settling_days) if settling_days > 0 else 1.0


def present_days(
    joined_at: datetime,
    changes: Sequence[StatusChange],
    leave: Sequence[Leave],
    ends: Mapping[date, datetime],
) -> list[bool]:
    """Whether the rep took leads on each of these days, as it was when they ended.

    Args:
        joined_at: When the rep was first known.
        changes: Since when the rep had each status, oldest first.
        leave: Days away.
        ends: Last moment of each local day; now for a day that is not over.
    """
    there = []
    for day, end in ends.items():
        status = RepStatus.ACTIVE
        for changed_at, told in changes:
            if changed_at <= end:
                status = told
        away = any(one.first <= day <= one.last for one in leave)
        there.append(joined_at <= end and status is RepStatus.ACTIVE and not away)
    return there


def month_so_far(at: datetime, zone: str) -> dict[date, datetime]:
    """Each local day of the month up to an instant, with its last moment, or that one.

    Args:
        at: Now; aware.
        zone: IANA zone of the days.
    """
    today = local_day(at, zone)
    days = [today.replace(day=n) for n in range(1, today.day + 1)]
    tick = timedelta(microseconds=1)
    return {day: min(day_bounds(day, zone)[1] - tick, at) for day in days}


def month_of(day: date) -> tuple[date, int]:
    """The first day of a day's month, and how many days the month has."""
    first = day.replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return first, (following - first).days


def even_allowance(limit: int, day: date) -> int:
    """Leads of a monthly limit that may be given up to the end of a day, spread evenly.

    The month's last day allows the whole limit, so what was not used is not lost.

    Args:
        limit: Leads per month.
        day: The local day.
    """
    n_days = month_of(day)[1]
    return -(-limit * day.day // n_days)
