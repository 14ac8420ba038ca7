"""What reps are credited with is held to decisions that a lottery made."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.special import expit

from features.as_of import FloatArray
from training.weighting import (
    MOST_WEIGHT,
    Lottery,
    check_choice,
    drawn_weights,
    effective_n,
)

N_REPS = 20


def world(
    skill: float, favour: float, *, n: int = 8_000, share: float = 0.4, seed: int = 0
) -> Lottery:
    """Reps differ by ``skill``; chosen ones also get hidden promise by ``favour``.

    The model credits each rep with what a naive look at the history would.
    """
    rng = np.random.default_rng(seed)
    rep = rng.integers(N_REPS, size=n)
    propensity = np.where(rng.random(n) < share, 1.0 / N_REPS, np.nan)
    of_rep = np.linspace(-1.0, 1.0, N_REPS)[rep]
    p_lead = rng.uniform(0.1, 0.4, n)
    odds = np.log(p_lead / (1.0 - p_lead))
    hidden = np.where(np.isnan(propensity), favour * of_rep, 0.0)
    won = rng.random(n) < expit(odds + skill * of_rep + hidden)
    credited = expit(odds + (skill + (1.0 - share) * favour) * of_rep)
    return check_choice(won, p_lead, credited, rep, propensity)


def test_true_skill_comes_true_by_lot_and_by_choice_alike() -> None:
    found = world(skill=0.6, favour=0.0)

    assert found.drawn is not None
    assert found.chosen is not None
    assert not found.misled
    assert found.drawn.low < 1.0 < found.drawn.high
    assert found.chosen.low < 1.0 < found.chosen.high
    assert "No sign that the choice of reps misled" in found.in_words()


def test_hidden_promise_given_to_some_reps_is_found_out() -> None:
    found = world(skill=0.0, favour=0.8)

    assert found.misled
    assert found.drawn is not None
    assert found.drawn.low < 0.0 < found.drawn.high
    assert "misled the history" in found.in_words()


def test_honest_choices_are_suspected_as_rarely_as_promised() -> None:
    suspected = sum(world(0.6, 0.0, n=3_000, seed=seed).misled for seed in range(100))

    assert suspected <= 5


def test_too_few_drawn_decisions_conclude_nothing_and_say_so() -> None:
    found = world(skill=0.0, favour=2.0, n=2_000, share=0.05)

    assert found.effective_n < 200
    assert not found.misled
    assert found.drawn is None
    assert "Not enough" in found.in_words()


def test_a_model_that_credits_nobody_has_nothing_to_check() -> None:
    found = world(skill=0.0, favour=0.0)

    assert (found.drawn, found.misled) == (None, False)
    assert "credits no rep" in found.in_words()


def test_overlap_is_the_share_of_chosen_decisions_whose_rep_was_drawn_too() -> None:
    rep = np.array([0, 0, 1, 2])
    propensity = np.array([0.5, np.nan, np.nan, np.nan])

    found = check_choice(
        np.ones(4, dtype=bool), np.full(4, 0.5), np.full(4, 0.6), rep, propensity
    )

    assert found.overlap == pytest.approx(1 / 3)
    assert (found.n_drawn, found.effective_n) == (1, 1.0)


propensities = arrays(
    np.float64,
    st.integers(1, 60),
    elements=st.one_of(st.just(np.nan), st.floats(1e-6, 1.0)),
)


@given(propensities)
def test_drawn_decisions_weigh_one_on_average_and_others_nothing(
    propensity: FloatArray,
) -> None:
    weight = drawn_weights(propensity)
    drawn: NDArray[np.bool_] = ~np.isnan(propensity)

    assert (weight[~drawn] == 0.0).all()
    assert 0.0 <= effective_n(weight) <= drawn.sum() + 1e-6
    if drawn.any():
        assert weight[drawn].mean() == pytest.approx(1.0)
        assert weight.max() <= MOST_WEIGHT * np.median(weight[drawn]) * (1 + 1e-9)


def test_rare_draws_weigh_more_but_not_without_limit() -> None:
    weight = drawn_weights(np.array([*[0.5] * 99, 0.1, 1e-9]))

    assert weight[-2] == pytest.approx(5.0 * weight[0])
    assert weight[-1] == pytest.approx(MOST_WEIGHT * weight[0])
    assert effective_n(np.ones(7)) == pytest.approx(7.0)
