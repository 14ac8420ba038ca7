"""The auction's optimum, held to the flow, to HiGHS and to its own proof."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.families import FAMILIES, drawn
from optimizer.auction import AuctionResult, solve_auction
from optimizer.optimum import solve
from optimizer.problem import UNASSIGNED, FloatArray, Problem
from optimizer.transport import solve_transport
from optimizer.verify import bound, loads, total_value, violations
from rightrep.errors import InfeasiblePlan
from tests.oracles import all_plans, best_by_highs, values_of
from tests.strategies_problem import counts, problems, with_changes

SIZES = ((1, 1), (3, 2), (20, 4), (60, 12), (100, 5), (12, 30), (200, 20), (70, 70))
"""The fifth and the seventh take their first prices from a sample."""

sizes = st.sampled_from(SIZES)
families = st.sampled_from(sorted(FAMILIES))
seeds = st.integers(0, 2**16)


@st.composite
def batches(draw: st.DrawFn) -> Problem:
    """A batch of any family and of any of the sizes."""
    n_leads, n_reps = draw(sizes)
    return drawn(draw(families), n_leads, n_reps, seed=draw(seeds))


def largest(problem: Problem) -> float:
    return float(np.abs(problem.value).max(where=problem.eligible, initial=0.0))


def near(value: float, problem: Problem) -> object:
    return pytest.approx(value, rel=1e-9, abs=1e-9 * largest(problem))


def profit(problem: Problem, price: FloatArray) -> FloatArray:
    """Best value after prices of each lead; ``-inf`` with nobody eligible."""
    worth = np.where(problem.eligible, problem.value - price, -np.inf)
    return np.asarray(worth.max(axis=1, initial=-np.inf))


def best(problem: Problem) -> AuctionResult:
    return solve_auction(problem, exact=True)


@given(problem=problems(floors=True, max_leads=4))
def test_no_plan_of_all_plans_is_worth_more(problem: Problem) -> None:
    most = values_of(problem, all_plans(problem)).max()

    assert best(problem).value == near(most, problem)


@given(problem=problems(floors=True))
def test_another_solver_finds_the_same_optimum(problem: Problem) -> None:
    most = best_by_highs(problem)

    assert most is not None
    assert best(problem).value == pytest.approx(most, rel=1e-6, abs=1e-5)


@given(problem=problems(floors=True) | batches())
def test_the_flow_finds_the_same_optimum_and_the_same_prices(problem: Problem) -> None:
    flow, auction = solve_transport(problem), best(problem)

    assert auction.value == near(total_value(problem, flow.plan), problem)
    apart = np.abs(auction.shadow_price - flow.shadow_price)
    assert apart.max(initial=0.0) <= 1e-8 * largest(problem)


@given(problem=problems(floors=True) | batches())
def test_the_plan_keeps_every_hard_constraint(problem: Problem) -> None:
    assert violations(problem, best(problem).plan) == []


@given(problem=problems(floors=True) | batches())
def test_the_prices_prove_the_plan(problem: Problem) -> None:
    """Primal equals dual, and the bound is the one that anybody can compute."""
    result = best(problem)

    assert result.proven
    assert result.bound == near(result.value, problem)
    assert result.bound == near(bound(problem, result.shadow_price), problem)
    assert result.value == total_value(problem, result.plan)


@given(problem=batches(), gap=st.sampled_from([1e-1, 1e-3, 1e-6]))
def test_a_proven_gap_holds_against_the_true_optimum(
    problem: Problem, gap: float
) -> None:
    result = solve_auction(problem, gap=gap)
    most = best(problem).value

    assert result.proven
    assert most - result.value <= gap * abs(result.bound) + 1e-9 * largest(problem)
    assert most <= result.bound + 1e-9 * largest(problem)


@given(problem=problems() | batches())
def test_a_rep_with_open_slots_and_no_binding_floor_has_price_0(
    problem: Problem,
) -> None:
    result = best(problem)
    load = loads(problem, result.plan)

    free = (load < problem.capacity) & (load > problem.floor)

    assert (result.shadow_price[free] == 0).all()


@given(problem=problems() | batches())
def test_an_unassigned_lead_could_not_profit(problem: Problem) -> None:
    result = best(problem)

    left = result.plan.rep_of == UNASSIGNED

    rounding = 1e-10 * largest(problem)
    assert (profit(problem, result.shadow_price)[left] <= rounding).all()


@given(problem=problems() | batches())
def test_without_floors_no_price_is_below_0(problem: Problem) -> None:
    free = with_changes(problem, floor=np.zeros_like(problem.floor))

    assert (best(free).shadow_price >= 0).all()


@given(problem=problems(floors=True))
def test_no_lead_is_left_that_costs_nothing_to_give(problem: Problem) -> None:
    plan = best(problem).plan
    open_slots = loads(problem, plan) < problem.capacity

    left = plan.rep_of == UNASSIGNED

    could = problem.eligible[left] & open_slots & (problem.value[left] >= 0)
    assert not could.any()


@given(problem=batches(), seed=seeds)
def test_renumbering_reps_and_leads_leaves_the_value(
    problem: Problem, seed: int
) -> None:
    lot = np.random.default_rng(seed)
    leads, reps = lot.permutation(problem.n_leads), lot.permutation(problem.n_reps)
    renumbered = Problem(
        problem.value[np.ix_(leads, reps)],
        problem.eligible[np.ix_(leads, reps)],
        problem.capacity[reps],
        problem.floor[reps],
    )

    assert best(renumbered).value == near(best(problem).value, problem)


@given(problem=problems(), owed=st.data())
def test_floors_that_cannot_be_kept_are_refused_as_the_flow_refuses_them(
    problem: Problem, owed: st.DataObject
) -> None:
    floor = np.minimum(owed.draw(counts(problem.n_reps)), problem.capacity)
    promised = with_changes(problem, floor=floor)

    assert refusal(promised, by_flow=False) == refusal(promised, by_flow=True)


def refusal(problem: Problem, *, by_flow: bool) -> str | None:
    try:
        if by_flow:
            solve_transport(problem)
        else:
            best(problem)
    except InfeasiblePlan as refused:
        return str(refused)
    return None


@given(problem=batches())
def test_values_in_double_precision_have_the_same_optimum(problem: Problem) -> None:
    double = with_changes(problem, value=problem.value.astype(np.float64))

    assert best(double).value == near(best(problem).value, problem)


@given(problem=batches())
def test_values_that_are_not_eligible_are_never_read(problem: Problem) -> None:
    spoiled = with_changes(
        problem, value=np.where(problem.eligible, problem.value, np.float32(np.nan))
    )

    assert best(spoiled).value == near(best(problem).value, problem)


@given(problem=batches())
def test_when_time_is_up_the_plan_is_valid_and_says_how_good_it_is(
    problem: Problem,
) -> None:
    no_floors = with_changes(problem, floor=np.zeros_like(problem.floor))

    result = solve_auction(no_floors, gap=0.0, time_limit=timedelta(0))

    most = best(no_floors).value
    assert violations(no_floors, result.plan) == []
    assert most <= result.bound + 1e-9 * largest(problem)
    assert result.proven == (result.gap == 0.0)


@given(problem=problems(floors=True) | batches())
def test_the_optimum_is_the_same_whoever_solves_it(problem: Problem) -> None:
    chosen = solve(problem)

    assert total_value(problem, chosen.plan) == near(best(problem).value, problem)


@given(problem=problems(floors=True) | batches(), seed=seeds)
def test_reps_numbered_by_lot_have_the_same_optimum_and_the_same_prices(
    problem: Problem, seed: int
) -> None:
    by_lot = solve_auction(with_changes(problem, seed=seed), exact=True, by_lot=True)
    as_it_is = best(problem)

    apart = np.abs(by_lot.shadow_price - as_it_is.shadow_price)
    assert violations(problem, by_lot.plan) == []
    assert by_lot.value == near(as_it_is.value, problem)
    assert apart.max(initial=0.0) <= 1e-8 * largest(problem)
