"""Which rep should take this lead, now? And which reps all of these?"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from optimizer.policies import POLICIES
from rightrep.domain.decision import Decision
from rightrep.domain.ids import LeadId
from rightrep.domain.lead import LeadKind
from rightrep.domain.plan import LineState
from rightrep.domain.roles import Role
from rightrep.errors import AlreadyOwned, Conflict, InvalidInput, NotFound
from rightrep.store import plans
from rightrep.store.aliases import RecordKind
from rightrep.store.arm_slots import arm_of
from rightrep.store.leads import kinds_of
from rightrep.store.session import ReadSession, WriteSession
from serving.dependencies import Parts, Reading, Writing, allow
from serving.errors import may_raise
from serving.models import After, Body, Key, Text, Word
from serving.routes.decisions import ExcludedOut, RunnerUpOut, excluded_out
from serving.routes.feedback import ids_of
from serving.routes.jobs import JobOut, queued
from serving.usecases import next_group, next_rep, planning
from serving.usecases.committing import commit_plan
from serving.usecases.jobs import PLAN
from serving.usecases.lead_scores import plan_scorer
from serving.usecases.proposal import Proposal
from serving.usecases.ruling import LeadScorer
from serving.usecases.trade_off import TRADE_OFF

router = APIRouter(prefix="/v1/assignments", tags=["assignments"])


class NextIn(Body):
    """One lead that needs a rep."""

    lead: Key
    dry_run: bool = Field(
        default=False, description="Tell, and change nothing: no log row, no turn."
    )


class NextOut(BaseModel):
    """Who should have the lead, or has it now."""

    lead_id: str
    rep_id: str | None = Field(description="Null when nobody gets it now.")
    decision_id: str | None = Field(description="Null in a dry run.")
    policy: str
    propensity: float | None
    p_convert: float | None = Field(description="Chance to win, in [0, 1].")
    value: float | None = Field(description="Expected value, minor units.")
    shadow_price: float | None = Field(description="Price of the slot, minor units.")
    priced: bool = Field(description="False: no prices in force, greedy choice.")
    model_version: str | None
    fallback: str | None = Field(description="Why the fallback policy answered.")
    reason: str | None = Field(description="Why nobody gets it.")
    rule_set: int | None = Field(description="Version of the rules that decided.")
    rule: str | None = Field(description="The rule that matched.")
    experiment: str | None = Field(description="The experiment that decided.")
    arm: str | None = Field(description="The lead's arm in it.")
    runner_ups: list[RunnerUpOut]
    excluded: list[ExcludedOut]


class PlanIn(Body):
    """A batch of leads to share out."""

    policy: Text | None = Field(default=None, examples=["optimal"])
    leads: list[Key] | None = Field(
        default=None, max_length=10_000, description="Null is every unassigned lead."
    )
    kind: Word[LeadKind] = Field(
        default=LeadKind.LEAD,
        description="ticket shares out work orders, by rules and never by the model.",
    )
    commit: bool = Field(default=False, description="Act on it at once.")
    atomic: bool = Field(default=False, description="Act on all of it or nothing.")
    seed: int = Field(default=0, ge=0, lt=2**32)


class CommitIn(Body):
    """How to act on a previewed plan."""

    atomic: bool = Field(default=False, description="All of it or nothing.")


class CommitOut(BaseModel):
    """What became of the plan's leads."""

    plan_id: str
    lines: dict[LineState, int] = Field(
        description="committed; owned, full or excluded came back; unassigned."
    )


class PlanRepOut(BaseModel):
    """What a plan means for one rep."""

    rep_id: str
    capacity: int
    floor: int = Field(description="Promised leads that the plan keeps.")
    load: int
    given: int
    shortfall: int = Field(description="Promised leads that cannot be given.")
    shadow_price: float | None
    binding: bool


class LineOut(BaseModel):
    """One lead of a plan."""

    line: int
    lead_id: str
    rep_id: str | None
    state: LineState
    p_convert: float | None
    value: float | None
    shadow_price: float | None
    propensity: float | None
    policy: str | None = Field(description="What chose; null: the plan's own.")
    experiment: str | None
    arm: str | None
    decision_id: str | None


class ArmOut(BaseModel):
    """What a plan means for one arm of an experiment."""

    leads: int
    assigned: int
    slots: int = Field(description="Slots that the arm could give.")
    fallback: str | None = Field(description="Why the fallback policy answered.")


class FairnessOut(BaseModel):
    """What fairness made of a plan."""

    load_band: float | None
    group_band: float | None
    quality_band: float | None
    dial: float
    window_days: int
    spread: float = Field(description="Largest distance of a load share from weight.")
    promised: int = Field(description="Leads still owed by floors in the window.")
    shortfall: int = Field(description="Of these, leads that cannot be given.")
    binding: dict[str, list[str]] = Field(
        description="Limits without slack: reps of load and quality, teams of group."
    )


class TradePointOut(BaseModel):
    """A plan of the same leads and slots, at one setting of the fairness dial."""

    dial: float
    value: float = Field(description="Expected by the model, minor units.")
    spread: float = Field(description="Largest distance of a load share from weight.")
    bound: float = Field(description="No plan there can be worth more.")


class TradeOffOut(BaseModel):
    """What evener shares would cost."""

    points: list[TradePointOut] = Field(description="From dial 0 to dial 1.")
    value: float = Field(description="Of the plan itself.")
    spread: float = Field(description="Of the plan itself.")
    made_at: datetime


class PlanOut(BaseModel):
    """A plan, its proof, and a page of its lines."""

    plan_id: str
    kind: LeadKind
    policy: str
    created_at: datetime
    value: float | None = Field(description="Expected by the model, minor units.")
    bound: float | None = Field(description="No plan can be worth more.")
    gap: float | None = Field(description="Bound minus value, over the bound.")
    baselines: dict[str, dict[str, float]] = Field(
        description="What other policies expect on the same leads."
    )
    model_version: str | None
    fallback: str | None
    problem: dict[str, int | float | str]
    fairness: FairnessOut | None = Field(description="Null where none was asked for.")
    trade_off: TradeOffOut | None = Field(
        description="Null until a job after the plan has worked it out."
    )
    arms: dict[str, ArmOut] = Field(
        description="By experiment/arm; empty where no experiment decided."
    )
    states: dict[LineState, int]
    reps: list[PlanRepOut]
    lines: list[LineOut]
    next_after: int | None = Field(description="`after` of the next page.")


_ASKERS = [Depends(allow(Role.SERVICE, Role.MANAGER))]


@router.post(
    "/next",
    response_model=NextOut,
    responses=may_raise(NotFound, AlreadyOwned),
    dependencies=_ASKERS,
)
def post_next(body: NextIn, call: Writing, parts: Parts) -> Response:
    """The next best rep for one lead, reserved and assigned unless it is a dry run."""
    tenant_id, actor = call.principal.tenant_id, call.principal.key_id

    def together(some: Sequence[next_group.Asked]) -> list[bytes | None]:
        return next_group.answer_together(parts, tenant_id, some, tell=_told)

    asked = next_group.Asked(
        lead=body.lead,
        actor=actor,
        dry_run=body.dry_run,
        key=None if body.dry_run else call.key,
        body_hash=call.body_hash,
    )
    told = parts.together.ask(tenant_id, asked, together)
    if told is not None:
        return Response(told, media_type="application/json")

    def prepare() -> Proposal:
        return next_rep.propose(parts, tenant_id, body.lead)

    if body.dry_run:
        return Response(_told(asked, prepare(), None), media_type="application/json")

    def work(session: WriteSession, proposal: Proposal) -> NextOut:
        decision = next_rep.assign(session, proposal, **call.stamp())
        if decision is not None:
            parts.metrics.decided(
                decision.policy, is_fallback=decision.fallback is not None
            )
        return _next_out(proposal, decision, assigned=True)

    return call.prepared_once(prepare, work)


@router.post(
    "/plan",
    status_code=202,
    response_model=JobOut,
    responses=may_raise(InvalidInput, NotFound),
    dependencies=_ASKERS,
)
def post_plan(body: PlanIn, call: Writing) -> Response:
    """Ask for a batch plan, previewed or committed; follow the job to its plan_id."""
    if body.policy is not None and body.policy not in POLICIES:
        raise InvalidInput(
            f"There is no policy {body.policy!r}.",
            field="policy",
            remedy=f"Give one of {', '.join(POLICIES)}.",
        )

    planning.require_policy(body.kind, body.policy)

    def work(session: WriteSession) -> JobOut:
        leads = None
        if body.leads is not None:
            known = ids_of(session, RecordKind.LEAD, body.leads).values()
            leads = [LeadId(own) for own in known]
            _require_kind(session, leads, body.kind)
        args = {
            "policy": body.policy,
            "leads": leads,
            "kind": body.kind.value,
            "commit": body.commit,
            "atomic": body.atomic,
            "seed": body.seed,
            "actor": call.principal.key_id,
        }
        return queued(session, call, PLAN, args)

    return call.once(work, status=202)


@router.get(
    "/plan/{plan_id}",
    responses=may_raise(NotFound),
    dependencies=[Depends(allow(Role.SERVICE, Role.MANAGER, Role.ANALYST))],
)
def get_plan(
    plan_id: Key,
    session: Reading,
    after: After = -1,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> PlanOut:
    """One plan with a page of its lines."""
    header = plans.read_plan(session, plan_id)
    problem = dict(header.problem)
    fairness, arms = problem.pop("fairness", None), problem.pop("arms", {})
    trade_off = problem.pop(TRADE_OFF, None)
    lines = plans.read_lines(session, plan_id, after=after, limit=limit).to_pylist()
    return PlanOut(
        plan_id=header.plan_id,
        kind=header.kind,
        policy=header.policy,
        created_at=header.created_at,
        value=header.value,
        bound=header.bound,
        gap=header.gap,
        baselines={name: dict(row) for name, row in header.baselines.items()},
        model_version=header.model_version,
        fallback=header.fallback,
        problem=problem,
        fairness=None if fairness is None else FairnessOut(**fairness),
        trade_off=None if trade_off is None else TradeOffOut(**trade_off),
        arms={name: ArmOut(**figures) for name, figures in arms.items()},
        states=plans.count_lines(session, plan_id),
        reps=[
            PlanRepOut(
                rep_id=rep.rep_id,
                capacity=rep.capacity,
                floor=rep.floor,
                load=rep.load,
                given=rep.given,
                shortfall=rep.shortfall,
                shadow_price=rep.shadow_price,
                binding=rep.binding,
            )
            for rep in plans.read_plan_reps(session, plan_id)
        ],
        lines=[
            LineOut(**{name: line[name] for name in LineOut.model_fields})
            for line in lines
        ],
        next_after=lines[-1]["line"] if len(lines) == limit else None,
    )


@router.post(
    "/plan/{plan_id}/commit",
    response_model=CommitOut,
    responses=may_raise(NotFound, Conflict),
    dependencies=_ASKERS,
)
def post_commit(plan_id: Key, body: CommitIn, call: Writing, parts: Parts) -> Response:
    """Act on a previewed plan; leads that changed since come back, the rest stands."""

    def prepare() -> LeadScorer:
        return plan_scorer(parts, call.principal.tenant_id, plan_id)

    def work(session: WriteSession, scored: LeadScorer) -> CommitOut:
        lines = commit_plan(
            session,
            plan_id,
            **call.stamp(),
            atomic=body.atomic,
            scored=scored,
        )
        return CommitOut(plan_id=plan_id, lines=lines)

    return call.prepared_once(prepare, work)


def _require_kind(session: ReadSession, leads: list[LeadId], kind: LeadKind) -> None:
    for lead_id, own in kinds_of(session, leads).items():
        if own is not kind:
            raise InvalidInput(
                f"Lead {lead_id} is of kind {own.value!r}.",
                field="leads",
                remedy=f"Ask for a plan of kind {own.value!r}, or leave it out.",
            )


def _told(
    asked: next_group.Asked, proposal: Proposal, decision: Decision | None
) -> bytes:
    out = _next_out(proposal, decision, assigned=not asked.dry_run)
    return out.model_dump_json().encode()


def _next_out(
    proposal: Proposal,
    decision: Decision | None,
    *,
    assigned: bool = False,
) -> NextOut:
    situation, told = proposal.situation, decision
    if told is None and not assigned and proposal.reason is None:
        told = proposal.decision(proposal.ranking[0], at=situation.at, actor="dry_run")
    arm = proposal.arm_key if told is None else arm_of(told)
    reason = proposal.reason
    if assigned and decision is None and reason is None:
        reason = "Everybody who may take this lead filled up meanwhile."
    return NextOut(
        lead_id=situation.lead_ids[0],
        rep_id=None if told is None else told.rep_id,
        decision_id=None if decision is None else decision.decision_id,
        policy=proposal.policy if told is None else told.policy,
        propensity=None if told is None else told.propensity,
        p_convert=None if told is None else told.p_convert,
        value=None if told is None else told.value,
        shadow_price=None if told is None else told.shadow_price,
        priced=proposal.plan_id is not None,
        model_version=None
        if proposal.scores is None
        else proposal.scores.model_version,
        fallback=proposal.fallback,
        reason=reason,
        rule_set=proposal.rule_set,
        rule=proposal.rule,
        experiment=None if arm is None else arm.experiment,
        arm=None if arm is None else arm.arm,
        runner_ups=[] if told is None else [RunnerUpOut.of(r) for r in told.runner_ups],
        excluded=excluded_out(proposal.excluded()),
    )
