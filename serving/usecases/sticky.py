"""A new lead of an owned customer goes to the rep who has the customer."""

from dataclasses import dataclass
from datetime import datetime

from rightrep.domain.days import local_day
from rightrep.domain.decision import Cause, Decision
from rightrep.domain.eligibility import Exclusion
from rightrep.domain.ids import DecisionId, LeadId, RepId, new_id
from rightrep.errors import AlreadyOwned, CapacityReached
from rightrep.store import outbox, ownership
from rightrep.store.capacity import Limits, take_lead
from rightrep.store.exclusions import Exclusions
from rightrep.store.service import service_rep_of
from rightrep.store.session import ReadSession, WriteSession
from serving.usecases.customers import CustomersLeads
from serving.usecases.situation import Situation, read_situation

STICKY = "sticky"
"""Policy of decisions that keep a customer with the rep who has it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a new lead of an owned customer.

    Attributes:
        owner: The rep who has the customer.
        given: Whether the lead went there.
        reason: Why it did not, as a reason code; None when it did.
    """

    owner: RepId
    given: bool
    reason: str | None


def keep_with_owner(
    session: WriteSession,
    customer: CustomersLeads,
    lead_id: LeadId,
    *,
    at: datetime,
    actor: str,
) -> Kept | None:
    """Give a lead that nobody ever had to the rep who has its customer.

    Who looks after the customer since a deal was won has it; else the rep who got a
    lead of the customer last, open leads before closed ones. Work orders go by work
    orders alone. A rep who may not have the lead does not get it: the lead takes the
    ordinary way.

    Args:
        session: Where to write.
        customer: The lead's customer.
        lead_id: The lead, among the customer's.
        at: Now.
        actor: Who sent it.

    Returns:
        None where the customer has no owner, or the lead is closed or has a past.
    """
    owner = _service_rep(session, customer) or _owner(customer, lead_id)
    if owner is None or lead_id in customer.closed:
        return None
    if ownership.get_events(session, lead_id):
        return None
    situation = read_situation(session, [lead_id], at=at)
    if owner not in situation.rep_ids:
        return Kept(owner, given=False, reason="unknown")
    code = situation.codes[0, situation.rep_ids.index(owner)]
    if code != Exclusion.ELIGIBLE:
        return Kept(owner, given=False, reason=Exclusion(code).name.lower())
    try:
        _give(session, situation, owner, at=at, actor=actor)
    except CapacityReached as full:
        return Kept(owner, given=False, reason=f"{full.limit}_limit")
    except AlreadyOwned:
        return None
    return Kept(owner, given=True, reason=None)


def _service_rep(session: ReadSession, customer: CustomersLeads) -> RepId | None:
    if not customer.closed:
        return None
    found = service_rep_of(session, customer.customer_id)
    return None if found is None else found.rep_id


def _owner(customer: CustomersLeads, lead_id: LeadId) -> RepId | None:
    same = customer.tickets if lead_id in customer.tickets else customer.owners
    others = [one for lead, one in same.items() if one is not None and lead != lead_id]
    last = max(others, key=lambda one: (one.holding, one.since), default=None)
    return None if last is None else last.owner


def _give(
    session: WriteSession,
    situation: Situation,
    owner: RepId,
    *,
    at: datetime,
    actor: str,
) -> None:
    attributes = situation.roster.attributes[situation.roster.team.place[owner]]
    decision = Decision(
        decision_id=DecisionId(new_id(at)),
        lead_id=situation.lead_ids[0],
        rep_id=owner,
        decided_at=at,
        recorded_at=at,
        cause=Cause.CUSTOMER,
        actor=actor,
        policy=STICKY,
    )
    take_lead(
        session,
        decision,
        limits=Limits.of(attributes, situation.counted),
        local_day=local_day(at, situation.tenant.time_zone),
        exclusions=Exclusions(situation.rep_ids, situation.codes),
    )
    outbox.emit(
        session,
        "rightrep.lead.assigned",
        {
            "lead_id": decision.lead_id,
            "rep_id": owner,
            "decision_id": decision.decision_id,
            "policy": STICKY,
        },
        at=at,
        subject=decision.lead_id,
    )
