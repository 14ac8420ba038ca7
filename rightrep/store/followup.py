"""Follow-up tasks: what opened them is kept, what became of them is read from records.

A task is a row from the first look after its lead came to the rep; what has to be told
of it is marked in the row by whoever tells it first. Whether it is done follows from
ownership events, activities and outcomes, so nothing has to be brought along with them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    func,
    select,
    update,
)

from rightrep.domain.activity import ActivityKind
from rightrep.domain.followup import FollowUpTask, Stretch
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.ownership import OwnershipKind
from rightrep.domain.tier import Tier
from rightrep.store.guard import of_tenant
from rightrep.store.rows import insert_new
from rightrep.store.schema import activities, outcomes, ownership, ownership_events
from rightrep.store.schema_followup import follow_up_tasks
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of, batches
from rightrep.store.types import UtcDateTime

NOT_FOLLOWED_UP = (ActivityKind.PAGE_VIEW, ActivityKind.SURVEY)
"""These the lead does alone."""


@dataclass(frozen=True, slots=True)
class _Base:
    """What opened tasks: rows of ownership events, or of tasks."""

    task_id: "ColumnElement[str]"
    lead_id: "ColumnElement[str]"
    rep_id: "ColumnElement[str]"
    revision: "ColumnElement[int]"
    opened_at: "ColumnElement[datetime]"


def new_stretches(
    session: ReadSession,
    *,
    since: datetime,
    at: datetime,
    rep_ids: Sequence[RepId] | None = None,
) -> list[Stretch]:
    """Leads that came to reps and have no task yet, the first ones first.

    Args:
        session: Where to read.
        since: What happened before is left alone.
        at: Now; what happened later is not known yet.
        rep_ids: Present owners asked about; None is every rep, past ones too.
    """
    if rep_ids is None:
        return _stretches(session, _NEW, {"since": since, "at": at})
    found: list[Stretch] = []
    for batch in batches(rep_ids):
        asked = {"since": since, "at": at, "reps": list(batch)}
        found += _stretches(session, _NEW_OF_REPS, asked)
    return found


def add_tasks(session: WriteSession, opened: Sequence[FollowUpTask]) -> int:
    """Keep tasks; those that somebody else kept meanwhile stay as they are."""
    rows = [
        {
            "task_id": task.stretch.task_id,
            "lead_id": task.stretch.lead_id,
            "rep_id": task.stretch.rep_id,
            "revision": task.stretch.revision,
            "opened_at": task.stretch.opened_at,
            "tier": task.tier.value,
            "lead_score": task.lead_score,
            "due_at": task.due_at,
            "remind_at": task.remind_at,
        }
        for task in opened
    ]
    return len(insert_new(session, follow_up_tasks, rows))


def unsettled_tasks(session: ReadSession, at: datetime) -> list[FollowUpTask]:
    """Every task of which something may have to be told."""
    return _tasks(session, _UNSETTLED, {"at": at})


def tasks_by_id(
    session: ReadSession, task_ids: Sequence[str], at: datetime
) -> list[FollowUpTask]:
    """These tasks, those that are settled left out."""
    return _tasks(session, _BY_ID, {"at": at, "ids": list(task_ids)})


def open_tasks_of(
    session: ReadSession, rep_ids: Sequence[RepId], at: datetime
) -> list[FollowUpTask]:
    """Tasks of these reps that are on record and still to be done."""
    found: list[FollowUpTask] = []
    for batch in batches(rep_ids):
        asked = {"at": at, "reps": list(batch)}
        found += _tasks(session, _UNSETTLED_OF_REPS, asked)
    return [task for task in found if task.stretch.over_at is None]


def tasks_opened(
    session: ReadSession,
    rep_ids: Iterable[RepId],
    *,
    since: datetime,
    until: datetime,
    at: datetime,
) -> dict[RepId, list[FollowUpTask]]:
    """Tasks opened in [since, until), by rep; every rep asked about is there."""
    found: dict[RepId, list[FollowUpTask]] = {rep_id: [] for rep_id in rep_ids}
    for batch in batches(list(found)):
        asked = {"at": at, "reps": list(batch), "since": since, "until": until}
        for task in _tasks(session, _OPENED, asked):
            found[task.stretch.rep_id].append(task)
    return found


def move_due(session: WriteSession, moved: Sequence[FollowUpTask]) -> None:
    """Put other due times in force, where no breach was told by the old ones."""
    for task in moved:
        session.execute(
            _MOVE,
            {
                "task": task.stretch.task_id,
                "new_due_at": task.due_at,
                "new_remind_at": task.remind_at,
            },
        )


def mark(
    session: WriteSession, name: str, task_ids: Sequence[str], at: datetime
) -> set[str]:
    """Mark what is told of tasks, once.

    Args:
        session: The transaction of the telling.
        name: ``reminded_at``, ``breached_at`` or ``settled_at``.
        task_ids: The tasks.
        at: Now.

    Returns:
        The tasks that were not marked before.
    """
    column = follow_up_tasks.c[name]
    marking = (
        update(follow_up_tasks)
        .where(
            of_tenant(follow_up_tasks),
            follow_up_tasks.c.task_id.in_(any_of("ids")),
            column.is_(None),
        )
        .values({name: at})
        .returning(follow_up_tasks.c.task_id)
    )
    return set(session.execute(marking, {"ids": sorted(task_ids)}).scalars())


def _stretches(
    session: ReadSession, query: "Select[Any]", asked: Mapping[str, Any]
) -> list[Stretch]:
    return [_stretch(row) for row in session.execute(query, asked)]


def _tasks(
    session: ReadSession, query: "Select[Any]", asked: Mapping[str, Any]
) -> list[FollowUpTask]:
    return [
        FollowUpTask(
            stretch=_stretch(row),
            tier=Tier(row.tier),
            lead_score=row.lead_score,
            due_at=row.due_at,
            remind_at=row.remind_at,
            reminded_at=row.reminded_at,
            breached_at=row.breached_at,
        )
        for row in session.execute(query, asked)
    ]


def _stretch(row: Row[Any]) -> Stretch:
    return Stretch(
        task_id=row.task_id,
        lead_id=LeadId(row.lead_id),
        rep_id=RepId(row.rep_id),
        revision=row.revision,
        opened_at=row.opened_at,
        touched_at=row.touched_at,
        ended_at=row.ended_at,
        closed_at=row.closed_at,
    )


_AT = bindparam("at", type_=UtcDateTime())


def _facts(base: _Base) -> "list[ColumnElement[Any]]":
    """What opened a task, and the first instants at which it was over."""
    told, later, done = activities.c, ownership_events.alias(), outcomes.alias()
    replacing = outcomes.alias()
    left = and_(
        of_tenant(later),
        later.c.lead_id == base.lead_id,
        later.c.revision > base.revision,
        later.c.happened_at >= base.opened_at,
        later.c.owner.is_distinct_from(base.rep_id),
    )
    touched = and_(
        of_tenant(activities),
        told.lead_id == base.lead_id,
        told.rep_id == base.rep_id,
        told.happened_at >= base.opened_at,
        told.happened_at <= _AT,
        *(told.kind != kind.value for kind in NOT_FOLLOWED_UP),
    )
    replaced = select(replacing.c.event_id).where(
        of_tenant(replacing), replacing.c.replaces == done.c.event_id
    )
    closed = and_(of_tenant(done), done.c.lead_id == base.lead_id, ~replaced.exists())
    return [
        base.task_id.label("task_id"),
        base.lead_id.label("lead_id"),
        base.rep_id.label("rep_id"),
        base.revision.label("revision"),
        base.opened_at.label("opened_at"),
        _first(told.happened_at, touched, "touched_at"),
        _first(later.c.happened_at, left, "ended_at"),
        _first(done.c.closed_at, closed, "closed_at"),
    ]


def _first(
    at: "ColumnElement[datetime]", where: "ColumnElement[bool]", name: str
) -> "ColumnElement[Any]":
    first = select(func.min(at, type_=UtcDateTime())).where(where)
    return first.scalar_subquery().label(name)


def _new(*also: "ColumnElement[bool]") -> "Select[Any]":
    """Events by which a lead came to another rep, without a task."""
    event = ownership_events.c
    kept = select(follow_up_tasks.c.task_id).where(
        of_tenant(follow_up_tasks), follow_up_tasks.c.task_id == event.event_id
    )
    base = _Base(
        event.event_id, event.lead_id, event.owner, event.revision, event.happened_at
    )
    return (
        select(*_facts(base))
        .where(
            of_tenant(ownership_events),
            event.happened_at >= bindparam("since", type_=UtcDateTime()),
            event.happened_at <= _AT,
            event.owner.is_not(None),
            event.owner.is_distinct_from(event.previous_owner),
            # What is taken back never happened: the owner had the lead all along.
            event.kind != OwnershipKind.UNDONE.value,
            ~kept.exists(),
            *also,
        )
        .order_by(event.happened_at, event.event_id)
    )


def _kept(*where: "ColumnElement[bool]") -> "Select[Any]":
    task = follow_up_tasks.c
    base = _Base(task.task_id, task.lead_id, task.rep_id, task.revision, task.opened_at)
    more = ("tier", "lead_score", "due_at", "remind_at", "reminded_at", "breached_at")
    return (
        select(*_facts(base), *(task[name] for name in more))
        .where(of_tenant(follow_up_tasks), *where)
        .order_by(task.due_at, task.task_id)
    )


_REPS = follow_up_tasks.c.rep_id.in_(any_of("reps"))
_IS_UNSETTLED = follow_up_tasks.c.settled_at.is_(None)
_NEW = _new()
_NEW_OF_REPS = _new(
    ownership_events.c.owner.in_(any_of("reps")),
    ownership_events.c.lead_id.in_(
        select(ownership.c.lead_id).where(
            of_tenant(ownership), ownership.c.owner.in_(any_of("reps"))
        )
    ),
)
_UNSETTLED = _kept(_IS_UNSETTLED)
_UNSETTLED_OF_REPS = _kept(_IS_UNSETTLED, _REPS)
_BY_ID = _kept(_IS_UNSETTLED, follow_up_tasks.c.task_id.in_(any_of("ids")))
_OPENED = _kept(
    _REPS,
    follow_up_tasks.c.opened_at >= bindparam("since", type_=UtcDateTime()),
    follow_up_tasks.c.opened_at < bindparam("until", type_=UtcDateTime()),
)
_MOVE = (
    update(follow_up_tasks)
    .where(
        of_tenant(follow_up_tasks),
        follow_up_tasks.c.task_id == bindparam("task"),
        follow_up_tasks.c.breached_at.is_(None),
        _IS_UNSETTLED,
    )
    .values(
        due_at=bindparam("new_due_at", type_=UtcDateTime()),
        remind_at=bindparam("new_remind_at", type_=UtcDateTime()),
    )
)
