"""Follow-up: tasks opened by assignments, reminders and breaches told once.

One look opens a task for each lead that came to a rep, moves the due times of open
tasks along with leave and shifts, and tells what has come due. It may run twice, late
or beside another one: a task is one row, and what is told of it is marked in the
transaction of the telling.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from rightrep.domain.days import local_day
from rightrep.domain.event import Event
from rightrep.domain.followup import (
    SETTING,
    UNSCORED,
    FollowUpRules,
    FollowUpTask,
    Stretch,
    WorkTime,
    task_of,
)
from rightrep.domain.ids import RepId, TenantId, new_id
from rightrep.domain.routing import Routing
from rightrep.domain.tenant import Tenant
from rightrep.domain.tier import Tiers
from rightrep.store import followup, outbox, reps
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import batches
from rightrep.store.tenants import get_tenant, save_settings
from serving.usecases import followup_weeks, remarks
from serving.usecases.context import Context
from serving.usecases.lead_scores import lead_scores
from serving.worker import Effect, Handler, Task

FOLLOW_UP = "follow_up"
"""Kind of the job."""
REMINDER = "rightrep.follow_up.reminder"
BREACHED = "rightrep.follow_up.breached"

LOOK_BACK = timedelta(days=7)
"""A look may be so late; who got a lead longer ago than the first one has no task."""
AT_ONCE = 500
"""Tasks written in one transaction, so that nobody waits long for it."""


@dataclass
class Looked:
    """What one look did.

    Attributes:
        opened: Tasks opened.
        moved: Due times moved.
        reminded: Reminders told.
        breached: Breaches told.
        remarks: Dated remarks told.
        weeks: Weekly summaries told.
    """

    opened: int = 0
    moved: int = 0
    reminded: int = 0
    breached: int = 0
    remarks: int = 0
    weeks: int = 0


def handlers(context: Context) -> Mapping[str, Handler]:
    """What to do, by kind of job."""
    return {FOLLOW_UP: lambda task: _job(context, task)}


def _job(context: Context, task: Task) -> Effect:
    done = look(context, task.tenant_id)
    return lambda _session: asdict(done)


def look(context: Context, tenant_id: TenantId) -> Looked:
    """Open tasks, and tell what has come due.

    Raises:
        InvalidInput: The tenant's settings make no sense.
    """
    at, done = context.clock.now(), Looked()
    with context.store.read(tenant_id) as session:
        desk = Desk.of(session, at)
        new = followup.new_stretches(session, since=at - LOOK_BACK, at=at)
    for batch in batches(open_tasks(context, tenant_id, desk, new), AT_ONCE):
        with context.store.write(tenant_id) as session:
            done.opened += followup.add_tasks(session, batch)
    with context.store.read(tenant_id) as session:
        known = followup.unsettled_tasks(session, at)
    for batch in batches(known, AT_ONCE):
        ids = [task.stretch.task_id for task in batch]
        with context.store.write(tenant_id) as session:
            _tell_of(session, desk, ids, done)
    done.remarks = remarks.tell_due(context, tenant_id, desk.works, at)
    done.weeks = followup_weeks.tell_week(context, tenant_id, at)
    return done


@dataclass(frozen=True, eq=False)
class Desk:
    """What tasks are opened by.

    Attributes:
        at: Now.
        tenant: Whose tasks.
        rules: When follow-ups are due.
        works: When each rep works.
    """

    at: datetime
    tenant: Tenant
    rules: FollowUpRules
    works: Mapping[RepId, WorkTime]

    @classmethod
    def of(cls, session: ReadSession, at: datetime) -> "Desk":
        """As it is now.

        Raises:
            InvalidInput: The tenant's settings make no sense.
        """
        tenant = get_tenant(session)
        rules = FollowUpRules.of(tenant.settings)
        return cls(at, tenant, rules, work_times(session, tenant, at))

    def task(self, found: Stretch, lead_score: int | None) -> FollowUpTask:
        """The task of a rep's time with a lead."""
        tiers = Tiers.of(self.tenant.settings)
        tier = UNSCORED if lead_score is None else tiers.tier_of(lead_score)
        works = self.works.get(found.rep_id, WorkTime(zone=self.tenant.time_zone))
        return task_of(found, tier, lead_score, self.rules, works)

    def moved(self, task: FollowUpTask) -> FollowUpTask:
        """The same task, due as its owner works by now."""
        works = self.works.get(
            task.stretch.rep_id, WorkTime(zone=self.tenant.time_zone)
        )
        fresh = task_of(task.stretch, task.tier, task.lead_score, self.rules, works)
        return replace(task, due_at=fresh.due_at, remind_at=fresh.remind_at)


def work_times(
    session: ReadSession, tenant: Tenant, at: datetime
) -> dict[RepId, WorkTime]:
    """When each rep works, as known now."""
    zone = tenant.time_zone
    entries = reps.roster(
        session,
        as_of=at,
        local_day=local_day(at, zone),
        zone=zone,
        calendar=Routing.of(tenant.settings).calendar or None,
    )
    return {
        entry.rep_id: WorkTime(
            shifts=entry.attributes.shifts,
            leave=entry.attributes.leave,
            zone=entry.attributes.time_zone or zone,
            calendar=entry.calendar,
        )
        for entry in entries
    }


def open_tasks(
    context: Context, tenant_id: TenantId, desk: Desk, new: Sequence[Stretch]
) -> list[FollowUpTask]:
    """The tasks that leads' coming to reps opens; nothing is written."""
    ids = sorted({one.lead_id for one in new})
    scores = lead_scores(context, tenant_id, ids)
    return [desk.task(one, scores.get(one.lead_id)) for one in new]


def tasks_to_do(
    context: Context, tenant_id: TenantId, rep_ids: Sequence[RepId]
) -> list[FollowUpTask]:
    """What these reps have to do, due first; leads that have just come too."""
    at = context.clock.now()
    with context.store.read(tenant_id) as session:
        desk = Desk.of(session, at)
        known = followup.open_tasks_of(session, rep_ids, at)
        since = at - LOOK_BACK
        new = followup.new_stretches(session, since=since, at=at, rep_ids=rep_ids)
    fresh = [one for one in new if one.over_at is None]
    found = [*known, *open_tasks(context, tenant_id, desk, fresh)]
    return sorted(found, key=lambda task: (task.due_at, task.stretch.task_id))


def rules_in_force(session: ReadSession) -> dict[str, Any]:
    """Every setting, defaults included; JSON."""
    return FollowUpRules.of(get_tenant(session).settings).to_json()


def set_rules(session: WriteSession, given: Mapping[str, Any]) -> dict[str, Any]:
    """Put these settings in force instead of those before; the rest are defaults.

    Returns:
        Every setting.

    Raises:
        InvalidInput: A name is unknown or a value makes no sense.
    """
    FollowUpRules.of({SETTING: given})
    save_settings(session, {SETTING: given})
    return rules_in_force(session)


def _tell_of(
    session: WriteSession, desk: Desk, task_ids: Sequence[str], done: Looked
) -> None:
    """Move due times, tell what has come due, and be done with what is over."""
    at = desk.at
    tasks = [
        _as_now(desk, task) for task in followup.tasks_by_id(session, task_ids, at)
    ]
    moved = [task for task, is_moved in tasks if is_moved]
    followup.move_due(session, moved)
    done.moved += len(moved)
    every = [task for task, _ in tasks]
    breached = [task for task in every if task.is_breached(at)]
    remind = [task for task in every if task.is_to_remind(at)]
    done.breached += _tell(session, BREACHED, "breached_at", breached, at)
    done.reminded += _tell(session, REMINDER, "reminded_at", remind, at)
    over = (task for task in every if task.stretch.over_at is not None)
    followup.mark(session, "settled_at", _ids(over), at)


def _as_now(desk: Desk, task: FollowUpTask) -> tuple[FollowUpTask, bool]:
    """The task as of now, and whether its due time moved: no more once it was told."""
    if task.stretch.over_at is not None or task.breached_at is not None:
        return task, False
    fresh = desk.moved(task)
    return fresh, fresh != task


def _tell(
    session: WriteSession,
    what: str,
    name: str,
    tasks: Sequence[FollowUpTask],
    at: datetime,
) -> int:
    """Tell of tasks that were not told of so before."""
    ours = followup.mark(session, name, _ids(tasks), at) if tasks else set()
    told = [task for task in tasks if task.stretch.task_id in ours]
    outbox.emit_all(session, [_event(what, task, at) for task in told], at=at)
    return len(told)


def _event(what: str, task: FollowUpTask, at: datetime) -> Event:
    touched = task.stretch.touched_at
    return Event(
        event_id=new_id(at),
        type=what,
        subject=task.stretch.lead_id,
        time=at,
        data={
            "task_id": task.stretch.task_id,
            "lead_id": task.stretch.lead_id,
            "rep_id": task.stretch.rep_id,
            "tier": task.tier.value,
            "due_at": task.due_at.isoformat(),
            "touched_at": None if touched is None else touched.isoformat(),
        },
    )


def _ids(tasks: Iterable[FollowUpTask]) -> list[str]:
    return [task.stretch.task_id for task in tasks]
