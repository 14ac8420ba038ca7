"""Lead scores of many leads, from the champion."""

from collections.abc import Sequence

from rightrep.domain.ids import LeadId, TenantId
from rightrep.store.sets import batches
from serving.usecases.context import Context
from serving.usecases.planning import score
from serving.usecases.situation import read_situation

TOGETHER = 500
"""Leads scored at once."""


def lead_scores(
    context: Context, tenant_id: TenantId, lead_ids: Sequence[LeadId]
) -> dict[LeadId, int]:
    """Score of each lead, 0 to 100; leads that no model can score are left out."""
    found: dict[LeadId, int] = {}
    for batch in batches(lead_ids, TOGETHER):
        with context.store.read(tenant_id) as session:
            situation = read_situation(session, batch, at=context.clock.now())
        scores, _ = score(context, tenant_id, situation)
        adviser = context.advisers.get(tenant_id) if scores is not None else None
        if scores is None or adviser is None:
            return found
        told = adviser.model.lead_score(scores.columns.leads).tolist()
        found |= dict(zip(situation.lead_ids, told, strict=True))
    return found
