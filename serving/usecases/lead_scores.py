"""Lead scores of many leads, from the champion."""

from collections.abc import Mapping, Sequence

import numpy as np

from rightrep.domain.ids import LeadId, TenantId
from rightrep.domain.lead import LeadKind
from rightrep.domain.plan import LineState
from rightrep.errors import ModelUnavailable
from rightrep.store import plans
from rightrep.store.leads import leads_alone
from rightrep.store.sets import batches
from serving.usecases.context import Context
from serving.usecases.ruling import LeadScorer, already, asks_for_scores
from serving.usecases.situation import Situation, read_situation

TOGETHER = 500
"""Leads scored at once."""


def lead_scores(
    context: Context, tenant_id: TenantId, lead_ids: Sequence[LeadId]
) -> dict[LeadId, int]:
    """Score of each lead, 0 to 100; what no model can score is left out."""
    scored = scorer(context, tenant_id)
    found: dict[LeadId, int] = {}
    with context.store.read(tenant_id) as session:
        wanted = leads_alone(session, lead_ids)
    for batch in batches(wanted, TOGETHER):
        with context.store.read(tenant_id) as session:
            situation = read_situation(session, batch, at=context.clock.now())
        found |= scored(situation)
    return found


def scorer(context: Context, tenant_id: TenantId) -> LeadScorer:
    """What scores a situation's leads by the champion of now."""

    def scored(situation: Situation) -> Mapping[LeadId, int]:
        is_lead = situation.kind is LeadKind.LEAD
        if not situation.leads or not situation.roster or not is_lead:
            return {}
        ids, rep_ids = situation.lead_ids, situation.rep_ids
        try:
            adviser = context.advisers.get(tenant_id, rep_ids=rep_ids)
            if adviser is None:
                return {}
            own = context.advisers.own_of(adviser, tenant_id, ids)
            scores = adviser.scores(ids, rep_ids, at=situation.at, own=own)
        except ModelUnavailable:
            return {}
        told = adviser.model.lead_score(scores.columns.leads).tolist()
        return dict(zip(ids, told, strict=True))

    return scored


def plan_scorer(context: Context, tenant_id: TenantId, plan_id: str) -> LeadScorer:
    """What scores the leads of a kept plan that is about to be committed.

    Raises:
        NotFound: No such plan.
    """
    with context.store.read(tenant_id) as session:
        version = plans.read_plan(session, plan_id).rule_set
        if version is None:
            return already({})
        lines = plans.read_lines(session, plan_id, state=LineState.PREVIEWED)
        ids, at = lines["lead_id"].to_pylist(), context.clock.now()
        situation = read_situation(session, ids, at=at)
    return scored_before(context, situation, version)


def scored_before(
    context: Context, before: Situation, version: int | None
) -> LeadScorer:
    """What tells scores worked out now, while nobody waits for a lock.

    Args:
        context: The parts of this process.
        before: The leads.
        version: The rule set they are given by; None scores nothing.

    Returns:
        A scorer that scores again only leads of which something else is known by then.
    """
    tenant_id = before.tenant.tenant_id
    with context.store.read(tenant_id) as session:
        if version is None or not asks_for_scores(session, version):
            return already({})
    scored = scorer(context, tenant_id)
    known, scores = {lead.lead_id: lead for lead in before.leads}, scored(before)

    def again(situation: Situation) -> Mapping[LeadId, int]:
        same = {
            lead.lead_id for lead in situation.leads if known.get(lead.lead_id) == lead
        }
        changed = [lead_id not in same for lead_id in situation.lead_ids]
        kept = {lead_id: told for lead_id, told in scores.items() if lead_id in same}
        return {**kept, **scored(situation.of_leads(np.flatnonzero(changed)))}

    return again
