"""Every compiled kernel against its twin in plain NumPy, step for step the same."""

from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from optimizer import kernels
from optimizer.problem import BoolArray, FloatArray, IntArray, Problem
from tests.strategies_problem import problems


def in_turn(key: Callable[[int, IntArray], FloatArray], problem: Problem) -> list[int]:
    """The twin of every kernel that gives each lead to the open rep of least key."""
    slots, turn = problem.capacity.copy(), np.arange(problem.n_reps)
    chosen = []
    for lead in range(problem.n_leads):
        reps = np.flatnonzero(problem.eligible[lead] & (slots > 0))
        if len(reps) == 0:
            chosen.append(-1)
            continue
        best = reps[np.lexsort((turn[reps], key(lead, chosen_so_far(chosen))[reps]))[0]]
        chosen.append(int(best))
        slots[best] -= 1
        turn[best] = problem.n_reps + lead
    return chosen


def chosen_so_far(chosen: list[int]) -> IntArray:
    return np.array([rep for rep in chosen if rep >= 0], np.int64)


def blank(problem: Problem) -> IntArray:
    return np.empty(problem.n_leads, np.int64)


@given(problem=problems())
def test_give_in_turn(problem: Problem) -> None:
    rep_of, turn = blank(problem), np.arange(problem.n_reps)

    kernels.give_in_turn(problem.eligible, problem.capacity.copy(), turn, rep_of)

    assert rep_of.tolist() == in_turn(lambda *_: np.zeros(problem.n_reps), problem)


@given(problem=problems())
def test_give_best_value(problem: Problem) -> None:
    rep_of, turn = blank(problem), np.arange(problem.n_reps)

    kernels.give_best_value(
        problem.value, problem.eligible, problem.capacity.copy(), turn, rep_of
    )

    assert rep_of.tolist() == in_turn(lambda lead, _: -problem.value[lead], problem)


@given(problem=problems(), load=st.lists(st.integers(0, 5), min_size=4, max_size=4))
def test_give_least_loaded(problem: Problem, load: list[int]) -> None:
    rep_of, turn = blank(problem), np.arange(problem.n_reps)
    weight = np.array([1.0, 2.0, 0.5, 4.0])[: problem.n_reps]
    before = np.array(load)[: problem.n_reps]

    kernels.give_least_loaded(
        problem.eligible, problem.capacity.copy(), before.copy(), weight, turn, rep_of
    )

    def key(_: int, given_reps: IntArray) -> FloatArray:
        now = before + np.bincount(given_reps, minlength=problem.n_reps)
        return np.asarray(now / weight)

    assert rep_of.tolist() == in_turn(key, problem)


@given(problem=problems())
def test_give_by_credit(problem: Problem) -> None:
    rep_of, turn = blank(problem), np.arange(problem.n_reps)
    weight = np.array([1.0, 2.0, 0.5, 4.0])[: problem.n_reps]

    kernels.give_by_credit(
        problem.eligible,
        problem.capacity.copy(),
        weight,
        np.zeros(problem.n_reps),
        turn,
        rep_of,
    )

    assert rep_of.tolist() == by_credit(problem, weight)


def by_credit(problem: Problem, weight: FloatArray) -> list[int]:
    slots, turn = problem.capacity.copy(), np.arange(problem.n_reps)
    credit = np.zeros(problem.n_reps)
    chosen = []
    for lead in range(problem.n_leads):
        reps = np.flatnonzero(problem.eligible[lead] & (slots > 0))
        if len(reps) == 0:
            chosen.append(-1)
            continue
        credit[reps] += weight[reps] / weight[reps].sum()
        richest = np.round(credit[reps], 9)
        best = reps[np.lexsort((turn[reps], -richest))[0]]
        chosen.append(int(best))
        credit[best] -= 1
        slots[best] -= 1
        turn[best] = problem.n_reps + lead
    return chosen


@given(problem=problems(), seed=st.integers(0, 1000))
def test_give_by_lot(problem: Problem, seed: int) -> None:
    draw = np.random.default_rng(seed).random(problem.n_leads)
    rep_of, propensity = blank(problem), np.empty(problem.n_leads)

    kernels.give_by_lot(
        problem.eligible, problem.capacity.copy(), draw, rep_of, propensity
    )

    expected = by_lot(problem, draw, cycles=False)
    assert rep_of.tolist() == expected[0]
    assert np.array_equal(propensity, expected[1], equal_nan=True)


@given(problem=problems(), seed=st.integers(0, 1000))
def test_give_in_turn_by_lot(problem: Problem, seed: int) -> None:
    rng = np.random.default_rng(seed)
    draw, had_turn = rng.random(problem.n_leads), rng.random(problem.n_reps) < 0.4
    rep_of, propensity = blank(problem), np.empty(problem.n_leads)
    before, slots = had_turn.copy(), problem.capacity.copy()

    kernels.give_in_turn_by_lot(
        problem.eligible, slots, had_turn, draw, rep_of, propensity
    )

    expected = by_lot(problem, draw, cycles=True, had_turn=before)
    assert rep_of.tolist() == expected[0]
    assert np.array_equal(propensity, expected[1], equal_nan=True)


@given(problem=problems(), seed=st.integers(0, 1000))
def test_look_at_turns(problem: Problem, seed: int) -> None:
    rng = np.random.default_rng(seed)
    draw, had_turn = rng.random(problem.n_leads), rng.random(problem.n_reps) < 0.4
    rep_of, propensity = blank(problem), np.empty(problem.n_leads)
    before, after = had_turn.copy(), had_turn.copy()
    seen = np.full(problem.eligible.shape, 9, dtype=np.uint8)

    kernels.give_in_turn_by_lot(
        problem.eligible, problem.capacity.copy(), after, draw, rep_of, propensity
    )
    kernels.look_at_turns(
        problem.eligible, problem.capacity.copy(), had_turn, rep_of, seen
    )

    drawn_among = (seen == kernels.DRAWN_AMONG).sum(axis=1)
    given_to = np.flatnonzero(rep_of >= 0)
    assert np.array_equal(drawn_among == 0, rep_of < 0)
    assert np.allclose(1 / drawn_among[given_to], propensity[given_to])
    assert (seen[given_to, rep_of[given_to]] == kernels.DRAWN_AMONG).all()
    assert not (seen != 0)[~problem.eligible].any()
    assert had_turn.tolist() == after.tolist()
    waits = before.copy()
    for lead, row in enumerate(seen):
        drawn = row == kernels.DRAWN_AMONG
        assert not (drawn & waits).any() or not (row == kernels.HAD_TURN).any()
        waits[drawn] = False
        if rep_of[lead] >= 0:
            waits[rep_of[lead]] = True
    assert waits.tolist() == after.tolist()


def by_lot(
    problem: Problem,
    draw: FloatArray,
    *,
    cycles: bool,
    had_turn: BoolArray | None = None,
) -> tuple[list[int], list[float]]:
    slots = problem.capacity.copy()
    if had_turn is None:
        had_turn = np.zeros(problem.n_reps, np.bool_)
    chosen, propensity = [], []
    for lead in range(problem.n_leads):
        reps = np.flatnonzero(problem.eligible[lead] & (slots > 0))
        if cycles and had_turn[reps].all():
            had_turn[reps] = False
        reps = reps[~had_turn[reps]]
        if len(reps) == 0:
            chosen.append(-1)
            propensity.append(np.nan)
            continue
        rep = int(reps[int(draw[lead] * len(reps))])
        chosen.append(rep)
        propensity.append(1 / len(reps))
        slots[rep] -= 1
        had_turn[rep] = cycles
    return chosen, propensity


@given(problem=problems(), seed=st.integers(0, 1000))
def test_best_profit(problem: Problem, seed: int) -> None:
    price = np.random.default_rng(seed).normal(size=problem.n_reps)
    profit = np.empty(problem.n_leads)

    kernels.best_profit(problem.value, problem.eligible, price, profit)

    after = np.where(problem.eligible, problem.value - price, -np.inf)
    assert profit.tolist() == after.max(axis=1, initial=-np.inf).tolist()


@given(problem=problems(), seed=st.integers(0, 1000))
def test_exchange_costs(problem: Problem, seed: int) -> None:
    rep_of = np.random.default_rng(seed).integers(-1, problem.n_reps, problem.n_leads)
    rep_of[
        ~np.append(problem.eligible, np.ones((problem.n_leads, 1)), axis=1)[
            np.arange(problem.n_leads), rep_of
        ].astype(np.bool_)
    ] = -1
    cost = np.full((problem.n_reps + 2, problem.n_reps + 2), kernels.FAR)

    kernels.exchange_costs(problem.value, problem.eligible, rep_of, 1024.0, cost)

    assert cost.tolist() == exchanges(problem, rep_of, 1024.0).tolist()


def exchanges(problem: Problem, rep_of: IntArray, scale: float) -> IntArray:
    """The twin: over all leads and places, the least loss of the move."""
    n_reps = problem.n_reps
    units = np.full((problem.n_leads, n_reps + 1), -1, np.int64)
    units[:, :n_reps] = np.rint(problem.value.astype(np.float64) * scale)
    open_to = np.append(problem.eligible, np.ones((problem.n_leads, 1), bool), axis=1)
    cost = np.full((n_reps + 2, n_reps + 2), kernels.FAR)
    for lead, here in enumerate(np.where(rep_of < 0, n_reps, rep_of)):
        for there in np.flatnonzero(open_to[lead]):
            if there != here:
                loss = units[lead, here] - units[lead, there]
                cost[here, there] = min(cost[here, there], loss)
    return cost


@given(seed=st.integers(0, 10_000), n_nodes=st.integers(0, 7))
def test_relax(seed: int, n_nodes: int) -> None:
    """Against all paths of at most n arcs; arcs below 0 but no cycle below 0."""
    rng = np.random.default_rng(seed)
    potential = rng.integers(-50, 50, n_nodes)
    cost = rng.integers(0, 30, (n_nodes, n_nodes)) + potential[:, None] - potential
    cost[rng.random(cost.shape) < 0.5] = kernels.FAR
    distance = np.full(n_nodes, kernels.FAR)
    distance[:1] = 0

    settled = kernels.relax(cost, distance)

    assert settled
    assert distance.tolist() == shortest(cost).tolist()


def shortest(cost: IntArray) -> IntArray:
    far = float(kernels.FAR)
    length: NDArray[np.float64] = np.where(cost == kernels.FAR, np.inf, cost)
    distance = np.full(len(cost), np.inf)
    distance[:1] = 0
    for _ in range(len(cost)):
        distance = np.minimum(distance, (length + distance).min(axis=1, initial=np.inf))
    return np.where(np.isinf(distance), far, distance).astype(np.int64)


def test_relax_says_when_a_cycle_gains_for_ever() -> None:
    cost = np.array([[kernels.FAR, -2], [1, kernels.FAR]])

    assert not kernels.relax(cost, np.array([0, kernels.FAR]))


@given(problem=problems(), seed=st.integers(0, 1000), n_nearest=st.integers(1, 5))
def test_nearest_pairs(problem: Problem, seed: int, n_nearest: int) -> None:
    price = np.random.default_rng(seed).normal(size=problem.n_reps)
    active = np.zeros_like(problem.eligible)

    kernels.nearest_pairs(problem.value, problem.eligible, price, n_nearest, active)

    profit = np.where(problem.eligible, problem.value - price, -np.inf)
    n_marked = np.minimum(problem.eligible.sum(axis=1), n_nearest)
    assert active.sum(axis=1).tolist() == n_marked.tolist()
    assert not (active & ~problem.eligible).any()
    for lead in range(problem.n_leads):
        left_out = problem.eligible[lead] & ~active[lead]
        if left_out.any():
            assert profit[lead, active[lead]].min() >= profit[lead, left_out].max()


@given(problem=problems(), seed=st.integers(0, 1000))
def test_add_paying_pairs(problem: Problem, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rep_of = rng.integers(-1, problem.n_reps, problem.n_leads)
    price = rng.integers(-2000, 2000, problem.n_reps + 2)
    active = problem.eligible & (rng.random(problem.eligible.shape) < 0.5)
    before = active.copy()

    n_marked = kernels.add_paying_pairs(
        problem.value, problem.eligible, rep_of, 1024.0, price, active
    )

    units = np.rint(problem.value.astype(np.float64) * 1024.0) - price[: problem.n_reps]
    here = np.append(units, np.full((problem.n_leads, 1), -1.0) - price[-2], axis=1)
    profit = here[np.arange(problem.n_leads), rep_of]
    paying = problem.eligible & ~before & (units > profit[:, None])
    assert active.tolist() == (before | paying).tolist()
    assert n_marked == paying.sum()


@given(
    problem=problems(),
    chances=st.lists(
        st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.0]), min_size=4, max_size=4
    ),
)
def test_give_by_chance(problem: Problem, chances: list[float]) -> None:
    """The twin looks the draw up in the cumulated chances."""
    chance = np.array(chances)[: problem.n_reps]
    draw = np.random.default_rng(problem.seed).random(problem.n_leads)
    rep_of, propensity = blank(problem), np.empty(problem.n_leads)

    kernels.give_by_chance(
        problem.eligible, problem.capacity.copy(), chance, draw, rep_of, propensity
    )

    slots = problem.capacity.copy()
    for lead in range(problem.n_leads):
        reps = np.flatnonzero(problem.eligible[lead] & (slots > 0))
        if len(reps) == 0:
            assert rep_of[lead] == -1
            assert np.isnan(propensity[lead])
            continue
        mine = chance[reps] if chance[reps].any() else np.ones(len(reps))
        place = np.searchsorted(np.cumsum(mine), draw[lead] * mine.sum(), side="right")
        assert rep_of[lead] == reps[place]
        assert propensity[lead] == mine[place] / mine.sum()
        slots[reps[place]] -= 1
