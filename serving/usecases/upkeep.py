"""The jobs that keep a tenant in order: retraining, watching, forgetting."""

from collections.abc import Mapping
from datetime import datetime

import structlog

from rightrep.domain.learning import Learning
from rightrep.errors import StoreUnavailable, TooFewOutcomes
from rightrep.store import jobs, models
from rightrep.store.erasure import scrub
from rightrep.store.jobs import Enqueued
from rightrep.store.retention import apply_retention
from rightrep.store.session import WriteSession
from rightrep.store.tenants import get_tenant
from serving.usecases import learning
from serving.usecases.context import Context
from serving.usecases.watching import RETRAIN, keep_look, look_at_champion
from serving.worker import Effect, Handler, Task

DRIFT = "drift"
RETENTION = "retention"
NAME_CHAMPION = "name_champion"

log = structlog.get_logger()

_PERSONAL = ("customers", "contacts", "notes", "originals")


def handlers(context: Context) -> Mapping[str, Handler]:
    """What to do, by kind of job."""
    return {
        RETRAIN: lambda task: retrain(context, task),
        DRIFT: lambda task: watch(context, task),
        RETENTION: lambda task: forget(context, task),
        NAME_CHAMPION: lambda task: name_champion(context, task),
    }


def ask_for(session: WriteSession, kind: str, *, actor: str, at: datetime) -> Enqueued:
    """Ask for one of these jobs now; while one is open, that is the answer."""
    return jobs.enqueue(session, kind, {"actor": actor}, at=at, open_key=kind)


def retrain(context: Context, task: Task) -> Effect:
    """Train a challenger; publish it, and promote it where it is better."""
    with context.store.read(task.tenant_id) as session:
        wanted = Learning.of(get_tenant(session).settings)
    try:
        learnt = learning.learn(
            context,
            task.tenant_id,
            as_of=context.clock.now(),
            n_trials=wanted.tuning_trials,
            refuse_leaks=wanted.refuse_leaks,
            report=task.report,
        )
    except TooFewOutcomes as error:
        # Not a failure: a young tenant goes by rules, and is asked again next time.
        why = str(error)
        return lambda _: {"version": None, "promoted": False, "reason": why}

    def effect(session: WriteSession) -> object:
        learning.publish(session, context, learnt, actor=task.job_id)
        if learnt.verdict.promoted:
            jobs.enqueue(session, NAME_CHAMPION, {}, at=context.clock.now())
        return {
            "version": learnt.version,
            "promoted": learnt.verdict.promoted,
            "reason": learnt.verdict.reason,
        }

    return effect


def name_champion(context: Context, task: Task) -> Effect:
    """Move MLflow's alias to the store's champion, whichever that is by now."""
    with context.store.read(task.tenant_id) as session:
        present = models.champion(session)
    if present is not None:
        learning.name_champion(context, task.tenant_id, present.version)
    return lambda _: {"version": None if present is None else present.version}


def watch(context: Context, task: Task) -> Effect:
    """Look for drift and keep what was found."""
    task.report(0.1, "comparing recent decisions with training")
    at = context.clock.now()
    looked = look_at_champion(context, task.tenant_id, as_of=at)
    if looked is None:
        return lambda _: {"version": None, "alarmed": False}

    def effect(session: WriteSession) -> object:
        kept = keep_look(session, looked, at=at)
        return {
            "report_id": kept.report_id,
            "version": kept.version,
            "alarmed": kept.alarmed,
            "reason": looked.report.in_words(),
        }

    return effect


def forget(context: Context, task: Task) -> Effect:
    """Remove what is older than the tenant keeps it.

    The removal is done in short transactions of its own before the job ends: done
    again after a crash, it finds less to remove.
    """
    removed = apply_retention(
        context.store, task.tenant_id, actor=task.job_id, at=context.clock.now()
    )
    if any(removed.get(name) for name in _PERSONAL):
        _rewrite_files(context)
    return lambda _: {"removed": removed}


def _rewrite_files(context: Context) -> None:
    try:
        scrub(context.store)
    except StoreUnavailable as error:
        # What is gone is gone from the tables; its traces on the disk wait.
        log.warning("removed rows linger on the disk", why=str(error))
