"""Since when a rep has been taking leads, and on which days of the month."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rightrep.domain.days import day_bounds, local_day
from rightrep.domain.rep import Leave, RepStatus

StatusChange = tuple[datetime, RepStatus]
Limits = TypeVar("Limits", int, NDArray[np.int64])


def active_since(joined_at: datetime, changes: Sequence[StatusChange]) -> datetime:
    """Since when the rep has been active, leave left out: joined, or resumed last.

    Args:
        joined_at: When the rep was first known.
        changes: Since when the rep had each status, oldest first.
    """
    since, was_active = joined_at, True
    for changed_at, status in changes:
        is_active = status is RepStatus.ACTIVE
        if is_active and not was_active:
            since = max(since, changed_at)
        was_active = is_active
    return since


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


def even_allowance(limit: Limits, day: date) -> Limits:
    """Leads of a monthly limit that may be given up to the end of a day, spread evenly.

    The month's last day allows the whole limit, so what was not used is not lost.

    Args:
        limit: Leads per month, of one rep or of each.
        day: The local day.
    """
    n_days = month_of(day)[1]
    return -(-limit * day.day // n_days)
