"""Batch plans: read, scored and shared out; nothing is written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from optimizer.policies import POLICIES
from optimizer.problem import UNASSIGNED, Problem
from optimizer.verify import total_value
from rightrep.domain.ids import LeadId, TenantId, new_id
from rightrep.domain.lead import LeadKind
from rightrep.domain.plan import StoredPlan
from rightrep.errors import InfeasiblePlan, InvalidInput, ModelUnavailable
from rightrep.store import bulk
from rightrep.store.session import ReadSession
from serving.usecases.advice import Scores
from serving.usecases.arm_batch import (
    ArmPart,
    experiment_of,
    in_figures,
    share_by_arms,
    together,
)
from serving.usecases.arm_covariates import covariates
from serving.usecases.arm_views import Arming, read_arming
from serving.usecases.arms import Drawn
from serving.usecases.choosing import LOTTERY, Chosen, choose_batch
from serving.usecases.context import Context
from serving.usecases.fair_shares import FairAnswer, in_words, read_terms
from serving.usecases.lead_scores import scorer
from serving.usecases.ruled_choice import NEEDS_MODEL
from serving.usecases.ruling import OVER_TIME, Ruling, by_one_policy, rule_on, ruled
from serving.usecases.situation import Situation, read_situation

NO_CHANCE = "a work order has no chance to win"
RULES = "rules"
"""Policy of a plan whose leads were shared out by a rule set."""
ARMS = "arms"
"""Policy of a plan whose leads were shared out by the arms of an experiment."""
BASELINES = ("round_robin", "least_loaded", "random")


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """What kind of plan is wanted.

    Attributes:
        policy: Name of a policy, or None for the tenant's own.
        lead_ids: The leads; None takes every open lead without owner.
        kind: Leads, or work orders.
        seed: Seed of every draw.
        actor: Who asks.
        job_id: The job that makes it, or None.
    """

    policy: str | None = None
    lead_ids: Sequence[LeadId] | None = None
    kind: LeadKind = LeadKind.LEAD
    seed: int = 0
    actor: str = "cli"
    job_id: str | None = None


@dataclass(frozen=True, eq=False)
class MadePlan:
    """A plan not yet kept.

    Attributes:
        header: What is kept of the whole.
        situation: What it was made in.
        scores: What the model said, or None.
        chosen: What was chosen.
        parts: The same arm by arm; empty where no experiment decides.
        drawn: Who was drawn for which arm, or None likewise.
        covariates: What units are logged with, by experiment.
    """

    header: StoredPlan
    situation: Situation
    scores: Scores | None
    chosen: Chosen
    parts: Sequence[ArmPart] = ()
    drawn: Drawn | None = None
    covariates: Mapping[str, Sequence[float] | None] = field(default_factory=dict)


def make_plan(
    context: Context,
    tenant_id: TenantId,
    request: PlanRequest,
    *,
    report: Callable[[float, str], None] = lambda _share, _words: None,
) -> MadePlan:
    """Read, score and share out; nothing is written.

    Args:
        context: The parts of this process.
        tenant_id: Whose leads.
        request: What kind of plan.
        report: Told how far it is.

    Raises:
        InvalidInput: There is no such policy, none for work orders, or an experiment
            decides about it; a lead is of another kind; or a floor is promised to
            nobody.
        InfeasiblePlan: Fairness limits collide.
    """
    at = context.clock.now()
    require_policy(request.kind, request.policy)
    report(0.05, "reading leads and reps")
    with context.store.read(tenant_id) as session:
        wanted = request.lead_ids
        if wanted is None:
            wanted = bulk.open_leads(session, as_of=at, kind=request.kind)
        situation = read_situation(session, wanted, at=at)
        _require_kind(situation, request)
        situation, ruling = _ruled(context, session, situation, request)
        arming = read_arming(
            session, situation, ruling, context.win_rates, is_batch=True
        )
        fair = None if arming is not None else read_terms(session, situation)
    if arming is not None:
        _require_no_policy(request, arming)
    report(0.3, "scoring")
    scores, no_model = score(context, tenant_id, situation)
    report(0.6, "solving")
    if arming is not None:
        return _made_by_arms(
            context, tenant_id, situation, scores, arming, request, no_model
        )
    try:
        chosen = choose_batch(
            situation,
            scores,
            policy=request.policy or situation.routing.policy,
            seed=request.seed,
            no_model=no_model,
            fair=fair,
            ruling=ruling,
            instead=request.policy,
        )
    except InfeasiblePlan as error:
        if fair is None:
            raise
        raise in_words(situation, fair, error) from error
    header = _header(situation, scores, chosen, request)
    return MadePlan(header, situation, scores, chosen)


def require_policy(kind: LeadKind, policy: str | None) -> None:
    """Refuse a policy that goes by the model, for work orders.

    Raises:
        InvalidInput: It does.
    """
    if kind is LeadKind.TICKET and policy in NEEDS_MODEL:
        names = [name for name in POLICIES if name not in NEEDS_MODEL]
        raise InvalidInput(
            f"{policy!r} cannot share work orders out: {NO_CHANCE}.",
            field="policy",
            remedy=f"Give one of {', '.join(names)}.",
        )


def _require_kind(situation: Situation, request: PlanRequest) -> None:
    if situation.leads and situation.kind is not request.kind:
        raise InvalidInput(
            f"These are leads of kind {situation.kind.value!r}.",
            field="kind",
            remedy=f"Say {situation.kind.value!r}, or name others.",
        )


def _require_no_policy(request: PlanRequest, arming: Arming) -> None:
    one = experiment_of(arming)
    if request.policy is not None and one is not None:
        raise InvalidInput(
            f"Experiment {one.experiment!r} decides which policy shares out leads.",
            field="policy",
            remedy="Leave the policy out, or stop the experiment.",
        )


def _made_by_arms(
    context: Context,
    tenant_id: TenantId,
    situation: Situation,
    scores: Scores | None,
    arming: Arming,
    request: PlanRequest,
    no_model: str | None,
) -> MadePlan:
    """The plan of a batch whose leads belong to arms."""
    parts = share_by_arms(
        situation,
        scores,
        arming,
        policy=request.policy or situation.routing.policy,
        seed=request.seed,
        no_model=no_model,
        instead=request.policy,
    )
    whole, chosen = together(situation, scores, parts)
    header = _header(whole, scores, chosen, request)
    problem = {**header.problem, "arms": in_figures(parts)}
    return MadePlan(
        replace(header, policy=ARMS, problem=problem),
        whole,
        scores,
        chosen,
        parts,
        arming.drawn,
        covariates(context, tenant_id, arming.drawn, scores),
    )


def _ruled(
    context: Context,
    session: ReadSession,
    situation: Situation,
    request: PlanRequest,
) -> tuple[Situation, Ruling | None]:
    """Under the rule set in force, else under a policy that goes over time."""
    scored = scorer(context, situation.tenant.tenant_id)
    found, ruling = ruled(session, situation, context.win_rates, scored=scored)
    policy = request.policy or situation.routing.policy
    if ruling is None and policy in OVER_TIME:
        rule_set = by_one_policy(policy)
        ruling = rule_on(session, situation, rule_set, context.win_rates)[1]
    return found, ruling


def score(
    context: Context,
    tenant_id: TenantId,
    situation: Situation,
    session: ReadSession | None = None,
) -> tuple[Scores | None, str | None]:
    """What the model says, or why it says nothing.

    Args:
        context: The parts of this process.
        tenant_id: Whose leads.
        situation: Leads and roster.
        session: Where to read; one of its own when not given.
    """
    if not situation.leads or not situation.roster:
        return None, "nothing to score"
    if situation.kind is LeadKind.TICKET:
        return None, NO_CHANCE
    try:
        found = _scores(context, tenant_id, situation, session)
    except ModelUnavailable as error:
        return None, str(error)
    return found, "no model is published" if found is None else None


def _scores(
    context: Context,
    tenant_id: TenantId,
    situation: Situation,
    session: ReadSession | None,
) -> Scores | None:
    """What the model says; None without one."""
    ids, rep_ids = situation.lead_ids, situation.rep_ids
    adviser = context.advisers.get(tenant_id, rep_ids=rep_ids, session=session)
    if adviser is None:
        return None
    own = context.advisers.own_of(adviser, tenant_id, ids, session)
    return adviser.scores(ids, rep_ids, at=situation.at, own=own)


def expected_values(problem: Problem, policies: Sequence[str]) -> dict[str, float]:
    """What each policy expects to earn on one batch, by the model's own numbers."""
    return {name: total_value(problem, POLICIES[name](problem)) for name in policies}


def _header(
    situation: Situation, scores: Scores | None, chosen: Chosen, request: PlanRequest
) -> StoredPlan:
    problem, plan = chosen.problem, chosen.plan
    earned = None if scores is None else total_value(problem, plan)
    baselines = {} if scores is None else expected_values(problem, BASELINES)
    lottery = sum(name == LOTTERY for name in chosen.policy)
    return StoredPlan(
        plan_id=new_id(situation.at),
        job_id=request.job_id,
        policy=_told(situation, chosen, request),
        actor=request.actor,
        as_of=situation.at,
        created_at=situation.at,
        value=earned,
        bound=None if scores is None or lottery else chosen.bound,
        gap=None if scores is None or lottery else chosen.gap,
        model_version=None if scores is None else scores.model_version,
        columns_version=None if scores is None else scores.columns_version,
        fallback=chosen.fallback,
        kind=request.kind,
        rule_set=None if chosen.ruling is None else chosen.ruling.rule_set.version,
        problem={
            "n_leads": problem.n_leads,
            "n_reps": problem.n_reps,
            "slots": int(problem.capacity.sum()),
            "eligible_pairs": int(problem.eligible.sum()),
            "assigned": int((plan.rep_of != UNASSIGNED).sum()),
            "lottery": lottery,
            "objective": situation.routing.objective.value,
            "seed": request.seed,
            **_weighed(chosen),
            **({} if chosen.fair is None else _fairness(situation, chosen.fair)),
        },
        baselines={name: {"value": value} for name, value in baselines.items()},
    )


def _told(situation: Situation, chosen: Chosen, request: PlanRequest) -> str:
    """What shared out the plan: rules, or the one policy."""
    if chosen.ruling is not None and chosen.ruling.rule_set.version is not None:
        return RULES
    asked = request.policy or situation.routing.policy
    return next((name for name in chosen.policy if name != LOTTERY), asked)


def _weighed(chosen: Chosen) -> dict[str, float]:
    """Value with waiting counted, which bound and gap are about; none without."""
    return {"weighed_value": chosen.solved_value} if (chosen.weight > 1).any() else {}


def _fairness(situation: Situation, fair: FairAnswer) -> dict[str, Any]:
    return {"fairness": fair.summary(situation.rep_ids)}
