"""Lead scores of many leads, from the champion."""

from collections.abc import Mapping, Sequence

from rightrep.domain.ids import LeadId, TenantId
from rightrep.domain.lead import LeadKind
from rightrep.errors import ModelUnavailable
from rightrep.store.leads import leads_alone
from rightrep.store.sets import batches
from serving.usecases.context import Context
from serving.usecases.ruling import LeadScorer
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
