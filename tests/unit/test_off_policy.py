"""What another policy would have earned is told from lottery decisions alone."""

import doctest

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import t as student

from experiments import off_policy
from experiments.off_policy import (
    Lottery,
    best_of,
    cross_fitted,
    doubly_robust,
    ips,
    linear_in,
    snips,
)
from rightrep.errors import InvalidInput

P_WIN = np.array([0.1, 0.2, 0.3, 0.4])


def hand_made() -> Lottery:
    """Two reps drawn with 1/4 and 3/4; three leads won of four."""
    return Lottery(
        rep=np.array([0, 1, 1, 1]),
        propensity=np.array([0.25, 0.75, 0.75, 0.75]),
        reward=np.array([1.0, 0.0, 1.0, 1.0]),
        drawable=np.ones((4, 2), np.bool_),
    )


def drawn(n: int, *, seed: int, per_unit: int = 1) -> Lottery:
    rng = np.random.default_rng(seed)
    rep = rng.integers(0, 4, n)
    won = rng.random(n) < P_WIN[rep]
    every = np.arange(n)
    return Lottery(
        rep=np.repeat(rep, per_unit),
        propensity=np.full(n * per_unit, 0.25),
        reward=np.repeat(won, per_unit).astype(float),
        drawable=np.ones((n * per_unit, 4), np.bool_),
        unit=np.repeat(every, per_unit),
    )


def always(rep: int, lottery: Lottery) -> np.ndarray:
    chance = np.zeros(lottery.drawable.shape)
    chance[:, rep] = 1.0
    return chance


def test_the_figures_of_a_case_counted_by_hand() -> None:
    lottery = hand_made()

    first, second = always(0, lottery), always(1, lottery)

    assert ips(lottery, first).value == pytest.approx(4 / 4)
    assert ips(lottery, second).value == pytest.approx((2 / 0.75) / 4)
    assert snips(lottery, second).value == pytest.approx(2 / 3)
    assert ips(lottery, second).effective_n == pytest.approx(3)
    expected = np.array([[0.5, 0.25]] * 4)
    by_model = 0.25 + (0.75 + 0.75 - 0.25) / 0.75 / 4
    assert doubly_robust(lottery, second, expected).value == pytest.approx(by_model)


def test_the_logging_policy_itself_earns_what_was_earned() -> None:
    lottery = drawn(500, seed=1)
    same = np.full(lottery.drawable.shape, 0.25)

    for found in (ips(lottery, same), snips(lottery, same)):
        assert found.value == pytest.approx(lottery.reward.mean())
        assert found.effective_n == pytest.approx(500)


def test_a_wrong_model_does_not_bias_the_doubly_robust_value() -> None:
    values = []
    for seed in range(60):
        lottery = drawn(400, seed=seed)
        wrong = np.full(lottery.drawable.shape, 0.9)
        values.append(doubly_robust(lottery, always(3, lottery), wrong).value)

    assert np.mean(values) == pytest.approx(P_WIN[3], abs=0.02)


def test_the_doubly_robust_interval_is_shorter_where_the_model_knows() -> None:
    rng = np.random.default_rng(3)
    worth = rng.choice([1.0, 10.0], 2_000)
    rep = rng.integers(0, 4, 2_000)
    lottery = Lottery(
        rep=rep,
        propensity=np.full(2_000, 0.25),
        reward=worth * P_WIN[rep] + rng.normal(0, 0.05, 2_000),
        drawable=np.ones((2_000, 4), np.bool_),
    )
    model = worth[:, None] * P_WIN
    chance = best_of(model, lottery.drawable)

    expected = cross_fitted(lottery, linear_in(lottery, model))
    found = doubly_robust(lottery, chance, expected)
    plain = ips(lottery, chance)

    assert found.low < 0.4 * worth.mean() < found.high
    assert found.high - found.low < 0.5 * (plain.high - plain.low)


def test_a_model_is_never_fitted_to_the_lead_it_speaks_of() -> None:
    lottery = drawn(300, seed=5, per_unit=2)
    seen: list[tuple[set[int], set[int]]] = []

    def fit(rows: np.ndarray) -> off_policy.Predict:
        def predict(asked: np.ndarray) -> np.ndarray:
            assert lottery.unit is not None
            seen.append((set(lottery.unit[rows]), set(lottery.unit[asked])))
            return np.zeros((asked.size, 4))

        return predict

    cross_fitted(lottery, fit, n_folds=3)

    assert len(seen) == 3
    assert all(not fitted & asked for fitted, asked in seen)


def test_decisions_that_say_the_same_twice_are_not_twice_as_sure() -> None:
    once, twice = drawn(400, seed=7), drawn(400, seed=7, per_unit=2)

    first = ips(once, always(3, once))
    again = ips(twice, always(3, twice))

    assert again.value == pytest.approx(first.value)
    assert again.high - again.low == pytest.approx(first.high - first.low, rel=1e-6)


def test_equal_policies_differ_by_nothing_for_sure() -> None:
    lottery = drawn(400, seed=8)
    chance = always(2, lottery)

    found = doubly_robust(
        lottery, chance, np.zeros(lottery.drawable.shape), against=chance
    )

    assert (found.low, found.value, found.high) == (0.0, 0.0, 0.0)


def test_a_few_randomised_decisions_are_said_to_be_not_enough() -> None:
    lottery = drawn(400, seed=9)

    found = ips(lottery, always(3, lottery))

    assert not found.enough
    assert found.in_words().startswith("Not enough randomised decisions: 400 ")


def test_cut_off_weights_are_counted_and_told() -> None:
    lottery = drawn(4_000, seed=10)

    found = ips(lottery, always(3, lottery), clip=2.0)

    assert found.value == pytest.approx(P_WIN[3] / 2, abs=0.03)
    assert found.clipped_share == pytest.approx(0.25, abs=0.03)
    assert "of weights cut off at 2" in found.in_words()


def test_choices_that_the_lottery_never_makes_show_as_missing_overlap() -> None:
    lottery = hand_made()
    drawable = np.ones((4, 2), np.bool_)
    drawable[1, 0] = False
    lottery = Lottery(
        rep=lottery.rep,
        propensity=lottery.propensity,
        reward=lottery.reward,
        drawable=drawable,
    )

    assert ips(lottery, always(0, lottery)).overlap == pytest.approx(3 / 4)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("propensity", np.array([0.0, 0.5, 0.5, 0.5])),
        ("propensity", np.array([np.nan, 0.5, 0.5, 0.5])),
        ("reward", np.array([np.inf, 0.0, 0.0, 0.0])),
        ("rep", np.array([0, 0, 0, 0])),
    ],
)
def test_what_no_lottery_made_is_refused(field: str, values: np.ndarray) -> None:
    good = hand_made()
    drawable = good.drawable.copy()
    drawable[:, 0] = [True, True, True, False]
    drawable[0, 0] = True
    parts = {
        "rep": good.rep,
        "propensity": good.propensity,
        "reward": good.reward,
        "drawable": drawable,
    }

    with pytest.raises(InvalidInput) as refused:
        Lottery(**(parts | {field: values}))

    assert refused.value.field == field


def surprise(values: np.ndarray, mean: float) -> float:
    """Empirical likelihood ratio of a mean, -2 log R, from Owen's own equation."""
    off = values - mean
    edges = -1.0 / off.max() * (1 - 1e-9), -1.0 / off.min() * (1 - 1e-9)
    multiplier = brentq(lambda m: float((off / (1 + m * off)).sum()), *edges)
    return float(2 * np.log1p(multiplier * off).sum())


def test_the_ends_of_an_interval_are_equally_surprising_as_owen_has_it() -> None:
    reward = np.random.default_rng(3).lognormal(0.0, 1.0, 200)
    lottery = Lottery(
        rep=np.zeros(200, np.int64),
        propensity=np.ones(200),
        reward=reward,
        drawable=np.ones((200, 1), np.bool_),
    )

    found = ips(lottery, np.ones((200, 1)))

    off = (reward - reward.mean()) / reward.std()
    cut = student.ppf(0.975, 2 * 200 / (np.mean(off**4) - 1))
    expected = pytest.approx(cut**2, rel=1e-6)
    assert surprise(reward, found.low) == expected
    assert surprise(reward, found.high) == expected
    assert found.high - found.value > found.value - found.low


def test_few_large_rewards_make_an_interval_wider_than_their_spread_says() -> None:
    def half(reward: np.ndarray) -> float:
        lottery = Lottery(
            rep=np.zeros(reward.size, np.int64),
            propensity=np.ones(reward.size),
            reward=reward,
            drawable=np.ones((reward.size, 1), np.bool_),
        )
        found = ips(lottery, np.ones((reward.size, 1)))
        se = float(reward.std()) / float(np.sqrt(reward.size))
        return (found.high - found.low) / 2 / se

    even = np.tile([0.0, 1.0], 500)
    few = np.where(np.arange(1_000) < 5, 100.0, 0.0)

    assert half(even) == pytest.approx(1.96, abs=0.01)
    assert half(few) > 2.2


def test_the_examples_of_the_module_are_executed() -> None:
    found = doctest.testmod(off_policy)

    assert found.attempted > 3
    assert found.failed == 0
