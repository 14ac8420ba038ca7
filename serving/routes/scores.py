"""Scores of a lead: its own, and its chance with every rep, explained."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from rightrep.domain.eligibility import Exclusion
from rightrep.domain.roles import Role
from rightrep.domain.tier import Tier, Tiers
from rightrep.errors import ModelUnavailable, NotFound
from rightrep.store.aliases import resolve_lead
from rightrep.store.tenants import get_tenant
from serving.dependencies import Caller, Parts, allow
from serving.errors import may_raise
from serving.models import Key
from serving.routes.decisions import ExcludedOut, excluded_out
from serving.usecases import planning
from serving.usecases.situation import Situation, read_situation, value_of
from training.explain import Contribution
from training.words import Language

router = APIRouter(prefix="/v1/leads", tags=["leads"])

_SCORED = frozenset(
    {Exclusion.ELIGIBLE, Exclusion.HOLDING_LIMIT, Exclusion.INTAKE_LIMIT}
)
"""A rep who is full now may still be scored: tomorrow there are slots again."""


class ContributionOut(BaseModel):
    """What one column adds to a chance."""

    column: str
    words: str = Field(description="What the column says, in words.")
    log_odds: float = Field(description="Added to the log odds; positive helps.")

    @classmethod
    def of(cls, found: Iterable[Contribution]) -> "list[ContributionOut]":
        """As callers see them."""
        return [
            cls(column=one.column, words=one.words, log_odds=one.log_odds)
            for one in found
        ]


class RepScoreOut(BaseModel):
    """What the model says about one rep with this lead."""

    rep_id: str
    p_convert: float = Field(description="Chance to win, in [0, 1].")
    value: float = Field(description="Expected value, minor units.")
    contributions: list[ContributionOut] = Field(
        description="The largest ones; for the reps that were asked to be explained."
    )


class ScoresOut(BaseModel):
    """What the model says about a lead with every rep who may take it."""

    lead_id: str
    model_version: str
    lead_score: int = Field(
        description="0 to 100, whoever takes it: how many of 100 leads are worse."
    )
    tier: Tier = Field(description="By the tenant's thresholds of the lead score.")
    contributions: list[ContributionOut] = Field(
        description="What speaks most for and against the lead itself."
    )
    p_lead: float = Field(description="Chance to win, whoever takes it.")
    deal_value_stated: bool = Field(
        description="False: the segment's usual deal value was taken."
    )
    reps: list[RepScoreOut] = Field(description="Best first.")
    excluded: list[ExcludedOut]


@router.get(
    "/{lead_id}/scores",
    responses=may_raise(NotFound, ModelUnavailable),
    dependencies=[Depends(allow(Role.SERVICE, Role.MANAGER, Role.ANALYST))],
)
def get_scores(
    lead_id: Key,
    caller: Caller,
    parts: Parts,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 10,
    explain: Annotated[
        int, Query(ge=0, le=10, description="Explain so many of the best reps.")
    ] = 3,
    language: Annotated[
        Language, Query(description="Language of the explanations.")
    ] = Language.ENGLISH,
) -> ScoresOut:
    """Score of a lead, chance and value with every rep who may take it, best first."""
    at = parts.clock.now()
    with parts.store.read(caller.tenant_id) as session:
        known = resolve_lead(session, lead_id)
        situation = read_situation(session, [known], at=at)
        tiers = Tiers.of(get_tenant(session).settings)
    adviser = parts.advisers.get(caller.tenant_id, rep_ids=situation.rep_ids)
    scores, why = planning.score(parts, caller.tenant_id, situation)
    if adviser is None or scores is None:
        raise ModelUnavailable(f"No scores: {why}.")
    lead_score = int(adviser.model.lead_score(scores.columns.leads)[0])
    value = value_of(situation, scores)[0]
    best_first = (-value).argsort(kind="stable").tolist()
    may = [j for j in best_first if situation.codes[0, j] in _SCORED]
    return ScoresOut(
        lead_id=known,
        model_version=scores.model_version,
        lead_score=lead_score,
        tier=tiers.tier_of(lead_score),
        contributions=ContributionOut.of(adviser.explain_lead(scores, 0, language)),
        p_lead=float(scores.quality[0]),
        deal_value_stated=bool(scores.columns.deal_value_stated[0]),
        reps=[
            RepScoreOut(
                rep_id=situation.rep_ids[j],
                p_convert=float(scores.p_convert[0, j]),
                value=float(value[j]),
                contributions=ContributionOut.of(
                    adviser.explain(scores, 0, j, language) if place < explain else ()
                ),
            )
            for place, j in enumerate(may[:limit])
        ],
        excluded=_excluded(situation),
    )


def _excluded(situation: Situation) -> list[ExcludedOut]:
    codes = zip(situation.rep_ids, situation.codes[0].tolist(), strict=True)
    return excluded_out(
        {
            rep_id: Exclusion(code).name.lower()
            for rep_id, code in codes
            if code not in _SCORED
        }
    )
