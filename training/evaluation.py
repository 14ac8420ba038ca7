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
class Interval:
    """An estimate with its 95 % interval.

    Attributes:
        mean: The estimate.
        low: Lower end of the interval, clustered.
        high: Upper end.
        n_clusters: Clusters (reps, or weeks where these are fewer) that it rests on.
    """

    mean: float
    low: float
    high: float
    n_clusters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain(Interval):
    """By how much log loss falls from a reference to a candidate, in nats a decision.

    Positive where the candidate is better.
    """


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
    weight: FloatArray | None = None,
) -> Gain:
    """Fall of log loss, with an interval that allows for decisions being alike.

    Args:
        won: What happened; bool (n_rows,).
        reference: Predictions to be beaten; float64 (n_rows,).
        candidate: Predictions that would; float64 (n_rows,).
        clusters: One or two arrays of what each row belongs to; (n_rows,) each.
        weight: What each row counts, not negative; 1 when not given.
    """
    fall = log_losses(won, reference) - log_losses(won, candidate)
    part = _parts(fall.size, weight)
    mean = float(part @ fall)
    low, high, n = clustered(mean, part * (fall - mean), *clusters)
    return Gain(mean=mean, low=low, high=high, n_clusters=n)


def mean_of(values: FloatArray, *clusters: NDArray[np.generic]) -> Interval:
    """A mean with its clustered interval.

    Args:
        values: float64 (n_rows,), not empty.
        clusters: One or two arrays of what each row belongs to; (n_rows,) each.
    """
    mean = float(values.mean())
    low, high, n = clustered(mean, (values - mean) / values.size, *clusters)
    return Interval(mean=mean, low=low, high=high, n_clusters=n)


def log_loss_of(
    won: BoolArray, p: FloatArray, *clusters: NDArray[np.generic]
) -> Interval:
    """Mean log loss with its clustered interval; arguments as in ``gain_of``."""
    return mean_of(log_losses(won, p), *clusters)


def auc_of(won: BoolArray, p: FloatArray, *clusters: NDArray[np.generic]) -> Interval:
    """AUC with its clustered interval; missing where only one result is there.

    The interval rests on each row's structural component: how many rows of the other
    result it is in the right order with (Obuchowski, 1997, "Nonparametric analysis of
    clustered ROC curve data").
    """
    n_won = int(won.sum())
    n_lost = won.size - n_won
    if n_won == 0 or n_lost == 0:
        nan = float("nan")
        return Interval(mean=nan, low=nan, high=nan, n_clusters=0)
    every, own = rankdata(p), np.empty(won.size)
    own[won], own[~won] = rankdata(p[won]), rankdata(p[~won])
    below = every - own  # rows of the other result that are below, ties half
    right = np.where(won, below / n_lost, 1.0 - below / n_won)
    mean = float(right[won].mean())
    influence = (right - mean) / np.where(won, n_won, n_lost)
    low, high, n = clustered(mean, influence, *clusters)
    return Interval(mean=mean, low=low, high=high, n_clusters=n)


def clustered(
    mean: float, influence: FloatArray, *clusters: NDArray[np.generic]
) -> tuple[float, float, int]:
    """A normal 95 % interval of an estimate whose errors are clustered.

    Clustered in one way or in two (reps, weeks): the variance of both clusterings less
    that of their crossing (Cameron, Gelbach and Miller, 2011, "Robust inference with
    multiway clustering"), but never less than that of either.

    Args:
        mean: The estimate.
        influence: What each row adds to its error; float64 (n_rows,).
        clusters: One or two arrays of what each row belongs to; (n_rows,) each.

    Returns:
        Lower end, upper end and number of clusters; infinite ends below two clusters.
    """
    codes = [np.unique(one, return_inverse=True)[1] for one in clusters]
    n = min((int(code.max()) + 1 for code in codes if code.size), default=0)
    if n < 2:
        return -np.inf, np.inf, n
    variances = [_variance(influence, code) for code in codes]
    total = max(variances)
    if len(codes) == 2:
        crossing = codes[0] * (int(codes[1].max()) + 1) + codes[1]
        both = np.unique(crossing, return_inverse=True)[1]
        total = max(total, sum(variances) - _variance(influence, both))
    half = _Z_95 * float(np.sqrt(total))
    return mean - half, mean + half, n


def _parts(n_rows: int, weight: FloatArray | None) -> FloatArray:
    """What each row counts in a mean; adds up to 1, or is empty."""
    weight = np.ones(n_rows) if weight is None else weight
    return weight / max(float(weight.sum()), np.finfo(np.float64).tiny)


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
