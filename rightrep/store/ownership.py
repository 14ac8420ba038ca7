"""Who has which lead: given back, handed over, closed, told by a CRM.

These are facts that no limit can refuse; ``capacity`` is where limits count. The caller
owns the transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, bindparam, select

from rightrep.domain.ids import DecisionId, LeadId, RepId
from rightrep.domain.ownership import OwnershipEvent, OwnershipKind
from rightrep.errors import Conflict, NotFound
from rightrep.store.guard import of_tenant
from rightrep.store.projection import Change, apply, lock_leads, not_before
from rightrep.store.schema import ownership, ownership_events, rep_load
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of, batches


@dataclass(frozen=True, kw_only=True, slots=True)
class Ownership:
    """Who has a lead.

    Attributes:
        lead_id: The lead.
        owner: The rep.
        since: From when on; aware UTC.
        decision_id: The decision behind it, or None.
        holding: Whether it counts against the holding limit; a closed lead may not.
    """

    lead_id: LeadId
    owner: RepId
    since: datetime
    decision_id: DecisionId | None
    holding: bool


def release_lead(
    session: WriteSession,
    lead_id: LeadId,
    kind: OwnershipKind,
    *,
    at: datetime,
    actor: str,
    cause: str,
    owner: RepId | None = None,
    held_by: RepId | None = None,
    decision_id: DecisionId | None = None,
    local_day: date | None = None,
) -> RepId | None:
    """Change who has a lead, as a fact that no limit can refuse.

    ``DECLINED`` and ``OVERRIDDEN`` free the slot and give the day's intake back;
    ``DROPPED`` and ``RECYCLED`` free the slot only; ``TRANSFERRED`` and ``OVERRIDDEN``
    move the load to ``owner``; ``CLOSED`` keeps the owner and frees the slot.

    Args:
        session: Where to write.
        lead_id: The lead.
        kind: What happened.
        at: When; aware.
        actor: Who did it.
        cause: Why.
        owner: Who has it afterwards; None puts it in a public pool.
        held_by: Who must have it now; None is anybody or nobody.
        decision_id: The decision behind it, or None.
        local_day: Day whose intake the new owner uses up, or None.

    Returns:
        Who had it before.

    Raises:
        NotFound: There is no such lead or rep.
        Conflict: Somebody else than ``held_by`` has it.
    """
    states = lock_leads(session, [lead_id])
    if lead_id not in states:
        raise NotFound("lead", lead_id)
    before = states[lead_id]
    if held_by is not None and before.owner != held_by:
        raise Conflict(f"Lead {lead_id} does not belong to rep {held_by} (any more).")
    if owner is not None:
        _require_reps(session, [owner])
    after = before.owner if kind is OwnershipKind.CLOSED else owner
    change = Change(
        lead_id=lead_id,
        kind=kind,
        owner=after,
        at=not_before(at, before),
        actor=actor,
        cause=cause,
        decision_id=decision_id,
        local_day=local_day,
    )
    apply(session, states, [change])
    return before.owner


def set_owners(
    session: WriteSession,
    wanted: Mapping[LeadId, RepId | None],
    *,
    at: datetime,
    actor: str,
    cause: str,
    local_day: date | None = None,
) -> int:
    """Make these the owners, whatever the limits: a CRM's word, or a handover.

    Args:
        session: Where to write.
        wanted: Owner by lead; None puts the lead in a public pool.
        at: When; aware.
        actor: Who says so.
        cause: Why.
        local_day: Day whose intake new owners use up, or None.

    Returns:
        Leads whose owner changed.

    Raises:
        NotFound: There is no such lead or rep.
    """
    states = lock_leads(session, wanted)
    for lead_id in wanted:
        if lead_id not in states:
            raise NotFound("lead", lead_id)
    _require_reps(session, [owner for owner in wanted.values() if owner is not None])
    changes = [
        Change(
            lead_id=lead_id,
            kind=_kind(states[lead_id].owner, owner),
            owner=owner,
            at=not_before(at, states[lead_id]),
            actor=actor,
            cause=cause,
            local_day=local_day,
        )
        for lead_id, owner in wanted.items()
        if owner != states[lead_id].owner
    ]
    apply(session, states, changes)
    return len(changes)


def close_leads(
    session: WriteSession,
    closed: Mapping[LeadId, datetime],
    *,
    actor: str,
    cause: str,
) -> int:
    """Free the slots of closed leads; their owners keep them.

    Args:
        session: Where to write.
        closed: When each lead closed; aware.
        actor: Who says so.
        cause: Why.

    Returns:
        Slots freed; a lead that holds none changes nothing.
    """
    states = lock_leads(session, closed)
    changes = [
        Change(
            lead_id=lead_id,
            kind=OwnershipKind.CLOSED,
            owner=state.owner,
            at=not_before(closed[lead_id], state),
            actor=actor,
            cause=cause,
        )
        for lead_id, state in states.items()
        if state.holding
    ]
    apply(session, states, changes)
    return len(changes)


def add_ownership_events(
    session: WriteSession, events: Sequence[OwnershipEvent]
) -> int:
    """Log what happened elsewhere; ids that are there already change nothing.

    An event that happened before the present owner got the lead is history: it is
    logged and the owner stays.

    Returns:
        Events that were new.

    Raises:
        NotFound: There is no such lead.
    """
    states = lock_leads(session, (event.lead_id for event in events))
    known = _known_events(session, [event.event_id for event in events])
    new = {e.event_id: e for e in events if e.event_id not in known}
    for event in new.values():
        if event.lead_id not in states:
            raise NotFound("lead", event.lead_id)
    in_time = sorted(new.values(), key=lambda event: event.happened_at)
    apply(session, states, [_told(event) for event in in_time])
    return len(new)


def get_owner(session: ReadSession, lead_id: LeadId) -> Ownership | None:
    """Who has a lead now; None when nobody has."""
    return get_owners(session, [lead_id]).get(lead_id)


def get_owners(
    session: ReadSession, lead_ids: Iterable[LeadId]
) -> dict[LeadId, Ownership]:
    """Who has each of these leads now; leads without owner are left out."""
    found: dict[LeadId, Ownership] = {}
    for batch in batches(list(lead_ids)):
        for row in session.execute(_OF_LEADS, {"ids": list(batch)}):
            if row.owner is not None:
                found[row.lead_id] = _ownership(row)
    return found


def free_since(
    session: ReadSession, lead_ids: Iterable[LeadId]
) -> dict[LeadId, datetime]:
    """Since when each of these leads has no owner, where it had one before."""
    found: dict[LeadId, datetime] = {}
    for batch in batches(list(lead_ids)):
        for row in session.execute(_OF_LEADS, {"ids": list(batch)}):
            if row.owner is None:
                found[LeadId(row.lead_id)] = row.since
    return found


def leads_of(
    session: ReadSession, rep_id: RepId, *, holding: bool | None = None
) -> list[Ownership]:
    """The leads a rep has, longest first.

    Args:
        session: Where to read.
        rep_id: The rep.
        holding: Only those that do (or do not) count against the holding limit.
    """
    rows = session.execute(_OF_REP, {"rep_id": rep_id})
    return [
        _ownership(row) for row in rows if holding is None or row.holding == holding
    ]


def leads_held_by(session: ReadSession, rep_ids: Sequence[RepId]) -> list[LeadId]:
    """The leads of these reps that count against their holding limits."""
    rows = session.execute(_HELD_BY, {"reps": list(rep_ids)})
    return [LeadId(row.lead_id) for row in rows]


def get_events(session: ReadSession, lead_id: LeadId) -> list[OwnershipEvent]:
    """What happened to a lead's ownership, in the order it was written."""
    return get_events_of(session, [lead_id]).get(lead_id, [])


def get_events_of(
    session: ReadSession, lead_ids: Iterable[LeadId]
) -> dict[LeadId, list[OwnershipEvent]]:
    """What happened to each lead's ownership, in the order it was written.

    Leads to which nothing happened are left out.
    """
    found: dict[LeadId, list[OwnershipEvent]] = {}
    for batch in batches(list(lead_ids)):
        for row in session.execute(_EVENTS, {"ids": list(batch)}):
            found.setdefault(row.lead_id, []).append(_event(row))
    return found


def reps_who(
    session: ReadSession, kind: OwnershipKind, lead_ids: Iterable[LeadId]
) -> dict[LeadId, set[RepId]]:
    """Reps who lost each lead in this way: who declined it, who dropped it.

    Leads nobody lost so are left out.
    """
    found: dict[LeadId, set[RepId]] = {}
    for batch in batches(list(lead_ids)):
        for row in session.execute(_LOST, {"ids": list(batch), "kind": kind}):
            found.setdefault(row.lead_id, set()).add(row.previous_owner)
    return found


def _kind(before: RepId | None, after: RepId | None) -> OwnershipKind:
    if after is None:
        return OwnershipKind.DROPPED
    return OwnershipKind.ASSIGNED if before is None else OwnershipKind.TRANSFERRED


def _told(event: OwnershipEvent) -> Change:
    return Change(
        lead_id=event.lead_id,
        kind=event.kind,
        owner=event.owner,
        at=event.happened_at,
        actor=event.actor,
        cause=event.cause,
        decision_id=event.decision_id,
        previous_owner=event.previous_owner,
        event_id=event.event_id,
    )


def _event(row: Row[Any]) -> OwnershipEvent:
    return OwnershipEvent(
        event_id=row.event_id,
        lead_id=row.lead_id,
        kind=OwnershipKind(row.kind),
        owner=row.owner,
        previous_owner=row.previous_owner,
        decision_id=row.decision_id,
        cause=row.cause,
        actor=row.actor,
        happened_at=row.happened_at,
    )


def _ownership(row: Row[Any]) -> Ownership:
    return Ownership(
        lead_id=row.lead_id,
        owner=row.owner,
        since=row.since,
        decision_id=row.decision_id,
        holding=row.holding,
    )


def _require_reps(session: WriteSession, rep_ids: Iterable[RepId]) -> None:
    wanted = sorted(set(rep_ids))
    known = set(session.execute(_REPS, {"ids": wanted}).scalars())
    for rep_id in wanted:
        if rep_id not in known:
            raise NotFound("rep", rep_id)


def _known_events(session: ReadSession, event_ids: Sequence[str]) -> set[str]:
    known: set[str] = set()
    for batch in batches(event_ids):
        known |= set(session.execute(_KNOWN_EVENTS, {"ids": list(batch)}).scalars())
    return known


_REPS = select(rep_load.c.rep_id).where(
    of_tenant(rep_load), rep_load.c.rep_id.in_(any_of("ids"))
)
_OWNED = select(
    ownership.c.lead_id,
    ownership.c.owner,
    ownership.c.since,
    ownership.c.decision_id,
    ownership.c.holding,
).where(of_tenant(ownership))
# Without a word about the owner: SQLite would go through every owned lead by index.
_OF_LEADS = _OWNED.where(ownership.c.lead_id.in_(any_of("ids")))
_OF_REP = _OWNED.where(ownership.c.owner == bindparam("rep_id")).order_by(
    ownership.c.since, ownership.c.lead_id
)
_HELD_BY = (
    select(ownership.c.lead_id)
    .where(
        of_tenant(ownership),
        ownership.c.owner.in_(any_of("reps")),
        ownership.c.holding,
    )
    .order_by(ownership.c.lead_id)
)
_EVENTS = (
    select(ownership_events)
    .where(of_tenant(ownership_events), ownership_events.c.lead_id.in_(any_of("ids")))
    .order_by(ownership_events.c.lead_id, ownership_events.c.revision)
)
_KNOWN_EVENTS = select(ownership_events.c.event_id).where(
    of_tenant(ownership_events), ownership_events.c.event_id.in_(any_of("ids"))
)
_LOST = select(ownership_events.c.lead_id, ownership_events.c.previous_owner).where(
    of_tenant(ownership_events),
    ownership_events.c.lead_id.in_(any_of("ids")),
    ownership_events.c.kind == bindparam("kind"),
    ownership_events.c.previous_owner.is_not(None),
)
