"""The trial: does knowing the rep help to predict later decisions?

Rows are cut in order of time. Trees are fitted to the first part, the second decides
how many of them there are, and the third, later than both, calibrates and judges. It is
large, because what reps are worth is little beside what leads are: over 24 demo markets
whose reps differ, the mean z of the gain was 0.8 with a quarter of the rows judging and
1.2 with 45 %, while null worlds were found out at their nominal rate.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.as_of import BoolArray, FloatArray
from features.columns import Column, Float32Array
from training.boosting import (
    Belief,
    Rows,
    Trees,
    fit_booster,
    from_text,
    raw_scores,
    text_of,
    widened,
)
from training.calibration import BetaCalibration

if TYPE_CHECKING:
    import lightgbm as lgb

STOP_SHARE, LATER_SHARE = 0.15, 0.4
"""Shares of the rows that decide the number of trees, and that judge."""

HALF_LIFE_ROWS, HALF_LIFE_SHARE = 1_000, 0.2
"""Age in rows at which a later row counts half in the calibration that answers: a
share of the later rows, but no fewer than these. Conversion moves, and the latest rows
know it best: on two drifting demo markets, log loss of four refits fell by 0.002 and
0.003, and the mean prediction came 33 % and 11 % nearer to the share won."""


@dataclass(frozen=True, eq=False)
class Part:
    """A booster and its calibration.

    Attributes:
        booster: The trees.
        calibration: From their raw score to a chance.
        n_trees: Trees of its own that helped on later rows.
    """

    booster: "lgb.Booster"
    calibration: BetaCalibration
    n_trees: int

    def chance(self, columns: Float32Array) -> FloatArray:
        """Calibrated chances; float64 (n_rows,)."""
        return self.calibration.apply(raw_scores(self.booster, columns))


@dataclass(frozen=True, eq=False)
class Cut:
    """Rows in order of time, cut in three.

    Attributes:
        fit: What trees are fitted to.
        stop: What decides how many there are.
        later: What calibrates and judges.
    """

    fit: slice
    stop: slice
    later: slice

    @classmethod
    def of(cls, n_rows: int) -> "Cut":
        """Cut ``n_rows`` rows by the usual shares."""
        first = round(n_rows * (1.0 - STOP_SHARE - LATER_SHARE))
        second = round(n_rows * (1.0 - LATER_SHARE))
        return cls(slice(0, first), slice(first, second), slice(second, n_rows))


@dataclass(frozen=True, eq=False)
class Tried:
    """A part, and what it said of the later rows before it had seen them.

    Attributes:
        part: The part.
        chance: Chances of the later rows, in order; float64 (n_later,).
    """

    part: Part
    chance: FloatArray


def try_part(
    rows: Rows,
    columns: Sequence[Column],
    trees: Trees,
    *,
    start: Part | None = None,
    belief: Belief | None = None,
) -> Tried:
    """Fit, stop and calibrate; and predict later rows as if they were new.

    Each half of the later rows is predicted with the calibration of the other half,
    so that no row is judged by a map that has seen it.

    Args:
        rows: Rows in order of time.
        columns: What each column of the rows is.
        trees: Parameters.
        start: A part over the first columns, whose trees come first.
        belief: What is believed of the columns.
    """
    cut = Cut.of(rows.won.size)
    booster = fit_booster(
        _part_of(rows, cut.fit),
        columns,
        trees,
        stop=_part_of(rows, cut.stop),
        start=_wide(start, len(columns)),
        belief=belief,
    )
    later = _part_of(rows, cut.later)
    raw = raw_scores(booster, later.columns)
    calibration = BetaCalibration.fit(raw, later.won, _counts(later))
    own = booster.best_iteration - (0 if start is None else start.n_trees)
    chance = _cross_calibrated(raw, later.won, later.weight)
    return Tried(Part(booster, calibration, own), chance)


def fit_again(
    part: Part,
    rows: Rows,
    columns: Sequence[Column],
    trees: Trees,
    *,
    start: Part | None = None,
    belief: Belief | None = None,
) -> Part:
    """As many trees, fitted to all rows; of the calibration the slopes stay.

    Its shift made up for the first rows' base rate. These trees know that of all rows,
    and the old shift on top of it would count the change between them twice: on three
    drifting demo markets, setting it anew lowers log loss of four refits by 0.001.
    """
    fixed = replace(trees, n_trees=part.n_trees)
    booster = fit_booster(
        rows, columns, fixed, start=_wide(start, len(columns)), belief=belief
    )
    later = _part_of(rows, Cut.of(rows.won.size).later)
    raw = raw_scores(booster, later.columns)
    calibration = part.calibration.levelled(raw, later.won, _counts(later))
    return replace(part, booster=booster, calibration=calibration)


def _part_of(rows: Rows, where: slice) -> Rows:
    return Rows(
        columns=rows.columns[where], won=rows.won[where], weight=rows.weight[where]
    )


def _wide(part: Part | None, n_columns: int) -> "lgb.Booster | None":
    if part is None:
        return None
    return from_text(widened(text_of(part.booster), n_columns))


def _counts(later: Rows) -> FloatArray:
    """What each of the later rows counts, the last its weight; float64 (n_rows,)."""
    n_rows = later.won.size
    age = np.arange(n_rows)[::-1]
    half_life = max(HALF_LIFE_ROWS, HALF_LIFE_SHARE * n_rows)
    return np.asarray(later.weight * 0.5 ** (age / half_life))


def _cross_calibrated(
    raw: FloatArray, won: BoolArray, weight: FloatArray
) -> FloatArray:
    half: NDArray[np.bool_] = np.arange(raw.size) < raw.size // 2
    p = np.empty(raw.size)
    for chosen in (half, ~half):
        fitted = BetaCalibration.fit(raw[~chosen], won[~chosen], weight[~chosen])
        p[chosen] = fitted.apply(raw[chosen])
    return p
