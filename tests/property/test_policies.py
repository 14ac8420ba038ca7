"""Sentences that hold for every policy on every problem."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.policies import (
    POLICIES,
    Policy,
    optimal,
    performance,
    random,
    round_robin,
    round_robin_lot,
)
from optimizer.problem import UNASSIGNED, Problem
from optimizer.verify import loads, total_value, violations
from tests.strategies_problem import problems, with_changes

ALL = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES.keys())
BASELINES = pytest.mark.parametrize(
    "policy",
    [policy for policy in POLICIES.values() if policy is not optimal],
    ids=[name for name in POLICIES if name != "optimal"],
)


@ALL
@given(problem=problems())
def test_every_plan_keeps_every_hard_constraint(
    policy: Policy, problem: Problem
) -> None:
    assert violations(problem, policy(problem)) == []


@ALL
@given(problem=problems())
def test_no_policy_beats_the_optimum(policy: Policy, problem: Problem) -> None:
    best = total_value(problem, optimal(problem))

    assert total_value(problem, policy(problem)) <= best + 1e-9 * abs(best) + 1e-9


@ALL
@given(problem=problems())
def test_the_same_seed_gives_the_same_plan(policy: Policy, problem: Problem) -> None:
    once, again = policy(problem), policy(problem)

    assert once.rep_of.tolist() == again.rep_of.tolist()
    assert np.array_equal(once.propensity, again.propensity, equal_nan=True)


@BASELINES
@given(problem=problems())
def test_a_baseline_leaves_no_lead_while_somebody_is_open_to_it(
    policy: Policy, problem: Problem
) -> None:
    plan = policy(problem)
    open_slots = loads(problem, plan) < problem.capacity

    left = plan.rep_of == UNASSIGNED

    assert not (problem.eligible[left] & open_slots).any()


@ALL
@given(problem=problems())
def test_propensities_are_logged_by_lotteries_alone(
    policy: Policy, problem: Problem
) -> None:
    plan = policy(problem)

    given_leads = plan.rep_of != UNASSIGNED
    by_lot = policy in (random, round_robin_lot, performance)
    drawn = given_leads if by_lot else given_leads & False

    assert (~np.isnan(plan.propensity)).tolist() == drawn.tolist()


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
