"""Policies over days: cycles that go on, leave that is no backlog, a fair start."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.over_time import credit_over_days, head_start, left_over
from optimizer.policies import (
    POLICIES,
    Policy,
    least_loaded,
    most_free,
    performance,
    round_robin,
    sticky,
    weighted,
)
from optimizer.problem import UNASSIGNED, IntArray, Problem
from tests.strategies_problem import problems, with_changes


def batch(n_leads: int, n_reps: int, **fields: object) -> Problem:
    """Leads worth 1 to anybody, slots for all of them with every rep."""
    given: dict[str, object] = {
        "value": np.ones((n_leads, n_reps)),
        "eligible": np.ones((n_leads, n_reps), np.bool_),
        "capacity": np.full(n_reps, n_leads),
        "floor": np.zeros(n_reps, np.int64),
    }
    return Problem(**{**given, **fields})  # type: ignore[arg-type]


def days(
    weight: list[int], per_day: list[int], away: dict[int, set[int]] | None = None
) -> IntArray:
    """Leads each rep was given each day by ``weighted``; int64 (n_reps, n_days)."""
    n_reps, shares = len(weight), np.array(weight, dtype=np.float64)
    given_on = np.zeros((n_reps, len(per_day)), np.int64)
    present = np.ones((n_reps, len(per_day)), np.bool_)
    for rep, off in (away or {}).items():
        present[rep, sorted(off)] = False
    for day, n_leads in enumerate(per_day):
        for _ in range(n_leads):
            credit = credit_over_days(
                given_on[:, : day + 1], present[:, : day + 1], shares
            )
            there = present[:, day][None, :]
            plan = weighted(
                batch(1, n_reps, weight=shares, credit=credit, eligible=there)
            )
            given_on[plan.rep_of[0], day] += 1
    return given_on


@pytest.mark.parametrize("weight", [[1, 1], [5, 1, 1], [3, 2, 7, 1]])
def test_a_weighted_cycle_goes_on_over_days_and_single_leads(weight: list[int]) -> None:
    """Cycles that end in the middle of a day are exact all the same."""
    cycle = sum(weight)
    leads = 3 * cycle
    per_day = [leads // 5] * 4 + [leads - 4 * (leads // 5)]

    given_on = days(weight, per_day)

    assert given_on.sum(axis=1).tolist() == [3 * share for share in weight]


def test_a_rep_back_from_leave_has_no_backlog_and_no_penalty() -> None:
    """Rep 2 is away for three of six days: 8 leads a day, shared by who is there."""
    given_on = days([1, 1, 2], [8] * 6, away={2: {1, 2, 3}})

    assert given_on[:, 0].tolist() == [2, 2, 4]
    assert given_on[:, 1:4].sum(axis=1).tolist() == [12, 12, 0]
    assert given_on[:, 4].tolist() == given_on[:, 5].tolist() == [2, 2, 4]


def test_a_day_is_owed_to_who_was_there() -> None:
    credit = credit_over_days(
        np.array([[6, 3], [0, 1]]),
        np.array([[True, True], [False, True]]),
        np.array([1.0, 1.0]),
    )

    assert credit.tolist() == [-1.0, 1.0]


def test_who_joins_starts_at_the_level_of_the_group() -> None:
    load, weight = np.array([40, 44, 0]), np.ones(3)

    assert head_start(load, weight, np.array([1.0, 1.0, 0.0])).tolist() == [0, 0, 42]
    assert head_start(load, weight, np.array([1.0, 1.0, 0.5])).tolist() == [0, 0, 21]
    assert head_start(load, weight, np.ones(3)).tolist() == [0, 0, 0]
    assert head_start(load, weight, np.zeros(3)).tolist() == [0, 0, 0]


def one_at_a_time(policy: Policy, n_leads: int, *, lifted: bool) -> list[int]:
    """Leads given to two settled reps with 40 open leads, and one without any."""
    load, waited = np.array([40, 40, 0]), np.array([3.0, 2.0, 1.0])
    given = np.zeros(3, np.int64)
    for turn in range(n_leads):
        held = load + given
        start = head_start(held, np.ones(3), np.array([1.0, 1.0, 0.0]))
        plan = policy(
            batch(
                1,
                3,
                capacity=100 - held,
                load=held,
                waited=waited,
                head_start=start if lifted else None,
            )
        )
        given[plan.rep_of[0]] += 1
        waited[plan.rep_of[0]] = -turn
    return given.tolist()


@pytest.mark.parametrize("policy", [least_loaded, most_free])
def test_least_loaded_neither_floods_nor_starves_who_joins(policy: Policy) -> None:
    assert one_at_a_time(policy, 30, lifted=False) == [0, 0, 30]

    given = one_at_a_time(policy, 30, lifted=True)

    assert max(given) - min(given) <= 2


def test_most_free_capacity_goes_first() -> None:
    plan = most_free(batch(4, 3, capacity=np.array([1, 5, 3])))

    assert plan.rep_of.tolist() == [1, 1, 2, 1]


def test_chances_are_in_proportion_to_the_win_rates() -> None:
    rates = np.array([0.3, 0.1, 0.0])

    plan = performance(batch(4000, 3, win_rate=rates, seed=7))

    counts = np.bincount(plan.rep_of, minlength=3)
    assert counts[2] == 0
    assert abs(counts[0] / 4000 - 0.75) < 0.03
    assert sorted(set(plan.propensity.round(9))) == [0.25, 0.75]


def test_a_returning_customer_goes_back_and_the_others_take_turns() -> None:
    previous = np.array([-1, 1, 1, -1])

    plan = sticky(batch(4, 3, previous_rep=previous, waited=np.array([1.0, 9.0, 2.0])))

    assert plan.rep_of[[1, 2]].tolist() == [1, 1]
    assert plan.rep_of[[0, 3]].tolist() == [2, 0]


def test_a_returning_customer_goes_on_when_the_rep_is_not_available() -> None:
    previous = np.array([0, 0, 1])
    eligible = np.array([[True, True], [True, True], [True, False]])

    plan = sticky(
        batch(3, 2, previous_rep=previous, eligible=eligible, capacity=np.array([1, 2]))
    )

    assert plan.rep_of.tolist() == [0, 1, UNASSIGNED]


@given(problem=problems(), data=st.data())
def test_what_is_left_over_can_be_shared_out_as_if_in_one_go(
    problem: Problem, data: st.DataObject
) -> None:
    """Round robin over the first leads and then over the others is round robin."""
    cut = data.draw(st.integers(0, problem.n_leads))
    first = np.arange(problem.n_leads) < cut
    waited = np.arange(problem.n_reps, dtype=np.float64)
    whole = with_changes(problem, waited=waited, floor=problem.floor * 0)
    early = with_changes(whole, eligible=whole.eligible & first[:, None])

    before = round_robin(early)
    after = round_robin(left_over(whole, before))

    rep_of = np.where(before.rep_of != UNASSIGNED, before.rep_of, after.rep_of)
    assert rep_of.tolist() == round_robin(whole).rep_of.tolist()


def test_every_policy_over_time_is_in_the_registry() -> None:
    assert {"most_free", "performance", "sticky"} <= set(POLICIES)
