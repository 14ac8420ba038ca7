"""Policies replayed on lottery decisions: what they would have earned, and no more."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.off_policy import FloatArray, IntArray, best_of
from experiments.replay import (
    BY_LOT,
    CERTAIN,
    NOBODY,
    Logged,
    equal_slots,
    estimates,
    judge_policies,
    replay,
    spread,
)
from optimizer.policies import POLICIES
from optimizer.problem import Problem
from optimizer.verify import violations
from rightrep.errors import InvalidInput

N_REPS, PER_WINDOW = 5, 8


def drawn(
    n: int, rng: np.random.Generator, *, flaw: float = 0.5
) -> tuple[Logged, FloatArray]:
    """Lottery decisions, and the true chance of every pair."""
    drawable = rng.random((n, N_REPS)) < 0.8
    drawable[np.arange(n), rng.integers(0, N_REPS, n)] = True
    odds = -1.5 + rng.normal(0.0, 1.0, (n, N_REPS))
    p_win = 1 / (1 + np.exp(-odds))
    believed = 1 / (1 + np.exp(-odds - rng.normal(0.0, flaw, odds.shape)))
    rep = np.argmax(np.where(drawable, rng.random(drawable.shape), -1.0), axis=1)
    logged = Logged(
        rep=rep,
        propensity=1.0 / drawable.sum(axis=1),
        drawable=drawable,
        won=rng.random(n) < p_win[np.arange(n), rep],
        worth=rng.lognormal(3.0, 0.5, n),
        p_convert=believed * drawable,
        window=np.arange(n) // PER_WINDOW,
        unit=np.arange(n),
    )
    return logged, p_win


def by_policy(logged: Logged, name: str) -> FloatArray:
    """Chances of a policy that shares out each window by what the model believes."""
    n_plans = BY_LOT if name in ("random", "round_robin_lot") else CERTAIN

    def choose(rows: IntArray, seed: int) -> IntArray:
        drawable = logged.drawable[rows]
        problem = Problem(
            logged.p_convert[rows],
            drawable,
            equal_slots(drawable),
            np.zeros(N_REPS, np.int64),
            seed=seed,
        )
        plan = POLICIES[name](problem)
        assert violations(problem, plan) == []
        return plan.rep_of

    return replay(logged, choose, n_plans=n_plans)


@given(st.integers(1, 30), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_equal_slots_leave_room_for_every_lead(
    n_leads: int, n_reps: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    drawable = rng.random((n_leads, n_reps)) < 0.5
    drawable[np.arange(n_leads), rng.integers(0, n_reps, n_leads)] = True
    problem = Problem(
        np.ones(drawable.shape),
        drawable,
        equal_slots(drawable),
        np.zeros(n_reps, np.int64),
    )

    assert (POLICIES["optimal"](problem).rep_of != NOBODY).all()
    assert problem.capacity.sum() < n_leads + n_reps


def test_a_window_is_shared_out_as_a_whole() -> None:
    logged, _ = drawn(400, np.random.default_rng(3))

    optimal, greedy = (by_policy(logged, name) for name in ("optimal", "greedy"))
    alone = best_of(logged.p_convert, logged.drawable)

    believed = [float((c * logged.p_convert).sum()) for c in (greedy, optimal, alone)]
    assert believed == sorted(believed)
    assert believed[0] < believed[1] < believed[2]
    assert np.all(optimal.sum(axis=1) == 1.0)


def test_a_policy_that_draws_lots_has_chances_between_none_and_all() -> None:
    logged, _ = drawn(400, np.random.default_rng(4))

    chance = by_policy(logged, "random")

    given = chance.sum(axis=1)
    assert given.max() <= 1.0 + 1e-9
    assert given.mean() > 0.95  # lots may fill the only reps of a lead
    assert np.all(chance[~logged.drawable] == 0.0)
    assert ((chance > 0) & (chance < 1)).any(axis=1).mean() > 0.8


@pytest.mark.parametrize("in_money", [False, True])
def test_the_intervals_cover_what_the_policies_would_have_earned(
    in_money: bool,
) -> None:
    covered = {"ips": 0, "snips": 0, "doubly_robust": 0, "gain": 0}
    for run in range(40):
        logged, p_win = drawn(800, np.random.default_rng(run))
        chances = {name: by_policy(logged, name) for name in ("optimal", "greedy")}
        worth = logged.worth if in_money else np.ones(logged.n_rows)
        truth = {
            name: float(((chance * p_win).sum(axis=1) * worth).mean())
            for name, chance in chances.items()
        }

        found = judge_policies(logged, chances, "greedy", in_money=in_money)["optimal"]

        for name in covered:
            one = getattr(found, name)
            true = truth["optimal"] - truth["greedy"] * (name == "gain")
            covered[name] += one.low <= true <= one.high
    # 40 draws at 95 %: fewer than 33 happen once in five thousand times.
    assert min(covered.values()) >= 33, covered


def test_the_model_that_chose_flatters_its_choices_and_another_does_not() -> None:
    believed, judged, truth = [], [], []
    for run in range(10):
        logged, p_win = drawn(1_000, np.random.default_rng(100 + run), flaw=1.0)
        chance = by_policy(logged, "optimal")
        found = judge_policies(logged, {"optimal": chance}, "optimal", in_money=False)
        believed.append(found["optimal"].believed)
        judged.append(found["optimal"].judged)
        truth.append(float((chance * p_win).sum() / logged.n_rows))

    assert np.mean(believed) > 1.2 * np.mean(truth)
    assert np.mean(judged) == pytest.approx(np.mean(truth), rel=0.05)


def test_a_policy_gains_nothing_over_itself() -> None:
    logged, _ = drawn(400, np.random.default_rng(5))
    chance = by_policy(logged, "random")

    gain = judge_policies(logged, {"random": chance}, "random", in_money=True)

    assert (gain["random"].gain.value, gain["random"].gain.low) == (0.0, 0.0)


@pytest.mark.parametrize(("n", "enough"), [(400, False), (4_000, True)])
def test_figures_are_given_only_where_the_decisions_are_enough(
    n: int, enough: bool
) -> None:
    logged, _ = drawn(n, np.random.default_rng(8))
    chances = {name: by_policy(logged, name) for name in ("optimal", "greedy")}
    judged = {"wins": judge_policies(logged, chances, "greedy", in_money=False)}

    found = estimates(judged, "optimal", "greedy")

    assert (found["wins.doubly_robust"] is not None) == enough
    assert (found["wins.gain.low"] is not None) == enough
    assert found["wins.believed"] is not None


def test_weights_are_cut_off_where_asked_and_the_estimate_says_so() -> None:
    logged, _ = drawn(400, np.random.default_rng(6))
    chance = by_policy(logged, "optimal")

    cut = judge_policies(logged, {"x": chance}, "x", in_money=False, clip=2.0)["x"]

    assert logged.weights(chance).max() > 2.0
    assert logged.weights(chance, 2.0).max() == 2.0
    assert cut.ips.clip == 2.0
    assert cut.ips.clipped_share == (logged.weights(chance) > 2.0).mean()


def test_nothing_is_said_of_no_decisions() -> None:
    logged, _ = drawn(1, np.random.default_rng(7))
    none = Logged(**{name: getattr(logged, name)[:0] for name in vars(logged)})

    with pytest.raises(InvalidInput, match="no randomised decisions"):
        judge_policies(none, {}, "random", in_money=False)


def test_a_plan_that_gives_all_to_one_rep_is_as_far_from_equal_as_can_be() -> None:
    chance = np.zeros((10, 4))
    chance[:, 1] = 1.0

    assert spread(chance, weight=np.ones(4), quality=np.ones(10)) == 0.75
    assert spread(chance / 4 + 0.0, weight=np.eye(4)[1], quality=np.ones(10)) == 0.0
