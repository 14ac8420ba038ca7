"""The daily look at running experiments: tell when a report cannot be trusted.

A mismatch of the arms' sizes and a guardrail that broke are each told of once, however
long they last: the event that told of it is what says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rightrep.domain.ids import TenantId
from rightrep.store import experiments as store
from rightrep.store import outbox
from rightrep.store.session import WriteSession
from serving.usecases.context import Context
from serving.usecases.experiment_report import Reported, report_of
from serving.worker import Effect, Handler, Task

EXPERIMENTS = "experiments"
"""Kind of the job."""

SRM = "rightrep.experiment.srm"
GUARDRAIL = "rightrep.experiment.guardrail"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that a manager has to know today.

    Attributes:
        kind: Type of the event that tells of it.
        subject: What is told of once.
        data: What is told.
    """

    kind: str
    subject: str
    data: Mapping[str, object]


def handlers(context: Context) -> Mapping[str, Handler]:
    """What to do, by kind of job."""
    return {EXPERIMENTS: lambda task: _watch(context, task)}


def look_at_experiments(context: Context, tenant_id: TenantId) -> list[Finding]:
    """What is wrong with the experiments that run; nothing is written."""
    at = context.clock.now()
    with context.store.read(tenant_id) as session:
        running = store.running_experiments(session)
        reports = [report_of(session, one, at=at) for one in running]
    return [finding for one in reports for finding in findings_of(one)]


def findings_of(one: Reported) -> list[Finding]:
    """What is wrong with an experiment today."""
    name, sizes = one.experiment.experiment, one.report.srm
    found = []
    if sizes.mismatch:
        said = {"p": sizes.p, "counts": sizes.counts, "shares": sizes.shares}
        found.append(Finding(kind=SRM, subject=name, data={"experiment": name, **said}))
    for rail in one.report.guardrails:
        if rail.broken:
            said = {
                "guardrail": rail.name,
                "effect": rail.effect.effect,
                "low": rail.effect.low,
                "margin": rail.margin,
            }
            found.append(
                Finding(
                    kind=GUARDRAIL,
                    subject=f"{name}: {rail.name}",
                    data={"experiment": name, **said},
                )
            )
    return found


def tell(
    session: WriteSession, found: Sequence[Finding], context: Context
) -> list[Finding]:
    """Tell of what was not told of before; gives what was new."""
    at = context.clock.now()
    new = [one for one in found if not outbox.was_told(session, one.kind, one.subject)]
    for one in new:
        outbox.emit(session, one.kind, one.data, at=at, subject=one.subject)
    return new


def _watch(context: Context, task: Task) -> Effect:
    found = look_at_experiments(context, task.tenant_id)

    def effect(session: WriteSession) -> object:
        told = tell(session, found, context)
        return {"found": len(found), "told": len(told)}

    return effect
