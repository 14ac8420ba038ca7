"""Training rows: decisions whose whole label window has ended, labelled as known then.

A decision that closed early waits like any other until its window ends: keeping early
closers and leaving out open ones would overstate conversion, since what closes early is
won more often (or less) than what is still open.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.as_of import DAY, BoolArray, FloatArray, IntArray
from features.known import Own
from features.market import window_end
from features.recipe import Recipe
from rightrep.errors import TooFewOutcomes

FEWEST_OF_EACH = 40
"""Fewest won, and fewest lost, training rows; below, rules and fallback go on."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Labelled decisions in order of time.

    Attributes:
        decision: Code of each decision; int64 (n_rows,).
        lead: Code of its lead; int64 (n_rows,).
        rep: Code of its rep; int64 (n_rows,).
        decided_at: Microseconds since 1970 UTC, ascending; int64 (n_rows,).
        window_end: When its label window ended; int64 (n_rows,).
        won: Whether it was won within the label window, as known then; bool (n_rows,).
        propensity: Of the lottery that chose the rep, missing where nothing was drawn;
            float64 (n_rows,).
        weight: Weight in training; float64 (n_rows,), positive.
    """

    decision: IntArray
    lead: IntArray
    rep: IntArray
    decided_at: IntArray
    window_end: IntArray
    won: BoolArray
    propensity: FloatArray
    weight: FloatArray

    @property
    def n_rows(self) -> int:
        """Training rows."""
        return int(self.decision.size)

    @property
    def week(self) -> IntArray:
        """Week of each decision, of seven days since 1970; int64 (n_rows,)."""
        return self.decided_at // (7 * DAY)

    def where(self, chosen: NDArray[np.bool_] | IntArray) -> "Labelled":
        """Some of the rows."""
        return Labelled(
            self.decision[chosen],
            self.lead[chosen],
            self.rep[chosen],
            self.decided_at[chosen],
            self.window_end[chosen],
            self.won[chosen],
            self.propensity[chosen],
            self.weight[chosen],
        )

    def require(self, fewest: int = FEWEST_OF_EACH) -> None:
        """Refuse to learn from too little.

        Raises:
            TooFewOutcomes: Fewer than ``fewest`` rows are won, or lost.
        """
        won = int(self.won.sum())
        lost = self.n_rows - won
        if min(won, lost) < fewest:
            raise TooFewOutcomes(won=won, lost=lost, needed=fewest)


def labelled(own: Own, recipe: Recipe, at: int) -> Labelled:
    """Every decision that is a training row as of an instant.

    Decisions taken back by then (declined, overridden, undone) are none: the lead was
    never worked on. Neither are those whose lead or rep is not in the history.

    Args:
        own: What is known of leads and decisions.
        recipe: What gives the label window and its zone.
        at: As of when; microseconds since 1970 UTC.
    """
    decisions = own.decisions
    end = window_end(decisions.decided_at, recipe.label_window_days, recipe.zone)
    ready = (end <= at) & (decisions.known_at <= at) & (decisions.void_at > at)
    ready &= (decisions.lead >= 0) & (decisions.rep >= 0)
    rows = np.flatnonzero(ready)
    rows = rows[np.argsort(decisions.decided_at[rows], kind="stable")]
    when = np.full(rows.size, at, dtype=np.int64)
    return Labelled(
        decision=rows,
        lead=decisions.lead[rows],
        rep=decisions.rep[rows],
        decided_at=decisions.decided_at[rows],
        window_end=end[rows],
        won=decisions.results.won_by(rows, when, end[rows]),
        propensity=decisions.propensity[rows],
        weight=np.ones(rows.size),
    )
