"""The covariate of units: the lead-only p of the model frozen when the start was."""

from collections.abc import Mapping, Sequence

import structlog

from rightrep.domain.ids import TenantId
from rightrep.errors import ModelUnavailable, NotFound
from rightrep.store import models
from serving.usecases.advice import Scores
from serving.usecases.arms import Drawn
from serving.usecases.champions import load_published
from serving.usecases.context import Context

log = structlog.get_logger()

MODEL_VERSION = "model_version"
"""Where a design says which model is frozen."""


def covariates(
    context: Context, tenant_id: TenantId, drawn: Drawn, scores: Scores | None
) -> Mapping[str, Sequence[float] | None]:
    """The lead-only p of every lead, by experiment that has somebody to log.

    It is worked out from what is known of the lead before the draw is acted on, and
    never again; None where no model was frozen or its file is not whole.

    Args:
        context: The parts of this process.
        tenant_id: Whose.
        drawn: The draws.
        scores: What the champion says of the same leads; None without one.
    """
    held = drawn.in_force.experiment, drawn.in_force.holdout
    return {
        one.experiment: _quality(
            context, tenant_id, one.design.get(MODEL_VERSION), scores
        )
        for one in held
        if one is not None and one.experiment in drawn.units
    }


def _quality(
    context: Context, tenant_id: TenantId, version: str | None, scores: Scores | None
) -> Sequence[float] | None:
    if version is None or scores is None:
        return None
    if version == scores.model_version:
        return list(scores.quality.tolist())
    try:
        with context.store.read(tenant_id) as session:
            kept = models.read_model(session, version)
        if kept.columns_version != scores.columns_version:
            return None
        frozen = load_published(kept.path, kept.sha256)
    except (ModelUnavailable, NotFound) as error:
        log.warning("frozen model does not load", version=version, why=str(error))
        return None
    return list(frozen.p_lead(scores.columns.leads).tolist())
