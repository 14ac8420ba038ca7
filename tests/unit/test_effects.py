"""Effects agree with the libraries that are trusted for them, to six digits."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
import tea_tasting as tt
import ville
from numpy.typing import NDArray

from experiments.effects import (
    CONTROL,
    TREATMENT,
    Effect,
    effect_of_clusters,
    effect_of_pairs,
    effect_of_units,
)
from experiments.moments import Moments
from experiments.sequential import FEWEST_UNITS, best_rho, widening
from rightrep.errors import InvalidInput

ALPHA = 0.05
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def units(
    arm: Ints,
    metric: Floats,
    covariate: Floats | None = None,
    stratum: Ints | None = None,
) -> Effect:
    """The effect of leads drawn one by one."""
    stratum = np.zeros_like(arm) if stratum is None else stratum
    n_strata = int(stratum.max()) + 1
    sums = Moments.of(metric, covariate, group=stratum * 2 + arm, n_groups=2 * n_strata)
    return effect_of_units(sums.reshape(n_strata, 2), alpha=ALPHA, n_optimal=5_000)


@pytest.mark.parametrize("seed", range(3))
def test_the_adjusted_effect_and_its_fixed_interval_are_tea_tastings(seed: int) -> None:
    rng = np.random.default_rng(seed)
    arm, covariate = rng.integers(0, 2, 900), rng.gamma(2.0, 3.0, 900)
    metric = covariate * rng.normal(1.0, 0.4, 900) + 0.3 * arm
    ours = units(arm, metric, covariate)
    rows = pd.DataFrame({"variant": arm, "metric": metric, "covariate": covariate})
    theirs = tt.Experiment(m=tt.Mean("metric", "covariate")).analyze(rows)["m"]
    assert ours.effect == pytest.approx(theirs.effect_size, rel=1e-6)
    assert ours.fixed_low == pytest.approx(theirs.effect_size_ci_lower, rel=1e-6)
    assert ours.fixed_high == pytest.approx(theirs.effect_size_ci_upper, rel=1e-6)
    assert ours.relative == pytest.approx(theirs.rel_effect_size, rel=1e-6)
    assert ours.control_mean == pytest.approx(theirs.control, rel=1e-6)


def test_the_effect_of_clusters_is_the_sandwich_of_statsmodels() -> None:
    rng = np.random.default_rng(7)
    cluster = np.repeat(np.arange(60), rng.integers(3, 30, 60))
    of_cluster = rng.integers(0, 2, 60)
    day = rng.normal(0, 1, 60)
    metric = day[cluster] + rng.normal(0, 1, cluster.size)
    sums = Moments.of(metric, group=cluster, n_groups=60)
    ours = effect_of_clusters(sums, of_cluster, n_optimal=60)
    rows = pd.DataFrame({"metric": metric, "arm": of_cluster[cluster]})
    theirs = smf.ols("metric ~ arm", rows).fit(
        cov_type="cluster", cov_kwds={"groups": cluster, "use_correction": False}
    )
    n_arm = np.bincount(of_cluster)
    assert ours.effect == pytest.approx(theirs.params["arm"], rel=1e-6)
    # Theirs has one correction for all clusters, ours has each arm's own.
    low, high = sorted(np.sqrt(n_arm / (n_arm - 1)))
    assert theirs.bse["arm"] * low - 1e-9 <= ours.se <= theirs.bse["arm"] * high + 1e-9


def test_pairs_of_single_leads_are_a_paired_comparison() -> None:
    rng = np.random.default_rng(3)
    hour = rng.normal(0, 3, 80)
    metric = np.concatenate([hour, hour + 0.5]) + rng.normal(0, 0.2, 160)
    arm, pair = np.repeat([CONTROL, TREATMENT], 80), np.tile(np.arange(80), 2)
    sums = Moments.of(metric, group=np.arange(160), n_groups=160)
    ours = effect_of_pairs(sums, arm, pair, alpha=ALPHA, n_optimal=80)
    differences = metric[80:] - metric[:80]
    assert ours.effect == pytest.approx(differences.mean(), rel=1e-9)
    assert ours.se == pytest.approx(differences.std(ddof=1) / np.sqrt(80), rel=1e-9)


def test_the_always_valid_interval_is_villes_confidence_sequence() -> None:
    draws = np.random.default_rng(5).normal(1.0, 2.0, 3_000)
    theirs = ville.AsymptoticCS(alpha=ALPHA, t_opt=500).update(draws)
    low, high = theirs.interval()
    half = (high - low) / 2
    se = draws.std(ddof=1) / np.sqrt(draws.size)
    ours = se * widening(draws.size, alpha=ALPHA, n_optimal=500)
    assert ours == pytest.approx(half, rel=1e-6)
    assert best_rho(500, ALPHA) ** -2 == pytest.approx(ville.best_rho(500, ALPHA))


def test_before_a_hundred_units_the_always_valid_interval_says_nothing() -> None:
    arm = np.arange(FEWEST_UNITS - 1) % 2
    effect = units(arm, arm * 10.0 + np.linspace(0, 1, arm.size))
    assert (effect.low, effect.high) == (-np.inf, np.inf)
    assert not effect.concluded


def test_a_change_of_mix_between_strata_is_no_effect() -> None:
    """Weekday 90 of 900 against 10 of 100, weekend 2 of 100 against 18 of 900."""
    cells = [(0, 1, 900, 90), (0, 0, 100, 10), (1, 1, 100, 2), (1, 0, 900, 18)]
    stratum, arm = (
        np.concatenate([np.full(cell[2], cell[place]) for cell in cells])
        for place in (0, 1)
    )
    won = np.concatenate([np.arange(n) < k for _, _, n, k in cells]).astype(float)
    pooled = won[arm == TREATMENT].mean() / won[arm == CONTROL].mean() - 1
    report = units(arm, won, stratum=stratum)
    assert pooled == pytest.approx(2.29, abs=0.01)
    assert report.effect == pytest.approx(0.0, abs=1e-12)
    assert report.relative == pytest.approx(0.0, abs=1e-12)


def test_days_added_are_the_days_together() -> None:
    rng = np.random.default_rng(1)
    metric, covariate, group = rng.random(200), rng.random(200), rng.integers(0, 4, 200)
    first, second = (
        Moments.of(metric[part], covariate[part], group=group[part], n_groups=4)
        for part in (slice(0, 70), slice(70, 200))
    )
    whole = Moments.of(metric, covariate, group=group, n_groups=4)
    for name in Moments.__slots__:
        assert getattr(first + second, name) == pytest.approx(getattr(whole, name))


def test_strata_too_small_to_compare_within_join_others() -> None:
    arm = np.array([0, 0, 0, 1, 1, 1, 0, 1])
    stratum = np.array([0, 0, 0, 0, 0, 0, 1, 2])
    effect = units(arm, np.linspace(0.0, 7.0, 8), stratum=stratum)
    assert effect.n_control == effect.n_treatment == 4
    assert np.isfinite(effect.se)


def test_an_arm_without_leads_is_refused() -> None:
    with pytest.raises(InvalidInput, match="two leads"):
        units(np.zeros(10, np.int64), np.linspace(0.0, 9.0, 10))


def test_a_control_that_earns_nothing_has_no_relative_effect() -> None:
    arm = np.arange(400) % 2
    effect = units(arm, arm.astype(np.float64))
    assert np.isnan(effect.relative)
    assert effect.effect == pytest.approx(1.0)
