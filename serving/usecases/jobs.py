"""What each kind of job does: long work first, then one effect."""

from collections.abc import Mapping

from rightrep.domain.ids import LeadId
from rightrep.domain.lead import LeadKind
from rightrep.domain.routing import Routing
from rightrep.store import prices
from rightrep.store.session import WriteSession
from rightrep.store.tenants import get_tenant
from serving.usecases import (
    cheating,
    experiment_watch,
    followup,
    handover_moves,
    health,
    linking,
    planning,
    pool_recycling,
    pricing,
    trade_off,
    upkeep,
)
from serving.usecases.arms import arms_in_force
from serving.usecases.choosing import OPTIMAL
from serving.usecases.committing import commit_plan
from serving.usecases.context import Context
from serving.usecases.keeping import keep_plan
from serving.usecases.lead_scores import scored_before
from serving.usecases.pricing import PRICES
from serving.worker import Effect, Handler, Task

PLAN = "plan"


def handlers(context: Context) -> Mapping[str, Handler]:
    """Every kind of job this process can do."""
    return {
        PLAN: lambda task: plan(context, task),
        PRICES: lambda task: refresh(context, task),
        linking.LINK: lambda task: linking.job(context, task),
        trade_off.TRADE_OFF: lambda task: trade_off.job(context, task),
        pool_recycling.RECYCLE: lambda task: pool_recycling.job(context, task),
        **cheating.handlers(context),
        **experiment_watch.handlers(context),
        **followup.handlers(context),
        **handover_moves.handlers(context),
        **health.handlers(context),
        **upkeep.handlers(context),
    }


def plan(context: Context, task: Task) -> Effect:
    """Make a batch plan; commit it too where that was asked for."""
    asked = task.args
    leads = asked["leads"]
    made = planning.make_plan(
        context,
        task.tenant_id,
        planning.PlanRequest(
            policy=asked["policy"],
            lead_ids=None if leads is None else [LeadId(lead) for lead in leads],
            kind=LeadKind(asked.get("kind", LeadKind.LEAD)),
            seed=asked["seed"],
            actor=asked["actor"],
            job_id=task.job_id,
        ),
        report=task.report,
    )

    version = made.header.rule_set if asked["commit"] else None
    scored = scored_before(context, made.situation, version)

    def effect(session: WriteSession) -> object:
        keep_plan(session, made)
        plan_id = made.header.plan_id
        result: dict[str, object] = {"plan_id": plan_id}
        if asked["commit"]:
            settled = commit_plan(
                session,
                plan_id,
                at=context.clock.now(),
                actor=asked["actor"],
                atomic=asked["atomic"],
                scored=scored,
            )
            result["lines"] = {state.value: n for state, n in settled.items()}
        return result

    return effect


def refresh(context: Context, task: Task) -> Effect:
    """Solve the shadow prices again and ask for the next time; plan where none was."""
    fresh = pricing.refresh_all(context, task.tenant_id)
    if fresh is None:
        return first_prices(context, task)

    def effect(session: WriteSession) -> object:
        routing = Routing.of(get_tenant(session).settings)
        pricing.publish_refreshed(session, fresh, routing)
        return {one.arm: one.expires_at.isoformat() for one in fresh}

    return effect


def first_prices(context: Context, task: Task) -> Effect:
    """A plan to take prices from, previewed; nothing where there is no model."""
    with context.store.read(task.tenant_id) as session:
        priced = prices.latest_prices(session, context.clock.now()) is not None
        in_force = arms_in_force(session)
    # While an experiment runs, its arms say by which policy.
    runs = in_force is not None and in_force.experiment is not None
    if priced or context.advisers.get(task.tenant_id) is None:
        return lambda _session: {"plan_id": None}
    made = planning.make_plan(
        context,
        task.tenant_id,
        planning.PlanRequest(policy=None if runs else OPTIMAL, actor=PRICES),
    )

    def effect(session: WriteSession) -> object:
        keep_plan(session, made)
        routing, at = made.situation.routing, made.situation.at
        pricing.ask_for_next(session, routing, at=at)
        return {"plan_id": made.header.plan_id}

    return effect
