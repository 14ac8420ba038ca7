"""Batch plans: made, kept, looked at, and committed lead by lead."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from optimizer.policies import POLICIES
from optimizer.problem import UNASSIGNED, FloatArray, Problem
from optimizer.verify import total_value
from rightrep.domain.ids import LeadId, RepId, TenantId, new_id
from rightrep.domain.lead import LeadKind
from rightrep.domain.plan import PlanRep, StoredPlan
from rightrep.domain.slots import ArmKey
from rightrep.errors import Conflict, InfeasiblePlan, InvalidInput, ModelUnavailable
from rightrep.store import bulk, outbox, plans, prices
from rightrep.store.exclusions import save_roster
from rightrep.store.runner_ups import runner_ups_text
from rightrep.store.session import ReadSession, WriteSession
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
from serving.usecases.arms import Drawn, log_drawn
from serving.usecases.choosing import LOTTERY, Chosen, choose_batch, runner_ups
from serving.usecases.context import Context
from serving.usecases.fair_shares import FairAnswer, in_words, read_terms
from serving.usecases.lead_scores import scorer
from serving.usecases.pricing import ask_for_prices, expiry, price_key
from serving.usecases.ruled_choice import NEEDS_MODEL
from serving.usecases.ruling import OVER_TIME, Ruling, by_one_policy, rule_on, ruled
from serving.usecases.situation import Situation, read_situation
from serving.usecases.trade_off import ask_for_curve

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
            table = bulk.open_leads(session, as_of=at, kind=request.kind)
            wanted = table["lead_id"].to_pylist()
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
    """What the model says; None without one.

    Single leads that are asked about at the same time are looked at together: what it
    takes to read and score one is hardly less than what a dozen take.
    """
    ids, rep_ids = situation.lead_ids, situation.rep_ids

    def of(ids: Sequence[LeadId], reps: Sequence[RepId], at: datetime) -> Scores | None:
        adviser = context.advisers.get(tenant_id, rep_ids=reps, session=session)
        if adviser is None:
            return None
        own = context.advisers.own_of(adviser, tenant_id, ids, session)
        return adviser.scores(ids, reps, at=at, own=own)

    if len(ids) > 1:
        return of(ids, rep_ids, situation.at)

    def answer(asked: Sequence[Situation]) -> list[Scores | None]:
        leads = [one.lead_ids[0] for one in asked]
        if any(one.rep_ids != rep_ids for one in asked):
            return [of(one.lead_ids, one.rep_ids, one.at) for one in asked]
        found = of(leads, rep_ids, max(one.at for one in asked))
        return [None if found is None else found.of_lead(i) for i in range(len(leads))]

    return context.together.ask(tenant_id, situation, answer)


def keep_plan(session: WriteSession, made: MadePlan) -> None:
    """Write a plan down: header, reps and a line for each lead; prices in force.

    Leads that were drawn for an arm are logged with it.

    Raises:
        Conflict: A lead was drawn for another arm meanwhile, or an experiment was
            stopped; make a new plan.
    """
    situation, chosen = made.situation, made.chosen
    if made.drawn is not None:
        stopped = log_drawn(session, made.drawn, made.covariates, at=situation.at)
        if stopped:
            raise Conflict(
                f"Experiment {min(stopped)!r} was stopped while the plan was made. "
                "Make a new plan."
            )
    kept = save_roster(session, situation.rep_ids)
    header = replace(made.header, roster=kept)
    plans.save_plan(session, header, _plan_reps(situation, chosen))
    lines = _lines_by_arms(made) if made.parts else _lines(made)
    plans.save_lines(session, header.plan_id, lines, exclusions=situation.codes)
    for arm, price in _prices(made):
        _publish(session, made, price, arm)
    if not made.parts:
        ask_for_curve(session, header, situation, chosen.fair)
    outbox.emit(
        session,
        "rightrep.plan.made",
        {"plan_id": header.plan_id, "policy": header.policy},
        at=situation.at,
        subject=header.plan_id,
    )


def _prices(made: MadePlan) -> list[tuple[ArmKey | None, FloatArray]]:
    """Prices of the whole, or of each arm that has any."""
    parts = [(part.arm, part.chosen) for part in made.parts] or [(None, made.chosen)]
    return [
        (arm, chosen.shadow_price)
        for arm, chosen in parts
        if chosen.shadow_price is not None and (arm is not None or not made.parts)
    ]


def _publish(
    session: WriteSession, made: MadePlan, price: FloatArray, arm: ArmKey | None
) -> None:
    """Prices of the plan in force; futures are added as soon as a worker can."""
    situation = made.situation
    routing, at = situation.routing, situation.at
    window_end = at + timedelta(hours=routing.price_hours)
    in_force = prices.PriceList(
        plan_id=made.header.plan_id,
        window_start=at,
        window_end=window_end,
        published_at=at,
        expires_at=expiry(routing, published_at=at, window_end=window_end),
        shadow_price=dict(zip(situation.rep_ids, price.tolist(), strict=True)),
        arm=price_key(arm),
    )
    prices.publish_prices(session, in_force)
    if routing.price_refresh_minutes > 0:
        ask_for_prices(session, at=at)


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


def _plan_reps(situation: Situation, chosen: Chosen) -> list[PlanRep]:
    problem = chosen.problem
    given = chosen.plan.rep_of[chosen.plan.rep_of != UNASSIGNED]
    count = np.bincount(given, minlength=problem.n_reps)
    short = np.zeros(problem.n_reps, np.int64)
    if chosen.fair is not None:
        short = chosen.fair.shortfall
    held = (count >= problem.capacity) | (
        (problem.floor > 0) & (count <= problem.floor)
    )
    return [
        PlanRep(
            rep_id=entry.rep_id,
            capacity=int(problem.capacity[j]),
            floor=int(problem.floor[j]),
            load=entry.held,
            given=int(count[j]),
            shortfall=int(short[j]),
            shadow_price=None
            if chosen.shadow_price is None
            else float(chosen.shadow_price[j]),
            binding=bool(held[j]),
        )
        for j, entry in enumerate(situation.roster)
    ]


def _lines(made: MadePlan) -> pa.Table:
    situation, scores, chosen = made.situation, made.scores, made.chosen
    rep_of = chosen.plan.rep_of
    given = np.flatnonzero(rep_of != UNASSIGNED)
    rep_ids = np.array([*situation.rep_ids, None], dtype=object)
    others = runner_ups(situation, scores, chosen)
    columns: dict[str, Any] = {
        "lead_id": pa.array(situation.lead_ids, pa.string()),
        "rep_id": pa.array(rep_ids[rep_of], pa.string()),
        "propensity": chosen.plan.propensity,
        "runner_ups": [runner_ups_text(row) for row in others],
        "policy": pa.array(chosen.policy, pa.string()),
    }
    if chosen.ruling is not None:
        columns["rule"] = pa.array(chosen.ruling.rules, pa.string())
    if scores is not None:
        columns |= _numbers(scores, chosen, given)
    return pa.table(columns)


def _lines_by_arms(made: MadePlan) -> pa.Table:
    """The lines of every part, each with its arm, in the order of the batch."""
    tables = []
    for part in made.parts:
        lines = _lines(MadePlan(made.header, part.situation, part.scores, part.chosen))
        named = ("", "") if part.arm is None else (part.arm.experiment, part.arm.arm)
        for column, name in zip(("experiment", "arm"), named, strict=True):
            same = pa.array([name or None] * lines.num_rows, pa.string())
            lines = lines.append_column(column, same)
        tables.append(lines)
    order = np.argsort(np.concatenate([part.rows for part in made.parts]))
    return pa.concat_tables(tables, promote_options="default").take(order)


def _numbers(
    scores: Scores, chosen: Chosen, given: np.ndarray[Any, np.dtype[np.int64]]
) -> dict[str, Any]:
    """The chosen pairs' numbers; missing where nobody was chosen."""
    n_leads, rep = chosen.problem.n_leads, chosen.plan.rep_of[given]
    p, value, price = (np.full(n_leads, np.nan) for _ in range(3))
    p[given] = scores.p_convert[given, rep]
    value[given] = chosen.problem.value[given, rep]
    if chosen.shadow_price is not None:
        price[given] = chosen.shadow_price[rep]
    rows: list[bytes | None] = [None] * n_leads
    features = scores.feature_rows(given, rep).astype("<f4")
    for i, row in zip(given.tolist(), features, strict=True):
        rows[i] = row.tobytes()
    return {
        "p_convert": p,
        "value": value,
        "shadow_price": price,
        "feature_row": pa.array(rows, pa.binary()),
    }
