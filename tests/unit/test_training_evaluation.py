"""Metrics are what they are called, and intervals keep their promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from training.evaluation import (
    auc,
    calibration_by_tenth,
    calibration_error,
    gain_of,
    metrics_of,
)


@given(st.integers(0, 2**32), st.integers(10, 200), st.booleans())
def test_metrics_agree_with_scikit_learn(seed: int, n: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    p = rng.integers(1, 5, n) / 5.0 if ties else rng.uniform(0.01, 0.99, n)
    won = rng.random(n) < p
    won[:2] = [True, False]

    found = metrics_of(won, p)

    assert found.log_loss == pytest.approx(log_loss(won, p))
    assert found.brier == pytest.approx(brier_score_loss(won, p))
    assert found.auc == pytest.approx(roc_auc_score(won, p))


def test_there_is_no_auc_without_both_results() -> None:
    assert np.isnan(auc(np.array([True, True]), np.array([0.1, 0.9])))


def test_tenths_hold_every_decision_once_smallest_chances_first() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(size=103)

    bins = calibration_by_tenth(rng.random(103) < p, p)

    assert sum(one.n_rows for one in bins) == 103
    assert [one.p_mean for one in bins] == sorted(one.p_mean for one in bins)


def test_right_chances_have_a_small_calibration_error() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(size=50_000)

    assert calibration_error(calibration_by_tenth(rng.random(p.size) < p, p)) < 0.01


def test_a_gain_is_the_fall_of_the_mean_log_loss() -> None:
    won = np.array([True, False, True, False])
    worse, better = np.full(4, 0.5), np.array([0.9, 0.2, 0.8, 0.3])

    gain = gain_of(won, worse, better, np.arange(4))

    fall = metrics_of(won, worse).log_loss - metrics_of(won, better).log_loss
    assert gain.mean == pytest.approx(fall)
    assert gain.low < gain.mean < gain.high


def test_a_gain_of_one_rep_alone_proves_nothing() -> None:
    won = np.array([True, False])

    gain = gain_of(won, np.full(2, 0.5), np.array([0.9, 0.1]), np.zeros(2))

    assert gain.low == -np.inf


def test_intervals_cover_nothing_as_often_as_they_say_with_reps_and_weeks_alike() -> (
    None
):
    """Errors alike within reps and within weeks: 95 % intervals, 300 draws."""
    rng = np.random.default_rng(1)
    rep = np.repeat(np.arange(30), 40)
    week = np.tile(np.arange(40), 30)
    covered = 0
    for _ in range(300):
        luck = 0.2 * rng.normal(size=30)[rep] + 0.2 * rng.normal(size=40)[week]
        odds = 0.3 * luck + 0.05 * rng.normal(size=rep.size)
        reference = np.full(rep.size, 0.5)
        won = rng.random(rep.size) < 0.5
        # Chances that lean one way by rep and week, right or wrong at random.
        lean = np.where(won, odds, -odds)
        candidate = np.exp(-(np.log(2.0) - lean))
        candidate = np.where(won, candidate, 1.0 - candidate)
        gain = gain_of(won, reference, candidate, rep, week)
        covered += gain.low <= 0.0 <= gain.high

    assert 0.90 <= covered / 300 <= 0.99
