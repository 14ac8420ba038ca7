"""Sentences that hold for every policy on every problem."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from optimizer.policies import (
    POLICIES,
    optimal,
    performance,
    random,
    round_robin,
    round_robin_lot,
)
from optimizer.problem import UNASSIGNED, Problem
from optimizer.verify import loads, total_value, violations
from tests.strategies_problem import problems, with_changes

BASELINES = {name: one for name, one in POLICIES.items() if one is not optimal}


@given(problem=problems())
def test_every_plan_keeps_every_hard_constraint(problem: Problem) -> None:
    for name, policy in POLICIES.items():
        assert violations(problem, policy(problem)) == [], name


@given(problem=problems())
def test_no_policy_beats_the_optimum(problem: Problem) -> None:
    best = total_value(problem, optimal(problem))

    for name, policy in BASELINES.items():
        value = total_value(problem, policy(problem))
        assert value <= best + 1e-9 * abs(best) + 1e-9, name


@given(problem=problems())
def test_the_same_seed_gives_the_same_plan(problem: Problem) -> None:
    for name, policy in POLICIES.items():
        once, again = policy(problem), policy(problem)

        assert once.rep_of.tolist() == again.rep_of.tolist(), name
        assert np.array_equal(once.propensity, again.propensity, equal_nan=True), name


@given(problem=problems())
def test_a_baseline_leaves_no_lead_while_somebody_is_open_to_it(
    problem: Problem,
) -> None:
    for name, policy in BASELINES.items():
        plan = policy(problem)
        open_slots = loads(problem, plan) < problem.capacity
        left = plan.rep_of == UNASSIGNED

        assert not (problem.eligible[left] & open_slots).any(), name


@given(problem=problems())
def test_propensities_are_logged_by_lotteries_alone(problem: Problem) -> None:
    for name, policy in POLICIES.items():
        plan = policy(problem)
        given_leads = plan.rep_of != UNASSIGNED
        by_lot = policy in (random, round_robin_lot, performance)
        drawn = given_leads if by_lot else given_leads & False

        assert (~np.isnan(plan.propensity)).tolist() == drawn.tolist(), name


@given(problem=problems(), data=st.data())
def test_renumbering_reps_who_all_waited_differently_renumbers_round_robin(
    problem: Problem, data: st.DataObject
) -> None:
    waited = np.arange(problem.n_reps, dtype=np.float64)
    reps = np.array(data.draw(st.permutations(range(problem.n_reps))), np.int64)
    renumbered = Problem(
        problem.value[:, reps],
        problem.eligible[:, reps],
        problem.capacity[reps],
        problem.floor[reps],
        waited=waited[reps],
    )

    plan = round_robin(renumbered).rep_of

    named = np.where(plan == UNASSIGNED, UNASSIGNED, np.append(reps, 0)[plan])
    same = round_robin(with_changes(problem, waited=waited)).rep_of
    assert named.tolist() == same.tolist()
