"""The trial: does knowing the rep help to predict later decisions?

Rows are cut in order of time. Trees are fitted to the first part, the second decides
how many of them there are, and the third, later than both, calibrates and judges.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.as_of import BoolArray, FloatArray
from features.columns import Column, Float32Array
from training.boosting import Rows, Trees, fit_booster, raw_scores
from training.calibration import BetaCalibration

if TYPE_CHECKING:
    import lightgbm as lgb

STOP_SHARE, LATER_SHARE = 0.15, 0.25
"""Shares of the rows that decide the number of trees, and that judge."""


@dataclass(frozen=True, eq=False)
class Part:
    """A booster and its calibration.

    Attributes:
        booster: The trees.
        calibration: From their raw score to a chance.
        n_trees: Trees that helped on later rows.
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


def part_of(rows: Rows, where: slice) -> Rows:
    """A run of rows; views, not copies."""
    return Rows(
        columns=rows.columns[where], won=rows.won[where], weight=rows.weight[where]
    )


def try_part(
    rows: Rows, columns: Sequence[Column], trees: Trees, rising: Sequence[str] = ()
) -> tuple[Part, FloatArray]:
    """Fit, stop and calibrate; and predict the later rows as if they were new.

    Each half of the later rows is predicted with the calibration of the other half,
    so that no row is judged by a map that has seen it.

    Args:
        rows: Rows in order of time.
        columns: What each column of the rows is.
        trees: Parameters.
        rising: Names of columns in which the chance may only rise.

    Returns:
        The part, and the chances of the later rows; float64 (n_later,).
    """
    cut = Cut.of(rows.won.size)
    booster = fit_booster(
        part_of(rows, cut.fit),
        columns,
        trees,
        stop=part_of(rows, cut.stop),
        rising=rising,
    )
    later = part_of(rows, cut.later)
    raw = raw_scores(booster, later.columns)
    calibration = BetaCalibration.fit(raw, later.won, later.weight)
    part = Part(booster, calibration, max(booster.best_iteration, 1))
    return part, _cross_calibrated(raw, later.won, later.weight)


def fit_again(
    part: Part,
    rows: Rows,
    columns: Sequence[Column],
    trees: Trees,
    rising: Sequence[str] = (),
) -> Part:
    """As many trees, fitted to all rows; the calibration stays."""
    fixed = replace(trees, n_trees=part.n_trees)
    return replace(part, booster=fit_booster(rows, columns, fixed, rising=rising))


def _cross_calibrated(
    raw: FloatArray, won: BoolArray, weight: FloatArray
) -> FloatArray:
    half: NDArray[np.bool_] = np.arange(raw.size) < raw.size // 2
    p = np.empty(raw.size)
    for chosen in (half, ~half):
        fitted = BetaCalibration.fit(raw[~chosen], won[~chosen], weight[~chosen])
        p[chosen] = fitted.apply(raw[chosen])
    return p
