"""How far one sample lies from another: against the definition, and as promised."""

import numpy as np
import pytest

from experiments.shifts import MOST, shift

LEVEL = 0.95


def test_the_estimate_is_the_median_of_all_differences() -> None:
    draw = np.random.default_rng(3)
    own, others = draw.normal(1.0, 2.0, 40), draw.normal(0.0, 2.0, 60)

    found = shift(own, others, level=LEVEL)

    assert found is not None
    apart = np.subtract.outer(own, others)
    assert found.estimate == pytest.approx(float(np.median(apart)))
    assert found.low < found.estimate < found.high


def test_moving_a_sample_moves_its_shift_as_far() -> None:
    draw = np.random.default_rng(4)
    own, others = draw.exponential(2.0, 50), draw.exponential(2.0, 300)

    first, moved = (shift(x, others, level=LEVEL) for x in (own, own + 3.0))

    assert first is not None
    assert moved is not None
    np.testing.assert_allclose(np.subtract(moved, first), 3.0)


def test_the_two_samples_seen_the_other_way_are_as_far_apart() -> None:
    draw = np.random.default_rng(5)
    own, others = draw.normal(size=35), draw.normal(size=80)

    one, other = shift(own, others, level=LEVEL), shift(others, own, level=LEVEL)

    assert one is not None
    assert other is not None
    expected = (-other.estimate, -other.high, -other.low)
    np.testing.assert_allclose(one, expected, atol=1e-12)


def test_intervals_hold_the_true_shift_as_often_as_promised() -> None:
    draw = np.random.default_rng(6)
    held = 0
    for _ in range(1_000):
        own, others = draw.lognormal(size=30), draw.lognormal(size=120)
        found = shift(np.log(own) + 0.7, np.log(others), level=0.9)
        assert found is not None
        held += found.low <= 0.7 <= found.high

    assert 870 <= held <= 930


def test_a_large_sample_is_stood_for_by_its_quantiles() -> None:
    draw = np.random.default_rng(7)
    own, others = draw.normal(0.3, 1.0, 3 * MOST), draw.normal(0.0, 1.0, 5 * MOST)

    found = shift(own, others, level=LEVEL)

    assert found is not None
    exact = float(np.median(np.subtract.outer(own, others)))
    assert found.estimate == pytest.approx(exact, abs=0.005)
    assert found.high - found.low < 0.13


@pytest.mark.parametrize(("n_own", "n_others"), [(0, 5), (5, 0), (2, 3)])
def test_too_few_values_say_nothing(n_own: int, n_others: int) -> None:
    own, others = np.arange(n_own, dtype=float), np.arange(n_others, dtype=float)

    assert shift(own, others, level=0.99) is None
