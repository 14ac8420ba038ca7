"""Watching the champion: has what it was trained on changed?"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from features.history import History
from rightrep.domain.ids import TenantId, new_id
from rightrep.domain.learning import Learning
from rightrep.store import bulk, drift, jobs, models, outbox
from rightrep.store.session import WriteSession
from rightrep.store.tenants import get_tenant
from serving.usecases.context import Context
from training.drift import DriftReport, look
from training.model_file import load_model

RETRAIN = "retrain"
"""Kind of the job that drift asks for."""


@dataclass(frozen=True, eq=False)
class Looked:
    """One look at the champion, not yet kept.

    Attributes:
        version: The champion.
        report: What was found.
    """

    version: str
    report: DriftReport


def look_at_champion(
    context: Context, tenant_id: TenantId, *, as_of: datetime
) -> Looked | None:
    """Compare recent decisions with the champion's training; None without champion.

    Raises:
        ModelUnavailable: The champion's file is missing, damaged or another one.
    """
    with context.store.read(tenant_id) as session:
        present = models.champion(session)
        if present is None:
            return None
        limits = Learning.of(get_tenant(session).settings)
        history = History.of(bulk.read_history(session, recorded_until=as_of))
    model = load_model(Path(present.path), present.sha256)
    return Looked(present.version, look(model, history, as_of, limits))


def keep_look(
    session: WriteSession, looked: Looked, *, at: datetime
) -> drift.KeptDrift:
    """Write a look down; where drift begins, tell of it and ask for a retraining.

    A champion that goes on drifting asks once: the retraining answers, and where its
    model is refused, the next one by schedule may do better.
    """
    before = drift.list_drift(session, version=looked.version, limit=1)
    report = looked.report
    kept = drift.KeptDrift(
        report_id=new_id(at),
        version=looked.version,
        as_of=report.as_of,
        alarmed=report.alarmed,
        report=report.to_json(),
    )
    drift.keep_drift(session, kept)
    if report.alarmed and not any(one.alarmed for one in before):
        outbox.emit(
            session,
            "rightrep.model.drift",
            {"version": looked.version, "alarms": list(report.alarms)},
            at=at,
            subject=looked.version,
        )
    if report.alarmed:
        jobs.enqueue(
            session,
            RETRAIN,
            {"cause": "drift", "version": looked.version},
            at=at,
            once_key=f"drift of {looked.version}",
        )
    return kept
