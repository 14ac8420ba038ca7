"""The specification: each constraint by a plan that keeps it and one that breaks it."""

import numpy as np
import pytest

from optimizer.problem import Plan, Problem
from optimizer.verify import bound, gap, loads, total_value, violations

VALUE = np.array([[3.0, 1.0], [2.0, 5.0], [4.0, 0.5]])
PROBLEM = Problem(
    VALUE,
    np.array([[True, True], [True, True], [True, False]]),
    np.array([2, 1]),
    np.array([0, 1]),
)


def plan(*rep_of: int) -> Plan:
    return Plan.certain(np.array(rep_of, np.int64))


def test_a_plan_within_every_limit_breaks_nothing() -> None:
    assert violations(PROBLEM, plan(0, 1, 0)) == []


def test_leads_may_stay_unassigned() -> None:
    assert violations(PROBLEM, plan(-1, 1, -1)) == []


def test_a_lead_may_not_go_to_a_rep_who_is_not_eligible() -> None:
    assert violations(PROBLEM, plan(0, 0, 1)) == [
        "Lead 2 went to rep 1, who is not eligible."
    ]


def test_a_rep_may_not_get_more_leads_than_slots() -> None:
    assert violations(PROBLEM, plan(1, 1, 0)) == ["Rep 1 got 2 leads and has 1 slots."]


def test_a_rep_may_not_get_fewer_leads_than_owed() -> None:
    assert violations(PROBLEM, plan(0, 0, -1)) == ["Rep 1 got 0 leads and is owed 1."]


def test_every_broken_limit_is_named() -> None:
    assert len(violations(PROBLEM, plan(0, 0, 0))) == 2


def test_a_lead_may_not_go_to_a_rep_who_does_not_exist() -> None:
    assert violations(PROBLEM, plan(2, 1, -2)) == [
        "Lead 0 went to rep 2, who does not exist.",
        "Lead 2 went to rep -2, who does not exist.",
    ]


def test_a_plan_answers_for_every_lead() -> None:
    assert violations(PROBLEM, plan(0, 1)) == ["The plan answers for 2 of 3 leads."]


@pytest.mark.parametrize("propensity", [0.0, -0.5, 1.5])
def test_a_propensity_is_a_probability_above_0(propensity: float) -> None:
    drawn = Plan(np.array([0, 1, 0]), np.array([0.5, propensity, 1.0]))

    assert violations(PROBLEM, drawn) == [
        f"Lead 1 has propensity {propensity:g} for rep 1."
    ]


def test_a_lead_without_rep_has_no_propensity() -> None:
    drawn = Plan(np.array([0, 1, -1]), np.array([0.5, 0.5, 1.0]))

    assert violations(PROBLEM, drawn) == ["Lead 2 has propensity 1 for rep -1."]


def test_a_plan_is_worth_the_sum_of_its_pairs() -> None:
    assert total_value(PROBLEM, plan(0, 1, -1)) == 8.0


def test_values_in_float32_are_summed_in_float64() -> None:
    value = np.full((3, 1), np.float32(2**24))
    value[2] = 1.0
    problem = Problem(value, value > 0, np.array([3]), np.array([0]))

    assert total_value(problem, plan(0, 0, 0)) == 2.0**25 + 1.0


def test_loads_count_the_leads_of_each_rep() -> None:
    assert loads(PROBLEM, plan(0, -1, 0)).tolist() == [2, 0]


def test_the_bound_adds_paid_slots_and_what_is_left_to_each_lead() -> None:
    """2 slots x 1 + 1 slot x 2; leads keep max(2, -1), max(1, 3) and 3."""
    assert bound(PROBLEM, np.array([1.0, 2.0])) == 2 + 2 + 2 + 3 + 3


def test_a_price_below_0_pays_only_the_leads_owed() -> None:
    """Rep 1 is owed one lead and rep 0 none, so only rep 1's price costs."""
    assert bound(PROBLEM, np.array([-1.0, -2.0])) == -2 + 4 + 7 + 5


def test_a_value_that_is_not_allowed_counts_for_nothing() -> None:
    value = VALUE.copy()
    value[2, 1] = np.nan
    problem = Problem(value, PROBLEM.eligible, PROBLEM.capacity, PROBLEM.floor)

    assert bound(problem, np.zeros(2)) == 3 + 5 + 4


def test_the_gap_is_what_is_missing_over_the_bound() -> None:
    assert gap(PROBLEM, plan(0, 1, -1), 10.0) == pytest.approx(0.2)


def test_a_plan_that_meets_its_bound_has_no_gap() -> None:
    assert gap(PROBLEM, plan(-1, -1, -1), 0.0) == 0.0


def test_a_plan_that_loses_against_a_bound_of_0_has_an_infinite_gap() -> None:
    losing = Problem(-VALUE, PROBLEM.eligible, PROBLEM.capacity, PROBLEM.floor)

    assert gap(losing, plan(0, 1, 0), 0.0) == np.inf
