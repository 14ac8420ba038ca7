"""What a model's columns were made by: all that serving needs beside the trees."""

from dataclasses import dataclass

import pandas as pd

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

    def known(self, history: History) -> Known:
        """What a history teaches, rated: ready for ``features.profiles.batch``."""
        known = Known.of(history, self.recipe)
        return known.rated(self.slices.of_decisions(known))
