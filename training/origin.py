"""What a model's columns were made by: all that serving needs beside the trees."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from features.as_of import instant
from features.history import History
from features.known import Known
from features.recipe import Recipe
from training.lead_slices import LeadSlices
from training.reference import Reference


@dataclass(frozen=True, eq=False)
class Origin:
    """Where a model comes from.

    Attributes:
        recipe: What the columns are made by; the label window among it.
        slices: What gave ``p_lead`` to past decisions, and gives it to new ones.
        as_of: Aware instant the model was trained at.
        data_hash: SHA-256 of what it was trained on.
        reference: What that looked like.
        n_rows: Training rows.
        n_won: Won ones among them.
    """

    recipe: Recipe
    slices: LeadSlices
    as_of: pd.Timestamp
    data_hash: str
    reference: Reference
    n_rows: int
    n_won: int

    def known(
        self,
        history: History,
        before: Known | None = None,
        stands_until: datetime | None = None,
    ) -> Known:
        """What a history teaches, rated: ready for ``features.profiles.batch``.

        Args:
            history: The tables.
            before: What this gave for an earlier state of the same history.
            stands_until: Instant up to which both say the same.
        """
        known = Known.of(history, self.recipe)
        if before is None or before.p_lead is None or stands_until is None:
            return known.rated(self.slices.of_decisions(known))
        # A decision's chance is of its own instant: nothing later changes it.
        told = pd.Series(before.p_lead, index=before.own.decisions.ids)
        later = known.own.decisions.decided_at >= instant(pd.Timestamp(stands_until))
        p_lead = np.where(later, np.nan, known.p_lead_of(told))
        return known.rated(self.slices.of_decisions(known, p_lead))
