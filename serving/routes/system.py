"""Is the process alive, is it ready, how is it doing."""

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from rightrep.errors import StoreUnavailable
from serving.dependencies import Parts
from serving.errors import may_raise

router = APIRouter(tags=["system"])


class Health(BaseModel):
    """A short answer."""

    status: str = Field(examples=["ok"])


@router.get("/healthz")
def get_health() -> Health:
    """Whether this process answers at all."""
    return Health(status="ok")


@router.get("/readyz", responses=may_raise(StoreUnavailable))
def get_ready(parts: Parts) -> Health:
    """Whether it can do its work: the database answers.

    A missing model is no reason to be taken out: the fallback policy answers.
    """
    parts.store.ping()
    return Health(status="ready")


@router.get("/metrics", response_class=Response)
def get_metrics(parts: Parts) -> Response:
    """Counters and histograms in Prometheus' text format; nothing personal."""
    return Response(parts.metrics.page(), media_type="text/plain; version=0.0.4")
