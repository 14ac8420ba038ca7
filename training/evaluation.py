"""How good predictions were: log loss, Brier, AUC, calibration, gains with intervals.

Results are records; how they are shown is elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_SMALLEST = 1e-9  # chances are kept this far from 0 and 1, so that losses are finite
_Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """How good one set of predictions was.

    Attributes:
        n_rows: Decisions judged.
        won_share: Share of them that was won, in [0, 1].
        p_mean: Mean prediction, in [0, 1].
        log_loss: Mean log loss in nats; smaller is better.
        brier: Mean squared error, in [0, 1]; smaller is better.
        auc: Chance that a won decision was predicted above a lost one; missing (NaN)
            where only one of them is there.
    """

    n_rows: int
    won_share: float
    p_mean: float
    log_loss: float
    brier: float
    auc: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """One tenth of the predictions, from the smallest up.

    Attributes:
        n_rows: Decisions in it.
        p_mean: Mean prediction, in [0, 1].
        won_share: Share won, in [0, 1].
        error: Standard error of ``won_share`` if the predictions were right.
    """

    n_rows: int
    p_mean: float
    won_share: float
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """By how much log loss falls from a reference to a candidate.

    Attributes:
        mean: Mean fall in nats per decision; positive where the candidate is better.
        low: Lower end of the 95 % interval, clustered.
        high: Upper end.
        n_clusters: Clusters (reps, or weeks where these are fewer) that it rests on.
    """

    mean: float
    low: float
    high: float
    n_clusters: int


def log_losses(won: BoolArray, p: FloatArray) -> FloatArray:
    """Log loss of each prediction in nats; float64 (n_rows,), finite."""
    p = np.clip(p, _SMALLEST, 1.0 - _SMALLEST)
    return -np.log(np.where(won, p, 1.0 - p))


def auc(won: BoolArray, p: FloatArray) -> float:
    """Area under the ROC curve: the Mann-Whitney statistic, ties counting half."""
    n_won = int(won.sum())
    n_lost = won.size - n_won
    if n_won == 0 or n_lost == 0:
        return float("nan")
    above = rankdata(p)[won].sum() - n_won * (n_won + 1) / 2.0
    return float(above / (n_won * n_lost))


def metrics_of(won: BoolArray, p: FloatArray) -> Metrics:
    """Every metric of one set of predictions.

    Args:
        won: What happened; bool (n_rows,), not empty.
        p: What was predicted; float64 (n_rows,), in [0, 1].
    """
    return Metrics(
        n_rows=int(won.size),
        won_share=float(won.mean()),
        p_mean=float(p.mean()),
        log_loss=float(log_losses(won, p).mean()),
        brier=float(np.mean((p - won) ** 2)),
        auc=auc(won, p),
    )


def calibration_by_tenth(won: BoolArray, p: FloatArray) -> tuple[Bin, ...]:
    """Predicted against observed in tenths of the predictions, smallest first."""
    order = np.argsort(p, kind="stable")
    return tuple(
        _bin(won[part], p[part]) for part in np.array_split(order, 10) if part.size
    )


def calibration_error(bins: Sequence[Bin]) -> float:
    """Mean distance of predicted from observed over tenths, weighted; in [0, 1]."""
    n_rows = sum(one.n_rows for one in bins)
    return sum(one.n_rows * abs(one.p_mean - one.won_share) for one in bins) / n_rows


def gain_of(
    won: BoolArray,
    reference: FloatArray,
    candidate: FloatArray,
    *clusters: NDArray[np.generic],
) -> Gain:
    """Fall of log loss, with an interval that allows for decisions being alike.

    The interval is the normal one of a mean whose errors are clustered, in one way or
    in two (reps, weeks): the variance of both clusterings less that of their crossing
    (Cameron, Gelbach and Miller, 2011, "Robust inference with multiway clustering"),
    but never less than that of either.

    Args:
        won: What happened; bool (n_rows,).
        reference: Predictions to be beaten; float64 (n_rows,).
        candidate: Predictions that would; float64 (n_rows,).
        clusters: One or two arrays of what each row belongs to; (n_rows,) each.
    """
    fall = log_losses(won, reference) - log_losses(won, candidate)
    mean = float(fall.mean()) if fall.size else 0.0
    codes = [np.unique(one, return_inverse=True)[1] for one in clusters]
    n = min((int(code.max()) + 1 for code in codes if code.size), default=0)
    if n < 2:
        return Gain(mean=mean, low=-np.inf, high=np.inf, n_clusters=n)
    variances = [_variance(fall - mean, code) for code in codes]
    total = max(variances)
    if len(codes) == 2:
        crossing = codes[0] * (int(codes[1].max()) + 1) + codes[1]
        both = np.unique(crossing, return_inverse=True)[1]
        total = max(total, sum(variances) - _variance(fall - mean, both))
    half = _Z_95 * float(np.sqrt(total)) / fall.size
    return Gain(mean=mean, low=mean - half, high=mean + half, n_clusters=n)


def _variance(off: FloatArray, code: NDArray[np.int64]) -> float:
    """Variance of the sum of ``off``, clustered; with the factor n / (n - 1)."""
    sums = np.bincount(code, weights=off)
    return float(sums @ sums * sums.size / max(sums.size - 1, 1))


def _bin(won: BoolArray, p: FloatArray) -> Bin:
    return Bin(
        n_rows=int(won.size),
        p_mean=float(p.mean()),
        won_share=float(won.mean()),
        error=float(np.sqrt((p * (1.0 - p)).sum()) / won.size),
    )
