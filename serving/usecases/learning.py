"""Learning: from the store's history to a published model, and to a champion."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

from features.history import History
from rightrep.domain.ids import TenantId
from rightrep.store import bulk, models, outbox
from rightrep.store.session import WriteSession
from rightrep.store.tenants import get_tenant
from serving.usecases.context import Context
from serving.usecases.judging import judge_challenger
from training.evaluation import Metrics
from training.model_file import load_model
from training.promotion import Verdict
from training.registry import log_training, set_champion
from training.report import TrainingReport
from training.retrain import TrainedModel, train

Report = Callable[[float, str], None]


@dataclass(frozen=True)
class Learnt:
    """A trained model, logged and judged, not yet published.

    Attributes:
        version: Its version in the registry.
        trained: Model, file and report.
        verdict: Whether it becomes the champion.
        published: What serving will read.
    """

    version: str
    trained: TrainedModel
    verdict: Verdict
    published: models.PublishedModel

    def in_words(self) -> list[str]:
        """What was learnt, line by line."""
        report = self.trained.report
        window = f"{report.label_window_days} days"
        rows = [
            f"{report.n_rows:,} decisions, {report.n_won:,} won; window {window}",
            f"{'on later decisions':<20}{'AUC':>8}{'log loss':>10}{'Brier':>8}",
        ]
        for name in ("lead_only", "rep_only", "pair"):
            found = getattr(report, name)
            rows.append(
                f"  {name:<18}{found.auc:>8.3f}{found.log_loss:>10.4f}"
                f"{found.brier:>8.4f}"
            )
        outcome = "is champion" if self.verdict.promoted else "was refused"
        return [
            *rows,
            *report.findings(),
            *([] if self.trained.tuning is None else [self.trained.tuning.in_words()]),
            f"version {self.version} {outcome}: {self.verdict.reason}",
            *(f"  {check.name}: {check.words}" for check in self.verdict.checks),
        ]


def learn(
    context: Context,
    tenant_id: TenantId,
    *,
    as_of: datetime,
    n_trials: int = 0,
    refuse_leaks: bool = False,
    report: Report = lambda _share, _words: None,
) -> Learnt:
    """Train, log and judge; nothing is written to the store.

    Args:
        context: The parts of this process.
        tenant_id: Whose history.
        as_of: Nothing later is seen.
        n_trials: Sets of parameters that tuning tries; 0 takes the usual ones.
        refuse_leaks: Whether columns that may know the outcome stop the training.
        report: Told how far it is.

    Raises:
        TooFewOutcomes: There is not enough to learn from.
        InvalidInput: A column may know the outcome, and that is to be refused; or
            tuning is asked for and cannot be done.
    """
    report(0.05, "reading the history")
    with context.store.read(tenant_id) as session:
        tenant = get_tenant(session)
        history = History.of(bulk.read_history(session, recorded_until=as_of))
        present = models.champion(session)
    report(0.2, "training")
    folder = context.settings.models / tenant_id
    folder.mkdir(parents=True, exist_ok=True)
    trained = train(
        history,
        pd.Timestamp(as_of),
        folder,
        label_window_days=tenant.label_window_days,
        zone=tenant.time_zone,
        n_trials=n_trials,
        refuse_leaks=refuse_leaks,
    )
    report(0.7, "comparing with the champion")
    verdict = judge_challenger(context, tenant, present, trained, history)
    report(0.8, "logging")
    version = log_training(
        trained,
        tracking_uri=context.settings.tracking_uri,
        experiment=f"rightrep-{tenant_id}",
    )
    return Learnt(
        version=version,
        trained=trained,
        verdict=verdict,
        published=_published(version, trained, verdict, as_of, context.clock.now()),
    )


def publish(
    session: WriteSession, context: Context, learnt: Learnt, *, actor: str
) -> None:
    """Publish a learnt model; make it the champion where the verdict says so."""
    at = context.clock.now()
    models.publish_model(session, learnt.published)
    kind = "refused"
    if learnt.verdict.promoted:
        models.promote(
            session, learnt.version, actor=actor, reason=learnt.verdict.reason, at=at
        )
        kind = "promoted"
    outbox.emit(
        session,
        f"rightrep.model.{kind}",
        {"version": learnt.version, **_told(learnt.verdict)},
        at=at,
        subject=learnt.version,
    )


def bring_back(
    session: WriteSession, context: Context, version: str, *, actor: str, reason: str
) -> None:
    """Make any published version the champion, new or old, unless its file is broken.

    Raises:
        NotFound: No such version.
        ModelUnavailable: Its file is missing, damaged or not the one published.
        Conflict: Somebody else moved the champion at the same moment.
    """
    wanted = models.read_model(session, version)
    load_model(Path(wanted.path), wanted.sha256)
    at = context.clock.now()
    models.promote(session, version, actor=actor, reason=reason, at=at)
    outbox.emit(
        session,
        "rightrep.model.promoted",
        {"version": version, "reason": reason, "checks": []},
        at=at,
        subject=version,
    )


def name_champion(context: Context, tenant_id: TenantId, version: str) -> None:
    """Move MLflow's alias after the store's, which is the one that counts."""
    set_champion(
        version,
        tracking_uri=context.settings.tracking_uri,
        experiment=f"rightrep-{tenant_id}",
    )


def _published(
    version: str,
    trained: TrainedModel,
    verdict: Verdict,
    as_of: datetime,
    at: datetime,
) -> models.PublishedModel:
    report: TrainingReport = trained.report
    return models.PublishedModel(
        version=version,
        path=str(trained.path.absolute()),
        sha256=trained.sha256,
        columns_version=report.columns_version,
        label_window_days=report.label_window_days,
        metrics={
            name: _plain(getattr(report, name))
            for name in ("lead_only", "rep_only", "pair")
        }
        | {
            "reps_differ": report.reps_differ,
            "found": report.in_words(),
            "tuning": None if trained.tuning is None else trained.tuning.in_words(),
            "verdict": {"promoted": verdict.promoted, **_told(verdict)},
        },
        data_hash=report.data_hash,
        trained_as_of=as_of,
        published_at=at,
    )


def _plain(found: Metrics) -> dict[str, float]:
    return {"n_rows": found.n_rows, "auc": found.auc, "log_loss": found.log_loss}


def _told(verdict: Verdict) -> dict[str, object]:
    return {
        "reason": verdict.reason,
        "checks": [asdict(check) for check in verdict.checks],
    }
