"""Recurring work of a tenant: what is done again and again, and when it is due."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rightrep.domain.recurrence import next_daily, next_multiple
from rightrep.errors import InvalidInput

SETTING = "schedule"
"""Name of these settings among ``Tenant.settings``."""

MOST_DAYS = 366


@dataclass(frozen=True, kw_only=True, slots=True)
class Recurrence:
    """Every so many days of the tenant's calendar, at a time of its clocks.

    Attributes:
        at: Wall-clock time without zone.
        every_days: 1 is every day; 7 is every Sunday; days are counted from the
            calendar's first, so that every process means the same ones.
        every_hours: Every so many hours instead, day and night; None is by days.
    """

    at: time = time()
    every_days: int = 1
    every_hours: int | None = None

    def next(self, after: datetime, zone: ZoneInfo) -> datetime:
        """The first occurrence later than ``after``; an instant in UTC."""
        if self.every_hours is not None:
            return next_multiple(after, timedelta(hours=self.every_hours))
        due = next_daily(after, self.at, zone)
        while due.astimezone(zone).toordinal() % self.every_days:
            due = next_daily(due + timedelta(seconds=1), self.at, zone)
        return due.astimezone(UTC)


DEFAULTS: Mapping[str, Recurrence] = {
    "link": Recurrence(at=time(1)),
    "retrain": Recurrence(at=time(2), every_days=7),
    "drift": Recurrence(at=time(3)),
    "retention": Recurrence(at=time(4)),
    "health": Recurrence(at=time(5)),
    "cheating": Recurrence(at=time(6)),
    "experiments": Recurrence(at=time(7)),
    "recycle": Recurrence(every_hours=1),
    "follow_up": Recurrence(every_hours=1),
}
"""Kinds of jobs that every tenant has done from the start."""


def schedule_of(settings: Mapping[str, Any]) -> dict[str, Recurrence | None]:
    """When each kind of job recurs, from a tenant's settings; None where it is off.

    ``{"schedule": {"retrain": {"at": "01:30", "every_days": 1}, "drift": null}}``

    Raises:
        InvalidInput: A kind is unknown, or a value makes no sense.
    """
    given = settings.get(SETTING, {})
    if not isinstance(given, Mapping):
        raise InvalidInput("A schedule names kinds of jobs.", field=SETTING)
    for kind in given:
        if kind not in DEFAULTS:
            raise InvalidInput(
                f"No job {kind!r} recurs.",
                field=f"{SETTING}.{kind}",
                remedy=f"Give one of {', '.join(DEFAULTS)}.",
            )
    return {
        kind: _recurrence(kind, given[kind], usual) if kind in given else usual
        for kind, usual in DEFAULTS.items()
    }


def _recurrence(kind: str, given: object, usual: Recurrence) -> Recurrence | None:
    if given is None:
        return None
    where = f"{SETTING}.{kind}"
    if isinstance(given, Mapping) and given.keys() == {"every_hours"}:
        return Recurrence(every_hours=_every("hours", given, 1, where))
    if not isinstance(given, Mapping) or not given.keys() <= {"at", "every_days"}:
        raise InvalidInput(
            "A recurring job has `at` and `every_days`, or `every_hours`.",
            field=where,
            remedy='Write {"at": "02:00", "every_days": 1}, or null for never.',
        )
    days = _every("days", given, usual.every_days, where)
    at = _time(given["at"], f"{where}.at") if "at" in given else usual.at
    return Recurrence(at=at, every_days=days)


def _every(unit: str, given: Mapping[str, Any], usual: int, where: str) -> int:
    count = given.get(f"every_{unit}", usual)
    if type(count) is not int or not 1 <= count <= MOST_DAYS:
        raise InvalidInput(
            f"{unit.title()} are a whole number from 1 to {MOST_DAYS}.",
            field=f"{where}.every_{unit}",
        )
    return count


def _time(text: object, where: str) -> time:
    try:
        at = time.fromisoformat(str(text))
    except ValueError:
        at = None
    if at is None or at.tzinfo is not None:
        raise InvalidInput(
            f"{text!r} is no time of day.", field=where, remedy="Write it as 02:00."
        )
    return at
