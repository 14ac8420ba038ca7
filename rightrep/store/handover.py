"""Handovers on disk, and the moves they make: forth, and back while undoable.

A handover is settled line by line; its row is locked while lines are, so two processes
that commit the same one take turns, and each lead moves once. The caller owns the
transaction.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from math import inf
from typing import Any

from sqlalchemy import RowMapping, bindparam, func, insert, select, update

from rightrep.domain.decision import Cause, Decision
from rightrep.domain.handover import Handover, HandoverLine, MoveState
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.lead import LeadKind
from rightrep.domain.ownership import OwnershipKind
from rightrep.errors import NotFound
from rightrep.store.decisions import log_decisions
from rightrep.store.guard import of_tenant
from rightrep.store.kinds import of_kind
from rightrep.store.outcomes import closed_leads
from rightrep.store.projection import Change, Owned, apply, lock_leads, not_before
from rightrep.store.schema import rep_load
from rightrep.store.schema_handover import handover_leads, handovers
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of, batches

CAUSE = Cause.HANDOVER.value
"""Cause of the ownership events, forth and back."""


def save_handover(
    session: WriteSession, handover: Handover, lines: Sequence[HandoverLine]
) -> None:
    """Keep a previewed handover with its leads."""
    row = {name: getattr(handover, name) for name in Handover.__slots__}
    row |= {name: list(row[name]) for name in ("from_reps", "to_reps")}
    session.execute(insert(handovers), row)
    rows = [
        {name: getattr(line, name) for name in HandoverLine.__slots__}
        | {
            "handover_id": handover.handover_id,
            "state": line.state.value,
            "why": list(line.why),
        }
        for line in lines
    ]
    for batch in batches(rows):
        session.execute(insert(handover_leads), batch)


def read_handover(session: ReadSession, handover_id: str) -> Handover:
    """A handover without its leads.

    Raises:
        NotFound: There is no such handover.
    """
    found = session.execute(_ONE, {"wanted": handover_id}).mappings().first()
    if found is None:
        raise NotFound("handover", handover_id)
    return _handover(found)


def lock_handover(session: WriteSession, handover_id: str) -> Handover:
    """The same; nobody else settles its leads until we are done.

    Raises:
        NotFound: There is no such handover.
    """
    # A statement of its own: one that waits reads the row as it was before the wait.
    session.execute(_LOCK, {"wanted": handover_id})
    return read_handover(session, handover_id)


def list_handovers(session: ReadSession, *, limit: int = 100) -> list[Handover]:
    """Handovers, the newest first."""
    newest = handovers.c.created_at.desc(), handovers.c.handover_id.desc()
    rows = session.execute(_EVERY.order_by(*newest).limit(limit)).mappings()
    return [_handover(row) for row in rows]


def save_progress(session: WriteSession, handover: Handover) -> None:
    """Write down how far a locked handover is."""
    names = (
        "status_before", "committed_at", "committed_by", "undo_until", "finished_at",
        "undone_at", "undone_by",
    )  # fmt: skip
    mine = of_tenant(handovers), handovers.c.handover_id == handover.handover_id
    values = {name: getattr(handover, name) for name in names}
    session.execute(update(handovers).where(*mine).values(values))


def read_lines(
    session: ReadSession,
    handover_id: str,
    *,
    state: MoveState | None = None,
    after: int = -1,
    limit: int | None = None,
) -> list[HandoverLine]:
    """Leads of a handover in order.

    Args:
        session: Where to read.
        handover_id: The handover.
        state: Only leads in this state.
        after: Only leads with a higher number: the last one of the page before.
        limit: At most so many; all when not given.
    """
    query = _LINES.where(handover_leads.c.line > after).limit(limit)
    if state is not None:
        query = query.where(handover_leads.c.state == state.value)
    rows = session.execute(query, {"wanted": handover_id}).mappings()
    return [_line(row) for row in rows]


def count_lines(session: ReadSession, handover_id: str) -> dict[MoveState, int]:
    """How many leads of a handover are in each state; the others are left out."""
    rows = session.execute(_STATES, {"wanted": handover_id})
    return {MoveState(row.state): row.leads for row in rows}


def count_by_rep(session: ReadSession, handover_id: str) -> dict[RepId, int]:
    """How many leads each new rep gets, or got, by rep id."""
    rows = session.execute(_BY_REP, {"wanted": handover_id})
    return {RepId(row.to_rep): row.leads for row in rows}


def move_lines(
    session: WriteSession,
    handover_id: str,
    lines: Sequence[HandoverLine],
    made: Mapping[LeadId, Decision],
    *,
    limits: Mapping[RepId, int | None],
    only: LeadKind | None = None,
) -> list[HandoverLine]:
    """Move the leads that still can be moved, and say what became of each.

    Only holding limits count: what a rep takes over is no intake of the day.

    Args:
        session: Where to write; the handover is locked.
        handover_id: The handover.
        lines: Previewed lines.
        made: The decision of each lead that its new rep may take.
        limits: Holding limit of each new rep; None is no limit.
        only: Kind of the leads that count against it; None is any.

    Returns:
        The lines as they are now.
    """
    states = lock_leads(session, [line.lead_id for line in lines])
    room = _lock_room(session, lines, limits, only)
    closed = closed_leads(session, [line.lead_id for line in lines])
    settled, changes = [], []
    for line in lines:
        state, decision = states[line.lead_id], made.get(line.lead_id)
        became = _became(line, state, decision, room, closed)
        if became is MoveState.MOVED and decision is not None:
            room[decision.rep_id] -= state.holding
            changes.append(_move(decision, state))
            settled.append(_moved(line, decision, state))
        else:
            settled.append(replace(line, state=became))
    log_decisions(session, [made[change.lead_id] for change in changes])
    apply(session, states, changes)
    _settle(session, handover_id, settled)
    return settled


def return_lines(
    session: WriteSession,
    handover_id: str,
    lines: Sequence[HandoverLine],
    *,
    at: datetime,
    actor: str,
) -> list[HandoverLine]:
    """Give leads back that have not moved on since, whatever the limits.

    Args:
        session: Where to write; the handover is locked.
        handover_id: The handover.
        lines: Moved lines.
        at: Now.
        actor: Who undoes it.

    Returns:
        The lines as they are now.
    """
    states = lock_leads(session, [line.lead_id for line in lines])
    closed = closed_leads(session, [line.lead_id for line in lines])
    settled, changes = [], []
    for line in lines:
        state = states[line.lead_id]
        stays = line.lead_id not in closed and state.decision_id == line.decision_id
        if not stays or state.owner != line.to_rep:
            settled.append(replace(line, state=MoveState.KEPT))
            continue
        settled.append(replace(line, state=MoveState.RETURNED))
        changes.append(_return(line, state, at=at, actor=actor))
    apply(session, states, changes)
    _settle(session, handover_id, settled)
    return settled


def _became(
    line: HandoverLine,
    state: Owned,
    decision: Decision | None,
    room: Mapping[RepId, float],
    closed: Collection[LeadId],
) -> MoveState:
    if state.owner != line.from_rep or line.lead_id in closed:
        return MoveState.CHANGED
    if decision is None or decision.rep_id not in room:
        return MoveState.EXCLUDED
    full = state.holding and room[decision.rep_id] < 1
    return MoveState.FULL if full else MoveState.MOVED


def _move(decision: Decision, state: Owned) -> Change:
    return Change(
        lead_id=decision.lead_id,
        kind=OwnershipKind.TRANSFERRED,
        owner=decision.rep_id,
        at=not_before(decision.decided_at, state),
        actor=decision.actor,
        cause=CAUSE,
        decision_id=decision.decision_id,
    )


def _moved(line: HandoverLine, decision: Decision, state: Owned) -> HandoverLine:
    return replace(
        line,
        state=MoveState.MOVED,
        decision_id=decision.decision_id,
        decision_before=state.decision_id,
    )


def _return(line: HandoverLine, state: Owned, *, at: datetime, actor: str) -> Change:
    return Change(
        lead_id=line.lead_id,
        kind=OwnershipKind.UNDONE,
        owner=line.from_rep,
        at=not_before(at, state),
        actor=actor,
        cause=CAUSE,
        decision_id=line.decision_before,
    )


def _lock_room(
    session: WriteSession,
    lines: Sequence[HandoverLine],
    limits: Mapping[RepId, int | None],
    only: LeadKind | None,
) -> dict[RepId, float]:
    """Slots left of each rep who exists; ours alone until we are done.

    Those who give are locked too: loads are locked in one order, whoever gives.
    """
    reps = {line.from_rep for line in lines} | {
        line.to_rep for line in lines if line.to_rep is not None
    }
    room: dict[RepId, float] = {}
    for row in session.execute(_LOCK_LOADS, {"ids": sorted(reps)}):
        limit = limits.get(row.rep_id)
        held = of_kind(row.held, row.tickets, only)
        room[row.rep_id] = inf if limit is None else limit - held
    return room


def _settle(
    session: WriteSession, handover_id: str, settled: Sequence[HandoverLine]
) -> None:
    rows = [
        {
            "wanted": handover_id,
            "of_line": line.line,
            "became": line.state.value,
            "by": line.decision_id,
            "before": line.decision_before,
        }
        for line in settled
    ]
    for batch in batches(rows):
        session.execute(_SETTLE, batch)


def _handover(row: RowMapping) -> Handover:
    return Handover(**{name: row[name] for name in Handover.__slots__})


def _line(row: RowMapping) -> HandoverLine:
    told: dict[str, Any] = {name: row[name] for name in HandoverLine.__slots__}
    return HandoverLine(**{**told, "state": MoveState(row["state"])})


_EVERY = select(handovers).where(of_tenant(handovers))
_ONE = _EVERY.where(handovers.c.handover_id == bindparam("wanted"))
_LOCK = (
    select(handovers.c.handover_id)
    .where(of_tenant(handovers), handovers.c.handover_id == bindparam("wanted"))
    .with_for_update()
)
_OF = of_tenant(handover_leads), handover_leads.c.handover_id == bindparam("wanted")
_LINES = select(handover_leads).where(*_OF).order_by(handover_leads.c.line)
_STATES = (
    select(handover_leads.c.state, func.count().label("leads"))
    .where(*_OF)
    .group_by(handover_leads.c.state)
)
_BY_REP = (
    select(handover_leads.c.to_rep, func.count().label("leads"))
    .where(*_OF, handover_leads.c.to_rep.is_not(None))
    .group_by(handover_leads.c.to_rep)
    .order_by(handover_leads.c.to_rep)
)
_SETTLE = (
    update(handover_leads)
    .where(*_OF, handover_leads.c.line == bindparam("of_line"))
    .values(
        state=bindparam("became"),
        decision_id=bindparam("by"),
        decision_before=bindparam("before"),
    )
)
_LOCK_LOADS = (
    select(rep_load.c.rep_id, rep_load.c.held, rep_load.c.tickets)
    .where(of_tenant(rep_load), rep_load.c.rep_id.in_(any_of("ids")))
    .order_by(rep_load.c.rep_id)
    .with_for_update()
)
