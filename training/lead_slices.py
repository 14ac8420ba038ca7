"""``p_lead``: chance to win, whoever takes the lead, from earlier decisions only.

Time is cut into slices. A decision in a slice gets its ``p_lead`` from the model that
was trained when the slice began, on decisions whose label window had ended by then, as
they were known then. Before the first model it is the tenant's recent share won.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from features.as_of import FloatArray, IntArray
from features.columns import Column, Float32Array
from features.known import Known, Own
from features.profiles import lead_rows
from features.recipe import Recipe
from training.boosting import Rows, Trees, fit_booster, raw_scores
from training.dataset import FEWEST_OF_EACH, Labelled, labelled

if TYPE_CHECKING:
    import lightgbm as lgb

N_SLICES = 5
"""Models before the last one; more make ``p_lead`` fresher and training longer."""

MOST_ROWS = 200_000
"""Latest training rows a slice's model looks at."""

LATER_SHARE = 0.2
"""Share of a slice's rows, the latest, that decide how many trees there are."""

_PRIOR = "recent_win_rate"


@dataclass(frozen=True, eq=False)
class LeadSlices:
    """Lead-only models, each in force from an instant on.

    Attributes:
        since: Start of each slice, ascending; int64 (n_slices,), microseconds.
        boosters: The model of each slice.
        prior_column: Lead column that stands for ``p_lead`` before the first slice.
    """

    since: IntArray
    boosters: Sequence["lgb.Booster"]
    prior_column: int

    @classmethod
    def of(
        cls,
        since: IntArray,
        boosters: Sequence["lgb.Booster"],
        columns: Sequence[Column],
    ) -> "LeadSlices":
        """Slices over the lead columns of a contract."""
        names = [column.name for column in columns]
        return cls(since, tuple(boosters), names.index(_PRIOR))

    def p_lead(self, columns: Float32Array, at: IntArray) -> FloatArray:
        """Chance of each lead at its instant; float64 (n_rows,), in [0, 1].

        Args:
            columns: Lead columns as of each instant; float32 (n_rows, n_lead_columns).
            at: int64 (n_rows,).
        """
        p = columns[:, self.prior_column].astype(np.float64)
        model = np.searchsorted(self.since, at, side="right") - 1
        for k, booster in enumerate(self.boosters):
            chosen = np.flatnonzero(model == k)
            if chosen.size:
                p[chosen] = _chance(raw_scores(booster, columns[chosen]))
        return p

    def of_decisions(
        self, known: Known, p_lead: FloatArray | None = None
    ) -> FloatArray:
        """``p_lead`` of every decision of a history; float64 (n_decisions,).

        Missing where the lead is not in the history.

        Args:
            known: The history.
            p_lead: What is worked out already, missing where it is not; float64
                (n_decisions,).
        """
        decisions = known.own.decisions
        p = np.full(len(decisions.ids), np.nan) if p_lead is None else p_lead.copy()
        fresh = np.flatnonzero((decisions.lead >= 0) & np.isnan(p))
        at = decisions.decided_at[fresh]
        p[fresh] = self.p_lead(lead_rows(known, decisions.lead[fresh], at), at)
        return p


def fit_slices(
    own: Own,
    recipe: Recipe,
    at: int,
    columns: Sequence[Column],
    rows_of: Float32Array,
    trees: Trees,
) -> LeadSlices:
    """Fit one lead-only model per slice of time.

    Args:
        own: What is known of leads and decisions.
        recipe: What gives the label window.
        at: As of when; the last model is in force from then on.
        columns: What each lead column is.
        rows_of: Lead columns of every decision, as of the decision; float32
            (n_decisions, n_lead_columns).
        trees: Parameters.
    """
    since, boosters = [], []
    for start in _starts(own, at):
        rows = labelled(own, recipe, start)
        won = int(rows.won.sum())
        if min(won, rows.n_rows - won) < FEWEST_OF_EACH:
            continue
        rows = rows.where(np.arange(rows.n_rows)[-MOST_ROWS:])
        since.append(start)
        boosters.append(_fit_one(rows, columns, rows_of, trees))
    return LeadSlices.of(np.array(since, dtype=np.int64), boosters, columns)


def _starts(own: Own, at: int) -> list[int]:
    """Starts of slices with equally many decisions, and ``at``; ascending."""
    decided = own.decisions.decided_at
    decided = decided[(own.decisions.known_at <= at)]
    if decided.size == 0:
        return [at]
    shares = np.arange(1, N_SLICES + 1) / (N_SLICES + 1)
    starts = np.quantile(decided, shares, method="lower").astype(np.int64)
    return [*np.unique(starts[starts < at]).tolist(), at]


def _fit_one(
    rows: Labelled, columns: Sequence[Column], rows_of: Float32Array, trees: Trees
) -> "lgb.Booster":
    cut = int(rows.n_rows * (1.0 - LATER_SHARE))
    parts = [
        Rows(columns=rows_of[part.decision], won=part.won, weight=part.weight)
        for part in (
            rows.where(np.arange(cut)),
            rows.where(np.arange(cut, rows.n_rows)),
        )
    ]
    # Fewer, larger steps: a slice's model only has to be about right.
    quick = replace(trees, learning_rate=2 * trees.learning_rate, patience=20)
    return fit_booster(parts[0], columns, quick, stop=parts[1])


def _chance(log_odds: FloatArray) -> FloatArray:
    return np.asarray(1.0 / (1.0 + np.exp(-log_odds)))
