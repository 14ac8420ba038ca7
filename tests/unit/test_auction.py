"""What the auction promises beyond the optimum: empty sides, limits, time, scale."""

from datetime import timedelta

import numpy as np
import pytest

from benchmarks.families import drawn
from optimizer.auction import solve_auction
from optimizer.problem import UNASSIGNED, Problem
from optimizer.verify import bound, violations
from rightrep.errors import InfeasiblePlan, SolverStopped
from tests.strategies_problem import with_changes


def problem_of(
    value: list[list[float]], capacity: list[int], floor: list[int] | None = None
) -> Problem:
    matrix = np.array(value)
    return Problem(
        matrix,
        np.ones(matrix.shape, np.bool_),
        np.array(capacity),
        np.array(floor or [0] * len(capacity)),
    )


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_a_batch_without_leads_or_reps_has_an_empty_plan(
    shape: tuple[int, int],
) -> None:
    n_leads, n_reps = shape
    nothing = np.zeros(n_reps, np.int64)
    empty = Problem(np.zeros(shape), np.ones(shape, np.bool_), nothing + 1, nothing)

    result = solve_auction(empty)

    assert result.plan.rep_of.tolist() == [UNASSIGNED] * n_leads
    assert (result.value, result.bound, result.gap) == (0.0, 0.0, 0.0)
    assert result.proven


def test_leads_owed_where_there_are_none_cannot_be_given() -> None:
    shape = (0, 2)
    owed = Problem(
        np.zeros(shape), np.ones(shape, np.bool_), np.array([1, 1]), np.array([1, 0])
    )

    with pytest.raises(InfeasiblePlan):
        solve_auction(owed)


def test_a_rep_without_slots_has_the_lowest_price_that_no_lead_would_pay() -> None:
    result = solve_auction(problem_of([[9.0, 2.0], [5.0, 4.0]], [0, 2]), exact=True)

    assert result.plan.rep_of.tolist() == [1, 1]
    assert result.shadow_price.tolist() == [9.0, 2.0]


def test_a_lead_that_nobody_may_take_stays() -> None:
    problem = with_changes(
        problem_of([[1.0], [2.0]], [2]), eligible=np.array([[False], [True]])
    )

    assert solve_auction(problem).plan.rep_of.tolist() == [UNASSIGNED, 0]


def test_a_loss_is_taken_only_where_it_is_owed() -> None:
    free = solve_auction(problem_of([[-1.0], [-3.0]], [2]))
    owed = solve_auction(problem_of([[-1.0], [-3.0]], [2], [1]))

    assert free.plan.rep_of.tolist() == [UNASSIGNED, UNASSIGNED]
    assert owed.plan.rep_of.tolist() == [0, UNASSIGNED]
    assert owed.shadow_price.tolist() == [-1.0]


def test_a_gap_is_a_share_of_the_bound_and_the_bound_is_anybodys_to_check() -> None:
    problem = drawn("deal_values", 900, 30)

    result = solve_auction(problem, gap=1e-2)

    assert result.gap == pytest.approx((result.bound - result.value) / result.bound)
    assert result.bound == pytest.approx(bound(problem, result.shadow_price), rel=1e-12)
    assert result.priced().bound == result.bound


@pytest.mark.parametrize("family", ["dense", "rank_one", "blocks"])
def test_when_time_is_up_it_says_that_the_gap_was_not_reached(family: str) -> None:
    problem = drawn(family, 2_000, 60)

    result = solve_auction(problem, gap=0.0, time_limit=timedelta(0))

    assert not result.proven
    assert 0.0 < result.gap < 1.0
    assert violations(problem, result.plan) == []


def test_when_time_is_up_before_the_floors_are_met_there_is_no_plan() -> None:
    problem = problem_of([[5.0, -9.0]] * 3, [3, 3], [0, 2])

    with pytest.raises(SolverStopped):
        solve_auction(problem, time_limit=timedelta(0))


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1e9])
def test_the_unit_of_value_does_not_matter(scale: float) -> None:
    problem = drawn("deal_values_few_slots", 300, 10)
    scaled = with_changes(problem, value=problem.value.astype(np.float64) * scale)

    one, other = (solve_auction(p, exact=True) for p in (problem, scaled))

    assert other.value == pytest.approx(one.value * scale, rel=1e-12)
    assert np.allclose(other.shadow_price, one.shadow_price * scale, rtol=1e-9)


def test_values_are_not_copied() -> None:
    problem = drawn("dense", 200, 10)
    before = problem.value.copy()

    solve_auction(problem)

    assert problem.value.dtype == np.float32
    assert (problem.value == before).all()


def test_the_same_batch_has_the_same_plan() -> None:
    problem = drawn("segments", 500, 20)

    plans = [solve_auction(problem).plan.rep_of for _ in range(2)]

    assert (plans[0] == plans[1]).all()
