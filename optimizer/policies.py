"""One signature, one registry: how a batch of leads is shared out.

Every policy is a function from ``Problem`` to ``Plan``, the same plan for the same
problem and seed. All but ``optimal`` take the leads in the order of the problem's rows
(their order of arrival) and look at one lead at a time, so they know nothing of load
floors; serving gives floors to ``optimal`` alone.

Ties go to who waited longest: most seconds since the last lead, then the smallest
load, then a lot drawn from the seed, so that no rep gains by an index. Whoever is given
a lead goes to the back.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from optimizer import kernels
from optimizer.optimum import solve
from optimizer.over_time import keep_previous, left_over
from optimizer.problem import (
    UNASSIGNED,
    BoolArray,
    FloatArray,
    IntArray,
    Plan,
    Problem,
)

Policy = Callable[[Problem], Plan]
"""A rule from problem to plan."""


def round_robin(problem: Problem) -> Plan:
    """Each lead to the eligible rep with an open slot who waited longest.

    Deterministic, and so of no use to off-policy estimates; a control drawn by lot is
    ``round_robin_lot``.
    """
    rep_of = _blank(problem)
    kernels.give_in_turn(
        problem.eligible, problem.capacity.copy(), _turn(problem), rep_of
    )
    return Plan.certain(rep_of)


def round_robin_lot(problem: Problem) -> Plan:
    """Round robin whose order within each cycle is drawn by lot; propensities logged.

    Each lead draws among the reps open to it who have not had their turn in this
    cycle; when all of them have, a new cycle begins for them. ``Problem.had_turn`` is
    where the cycle stands before.
    """
    rep_of, propensity = _blank(problem), np.empty(problem.n_leads)
    kernels.give_in_turn_by_lot(
        problem.eligible,
        problem.capacity.copy(),
        _had_turn(problem),
        _draws(problem),
        rep_of,
        propensity,
    )
    return Plan(rep_of, propensity)


def look_at_turns(problem: Problem, plan: Plan) -> tuple[NDArray[np.uint8], BoolArray]:
    """What ``round_robin_lot`` saw at each draw, and where its cycle stands after.

    Args:
        problem: What it shared out.
        plan: How.

    Returns:
        ``kernels.DRAWN_AMONG`` for those it drew among, ``kernels.HAD_TURN`` for those
        who were open and had had their turn, else 0; uint8 (n_leads, n_reps). And who
        has had their turn now; bool (n_reps,).
    """
    seen = np.empty(problem.eligible.shape, dtype=np.uint8)
    had_turn = _had_turn(problem)
    kernels.look_at_turns(
        problem.eligible, problem.capacity.copy(), had_turn, plan.rep_of, seen
    )
    return seen, had_turn


def random(problem: Problem) -> Plan:
    """Each lead to any eligible rep with an open slot, all equally likely."""
    rep_of, propensity = _blank(problem), np.empty(problem.n_leads)
    kernels.give_by_lot(
        problem.eligible, problem.capacity.copy(), _draws(problem), rep_of, propensity
    )
    return Plan(rep_of, propensity)


def least_loaded(problem: Problem) -> Plan:
    """Each lead to the eligible rep with an open slot and least load for the weight.

    Load counts the leads held before, the head start, and those of this batch.
    """
    rep_of = _blank(problem)
    kernels.give_least_loaded(
        problem.eligible,
        problem.capacity.copy(),
        _load(problem) + _head_start(problem),
        _weight(problem),
        _turn(problem),
        rep_of,
    )
    return Plan.certain(rep_of)


def most_free(problem: Problem) -> Plan:
    """Each lead to the eligible rep with the most open slots.

    A head start counts as slots that are taken.
    """
    rep_of, slots = _blank(problem), problem.capacity
    kernels.give_least_loaded(
        problem.eligible,
        slots.copy(),
        _head_start(problem) - slots,
        np.ones(problem.n_reps),
        _turn(problem),
        rep_of,
    )
    return Plan.certain(rep_of)


def performance(problem: Problem) -> Plan:
    """Each lead by lot, in proportion to the win rates of the reps open to it.

    The propensity is the rep's share of those win rates at the draw.
    """
    rep_of, propensity = _blank(problem), np.empty(problem.n_leads)
    rates = problem.win_rate
    kernels.give_by_chance(
        problem.eligible,
        problem.capacity.copy(),
        np.ones(problem.n_reps) if rates is None else rates,
        _draws(problem),
        rep_of,
        propensity,
    )
    return Plan(rep_of, propensity)


def sticky(problem: Problem, otherwise: Policy = round_robin) -> Plan:
    """Each lead to the rep who served its customer before; the others by a policy.

    Args:
        problem: The batch.
        otherwise: Policy for leads whose rep is not available, or never was.
    """
    kept = keep_previous(problem)
    others = otherwise(left_over(problem, kept))
    mine = kept.rep_of != UNASSIGNED
    return Plan(
        np.where(mine, kept.rep_of, others.rep_of),
        np.where(mine, np.nan, others.propensity),
    )


def weighted(problem: Problem) -> Plan:
    """Each lead by smooth weighted round robin: shares as the weights, evenly spread.

    With whole weights and everybody open, each cycle of sum(weight) leads gives every
    rep exactly its weight, one batch or many: what a rep was given less than its share
    before is its credit, taken from the load where none is given.
    """
    weight, credit = _weight(problem), problem.credit
    if credit is None:
        load = _load(problem)
        credit = weight / max(weight.sum(), 1e-300) * load.sum() - load
    rep_of = _blank(problem)
    kernels.give_by_credit(
        problem.eligible,
        problem.capacity.copy(),
        weight,
        credit.copy(),
        _turn(problem),
        rep_of,
    )
    return Plan.certain(rep_of)


def greedy(problem: Problem) -> Plan:
    """Each lead, in order of arrival, to the open rep with the highest value."""
    rep_of = _blank(problem)
    kernels.give_best_value(
        problem.value,
        problem.eligible,
        problem.capacity.copy(),
        _turn(problem),
        rep_of,
    )
    return Plan.certain(rep_of)


def optimal(problem: Problem) -> Plan:
    """The plan with the most expected value of all.

    Raises:
        InfeasiblePlan: The load floors owe more than their reps can be given.
    """
    return solve(problem).plan


BY_VALUE = frozenset({"greedy", "optimal"})
"""Policies that go by the value of pairs; the others need none."""

POLICIES: Mapping[str, Policy] = MappingProxyType(
    {
        "round_robin": round_robin,
        "round_robin_lot": round_robin_lot,
        "random": random,
        "least_loaded": least_loaded,
        "most_free": most_free,
        "weighted": weighted,
        "performance": performance,
        "sticky": sticky,
        "greedy": greedy,
        "optimal": optimal,
    }
)
"""Every policy by name."""


def _blank(problem: Problem) -> IntArray:
    return np.empty(problem.n_leads, np.int64)


def _load(problem: Problem) -> IntArray:
    return np.zeros(problem.n_reps, np.int64) if problem.load is None else problem.load


def _head_start(problem: Problem) -> IntArray:
    start = problem.head_start
    return np.zeros(problem.n_reps, np.int64) if start is None else start


def _had_turn(problem: Problem) -> BoolArray:
    """A copy that a kernel may write to."""
    had = problem.had_turn
    return np.zeros(problem.n_reps, np.bool_) if had is None else had.copy()


def _weight(problem: Problem) -> FloatArray:
    return np.ones(problem.n_reps) if problem.weight is None else problem.weight


def _draws(problem: Problem) -> FloatArray:
    """One uniform number per lead, from the seed."""
    return np.random.default_rng(problem.seed).random(problem.n_leads)


def _turn(problem: Problem) -> IntArray:
    """Place of each rep in the queue, 0 for who waited longest."""
    waited = np.zeros(problem.n_reps) if problem.waited is None else problem.waited
    lot = np.random.default_rng(problem.seed).permutation(problem.n_reps)
    queue = np.lexsort((lot, _load(problem), -waited))
    turn = np.empty(problem.n_reps, np.int64)
    turn[queue] = np.arange(problem.n_reps)
    return turn
