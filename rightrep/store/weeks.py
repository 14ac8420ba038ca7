"""What reps did in a span of time, and which weeks were told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, bindparam, case, distinct, func, select

from rightrep.domain.ids import RepId
from rightrep.domain.ownership import OwnershipKind
from rightrep.store.followup import NOT_FOLLOWED_UP
from rightrep.store.guard import of_tenant
from rightrep.store.kinds import TICKETS
from rightrep.store.rows import insert_new
from rightrep.store.schema import activities, outcomes, ownership, ownership_events
from rightrep.store.schema_followup import told_weeks
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of, batches
from rightrep.store.types import UtcDateTime


@dataclass(slots=True)
class Doings:
    """What a rep did.

    Attributes:
        activities: How many of each kind.
        leads_touched: Leads among these.
        leads_received: Times a lead came to the rep.
        tickets_touched: Work orders among these.
        tickets_received: Times a work order came to the rep.
        closed: What the rep has that was closed, by result: leads won and lost, work
            orders resolved and unresolved.
    """

    activities: dict[str, int] = field(default_factory=dict)
    leads_touched: int = 0
    leads_received: int = 0
    tickets_touched: int = 0
    tickets_received: int = 0
    closed: dict[str, int] = field(default_factory=dict)


def doings(
    session: ReadSession, rep_ids: Sequence[RepId], *, since: datetime, until: datetime
) -> dict[RepId, Doings]:
    """What each of these reps did in [since, until).

    Args:
        session: Where to read.
        rep_ids: The reps; every one of them is in the answer.
        since: First instant; aware.
        until: First instant after; aware.
    """
    found = {rep_id: Doings() for rep_id in rep_ids}
    for batch in batches(rep_ids):
        asked = {"reps": list(batch), "since": since, "until": until}
        for row in session.execute(_ACTIVITIES, asked):
            found[row.rep_id].activities[row.kind] = row.n
        for row in session.execute(_TOUCHED, asked):
            found[row.rep_id].leads_touched = row.n - row.tickets
            found[row.rep_id].tickets_touched = row.tickets
        for row in session.execute(_RECEIVED, asked):
            found[row.owner].leads_received = row.n - row.tickets
            found[row.owner].tickets_received = row.tickets
        for row in session.execute(_CLOSED, asked):
            found[row.owner].closed[row.result] = row.n
    return found


def add_told_weeks(
    session: WriteSession, rep_ids: Sequence[RepId], week: date, *, at: datetime
) -> set[str]:
    """Note that a week is told; gives the reps of whom it was not told before."""
    rows: list[Mapping[str, Any]] = [
        {"rep_id": rep_id, "week": week, "told_at": at} for rep_id in rep_ids
    ]
    return insert_new(session, told_weeks, rows)


def is_week_told(session: ReadSession, week: date) -> bool:
    """Whether any rep was told of the week."""
    return session.execute(_TOLD, {"of": week}).first() is not None


def _ticket(lead_id: "Column[str]") -> "ColumnElement[str | None]":
    """The id of a work order; null of a lead."""
    return case((lead_id.in_(TICKETS), lead_id))


_SINCE = bindparam("since", type_=UtcDateTime())
_UNTIL = bindparam("until", type_=UtcDateTime())
_DONE = (
    of_tenant(activities),
    activities.c.rep_id.in_(any_of("reps")),
    activities.c.happened_at >= _SINCE,
    activities.c.happened_at < _UNTIL,
    *(activities.c.kind != kind.value for kind in NOT_FOLLOWED_UP),
)
_ACTIVITIES = (
    select(activities.c.rep_id, activities.c.kind, func.count().label("n"))
    .where(*_DONE)
    .group_by(activities.c.rep_id, activities.c.kind)
)
_TOUCHED = (
    select(
        activities.c.rep_id,
        func.count(distinct(activities.c.lead_id)).label("n"),
        func.count(distinct(_ticket(activities.c.lead_id))).label("tickets"),
    )
    .where(*_DONE)
    .group_by(activities.c.rep_id)
)
_RECEIVED = (
    select(
        ownership_events.c.owner,
        func.count().label("n"),
        func.count(_ticket(ownership_events.c.lead_id)).label("tickets"),
    )
    .where(
        of_tenant(ownership_events),
        ownership_events.c.owner.in_(any_of("reps")),
        ownership_events.c.happened_at >= _SINCE,
        ownership_events.c.happened_at < _UNTIL,
        ownership_events.c.owner.is_distinct_from(ownership_events.c.previous_owner),
        ownership_events.c.kind != OwnershipKind.UNDONE.value,
    )
    .group_by(ownership_events.c.owner)
)
_LATER = outcomes.alias()
_REPLACED = select(_LATER.c.event_id).where(
    of_tenant(_LATER), _LATER.c.replaces == outcomes.c.event_id
)
_CLOSED = (
    select(ownership.c.owner, outcomes.c.result, func.count().label("n"))
    .join_from(
        outcomes,
        ownership,
        (ownership.c.tenant_id == outcomes.c.tenant_id)
        & (ownership.c.lead_id == outcomes.c.lead_id),
    )
    .where(
        of_tenant(outcomes),
        ownership.c.owner.in_(any_of("reps")),
        outcomes.c.closed_at >= _SINCE,
        outcomes.c.closed_at < _UNTIL,
        ~_REPLACED.exists(),
    )
    .group_by(ownership.c.owner, outcomes.c.result)
)
_TOLD = (
    select(told_weeks.c.rep_id)
    .where(
        of_tenant(told_weeks),
        told_weeks.c.week == bindparam("of", type_=told_weeks.c.week.type),
    )
    .limit(1)
)
