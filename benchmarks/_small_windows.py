"""Windows so small that the best online policy can be computed, by dynamic programming.

A window has ``STEPS`` instants; at each a lead comes with chance ``COMES``, of a type
drawn evenly from a few leads of the demo market. The state is the slots left of three
reps and the instants left; the best online policy is exact (backward induction), and
knows what no policy can do better without knowing the future.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from optimizer.forecast import Forecast
from optimizer.futures import LookAhead, price_futures
from optimizer.online import choose
from optimizer.optimum import solve
from optimizer.problem import UNASSIGNED, FloatArray, IntArray, Problem

COMES = 0.8
TYPES = 8


@dataclass(frozen=True, eq=False)
class SmallCase:
    """One small window.

    Attributes:
        value: Value of each type with each rep; (TYPES, n_reps), NaN not eligible.
        slots: Slots of each rep; int64 (n_reps,).
        steps: Instants at which a lead may come.
    """

    value: FloatArray
    slots: IntArray
    steps: int

    def arrivals(self, rng: np.random.Generator) -> IntArray:
        """Type of the lead at each instant, -1 where none comes; int64 (steps,)."""
        types = rng.integers(0, TYPES, self.steps)
        return np.where(rng.random(self.steps) < COMES, types, -1)

    def hindsight(self, types: IntArray) -> float:
        """Value of the best plan for leads known in advance."""
        value = self.value[types[types >= 0]]
        eligible = np.isfinite(value)
        problem = Problem(
            np.where(eligible, value, 0.0), eligible, self.slots, self.slots * 0
        )
        return solve(problem).bound


def best_online(case: SmallCase) -> FloatArray:
    """Expected value to go under the best online policy.

    Returns:
        float64 (steps + 1, *(slots + 1)): by instants left and slots left.
    """
    shape = tuple(case.slots + 1)
    to_go = np.zeros((case.steps + 1, *shape))
    for left in range(1, case.steps + 1):
        for state in itertools.product(*(range(n) for n in shape)):
            stay = to_go[left - 1][state]
            best = np.full(TYPES, stay)
            for rep, open_slots in enumerate(state):
                if open_slots:
                    given = to_go[left - 1][_less(state, rep)]
                    best = np.fmax(best, case.value[:, rep] + given)
            to_go[left][state] = COMES * best.mean() + (1 - COMES) * stay
    return to_go


def play_best(case: SmallCase, types: IntArray, to_go: FloatArray) -> float:
    """Value that the best online policy gets from these arrivals."""
    return _play(case, types, lambda left, slots: _exact_prices(to_go[left], slots))


def play_look_ahead(
    case: SmallCase, types: IntArray, settings: LookAhead, rng: np.random.Generator
) -> float:
    """Value with prices from sampled futures, solved again for every lead."""

    def prices(left: int, slots: IntArray) -> FloatArray:
        return price_futures(
            np.repeat(case.value, 50, axis=0),
            Forecast(left * COMES),
            slots,
            solve=solve,
            look_ahead=settings,
            rng=rng,
        )

    return _play(case, types, prices)


def play_greedy(case: SmallCase, types: IntArray) -> float:
    """Value with all prices 0."""
    return _play(case, types, lambda _, slots: np.zeros(slots.size))


def _play(
    case: SmallCase,
    types: IntArray,
    prices: Callable[[int, IntArray], FloatArray],
) -> float:
    slots, total = case.slots.copy(), 0.0
    for step, kind in enumerate(types):
        if kind < 0:
            continue
        value = case.value[kind]
        price = prices(case.steps - step - 1, slots)
        rep = choose(value, np.isfinite(value), slots, price).rep
        if rep != UNASSIGNED:
            slots[rep] -= 1
            total += float(value[rep])
    return total


def _exact_prices(to_go: FloatArray, slots: IntArray) -> FloatArray:
    """V(c) - V(c - e_j) by the dynamic programme; 0 for a rep without slots."""
    state = tuple(slots.tolist())
    return np.array(
        [
            to_go[state] - to_go[_less(state, rep)] if open_slots else 0.0
            for rep, open_slots in enumerate(state)
        ]
    )


def _less(state: tuple[int, ...], rep: int) -> tuple[int, ...]:
    return (*state[:rep], state[rep] - 1, *state[rep + 1 :])
