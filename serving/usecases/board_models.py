"""Which model answers, why the others do not, and whether it still fits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rightrep.domain.tenant import Tenant
from rightrep.store import drift, models
from rightrep.store.drift import KeptDrift
from rightrep.store.models import Promotion, PublishedModel
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant

MODELS_SHOWN = 20
LOOKS_SHOWN = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelLine:
    """One published version.

    Attributes:
        model: The record.
        verdict: What was said of it when it was trained; None where nothing was.
    """

    model: PublishedModel
    verdict: Mapping[str, Any] | None

    @property
    def sentences(self) -> Sequence[str]:
        """Why it was promoted or refused: every check, or else the reason."""
        if self.verdict is None:
            return ()
        checks = [check["words"] for check in self.verdict["checks"]]
        return checks or [self.verdict["reason"]]

    def metric(self, part: str, name: str) -> float | None:
        """A figure of its evaluation on later decisions; None where there is none."""
        found = self.model.metrics.get(part)
        return found.get(name) if isinstance(found, Mapping) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelsPage:
    """Models of a tenant.

    Attributes:
        tenant: Whose.
        at: When it was read.
        champion: The version that answers, or None.
        lines: Versions, the newest first.
        n_models: How many there are.
        moves: Moves of the champion, the newest first.
        looks: Looks for drift at the champion, the newest first.
    """

    tenant: Tenant
    at: datetime
    champion: ModelLine | None
    lines: Sequence[ModelLine]
    n_models: int
    moves: Sequence[Promotion]
    looks: Sequence[KeptDrift]


def read_models(session: ReadSession, *, at: datetime) -> ModelsPage:
    """Champion, challengers and looks for drift, in one snapshot."""
    present = models.champion(session)
    every = models.list_models(session)
    looks: list[KeptDrift] = []
    if present is not None:
        looks = drift.list_drift(session, version=present.version, limit=LOOKS_SHOWN)
    moves = models.promotion_history(session)
    return ModelsPage(
        tenant=get_tenant(session),
        at=at,
        champion=None if present is None else _line(present),
        lines=[_line(model) for model in every[:MODELS_SHOWN]],
        n_models=len(every),
        moves=moves[::-1][:MODELS_SHOWN],
        looks=looks,
    )


def _line(model: PublishedModel) -> ModelLine:
    return ModelLine(model=model, verdict=model.metrics.get("verdict"))
