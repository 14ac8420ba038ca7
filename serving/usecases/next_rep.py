"""One lead now: the next best rep, told or given."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from rightrep.domain.days import local_day
from rightrep.domain.decision import Decision
from rightrep.domain.eligibility import Exclusion
from rightrep.domain.event import Event
from rightrep.domain.ids import RepId, TenantId, new_id
from rightrep.errors import AlreadyOwned, CapacityReached, NotFound
from rightrep.store import outbox, ownership
from rightrep.store.aliases import resolve_lead
from rightrep.store.capacity import take_lead
from rightrep.store.exclusions import Exclusions
from rightrep.store.session import WriteSession
from serving.usecases.arms import log_drawn
from serving.usecases.context import Context
from serving.usecases.outlook import read_outlook, with_covariates
from serving.usecases.pricing import ask_for_prices
from serving.usecases.proposal import Proposal, propose_one
from serving.usecases.situation import read_situation

ASSIGNED = "rightrep.lead.assigned"
"""Event: a lead was given to a rep."""


def propose(
    context: Context,
    tenant_id: TenantId,
    name: str,
    *,
    barred: Mapping[RepId, Exclusion] | None = None,
) -> Proposal:
    """Who should have this lead now; nothing is written.

    Args:
        context: The parts of this process.
        tenant_id: Whose lead.
        name: The lead's id, ours or a CRM's; a merged one means its survivor.
        barred: Who must not have it, where it is taken from its owner; None asks for a
            lead that nobody has.

    Raises:
        NotFound: There is no such lead.
        AlreadyOwned: Somebody has it.
    """
    at = context.clock.now()
    with context.store.read(tenant_id) as session:
        lead_id = resolve_lead(session, name)
        owned = ownership.get_owner(session, lead_id)
        if owned is not None and barred is None:
            raise AlreadyOwned(lead_id=lead_id, owner=owned.owner)
        situation = read_situation(session, [lead_id], at=at, barred=barred)
        if not situation.leads:
            raise NotFound("lead", lead_id)
        outlook = read_outlook(
            context, session, situation, only_known=barred is not None
        )
    return propose_one(with_covariates(context, outlook), 0)


def assign(
    session: WriteSession, proposal: Proposal, *, at: datetime, actor: str
) -> Decision | None:
    """Give the lead to the first of the ranking who still has a slot.

    Args:
        session: Where to write.
        proposal: Who should have it.
        at: Now.
        actor: Who asks.

    Returns:
        The decision; None when nobody could take the lead.

    Raises:
        AlreadyOwned: Somebody took it meanwhile.
        Conflict: Somebody drew it for another arm meanwhile.
    """
    situation, arm = proposal.situation, proposal.arm
    if arm is not None:
        stopped = log_drawn(session, arm.drawn, proposal.covariates, at=at)
        if arm.key is not None and arm.key.experiment in stopped:
            proposal = replace(proposal, arm=None)
    if proposal.asks_for_prices:
        ask_for_prices(session, at=at)
    if proposal.reason is not None:
        return None
    for chosen in proposal.ranking:
        decision = proposal.decision(chosen, at=at, actor=actor)
        try:
            take_lead(
                session,
                decision,
                limits=proposal.limits(chosen),
                local_day=local_day(at, situation.tenant.time_zone),
                exclusions=Exclusions(situation.rep_ids, proposal.codes(chosen)),
                split=proposal.split,
            )
        except CapacityReached:
            continue
        tell_assigned(session, [decision], at=at)
        return decision
    return None


def tell_assigned(
    session: WriteSession, made: Sequence[Decision], *, at: datetime
) -> None:
    """Tell of leads that were given, in the transaction that gives them."""
    told = [
        Event(
            event_id=new_id(at),
            type=ASSIGNED,
            subject=decision.lead_id,
            time=at,
            data={
                "lead_id": decision.lead_id,
                "rep_id": decision.rep_id,
                "decision_id": decision.decision_id,
                "policy": decision.policy,
            },
        )
        for decision in made
    ]
    outbox.emit_all(session, told, at=at)
