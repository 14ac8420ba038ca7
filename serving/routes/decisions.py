"""Decisions: who got which lead, and why."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from rightrep.domain.decision import Cause, Decision, RunnerUp
from rightrep.domain.eligibility import SENTENCES, Exclusion
from rightrep.domain.ids import DecisionId, LeadId, RepId
from rightrep.errors import InvalidInput, NotFound
from rightrep.store import aliases, decisions
from serving.dependencies import Caller, Reading
from serving.errors import may_raise
from serving.models import Key

router = APIRouter(prefix="/v1/decisions", tags=["decisions"])


class RunnerUpOut(BaseModel):
    """A rep who could have had the lead."""

    rep_id: str
    p_convert: float | None = Field(description="Chance to win, in [0, 1].")
    value: float | None = Field(description="Expected value, minor units.")
    shadow_price: float | None = Field(description="Price of a slot, minor units.")

    @classmethod
    def of(cls, other: RunnerUp) -> "RunnerUpOut":
        """As callers see it."""
        return cls(
            rep_id=other.rep_id,
            p_convert=other.p_convert,
            value=other.value,
            shadow_price=other.shadow_price,
        )


class ExcludedOut(BaseModel):
    """A rep who could not have the lead."""

    rep_id: str
    code: str = Field(examples=["language"])
    why: str = Field(examples=["Does not speak the lead's language."])


class DecisionOut(BaseModel):
    """One lead given to one rep, with the reason."""

    decision_id: str
    lead_id: str
    rep_id: str
    decided_at: datetime
    cause: Cause
    actor: str = Field(description="Key or job that asked.")
    policy: str = Field(examples=["optimal"])
    rule_set: int | None = Field(description="Version in force.")
    rule: str | None = Field(description="Rule that matched.")
    experiment: str | None
    arm: str | None
    propensity: float | None = Field(
        description="Probability of this rep at a lottery's draw; null where nothing "
        "was drawn."
    )
    p_convert: float | None = Field(description="Chance to win, in [0, 1].")
    value: float | None = Field(description="Expected value, minor units.")
    shadow_price: float | None = Field(description="Price of the slot, minor units.")
    model_version: str | None
    fallback: str | None = Field(description="Why the fallback policy answered.")
    runner_ups: list[RunnerUpOut] = Field(description="Best first.")
    excluded: list[ExcludedOut] | None = Field(
        description="Who could not have it and why; null where not asked for."
    )

    @classmethod
    def of(cls, made: Decision, *, reasons: bool) -> "DecisionOut":
        """As callers see it."""
        return cls(
            decision_id=made.decision_id,
            lead_id=made.lead_id,
            rep_id=made.rep_id,
            decided_at=made.decided_at,
            cause=made.cause,
            actor=made.actor,
            policy=made.policy,
            rule_set=made.rule_set,
            rule=made.rule,
            experiment=made.experiment,
            arm=made.arm,
            propensity=made.propensity,
            p_convert=made.p_convert,
            value=made.value,
            shadow_price=made.shadow_price,
            model_version=made.model_version,
            fallback=made.fallback,
            runner_ups=[RunnerUpOut.of(other) for other in made.runner_ups],
            excluded=excluded_out(made.excluded) if reasons else None,
        )


class DecisionsOut(BaseModel):
    """A page of decisions, newest first."""

    decisions: list[DecisionOut]
    cursor: str | None = Field(description="Where the next page starts.")


@router.get("", responses=may_raise(InvalidInput, NotFound))
def get_decisions(
    session: Reading,
    caller: Caller,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    lead: Annotated[Key | None, Query(description="Of this lead only.")] = None,
    rep: Annotated[Key | None, Query(description="To this rep only.")] = None,
    reasons: Annotated[bool, Query(description="Spell out exclusions.")] = False,
) -> DecisionsOut:
    """Decisions, newest first; a rep sees only those that gave the rep a lead."""
    kind = aliases.RecordKind
    rep_id = None if rep is None else RepId(aliases.resolve(session, kind.REP, rep))
    if caller.rep_id is not None:
        rep_id = rep_id or caller.rep_id
        caller.require_rep(rep_id)
    lead_id = (
        None if lead is None else LeadId(aliases.resolve(session, kind.LEAD, lead))
    )
    page = decisions.list_decisions(
        session,
        limit=limit,
        cursor=cursor,
        lead_id=lead_id,
        rep_id=rep_id,
        reasons=reasons,
    )
    return DecisionsOut(
        decisions=[DecisionOut.of(made, reasons=reasons) for made in page.decisions],
        cursor=page.cursor,
    )


@router.get("/{decision_id}", responses=may_raise(NotFound))
def get_decision(decision_id: Key, session: Reading, caller: Caller) -> DecisionOut:
    """One decision with every reason spelled out."""
    made = decisions.get_decision(session, DecisionId(decision_id))
    caller.require_rep(made.rep_id)
    return DecisionOut.of(made, reasons=True)


def excluded_out(excluded: Mapping[RepId, str]) -> list[ExcludedOut]:
    """Reason codes spelled out."""
    return [_excluded(rep_id, code) for rep_id, code in excluded.items()]


@lru_cache(maxsize=50_000)
def _excluded(rep_id: RepId, code: str) -> ExcludedOut:
    """Kept, since most leads have the same reps excluded for the same reasons."""
    why = SENTENCES[Exclusion[code.upper()]]
    return ExcludedOut(rep_id=rep_id, code=code, why=why)
