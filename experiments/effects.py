"""Effects by intention to treat: treatment minus control, with intervals that hold.

Each kind of unit has its own function, because what is independent differs: leads, the
clusters of a team's day, pairs of time slices. All take ``Moments``, sums that add, and
give one ``Effect``.

- The covariate was fixed before the draw; what it explains of the metric is taken away
  (Deng, Xu, Kohavi and Walker, 2013, "Improving the sensitivity of online controlled
  experiments by utilizing pre-experiment data").
- Strata are compared within and weighted by their units, so that a change of mix
  between them is no effect (Miratrix, Sekhon and Yu, 2013, "Adjusting treatment effect
  estimates by post-stratification in randomized experiments").
- Clusters and pairs are linearised ratios of sums (Deng, Knoblich and Lu, 2018,
  "Applying the delta method in metric analytics").
- ``low`` and ``high`` hold at every look together (``experiments.sequential``); the
  fixed ends hold for whoever looks once, at the end that was planned.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from experiments.moments import FloatArray, IntArray, Moments
from experiments.sequential import widening
from rightrep.errors import InvalidInput

CONTROL, TREATMENT = 0, 1
"""Places of the arms on the axis of arms."""

FEWEST_PER_CELL = 2
"""Units of each arm that a stratum needs to be compared within; smaller ones are put
together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """Treatment minus control, per lead, in units of the metric.

    Attributes:
        effect: The difference, adjusted.
        se: Its standard error.
        low: Lower end of the interval that holds at all looks together.
        high: Its upper end.
        fixed_low: Lower end of the interval for one look at the planned end.
        fixed_high: Its upper end.
        relative: The effect over the control's mean; NaN where that is not positive.
        relative_low: As ``low``, for the relative effect.
        relative_high: As ``high``, for the relative effect.
        control_mean: Metric per lead under the control, adjusted.
        treatment_mean: Metric per lead under the treatment, adjusted.
        n_control: Leads of the control.
        n_treatment: Leads of the treatment.
        n_independent: Units that are independent of one another.
        explained: Share of the metric's variance that the covariate took away.
        alpha: One minus the coverage.
    """

    effect: float
    se: float
    low: float
    high: float
    fixed_low: float
    fixed_high: float
    relative: float
    relative_low: float
    relative_high: float
    control_mean: float
    treatment_mean: float
    n_control: int
    n_treatment: int
    n_independent: int
    explained: float
    alpha: float

    @property
    def concluded(self) -> bool:
        """Whether 0 is excluded at all looks together.

        The interval of the ratio, where there is one, has to exclude it too: it may
        just miss what that of the difference says, and both are told.
        """
        unknown = math.isnan(self.relative_low)
        better = self.low > 0 and (unknown or self.relative_low > 0)
        return better or (self.high < 0 and (unknown or self.relative_high < 0))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Means:
    """What every kind of unit comes down to."""

    control: float
    treatment: float
    var_control: float
    var_treatment: float
    covariance: float
    df: float


def effect_of_units(
    moments: Moments, *, alpha: float = 0.05, n_optimal: float
) -> Effect:
    """Effect where leads themselves were drawn.

    Args:
        moments: Sums by stratum and arm; shape (n_strata, 2), control first.
        alpha: One minus the coverage.
        n_optimal: Leads that the always-valid interval is tuned for.

    Raises:
        InvalidInput: An arm has fewer than two leads.
    """
    _require_arms(moments)
    cells = _joined(moments)
    slope = _slope(cells.total(1))
    both, size = cells.total(1), cells.n.sum(axis=1)
    weight = (size / size.sum())[:, None]
    off = cells.covariate_mean() - both.covariate_mean()[:, None]
    mean = cells.mean() - slope * off
    of_cell = weight**2 * cells.spread(slope) / (cells.n - 1) / cells.n
    control, treatment = (weight * mean).sum(axis=0).tolist()
    var = of_cell.sum(axis=0)
    means = _Means(
        control=control,
        treatment=treatment,
        var_control=float(var[CONTROL]),
        var_treatment=float(var[TREATMENT]),
        covariance=0.0,
        df=_welch(of_cell, cells.n - 1),
    )
    return _effect(
        means, moments, slope, n=float(moments.n.sum()), alpha=alpha, n_opt=n_optimal
    )


def effect_of_clusters(
    clusters: Moments, arm: IntArray, *, alpha: float = 0.05, n_optimal: float
) -> Effect:
    """Effect where whole clusters were drawn, such as a team's day.

    Leads of a cluster share whatever the day was like, so the clusters are what is
    independent. Robust as the sandwich with G / (G - 1) in each arm.

    Args:
        clusters: Sums of each cluster's leads; shape (n_clusters,).
        arm: ``CONTROL`` or ``TREATMENT`` of each cluster; int64 (n_clusters,).
        alpha: One minus the coverage.
        n_optimal: Clusters that the always-valid interval is tuned for.

    Raises:
        InvalidInput: An arm has fewer than two clusters.
    """
    sums = clusters.regrouped(arm, 2)
    count = np.bincount(arm, minlength=2).astype(np.float64)
    if (count < FEWEST_PER_CELL).any():
        raise InvalidInput("Each arm has two clusters or more.", field="clusters")
    slope = _slope(sums.total(0))
    mean, rest = _adjusted(clusters, arm, sums, slope)
    of_arm = np.bincount(arm, weights=rest**2, minlength=2) * count / (count - 1)
    means = _Means(
        control=float(mean[CONTROL]),
        treatment=float(mean[TREATMENT]),
        var_control=float(of_arm[CONTROL]),
        var_treatment=float(of_arm[TREATMENT]),
        covariance=0.0,
        df=_welch(of_arm, count - 1),
    )
    return _effect(
        means, sums, slope, n=float(count.sum()), alpha=alpha, n_opt=n_optimal
    )


def effect_of_pairs(
    slices: Moments, arm: IntArray, pair: IntArray, *, alpha: float, n_optimal: float
) -> Effect:
    """Effect where slices of time flip within pairs of days (a switchback).

    The two slices of a pair share the hour and nearly the season, so pairs are what is
    independent, and what a pair shares cancels.

    Args:
        slices: Sums of each slice's leads; shape (n_slices,).
        arm: ``CONTROL`` or ``TREATMENT`` of each slice; int64 (n_slices,).
        pair: Pair of each slice; int64 (n_slices,), from 0.
        alpha: One minus the coverage.
        n_optimal: Pairs that the always-valid interval is tuned for.

    Raises:
        InvalidInput: There are fewer than two pairs, or an arm has no leads.
    """
    sums, n_pairs = slices.regrouped(arm, 2), int(pair.max(initial=-1)) + 1
    if n_pairs < FEWEST_PER_CELL or (sums.n == 0).any():
        raise InvalidInput("There are two pairs or more, with leads.", field="slices")
    slope = _slope(sums.total(0))
    mean, rest = _adjusted(slices, arm, sums, slope)
    of_pair = np.zeros((n_pairs, 2))
    np.add.at(of_pair, (pair, arm), rest)
    covariance = of_pair.T @ of_pair * n_pairs / (n_pairs - 1)
    means = _Means(
        control=float(mean[CONTROL]),
        treatment=float(mean[TREATMENT]),
        var_control=float(covariance[CONTROL, CONTROL]),
        var_treatment=float(covariance[TREATMENT, TREATMENT]),
        covariance=float(covariance[CONTROL, TREATMENT]),
        df=float(n_pairs - 1),
    )
    return _effect(means, sums, slope, n=float(n_pairs), alpha=alpha, n_opt=n_optimal)


def _adjusted(
    groups: Moments, arm: IntArray, sums: Moments, slope: float
) -> tuple[FloatArray, FloatArray]:
    """Adjusted mean of each arm, and what each group moves its arm's mean by."""
    common = float(sums.total(0).covariate_mean())
    mean = sums.mean() - slope * (sums.covariate_mean() - common)
    adjusted = groups.y - slope * (groups.x - common * groups.n)
    return mean, (adjusted - mean[arm] * groups.n) / sums.n[arm]


def _joined(moments: Moments) -> Moments:
    """Strata too small to be compared within are put together, or with the largest."""
    small = np.asarray((moments.n < FEWEST_PER_CELL).any(axis=1))
    if not small.any():
        return moments
    group = np.where(small, 0, np.cumsum(~small))
    joined = moments.regrouped(group, int(group.max()) + 1)
    if (joined.n[0] >= FEWEST_PER_CELL).all():
        return joined
    largest = int(np.argmax(joined.n[1:].sum(axis=1)))
    group = np.where(small, largest, np.cumsum(~small) - 1)
    return moments.regrouped(group, int(group.max()) + 1)


def _slope(both: Moments) -> float:
    """Metric per unit of covariate within strata, both arms together; 0 without."""
    spread = float(np.nansum(both.covariate_spread()))
    return float(np.nansum(both.shared())) / spread if spread > 0 else 0.0


def _welch(variance: NDArray[np.float64], df: NDArray[np.float64]) -> float:
    """Degrees of freedom of a sum of variances (Welch and Satterthwaite)."""
    below = float((variance**2 / df).sum())
    return float(variance.sum()) ** 2 / below if below > 0 else float(df.sum())


def _effect(
    means: _Means,
    moments: Moments,
    slope: float,
    *,
    n: float,
    alpha: float,
    n_opt: float,
) -> Effect:
    difference = means.treatment - means.control
    apart = means.var_control + means.var_treatment - 2 * means.covariance
    se = float(np.sqrt(max(apart, 0.0)))
    wide = float(widening(n, alpha=alpha, n_optimal=n_opt))
    fixed = float(student.isf(alpha / 2, means.df)) * se
    always = _half(wide, se)
    relative, low, high = _relative(means, wide)
    arms = moments.n.reshape(-1, 2).sum(axis=0)
    return Effect(
        effect=difference,
        se=se,
        low=difference - always,
        high=difference + always,
        fixed_low=difference - fixed,
        fixed_high=difference + fixed,
        relative=relative,
        relative_low=low,
        relative_high=high,
        control_mean=means.control,
        treatment_mean=means.treatment,
        n_control=int(arms[CONTROL]),
        n_treatment=int(arms[TREATMENT]),
        n_independent=int(n),
        explained=_explained(moments, slope),
        alpha=alpha,
    )


def _half(wide: float, se: float) -> float:
    """Half an interval's width, where either may be 0 or infinite."""
    return wide * se if se > 0 else (0.0 if np.isfinite(wide) else np.inf)


def _relative(means: _Means, wide: float) -> tuple[float, float, float]:
    """The effect over the control's mean; the interval is that of the log ratio."""
    control, treatment = means.control, means.treatment
    if control <= 0:
        return np.nan, np.nan, np.nan
    if treatment <= 0:
        return treatment / control - 1, np.nan, np.nan
    spread = (
        means.var_control / control**2
        + means.var_treatment / treatment**2
        - 2 * means.covariance / (control * treatment)
    )
    half = _half(wide, float(np.sqrt(max(spread, 0.0))))
    ratio = treatment / control
    return ratio - 1, ratio * float(np.exp(-half)) - 1, ratio * float(np.exp(half)) - 1


def _explained(moments: Moments, slope: float) -> float:
    before = float(np.nansum(moments.spread()))
    return 1 - float(np.nansum(moments.spread(slope))) / before if before > 0 else 0.0


def _require_arms(moments: Moments) -> None:
    if moments.n.ndim != 2 or moments.n.shape[1] != 2:
        raise InvalidInput("Sums are by stratum and arm, two arms.", field="moments")
    if (moments.n.sum(axis=0) < FEWEST_PER_CELL).any():
        raise InvalidInput("Each arm has two leads or more.", field="moments")
