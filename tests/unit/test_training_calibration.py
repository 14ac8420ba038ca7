"""Calibrated chances come true that often, and keep their order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from training.calibration import BetaCalibration

positive = st.floats(0.05, 20.0)


@given(positive, positive, st.floats(-5, 5), st.floats(-30, 30), st.floats(1e-3, 5))
def test_a_larger_raw_score_is_never_a_smaller_chance(
    a: float, b: float, c: float, raw: float, step: float
) -> None:
    calibration = BetaCalibration(a, b, c)

    odds = calibration.log_odds(np.array([raw, raw + step]))

    assert odds[1] > odds[0]


@given(st.floats(-30, 30))
def test_the_usual_parameters_leave_chances_as_they_are(raw: float) -> None:
    chance = BetaCalibration().apply(np.array([raw]))

    np.testing.assert_allclose(chance, expit([raw]), rtol=1e-12)


@given(positive, positive, st.floats(-5, 5), st.floats(-20, 20))
def test_it_is_the_formula_of_its_docstring(
    a: float, b: float, c: float, raw: float
) -> None:
    q = expit(raw)
    expected = expit(a * np.log(q) - b * np.log1p(-q) + c)

    found = BetaCalibration(a, b, c).apply(np.array([raw]))

    np.testing.assert_allclose(found, [expected], rtol=1e-6, atol=1e-12)


def test_overconfident_scores_are_calmed() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(-1.0, 1.0, 20_000)
    won = rng.random(truth.size) < expit(truth)

    fitted = BetaCalibration.fit(3.0 * truth + 0.5, won)

    np.testing.assert_allclose(fitted.apply(3.0 * truth + 0.5), expit(truth), atol=0.05)


def test_a_few_rows_move_the_map_a_little() -> None:
    raw = np.array([-1.0, 0.0, 1.0, -0.5])
    won = np.array([False, True, True, True])

    fitted = BetaCalibration.fit(raw, won)

    assert fitted.a == pytest.approx(1.0, abs=0.3)
    assert fitted.b == pytest.approx(1.0, abs=0.3)


def test_a_row_of_weight_two_counts_as_two_rows() -> None:
    raw = np.array([-1.0, 0.0, 1.0])
    won = np.array([False, False, True])

    weighed = BetaCalibration.fit(raw, won, np.array([1.0, 2.0, 1.0]))
    repeated = BetaCalibration.fit(raw[[0, 1, 1, 2]], won[[0, 1, 1, 2]])

    assert weighed.c == pytest.approx(repeated.c, abs=1e-4)


def test_set_level_anew_it_comes_true_on_average_and_keeps_its_slopes() -> None:
    rng = np.random.default_rng(0)
    raw = rng.normal(-1.0, 1.0, 20_000)
    won = rng.random(raw.size) < expit(0.5 * raw - 0.7)
    old = BetaCalibration(a=0.6, b=0.4, c=0.3)

    new = old.levelled(raw, won, np.ones(raw.size))

    assert (new.a, new.b) == (old.a, old.b)
    assert new.apply(raw).mean() == pytest.approx(won.mean(), abs=1e-4)


def test_one_row_hardly_moves_the_level() -> None:
    old = BetaCalibration(c=-2.0)

    new = old.levelled(np.zeros(1), np.array([True]), np.ones(1))

    assert old.c < new.c < old.c + 1.0


@pytest.mark.parametrize("bad", [(0.0, 1.0, 0.0), (1.0, -1.0, 0.0), (1.0, 1.0, np.inf)])
def test_a_map_that_would_not_rise_is_refused(bad: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="calibration"):
        BetaCalibration(*bad)
