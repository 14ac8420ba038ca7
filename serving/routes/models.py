"""Models: which one answers, why the others do not, and whether it still fits."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from rightrep.domain.roles import Role
from rightrep.errors import Conflict, ModelUnavailable, NotFound
from rightrep.store import drift, jobs, models
from rightrep.store.session import WriteSession
from serving.dependencies import Parts, Reading, Writing, allow
from serving.errors import may_raise
from serving.models import Body, Text
from serving.routes.jobs import JobOut
from serving.usecases import upkeep
from serving.usecases.learning import bring_back
from serving.usecases.watching import RETRAIN

router = APIRouter(prefix="/v1/models", tags=["models"])

_READERS = [Depends(allow(Role.SERVICE, Role.MANAGER, Role.ANALYST))]
_KEEPERS = [Depends(allow(Role.ANALYST))]


class CheckOut(BaseModel):
    """One thing that champion and challenger were compared by."""

    name: str = Field(examples=["log loss"])
    passed: bool | None = Field(description="Null where it could not say.")
    words: str


class VerdictOut(BaseModel):
    """What was said of a version when it was trained."""

    promoted: bool
    reason: str = Field(description="Why it became champion, or why it was refused.")
    checks: list[CheckOut]


class ModelOut(BaseModel):
    """A published version."""

    version: str
    champion: bool = Field(description="Whether it answers now.")
    trained_as_of: datetime = Field(description="Nothing later was seen.")
    published_at: datetime
    label_window_days: int = Field(description="Days in which a win counts.")
    columns_version: str
    sha256: str = Field(description="Hash of its file.")
    verdict: VerdictOut | None = Field(description="Null where none was recorded.")
    metrics: dict[str, Any] = Field(description="On later decisions.")

    @classmethod
    def of(cls, model: models.PublishedModel, champion: str | None) -> "ModelOut":
        """As callers see it."""
        metrics = dict(model.metrics)
        verdict = metrics.pop("verdict", None)
        return cls(
            version=model.version,
            champion=model.version == champion,
            trained_as_of=model.trained_as_of,
            published_at=model.published_at,
            label_window_days=model.label_window_days,
            columns_version=model.columns_version,
            sha256=model.sha256,
            verdict=None if verdict is None else VerdictOut(**verdict),
            metrics=metrics,
        )


class MoveOut(BaseModel):
    """One move of the champion."""

    version: str
    actor: str
    reason: str
    moved_at: datetime


class ModelsOut(BaseModel):
    """Every version and every move, the newest first."""

    champion: str | None = Field(description="The version that answers, if any.")
    models: list[ModelOut]
    moves: list[MoveOut]


class PromoteIn(Body):
    """Why the champion moves."""

    reason: Text = Field(default="by hand", min_length=1)


class DriftOut(BaseModel):
    """One look at the champion."""

    report_id: str
    version: str
    as_of: datetime
    alarmed: bool
    report: dict[str, Any] = Field(description="Columns, calibration, outcomes.")


class DriftsOut(BaseModel):
    """Looks at the champion, the newest first."""

    reports: list[DriftOut]


@router.get("", dependencies=_READERS)
def get_models(session: Reading) -> ModelsOut:
    """Every version, with why it was promoted or refused."""
    present = models.champion(session)
    version = None if present is None else present.version
    return ModelsOut(
        champion=version,
        models=[ModelOut.of(model, version) for model in models.list_models(session)],
        moves=[
            MoveOut(
                version=move.version,
                actor=move.actor,
                reason=move.reason,
                moved_at=move.moved_at,
            )
            for move in reversed(models.promotion_history(session))
        ],
    )


@router.get("/drift", dependencies=_READERS)
def get_drift(session: Reading) -> DriftsOut:
    """What the last looks at the models found, 30 at most."""
    return DriftsOut(
        reports=[
            DriftOut(
                report_id=one.report_id,
                version=one.version,
                as_of=one.as_of,
                alarmed=one.alarmed,
                report=dict(one.report),
            )
            for one in drift.list_drift(session)
        ]
    )


@router.post("/drift", status_code=202, response_model=JobOut, dependencies=_KEEPERS)
def post_drift(call: Writing) -> Response:
    """Look for drift now, as a job; while one is open, that is the answer."""
    return _ask(call, upkeep.DRIFT)


@router.post("/retrain", status_code=202, response_model=JobOut, dependencies=_KEEPERS)
def post_retrain(call: Writing) -> Response:
    """Train a challenger now, as a job; while one is open, that is the answer."""
    return _ask(call, RETRAIN)


@router.post(
    "/{version}/promote",
    response_model=ModelOut,
    responses=may_raise(NotFound, ModelUnavailable, Conflict),
    dependencies=_KEEPERS,
)
def post_promote(
    version: str, body: PromoteIn, parts: Parts, call: Writing
) -> Response:
    """Make any version the champion, new or old; a broken file is refused."""

    def work(session: WriteSession) -> ModelOut:
        bring_back(
            session, parts, version, actor=call.principal.key_id, reason=body.reason
        )
        jobs.enqueue(session, upkeep.NAME_CHAMPION, {}, at=call.clock.now())
        return ModelOut.of(models.read_model(session, version), version)

    return call.once(work)


def _ask(call: Writing, kind: str) -> Response:
    def work(session: WriteSession) -> JobOut:
        asked = upkeep.ask_for(session, kind, **call.stamp())
        return JobOut.of(jobs.read_job(session, asked.job_id))

    return call.once(work, status=202)
