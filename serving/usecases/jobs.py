"""What each kind of job does: long work first, then one effect."""

from collections.abc import Mapping

from rightrep.domain.ids import LeadId
from rightrep.store.session import WriteSession
from serving.usecases import learning, planning
from serving.usecases.context import Context
from serving.worker import Effect, Handler, Task

PLAN = "plan"
RETRAIN = "retrain"


def handlers(context: Context) -> Mapping[str, Handler]:
    """Every kind of job this process can do."""
    return {
        PLAN: lambda task: plan(context, task),
        RETRAIN: lambda task: retrain(context, task),
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
            seed=asked["seed"],
            actor=asked["actor"],
            job_id=task.job_id,
        ),
        report=task.report,
    )

    def effect(session: WriteSession) -> object:
        planning.keep_plan(session, made)
        plan_id = made.header.plan_id
        result: dict[str, object] = {"plan_id": plan_id}
        if asked["commit"]:
            result["lines"] = planning.commit_plan(
                session,
                plan_id,
                at=context.clock.now(),
                actor=asked["actor"],
                atomic=asked["atomic"],
            )
        return result

    return effect


def retrain(context: Context, task: Task) -> Effect:
    """Train a challenger; publish it, and promote it where it is better."""
    learnt = learning.learn(
        context, task.tenant_id, as_of=context.clock.now(), report=task.report
    )

    def effect(session: WriteSession) -> object:
        learning.publish(session, context, learnt, actor=task.job_id)
        return {
            "version": learnt.version,
            "promoted": learnt.verdict.promoted,
            "reason": learnt.verdict.reason,
        }

    return effect
