"""Follow-up: by when an owner must have touched a lead, and how fast owners are."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from statistics import median_low
from typing import Any

from rightrep.domain.days import day_bounds, local_day, zone_of
from rightrep.domain.given import require_known, require_number
from rightrep.domain.hours import EVERY_WEEK, Calendar, working_spans
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.rep import Leave, Shift
from rightrep.domain.tier import Tier
from rightrep.errors import InvalidInput

SETTING = "follow_up"
"""Name of these settings among ``Tenant.settings``."""

UNSCORED = Tier.FOLLOW_UP
"""The tier of a lead that no model has scored."""

MOST_HOURS = 8_760.0
_MOST_DAYS = 366


class DueCounting(StrEnum):
    """Which hours count until a follow-up is due."""

    WORKING_DAYS = "working_days"
    """24 hours of every day on which the owner works: on a Friday, 24 hours end on
    Monday at the same time."""
    WORKING_HOURS = "working_hours"
    """Hours of the owner's shifts."""
    HOURS = "hours"
    """Every hour, as a clock counts."""


_HOURS = {Tier.OPPORTUNITY: 24.0, Tier.FOLLOW_UP: 72.0, Tier.NURTURE: 240.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowUpRules:
    """When follow-ups are due.

    Attributes:
        hours: Hours in which a lead of each tier must be touched; (0, 8760].
        counting: Which hours count.
        reminder_hours: The owner is reminded so many of these hours before; 0 is never,
            and so it is for tiers that have no more hours than that.
    """

    hours: Mapping[Tier, float] = field(default_factory=lambda: dict(_HOURS))
    counting: DueCounting = DueCounting.WORKING_DAYS
    reminder_hours: float = 4.0

    def __post_init__(self) -> None:
        """Check every range.

        Raises:
            InvalidInput: Hours are not in their range.
        """
        for tier, hours in self.hours.items():
            where = f"{SETTING}.hours.{tier}"
            require_number(hours, where, low=1e-3, high=MOST_HOURS)
        where = f"{SETTING}.reminder_hours"
        require_number(self.reminder_hours, where, low=0.0, high=MOST_HOURS)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "FollowUpRules":
        """From a tenant's settings; what is not set takes its default.

        Raises:
            InvalidInput: A name is unknown or a value makes no sense.
        """
        names = {one.name for one in fields(cls)}
        given = require_known(settings.get(SETTING, {}), names, SETTING)
        own = require_known(given.pop("hours", {}), set(Tier), f"{SETTING}.hours")
        hours = {**_HOURS, **{Tier(tier): value for tier, value in own.items()}}
        if "counting" in given:
            given["counting"] = _counting(given["counting"])
        return cls(**given, hours=hours)

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON; ``of`` reads them back."""
        return {
            "hours": {tier.value: hours for tier, hours in self.hours.items()},
            "counting": self.counting.value,
            "reminder_hours": self.reminder_hours,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkTime:
    """When somebody works.

    Attributes:
        shifts: Working hours; empty means always.
        leave: Days away.
        zone: IANA zone of both.
        calendar: Holidays, and days worked in their place.
    """

    shifts: Sequence[Shift] = ()
    leave: Sequence[Leave] = ()
    zone: str = "UTC"
    calendar: Calendar = EVERY_WEEK

    def spans(
        self, since: datetime, counting: DueCounting
    ) -> Iterator[tuple[datetime, datetime]]:
        """Times that count, from an instant on for a year; [start, end), in UTC."""
        first, here = local_day(since, self.zone), zone_of(self.zone)
        for day in (first + timedelta(days=n) for n in range(_MOST_DAYS)):
            if any(away.first <= day <= away.last for away in self.leave):
                continue
            worked = list(
                working_spans(self.shifts, day, zone=here, calendar=self.calendar)
            )
            if worked and counting is DueCounting.WORKING_DAYS:
                worked = [day_bounds(day, self.zone)]
            for start, end in worked:
                if end > since:
                    yield max(start, since), end


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """A rep's time with a lead, from the ownership event that gave it on.

    Attributes:
        task_id: Id of that event: the follow-up task's id too.
        lead_id: The lead.
        rep_id: The rep.
        revision: The event's place among those of the lead.
        opened_at: When the rep got the lead; aware UTC.
        touched_at: The rep's first follow-up, or None.
        ended_at: When the lead went to somebody else, or back to its pool, or None.
        closed_at: When it was won or lost, or None.
    """

    task_id: str
    lead_id: LeadId
    rep_id: RepId
    revision: int
    opened_at: datetime
    touched_at: datetime | None = None
    ended_at: datetime | None = None
    closed_at: datetime | None = None

    @property
    def over_at(self) -> datetime | None:
        """When nothing was left to do, or None."""
        told = (self.touched_at, self.ended_at, self.closed_at)
        return min((at for at in told if at is not None), default=None)


class TaskState(StrEnum):
    """What became of a follow-up task."""

    OPEN = "open"
    OVERDUE = "overdue"
    DONE = "done"
    """The owner touched the lead."""
    PASSED_ON = "passed_on"
    """The lead left the rep untouched."""
    CLOSED = "closed"
    """The lead was won or lost without a follow-up on record."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowUpTask:
    """One owner's duty to touch one lead.

    Attributes:
        stretch: Whose lead since when, and what became of it.
        tier: Tier of the lead when the task was opened.
        lead_score: 0 to 100, or None without a model.
        due_at: By when the lead must be touched; aware UTC.
        remind_at: When the owner is reminded; None is never.
        reminded_at: When the reminder was told, or None.
        breached_at: When the breach was told, or None.
    """

    stretch: Stretch
    tier: Tier
    lead_score: int | None
    due_at: datetime
    remind_at: datetime | None
    reminded_at: datetime | None = None
    breached_at: datetime | None = None

    def state(self, at: datetime) -> TaskState:
        """What became of it by now."""
        over = self.stretch.over_at
        if over is None:
            return TaskState.OVERDUE if self.due_at <= at else TaskState.OPEN
        if over == self.stretch.touched_at:
            return TaskState.DONE
        return (
            TaskState.CLOSED if over == self.stretch.closed_at else TaskState.PASSED_ON
        )

    def is_breached(self, at: datetime) -> bool:
        """Whether the due time came while the task was open."""
        over = self.stretch.over_at
        return self.due_at <= at and (over is None or over > self.due_at)

    def is_to_remind(self, at: datetime) -> bool:
        """Whether now is between reminder and due time of an open task."""
        if self.stretch.over_at is not None or self.remind_at is None:
            return False
        return self.remind_at <= at < self.due_at


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """How fast leads were touched.

    Attributes:
        n_tasks: Tasks opened.
        n_touched: Of these, touched by their owner.
        n_judged: Tasks of which it is known whether they were touched when due.
        n_in_time: Of these, touched by then.
        median_hours: Time to the first touch over all tasks, where one that was not
            touched is longer than any; None where fewer than half were touched.
    """

    n_tasks: int
    n_touched: int
    n_judged: int
    n_in_time: int
    median_hours: float | None

    @property
    def in_time_share(self) -> float | None:
        """Share touched by the due time, in [0, 1]; None where none is judged."""
        return self.n_in_time / self.n_judged if self.n_judged else None


def due_after(
    hours: float, counting: DueCounting, works: WorkTime, since: datetime
) -> datetime:
    """When so many hours that count are over.

    Args:
        hours: At least 0.
        counting: Which hours count.
        works: When the owner works.
        since: When they begin; aware.

    Returns:
        Aware UTC. Somebody who does not work enough in a year is given the hours of a
        clock.
    """
    since = since.astimezone(UTC)
    left = timedelta(hours=hours)
    if counting is not DueCounting.HOURS:
        for start, end in works.spans(since, counting):
            if end - start >= left:
                return start + left
            left -= end - start
    return since + timedelta(hours=hours)


def task_of(
    stretch: Stretch,
    tier: Tier,
    lead_score: int | None,
    rules: FollowUpRules,
    works: WorkTime,
) -> FollowUpTask:
    """The task that a lead's coming to a rep opens."""
    hours, counting = rules.hours[tier], rules.counting
    early = hours - rules.reminder_hours
    reminds = 0 < rules.reminder_hours < hours
    since = stretch.opened_at
    return FollowUpTask(
        stretch=stretch,
        tier=tier,
        lead_score=lead_score,
        due_at=due_after(hours, counting, works, since),
        remind_at=due_after(early, counting, works, since) if reminds else None,
    )


def remind_from(day: date, works: WorkTime) -> datetime:
    """When somebody is reminded of a day: as soon as they work on it, or after it."""
    start = day_bounds(day, works.zone)[0]
    first = next(works.spans(start, DueCounting.WORKING_HOURS), None)
    return start if first is None else first[0]


def response_of(tasks: Sequence[FollowUpTask], at: datetime) -> Response:
    """How fast the leads of these tasks were touched.

    Tasks whose lead left, or closed, before it was due are not judged.
    """
    waits, judged, in_time, touched = [], 0, 0, 0
    for task in tasks:
        state, since = task.state(at), task.stretch.opened_at
        wait = None if task.stretch.over_at is None else task.stretch.over_at - since
        is_done = state is TaskState.DONE
        breached = task.is_breached(at)
        touched += is_done
        judged += is_done or breached
        in_time += is_done and not breached
        waits.append(wait if is_done and wait is not None else timedelta.max)
    middle = median_low(waits) if waits else timedelta.max
    return Response(
        n_tasks=len(tasks),
        n_touched=touched,
        n_judged=judged,
        n_in_time=in_time,
        median_hours=None if middle == timedelta.max else middle / timedelta(hours=1),
    )


def week_of(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.weekday())


@dataclass(frozen=True, kw_only=True, slots=True)
class WeekSummary:
    """What a rep did in a week of the tenant's days.

    Attributes:
        rep_id: The rep.
        week: Its Monday.
        activities: How many of each kind.
        leads_touched: Leads among these.
        leads_received: Leads that came to the rep.
        won: Leads the rep had that were won.
        lost: Likewise, lost.
        tickets_touched: Work orders among the activities.
        tickets_received: Work orders that came to the rep.
        resolved: Work orders the rep had that were resolved.
        unresolved: Likewise, closed without.
        response: How fast the leads received were touched.
    """

    rep_id: RepId
    week: date
    activities: Mapping[str, int] = field(default_factory=Counter)
    leads_touched: int = 0
    leads_received: int = 0
    won: int = 0
    lost: int = 0
    tickets_touched: int = 0
    tickets_received: int = 0
    resolved: int = 0
    unresolved: int = 0
    response: Response

    @property
    def is_empty(self) -> bool:
        """Whether nothing happened."""
        received = self.leads_received + self.tickets_received
        closed = self.won + self.lost + self.resolved + self.unresolved
        return not (received or closed or self.activities)


def _counting(word: object) -> DueCounting:
    try:
        return DueCounting(str(word))
    except ValueError:
        raise InvalidInput(
            f"Hours cannot be counted as {word!r}.",
            field=f"{SETTING}.counting",
            remedy=f"Give one of {', '.join(DueCounting)}.",
        ) from None
