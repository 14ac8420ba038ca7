"""Taking leads: capacity is reserved in the database, whoever else is asking.

A lead goes to one rep, and no rep goes over a limit: a holding limit, and an intake per
local day and per month of such days; while an experiment runs, no arm goes over its
part of a rep's slots. The caller owns the transaction.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import inf
from typing import Any

from sqlalchemy import BindParameter, Row, bindparam, case, func, select

from rightrep.domain.decision import Decision, Given
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.lead import LeadKind
from rightrep.domain.ownership import OwnershipKind
from rightrep.domain.presence import month_of
from rightrep.domain.rep import RepAttributes
from rightrep.domain.slots import SlotSplit
from rightrep.errors import AlreadyOwned, CapacityReached, Conflict, NotFound
from rightrep.store.arm_slots import NO_ARMS, ArmRooms, arm_rooms, count_gifts
from rightrep.store.decisions import log_decisions
from rightrep.store.exclusions import Exclusions
from rightrep.store.guard import of_tenant
from rightrep.store.kinds import of_kind
from rightrep.store.projection import Change, Owned, apply, lock_leads, not_before
from rightrep.store.schema import rep_day, rep_load
from rightrep.store.session import WriteSession
from rightrep.store.sets import any_of

Refused = AlreadyOwned | CapacityReached | NotFound
Log = Callable[[Sequence[int], Exclusions | None], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """How many leads a rep may take.

    Attributes:
        holding: Open leads owned at once; None is no limit.
        intake_per_day: Leads given on one local day; None is no limit.
        intake_per_month: Leads given in one month of local days; None is no limit.
        only: Kind of the leads that count; None is any.
    """

    holding: int | None = None
    intake_per_day: int | None = None
    intake_per_month: int | None = None
    only: LeadKind | None = None

    @classmethod
    def of(cls, rep: RepAttributes, only: LeadKind | None = None) -> "Limits":
        """The limits of a rep, for leads of one kind or of any together."""
        return cls(rep.holding_limit, rep.intake_per_day, rep.intake_per_month, only)


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Returned:
    """A decision that could not be carried out.

    Attributes:
        decision: As it was asked for; it was not logged.
        why: The owner who was faster, the limit that was reached, or what is unknown.
    """

    decision: Given
    why: Refused


def take_lead(
    session: WriteSession,
    decision: Decision,
    *,
    limits: Limits,
    local_day: date,
    kind: OwnershipKind = OwnershipKind.ASSIGNED,
    exclusions: Exclusions | None = None,
    split: SlotSplit | None = None,
) -> None:
    """Carry out one decision: slot, owner, event and decision, or nothing at all.

    Args:
        session: Where to write.
        decision: What was decided.
        limits: Limits of its rep.
        local_day: Day of the tenant's zone whose intake it uses up.
        kind: ``ASSIGNED``, or ``CLAIMED`` when the rep took it.
        exclusions: Codes of this one decision.
        split: How slots are shared between arms, or None.

    Raises:
        AlreadyOwned: Somebody has the lead.
        CapacityReached: The rep has no slot left, or the decision's arm has none.
        NotFound: There is no such lead or rep.
    """
    # A refusal gives back its locks with the savepoint, so that the caller may try
    # the next rep without waiting in a ring with somebody who does the same.
    with session.savepoint():
        returned = take_leads(
            session,
            [decision],
            limits={decision.rep_id: limits},
            local_day=local_day,
            kind=kind,
            exclusions=exclusions,
            split=split,
        )
        if returned:
            raise returned[0].why


def take_leads(
    session: WriteSession,
    made: Sequence[Decision],
    *,
    limits: Mapping[RepId, Limits],
    local_day: date,
    kind: OwnershipKind = OwnershipKind.ASSIGNED,
    exclusions: Exclusions | None = None,
    split: SlotSplit | None = None,
) -> list[Returned]:
    """Carry out a whole plan: every decision that still can be, in the order given.

    Args:
        session: Where to write.
        made: Decisions, at most one per lead.
        limits: Limits by rep; a rep who is not there has none.
        local_day: Day of the tenant's zone whose intake they use up.
        kind: ``ASSIGNED``, or ``CLAIMED`` when reps took them.
        exclusions: Codes of each decision, in the same order.
        split: How slots are shared between arms, or None.

    Returns:
        The decisions that could not be carried out, and why; the rest stands.
    """

    def log(carried: Sequence[int], its: Exclusions | None) -> None:
        stands = [made[place] for place in carried]
        log_decisions(session, stands, exclusions=its, are_new=True)

    return take(
        session,
        made,
        log,
        limits=limits,
        local_day=local_day,
        kind=kind,
        exclusions=exclusions,
        split=split,
    )


def take(
    session: WriteSession,
    made: Sequence[Given],
    log: Log,
    *,
    limits: Mapping[RepId, Limits],
    local_day: date,
    kind: OwnershipKind,
    exclusions: Exclusions | None,
    split: SlotSplit | None,
) -> list[Returned]:
    """What ``take_leads`` does, whatever logs the decisions that stand.

    Args:
        session: Where to write.
        made: Decisions, at most one per lead.
        log: Logs those at some places of ``made``, with their exclusions.
        limits: As of ``take_leads``, like the rest.
        local_day: Day whose intake they use up.
        kind: ``ASSIGNED`` or ``CLAIMED``.
        exclusions: Codes of each decision, in the same order.
        split: How slots are shared between arms, or None.
    """
    states = lock_leads(session, (decision.lead_id for decision in made))
    rooms = _lock_rooms(session, {d.rep_id for d in made}, limits, local_day)
    arms = _lock_arms(session, split, rooms, local_day)
    given: dict[LeadId, RepId] = {}
    returned: list[Returned] = []
    carried: list[int] = []
    for place, decision in enumerate(made):
        why = _refusal(decision, states, rooms, given, arms)
        if why is not None:
            returned.append(Returned(decision, why))
            continue
        rooms[decision.rep_id].take()
        arms.take(decision)
        given[decision.lead_id] = decision.rep_id
        carried.append(place)
    if exclusions is not None:
        exclusions = Exclusions(exclusions.reps, exclusions.codes[carried])
    log(carried, exclusions)
    stands = [made[place] for place in carried]
    count_gifts(session, stands, exclusions, split=split, day=local_day)
    apply(session, states, [_taking(d, states, kind, local_day) for d in stands])
    return returned


def pass_on(
    session: WriteSession,
    options: Sequence[Decision],
    *,
    held_by: RepId | None,
    limits: Mapping[RepId, Limits],
    local_day: date,
    cause: str,
    is_taken_back: bool = False,
    exclusions: Exclusions | None = None,
    split: SlotSplit | None = None,
) -> Decision:
    """Give an owned lead to the first of several other reps who has a slot.

    Args:
        session: Where to write.
        options: The same lead with one rep each, best first; at least one.
        held_by: Who must have it now; None is anybody.
        limits: Limits by rep; a rep who is not there has none.
        local_day: Day of the tenant's zone whose intake it uses up.
        cause: Why, in a word or a sentence.
        is_taken_back: Whether the lead goes back to the public pool on the way
            (``RECYCLED``, then ``ASSIGNED``) or is handed over (``TRANSFERRED``).
        exclusions: Codes of the lead under each option, in the same order.
        split: How slots are shared between arms, or None.

    Returns:
        The option that was carried out.

    Raises:
        NotFound: There is no such lead, or no such rep among the options.
        Conflict: Nobody has the lead, or somebody else than ``held_by``.
        AlreadyOwned: The rep of the only option has it.
        CapacityReached: None of them has a slot left; the first one's limit.
    """
    lead_id = options[0].lead_id
    states = lock_leads(session, [lead_id])
    if lead_id not in states:
        raise NotFound("lead", lead_id)
    state = states[lead_id]
    if state.owner is None or held_by not in (None, state.owner):
        raise Conflict(f"Lead {lead_id} changed hands meanwhile; look at it again.")
    # The present owner too: loads are locked in one order, whoever gives to whom.
    reps = {state.owner, *(decision.rep_id for decision in options)}
    rooms = _lock_rooms(session, reps, limits, local_day)
    arms = _lock_arms(session, split, rooms, local_day)
    place = _first_open(options, state, rooms, arms)
    chosen = options[place]
    if exclusions is not None:
        exclusions = Exclusions(exclusions.reps, exclusions.codes[[place]])
    log_decisions(session, [chosen], exclusions=exclusions)
    count_gifts(session, [chosen], exclusions, split=split, day=local_day)
    passing = _passing(chosen, state, local_day, cause, is_taken_back=is_taken_back)
    apply(session, states, passing)
    return chosen


@dataclass(slots=True)
class _Room:
    """Slots a rep has left: of the holding limit, of the day's and month's intake."""

    holding: float
    intake: float
    month: float

    def take(self) -> None:
        self.holding -= 1
        self.intake -= 1
        self.month -= 1

    @property
    def open(self) -> float:
        """Leads the rep may still take."""
        return max(0.0, min(self.holding, self.intake, self.month))


def _left(limit: int | None, used: int) -> float:
    return inf if limit is None else limit - used


def _lock_rooms(
    session: WriteSession,
    rep_ids: Iterable[RepId],
    limits: Mapping[RepId, Limits],
    local_day: date,
) -> dict[RepId, _Room]:
    """Slots left of each rep who exists; ours alone until we are done."""
    ids = {"ids": sorted(rep_ids)}
    loads = session.execute(_LOCK_LOADS, ids).all()
    # Who adds to a rep's day has locked the rep's load: this is the last word.
    monthly = any(limit.intake_per_month is not None for limit in limits.values())
    first = month_of(local_day)[0] if monthly else local_day
    days = session.execute(_DAYS, {**ids, "first": first, "local_day": local_day})
    taken = {row.rep_id: row for row in days}
    return {
        row.rep_id: _room(limits.get(row.rep_id, NO_LIMITS), row, taken.get(row.rep_id))
        for row in loads
    }


def _room(limit: Limits, load: Row[Any], days: Row[Any] | None) -> _Room:
    only, today, so_far = limit.only, 0, 0
    if days is not None:
        today = of_kind(days.today, days.tickets_today, only)
        so_far = of_kind(days.so_far, days.tickets_so_far, only)
    return _Room(
        holding=_left(limit.holding, of_kind(load.held, load.tickets, only)),
        intake=_left(limit.intake_per_day, today),
        month=_left(limit.intake_per_month, so_far),
    )


def _lock_arms(
    session: WriteSession,
    split: SlotSplit | None,
    rooms: Mapping[RepId, _Room],
    local_day: date,
) -> ArmRooms:
    """Slots left of each arm, of reps whose loads are locked."""
    if split is None:
        return NO_ARMS
    room = {rep_id: found.open for rep_id, found in rooms.items()}
    return arm_rooms(session, split, room, local_day)


def _refusal(
    decision: Given,
    states: Mapping[LeadId, Owned],
    rooms: Mapping[RepId, _Room],
    given: Mapping[LeadId, RepId],
    arms: ArmRooms,
) -> Refused | None:
    lead_id, rep_id = decision.lead_id, decision.rep_id
    if lead_id not in states:
        return NotFound("lead", lead_id)
    owner = given.get(lead_id) or states[lead_id].owner
    if owner is not None:
        return AlreadyOwned(lead_id=lead_id, owner=owner)
    if rep_id not in rooms:
        return NotFound("rep", rep_id)
    if rooms[rep_id].holding < 1:
        return CapacityReached(rep_id=rep_id, limit="holding")
    if rooms[rep_id].intake < 1:
        return CapacityReached(rep_id=rep_id, limit="intake")
    if rooms[rep_id].month < 1:
        return CapacityReached(rep_id=rep_id, limit="month")
    if arms.is_full(decision):
        return CapacityReached(rep_id=rep_id, limit="arm")
    return None


def _first_open(
    options: Sequence[Decision],
    state: Owned,
    rooms: Mapping[RepId, _Room],
    arms: ArmRooms,
) -> int:
    refused: list[Refused] = []
    for place, decision in enumerate(options):
        rep_id = decision.rep_id
        if rep_id == state.owner:
            refused.append(AlreadyOwned(lead_id=decision.lead_id, owner=rep_id))
        elif rep_id not in rooms:
            refused.append(NotFound("rep", rep_id))
        elif state.holding and rooms[rep_id].holding < 1:
            refused.append(CapacityReached(rep_id=rep_id, limit="holding"))
        elif rooms[rep_id].intake < 1:
            refused.append(CapacityReached(rep_id=rep_id, limit="intake"))
        elif rooms[rep_id].month < 1:
            refused.append(CapacityReached(rep_id=rep_id, limit="month"))
        elif arms.is_full(decision):
            refused.append(CapacityReached(rep_id=rep_id, limit="arm"))
        else:
            return place
    raise refused[0]


def _passing(
    decision: Decision,
    state: Owned,
    local_day: date,
    cause: str,
    *,
    is_taken_back: bool,
) -> list[Change]:
    given = Change(
        lead_id=decision.lead_id,
        kind=OwnershipKind.TRANSFERRED,
        owner=decision.rep_id,
        at=not_before(decision.decided_at, state),
        actor=decision.actor,
        cause=cause,
        decision_id=decision.decision_id,
        local_day=local_day,
    )
    if not is_taken_back:
        return [given]
    back = replace(
        given,
        kind=OwnershipKind.RECYCLED,
        owner=None,
        decision_id=None,
        local_day=None,
    )
    return [back, replace(given, kind=OwnershipKind.ASSIGNED)]


def _taking(
    decision: Given,
    states: Mapping[LeadId, Owned],
    kind: OwnershipKind,
    local_day: date,
) -> Change:
    return Change(
        lead_id=decision.lead_id,
        kind=kind,
        owner=decision.rep_id,
        at=not_before(decision.decided_at, states[decision.lead_id]),
        actor=decision.actor,
        cause=decision.cause.value,
        decision_id=decision.decision_id,
        local_day=local_day,
    )


_LOCK_LOADS = (
    select(rep_load.c.rep_id, rep_load.c.held, rep_load.c.tickets)
    .where(of_tenant(rep_load), rep_load.c.rep_id.in_(any_of("ids")))
    .order_by(rep_load.c.rep_id)
    .with_for_update()
)
_DAY = rep_day.c.local_day
_ON: "BindParameter[date]" = bindparam("local_day", type_=_DAY.type)
_FIRST: "BindParameter[date]" = bindparam("first", type_=_DAY.type)
_DAYS = (
    select(
        rep_day.c.rep_id,
        func.sum(case((_DAY == _ON, rep_day.c.taken), else_=0)).label("today"),
        func.sum(rep_day.c.taken).label("so_far"),
        func.sum(case((_DAY == _ON, rep_day.c.tickets), else_=0)).label(
            "tickets_today"
        ),
        func.sum(rep_day.c.tickets).label("tickets_so_far"),
    )
    .where(
        of_tenant(rep_day),
        rep_day.c.rep_id.in_(any_of("ids")),
        _DAY.between(_FIRST, _ON),
    )
    .group_by(rep_day.c.rep_id)
)
