"""A served tenant whose model is drawn: everything but the chances is real."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from features.columns import Affinity
from features.profiles import Batch
from rightrep.domain.ids import LeadId, RepId, TenantId
from rightrep.store.session import ReadSession
from serving.usecases.advice import Scores
from tests.serving_parts import Served


@dataclass(frozen=True)
class DrawnModel:
    """Answers for a champion: chances by rep, by the CRM's ids, deals of 1,000.00.

    Attributes:
        chance: Chance of each rep with every lead.
        deal: Deal value of every lead, minor units.
        version: What it is called.
    """

    chance: Mapping[str, float]
    deal: float = 100_000.0
    version: str = "drawn"

    def get(
        self,
        tenant_id: TenantId,
        *,
        rep_ids: Sequence[RepId] = (),
        session: ReadSession | None = None,
    ) -> "DrawnModel":
        """The model itself, whoever asks."""
        del tenant_id, rep_ids, session
        return self

    def own_of(
        self,
        adviser: object,
        tenant_id: TenantId,
        lead_ids: Sequence[LeadId],
        session: ReadSession | None = None,
    ) -> None:
        """Nothing is read of leads."""

    def scores(
        self,
        lead_ids: Sequence[LeadId],
        rep_ids: Sequence[RepId],
        *,
        at: datetime,
        own: object = None,
    ) -> Scores:
        """The drawn chances; leads differ a little, so that no two plans tie."""
        del at, own
        rep = np.array([self.chance.get(rep_id, 0.1) for rep_id in rep_ids])
        quality = 0.9 + 0.1 * np.arange(1, len(lead_ids) + 1) / (len(lead_ids) + 1)
        return Scores(
            model_version="drawn",
            columns_version="drawn",
            p_convert=np.outer(quality, rep).astype(np.float32),
            quality=quality * 0.3,
            deal_value_minor=np.full(len(lead_ids), self.deal),
            columns=_no_columns(lead_ids, rep_ids),
        )

    def scores_at_arrival(
        self, lead_ids: Sequence[LeadId], rep_ids: Sequence[RepId], *, at: datetime
    ) -> Scores:
        """The same."""
        return self.scores(lead_ids, rep_ids, at=at)

    def quality_then(
        self, lead_ids: Sequence[LeadId], at: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Drawn by the lead's id, the same whenever it is asked."""
        del at
        return np.array([_QUALITY[int(lead[-1], 16) % 2] for lead in lead_ids])

    def known_leads(self, lead_ids: Sequence[LeadId]) -> NDArray[np.bool_]:
        """All of them."""
        return np.ones(len(lead_ids), dtype=np.bool_)


def draw_model(served: Served, chance: Mapping[str, float]) -> None:
    """Put a drawn model in the champion's place.

    Args:
        served: The tenant.
        chance: Chance to win by our id of the rep; 0.1 where none is given.
    """
    object.__setattr__(served.context, "advisers", DrawnModel(chance))


_QUALITY = (0.2, 0.4)


def _no_columns(lead_ids: Sequence[LeadId], rep_ids: Sequence[RepId]) -> Batch:
    n_leads, n_reps = len(lead_ids), len(rep_ids)
    none = np.empty(0, dtype=np.int64)
    return Batch(
        lead_ids=lead_ids,
        rep_ids=rep_ids,
        leads=np.zeros((n_leads, 1), dtype=np.float32),
        reps=np.zeros((n_reps, 1), dtype=np.float32),
        affinity=Affinity(
            np.empty((n_leads, 0), dtype=np.int64),
            (),
            none,
            none,
            none,
            np.empty(0, dtype=np.float32),
        ),
        deal_value=np.full(n_leads, 1.0),
        deal_value_stated=np.ones(n_leads, dtype=np.bool_),
    )
