"""Ownership events and what they add up to: owners, held leads, intake of the day.

Every change of ownership goes through ``apply``, which appends the events and brings
``ownership``, ``rep_load`` and ``rep_day`` along in the same transaction. Locks are
taken in one order, so that transactions wait for each other and never in a ring: leads
by id, then reps by id.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    Insert,
    and_,
    bindparam,
    case,
    delete,
    func,
    select,
    update,
)

from rightrep.domain.ids import DecisionId, LeadId, RepId, new_ids
from rightrep.domain.lead import LeadKind
from rightrep.domain.ownership import OwnershipKind
from rightrep.store.guard import of_tenant
from rightrep.store.kinds import TICKETS
from rightrep.store.rows import add_made, insert_new
from rightrep.store.schema import leads, ownership, ownership_events, rep_day, rep_load
from rightrep.store.session import WriteSession, insert_of
from rightrep.store.sets import any_of, batches

GIVES_BACK = frozenset(
    {OwnershipKind.DECLINED, OwnershipKind.OVERRIDDEN, OwnershipKind.UNDONE}
)
"""After these it is as if the rep had never been given the lead that day."""


class Owned(NamedTuple):
    """A lead's row of ``ownership``.

    Attributes:
        owner: The rep who has the lead, or None.
        holding: Whether the lead counts against the owner's holding limit.
        since: When this began; aware UTC; None before the first event.
        taken_on: Local day whose intake the lead used up, or None.
        decision_id: The decision behind it, or None.
        revision: Events so far.
        kind: Lead or work order; of the lead itself, and stands in no row of these.
    """

    owner: RepId | None = None
    holding: bool = False
    since: datetime | None = None
    taken_on: date | None = None
    decision_id: DecisionId | None = None
    revision: int = 0
    kind: LeadKind = LeadKind.LEAD


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One change of a lead's ownership, about to be written.

    Attributes:
        lead_id: The lead.
        kind: What happens.
        owner: The rep who has the lead afterwards, or None.
        at: When; aware UTC.
        actor: Who does it.
        cause: Why.
        decision_id: The decision behind it, or None.
        local_day: Day whose intake the lead uses up, or None.
        previous_owner: Who had the lead before; read only of a change that happened
            before the present state began.
        holding: Whether the lead counts against the owner's holding limit; None takes
            the rule: not when it is closed, nor when it was closed and changes hands.
        event_id: Id of the event; made when not given.
    """

    lead_id: LeadId
    kind: OwnershipKind
    owner: RepId | None
    at: datetime
    actor: str
    cause: str
    decision_id: DecisionId | None = None
    local_day: date | None = None
    previous_owner: RepId | None = None
    holding: bool | None = None
    event_id: str | None = None


def lock_leads(
    session: WriteSession, lead_ids: Iterable[LeadId]
) -> dict[LeadId, Owned]:
    """Who has each of these leads; nobody else can change it until we are done.

    Returns:
        One entry per lead that exists.
    """
    states: dict[LeadId, Owned] = {}
    for batch in batches(sorted(set(lead_ids))):
        ids = {"ids": list(batch)}
        if session.is_postgresql:
            # A statement of its own: one that waited for the lock and read the owner
            # besides would read it as it was before the wait.
            session.execute(_LOCK_LEADS, ids)
        for row in session.execute(_STATES, ids):
            kind = LeadKind(row.kind)
            known = Owned(*row[2:], kind=kind) if row.revision else Owned(kind=kind)
            states[row.lead_id] = known
    return states


def lock_leads_alone(session: WriteSession, lead_ids: Iterable[LeadId]) -> set[LeadId]:
    """Lock leads against new records about them too: activities, outcomes, decisions.

    So nobody is told that a follow-up counts while the lead is taken back for want of
    one.

    Returns:
        The leads that are ours; those somebody is busy with are left to them.
    """
    ours: set[LeadId] = set()
    for batch in batches(sorted(set(lead_ids))):
        ours |= set(session.execute(_LOCK_ALONE, {"ids": list(batch)}).scalars())
    return ours


def apply(
    session: WriteSession, states: dict[LeadId, Owned], changes: Sequence[Change]
) -> None:
    """Write changes of leads that are locked, and what they add up to.

    Args:
        session: Where to write.
        states: From ``lock_leads``; brought up to date here.
        changes: Changes of one lead in the order they happened. One that happened
            before the lead's present state began is history: it is logged and leaves
            the state alone.
    """
    tally = _Tally()
    touched = sorted({change.lead_id for change in changes})
    first = {lead_id for lead_id in touched if states[lead_id].revision == 0}
    many = Counter(change.at for change in changes if change.event_id is None)
    fresh = {at: iter(new_ids(at, count)) for at, count in many.items()}
    events = [
        {
            "event_id": change.event_id or next(fresh[change.at]),
            **_event(change, states, tally),
        }
        for change in changes
    ]
    adding = insert_new if any(change.event_id for change in changes) else add_made
    adding(session, ownership_events, events)
    after = {lead_id: states[lead_id] for lead_id in touched}
    _add_states(session, [(one, state) for one, state in after.items() if one in first])
    _write_states(session, [(i, state) for i, state in after.items() if i not in first])
    tally.write(session)


def not_before(at: datetime, state: Owned) -> datetime:
    """``at``, or the start of the present state: we write no history of our own."""
    return at if state.since is None else max(at, state.since)


class _Tally:
    """What changes do to reps."""

    def __init__(self) -> None:
        self.held: Counter[RepId] = Counter()
        self.tickets: Counter[RepId] = Counter()
        self.taken: Counter[tuple[RepId, date]] = Counter()
        self.taken_tickets: Counter[tuple[RepId, date]] = Counter()
        self.given_at: dict[RepId, datetime] = {}

    def note(self, before: Owned, after: Owned, kind: OwnershipKind) -> None:
        """A lead went from one state to another."""
        is_ticket = after.kind is LeadKind.TICKET
        if before.owner is not None:
            self._hold(before.owner, -before.holding, is_ticket=is_ticket)
        if after.owner is not None:
            self._hold(after.owner, after.holding, is_ticket=is_ticket)
        if after.owner == before.owner:
            return
        if before.owner and before.taken_on and kind in GIVES_BACK:
            self._take((before.owner, before.taken_on), -1, is_ticket=is_ticket)
        if after.owner and after.taken_on:
            self._take((after.owner, after.taken_on), 1, is_ticket=is_ticket)
        if after.owner and after.since and kind not in _NOT_GIVEN:
            last = self.given_at.get(after.owner, after.since)
            self.given_at[after.owner] = max(last, after.since)

    def _hold(self, rep_id: RepId, more: int, *, is_ticket: bool) -> None:
        self.held[rep_id] += more
        self.tickets[rep_id] += more * is_ticket

    def _take(self, on: tuple[RepId, date], more: int, *, is_ticket: bool) -> None:
        self.taken[on] += more
        self.taken_tickets[on] += more * is_ticket

    def write(self, session: WriteSession) -> None:
        """Bring ``rep_load`` and ``rep_day`` along, reps in order.

        Every rep's load is written, changed or not: that locks the rep's days too.
        """
        loads = [
            {
                "of": rep,
                "more": self.held[rep],
                "more_tickets": self.tickets[rep],
                "given_at": self.given_at.get(rep),
            }
            for rep in sorted({*self.held, *self.given_at, *(r for r, _ in self.taken)})
        ]
        if loads:
            session.execute(_ADD_LOAD, loads)
        # A rep may give a lead back and take a ticket on one day: then the sum is 0.
        days = [
            (rep, day, count, self.taken_tickets[rep, day])
            for (rep, day), count in sorted(self.taken.items())
            if count or self.taken_tickets[rep, day]
        ]
        more = [dict(zip(_DAY, row, strict=True)) for row in days if row[2] > 0]
        fewer = [dict(zip(_OLD_DAY, row, strict=True)) for row in days if row[2] <= 0]
        if more:
            adding = _take_more(is_postgresql=session.is_postgresql)
            session.execute(adding, more)
        if fewer:
            session.execute(_TAKE_FEWER, fewer)


@cache
def _take_more(*, is_postgresql: bool) -> Insert:
    statement = insert_of(rep_day, is_postgresql=is_postgresql)
    return statement.on_conflict_do_update(
        index_elements=list(rep_day.primary_key),
        set_={
            "taken": rep_day.c.taken + statement.excluded.taken,
            "tickets": rep_day.c.tickets + statement.excluded.tickets,
        },
    )


def _event(
    change: Change, states: dict[LeadId, Owned], tally: _Tally
) -> dict[str, Any]:
    """The event of one change but its id; noted in ``states`` and ``tally``."""
    before = states[change.lead_id]
    after = _after(before, change)
    states[change.lead_id] = after
    is_history = before.since is not None and change.at < before.since
    if not is_history:
        tally.note(before, after, change.kind)
    return {
        "lead_id": change.lead_id,
        "revision": after.revision,
        "kind": change.kind.value,
        "owner": change.owner,
        "previous_owner": change.previous_owner if is_history else before.owner,
        "holding": _holds(before, change),
        "decision_id": change.decision_id,
        "cause": change.cause,
        "actor": change.actor,
        "happened_at": change.at,
        "local_day": change.local_day,
    }


def _after(before: Owned, change: Change) -> Owned:
    revision = before.revision + 1
    if before.since is not None and change.at < before.since:
        return before._replace(revision=revision)
    same = change.owner == before.owner
    if same and change.kind is OwnershipKind.SHARED:
        # Nobody got the lead: since when the owner has it stays as it was.
        return before._replace(revision=revision)
    return Owned(
        owner=change.owner,
        holding=_holds(before, change),
        since=change.at,
        taken_on=before.taken_on if same else change.local_day,
        decision_id=change.decision_id or (before.decision_id if same else None),
        revision=revision,
        kind=before.kind,
    )


def _holds(before: Owned, change: Change) -> bool:
    if change.owner is None or change.kind is OwnershipKind.CLOSED:
        return False
    if change.holding is not None:
        return change.holding
    return before.holding or before.owner is None


def rebuild_projection(session: WriteSession) -> None:
    """Make ``ownership``, ``rep_load`` and ``rep_day`` anew from the events alone."""
    states: dict[LeadId, Owned] = {}
    tally = _Tally()
    tickets = set(session.execute(TICKETS).scalars())
    for row in session.execute(_EVENTS):
        change = Change(
            lead_id=row.lead_id,
            kind=OwnershipKind(row.kind),
            owner=row.owner,
            at=row.happened_at,
            actor=row.actor,
            cause=row.cause,
            decision_id=row.decision_id,
            local_day=row.local_day,
            holding=row.holding,
        )
        kind = LeadKind.TICKET if row.lead_id in tickets else LeadKind.LEAD
        states.setdefault(row.lead_id, Owned(kind=kind))
        _event(change, states, tally)
    session.execute(delete(ownership).where(of_tenant(ownership)))
    session.execute(delete(rep_day).where(of_tenant(rep_day)))
    session.execute(
        update(rep_load)
        .where(of_tenant(rep_load))
        .values(held=0, tickets=0, last_given_at=None)
    )
    _write_states(session, sorted(states.items()))
    tally.write(session)


def _add_states(session: WriteSession, states: Sequence[tuple[LeadId, Owned]]) -> None:
    """States of leads that are locked and to which nothing ever happened."""
    add_made(session, ownership, [_row(*one) for one in states])


def _row(lead_id: LeadId, state: Owned) -> dict[str, Any]:
    return {"lead_id": lead_id, **dict(zip(_KEPT, state, strict=False))}


def _write_states(
    session: WriteSession, states: Sequence[tuple[LeadId, Owned]]
) -> None:
    statement = _to_state(is_postgresql=session.is_postgresql)
    for batch in batches(states):
        session.execute(statement, [_row(*one) for one in batch])


@cache
def _to_state(*, is_postgresql: bool) -> Insert:
    statement = insert_of(ownership, is_postgresql=is_postgresql)
    return statement.on_conflict_do_update(
        index_elements=list(ownership.primary_key),
        set_={name: statement.excluded[name] for name in _KEPT},
    )


_KEPT = Owned._fields[:-1]
_DAY = ("rep_id", "local_day", "taken", "tickets")
_OLD_DAY = ("of", "on", "more", "more_tickets")
_NOT_GIVEN = frozenset({OwnershipKind.MERGED, OwnershipKind.UNDONE})
_LOCK_LEADS = (
    select(leads.c.lead_id)
    .where(of_tenant(leads), leads.c.lead_id.in_(any_of("ids")))
    .order_by(leads.c.lead_id)
    .with_for_update(key_share=True)
)
_LOCK_ALONE = (
    select(leads.c.lead_id)
    .where(of_tenant(leads), leads.c.lead_id.in_(any_of("ids")))
    .order_by(leads.c.lead_id)
    .with_for_update(skip_locked=True)
)
_STATES = (
    select(leads.c.lead_id, leads.c.kind, *(ownership.c[name] for name in _KEPT))
    .outerjoin_from(
        leads,
        ownership,
        and_(
            ownership.c.tenant_id == leads.c.tenant_id,
            ownership.c.lead_id == leads.c.lead_id,
        ),
    )
    .where(of_tenant(leads), leads.c.lead_id.in_(any_of("ids")))
)
_GIVEN_AT: "BindParameter[datetime]" = bindparam(
    "given_at", type_=rep_load.c.last_given_at.type
)
_MORE_TICKETS: "BindParameter[int]" = bindparam(
    "more_tickets", type_=rep_load.c.tickets.type
)
_ADD_LOAD = (
    update(rep_load)
    .where(of_tenant(rep_load), rep_load.c.rep_id == bindparam("of"))
    .values(
        held=rep_load.c.held + bindparam("more", type_=rep_load.c.held.type),
        tickets=rep_load.c.tickets + _MORE_TICKETS,
        last_given_at=case(
            (rep_load.c.last_given_at > _GIVEN_AT, rep_load.c.last_given_at),
            else_=func.coalesce(_GIVEN_AT, rep_load.c.last_given_at),
        ),
    )
)
_TAKE_FEWER = (
    update(rep_day)
    .where(
        of_tenant(rep_day),
        rep_day.c.rep_id == bindparam("of"),
        rep_day.c.local_day == bindparam("on", type_=rep_day.c.local_day.type),
    )
    .values(
        taken=rep_day.c.taken + bindparam("more", type_=rep_day.c.taken.type),
        tickets=rep_day.c.tickets + _MORE_TICKETS,
    )
)
_EVENTS = (
    select(ownership_events)
    .where(of_tenant(ownership_events))
    .order_by(ownership_events.c.lead_id, ownership_events.c.revision)
)
