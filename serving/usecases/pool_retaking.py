"""High scores that nobody touched: taken back and given to the next best rep.

Who is next is the answer of the policy in force, as for any one lead. Nobody who owned
the lead gets it again, unless nobody else can; the present owner never does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rightrep.domain.days import local_day
from rightrep.domain.decision import Cause, Decision
from rightrep.domain.eligibility import Exclusion
from rightrep.domain.ids import LeadId, RepId, TenantId
from rightrep.domain.ownership import OwnershipKind
from rightrep.domain.pools import Pool, place_of
from rightrep.domain.protection import untouched
from rightrep.errors import CapacityReached, Conflict
from rightrep.store import ownership
from rightrep.store.capacity import Limits, pass_on
from rightrep.store.exclusions import Exclusions
from rightrep.store.leads import leads_alone
from rightrep.store.private_pools import private_leads
from rightrep.store.public_pools import former_owners
from rightrep.store.recycling import lock_whole
from rightrep.store.sets import batches
from serving.usecases.context import Context
from serving.usecases.next_rep import propose
from serving.usecases.planning import score
from serving.usecases.pool_events import emit, tell
from serving.usecases.proposal import Proposal
from serving.usecases.situation import read_situation

TOGETHER = 500
"""Leads scored at once."""
OPTIONS = 8
"""Reps tried for one lead; their loads are locked while it changes hands."""
CAUSE = "untouched"


@dataclass
class Passed:
    """What became of untouched leads.

    Attributes:
        passed_on: Leads that went to another rep.
        kept: Leads of a high score that nobody else could take.
        unscored: Why none was passed on, or None.
    """

    passed_on: int = 0
    kept: int = 0
    unscored: str | None = None


def pass_untouched(
    context: Context,
    tenant_id: TenantId,
    lead_ids: Sequence[LeadId],
    pools: Sequence[Pool],
    *,
    actor: str,
) -> Passed:
    """Give those of these leads whose score is high to the next best reps.

    Args:
        context: The parts of this process.
        tenant_id: Whose leads.
        lead_ids: Leads that nobody touched.
        pools: The tenant's pools in order.
        actor: Who does it: the job.
    """
    passed = Passed()
    for batch in batches(lead_ids, TOGETHER):
        high = _of_high_score(context, tenant_id, batch, pools, passed)
        for lead_id in high:
            went = _pass(context, tenant_id, lead_id, pools, actor)
            passed.passed_on += went is True
            passed.kept += went is False
    return passed


def _of_high_score(
    context: Context,
    tenant_id: TenantId,
    lead_ids: Sequence[LeadId],
    pools: Sequence[Pool],
    passed: Passed,
) -> list[LeadId]:
    with context.store.read(tenant_id) as session:
        wanted = leads_alone(session, lead_ids)
        situation = read_situation(session, wanted, at=context.clock.now())
    scores, passed.unscored = score(context, tenant_id, situation)
    adviser = context.advisers.get(tenant_id) if scores is not None else None
    if scores is None or adviser is None:
        return []
    place = place_of(pools, situation.leads)
    enough = np.array([pool.untouched_score for pool in pools])[place]
    is_high = adviser.model.lead_score(scores.columns.leads) >= enough
    return [situation.lead_ids[i] for i in np.flatnonzero(is_high)]


def _pass(
    context: Context,
    tenant_id: TenantId,
    lead_id: LeadId,
    pools: Sequence[Pool],
    actor: str,
) -> bool | None:
    """Whether it went; None when it was not there to take any more."""
    with context.store.read(tenant_id) as session:
        owned = ownership.get_owner(session, lead_id)
        former = former_owners(session, [lead_id])[lead_id]
        refused = ownership.reps_who(session, OwnershipKind.DECLINED, [lead_id])
    if owned is None:
        return None
    never = dict.fromkeys(refused.get(lead_id, ()), Exclusion.DECLINED)
    never[owned.owner] = Exclusion.COOL_DOWN
    fresh_faces = dict.fromkeys(former, Exclusion.COOL_DOWN) | never
    for barred in (fresh_faces, never):
        proposal = propose(context, tenant_id, lead_id, barred=barred)
        if proposal.reason is None and proposal.ranking:
            return _give(context, tenant_id, proposal, owned.owner, pools, actor)
    return False


def _give(
    context: Context,
    tenant_id: TenantId,
    proposal: Proposal,
    owner: RepId,
    pools: Sequence[Pool],
    actor: str,
) -> bool | None:
    at, situation = context.clock.now(), proposal.situation
    (lead_id,) = situation.lead_ids
    ranking = proposal.ranking[:OPTIONS]
    options = [
        proposal.decision(j, at=at, actor=actor, cause=Cause.RECYCLE) for j in ranking
    ]
    attributes = {j: situation.roster.attributes[j] for j in ranking}
    with context.store.write(tenant_id) as session:
        ours = lock_whole(session, [lead_id])
        leads = private_leads(session, pools, ours, as_of=at)
        if not untouched(leads, pools, at).any():
            return None
        try:
            made: Decision = pass_on(
                session,
                options,
                held_by=owner,
                limits={
                    situation.rep_ids[j]: Limits.of(rep, situation.counted)
                    for j, rep in attributes.items()
                },
                local_day=local_day(at, situation.tenant.time_zone),
                cause=CAUSE,
                is_taken_back=True,
                exclusions=Exclusions(
                    situation.rep_ids,
                    np.concatenate([proposal.codes(j) for j in ranking]),
                ),
                split=proposal.split,
            )
        except CapacityReached:
            return False
        except Conflict:
            return None
        emit(session, "recycled", lead_id, {"owner": owner, "reason": CAUSE}, at=at)
        tell(session, "assigned", [made], at=at)
    return True
