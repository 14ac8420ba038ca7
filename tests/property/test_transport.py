"""The exact optimum, held to two other solvers and to the theorems behind it."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from optimizer.problem import Plan, Problem
from optimizer.transport import max_kept_floors, slot_value, solve_transport
from optimizer.verify import bound, gap, loads, total_value, violations
from rightrep.errors import InfeasiblePlan
from tests.oracles import all_plans, best_by_highs, values_of
from tests.strategies_problem import counts, problems, with_changes


def near(value: float, problem: Problem) -> object:
    """Equal up to the rounding of the values to units and of their sum."""
    largest = np.abs(problem.value).max(where=problem.eligible, initial=0.0)
    return pytest.approx(value, rel=1e-9, abs=1e-9 * float(largest))


def optimum(problem: Problem) -> float:
    return total_value(problem, solve_transport(problem).plan)


@given(problem=problems(floors=True, max_leads=4))
def test_no_plan_of_all_plans_is_worth_more(problem: Problem) -> None:
    best = values_of(problem, all_plans(problem)).max()

    assert optimum(problem) == near(best, problem)


@given(problem=problems(floors=True))
def test_another_solver_finds_the_same_optimum(problem: Problem) -> None:
    best = best_by_highs(problem)

    assert best is not None
    assert optimum(problem) == pytest.approx(best, rel=1e-6, abs=1e-5)


@given(problem=problems(floors=True))
def test_the_optimum_keeps_every_hard_constraint(problem: Problem) -> None:
    assert violations(problem, solve_transport(problem).plan) == []


@given(problem=problems(floors=True))
def test_the_prices_prove_the_plan(problem: Problem) -> None:
    """Primal equals dual: the bound from the prices is the plan's value."""
    priced = solve_transport(problem)

    assert priced.bound == near(total_value(problem, priced.plan), problem)
    assert priced.bound == bound(problem, priced.shadow_price)


@given(problem=problems(floors=True), data=st.data())
def test_any_prices_bound_every_plan(problem: Problem, data: st.DataObject) -> None:
    price = data.draw(
        hnp.arrays(np.float64, problem.n_reps, elements=st.floats(-1e3, 1e6))
    )

    assert optimum(problem) <= near_above(bound(problem, price), problem)


def near_above(value: float, problem: Problem) -> float:
    return value + 1e-9 * (abs(value) + float(np.abs(problem.value).max(initial=0.0)))


@given(problem=problems(floors=True), data=st.data())
def test_a_shadow_price_is_what_a_taken_slot_costs(
    problem: Problem, data: st.DataObject
) -> None:
    """V(c) - V(c - e_j), the lead that took the slot counting toward the floor."""
    reps = np.flatnonzero(problem.capacity > 0)
    assume(len(reps) > 0)
    rep = data.draw(st.sampled_from(reps.tolist()))
    one = np.eye(problem.n_reps, dtype=np.int64)[rep]
    taken = with_changes(
        problem,
        capacity=problem.capacity - one,
        floor=np.maximum(problem.floor - one, 0),
    )

    loss = optimum(problem) - optimum(taken)

    price = solve_transport(problem).shadow_price[rep]
    assert loss == near(price, problem)


@given(problem=problems(floors=True), data=st.data())
def test_a_slot_value_is_what_one_more_slot_brings(
    problem: Problem, data: st.DataObject
) -> None:
    assume(problem.n_reps > 0)
    rep = data.draw(st.integers(0, problem.n_reps - 1))
    one = np.eye(problem.n_reps, dtype=np.int64)[rep]

    gain = optimum(with_changes(problem, capacity=problem.capacity + one))

    assert gain - optimum(problem) == near(slot_value(problem)[rep], problem)


@given(problem=problems())
def test_a_slot_added_never_brings_more_than_a_slot_taken_costs(
    problem: Problem,
) -> None:
    price = solve_transport(problem).shadow_price
    largest = float(np.abs(problem.value).max(initial=0.0))

    assert (slot_value(problem) <= price + 1e-9 * largest).all()


@given(problem=problems(floors=True))
def test_a_rep_with_open_slots_and_no_binding_floor_has_price_0(
    problem: Problem,
) -> None:
    priced = solve_transport(problem)
    load = loads(problem, priced.plan)

    free = (load < problem.capacity) & (load > problem.floor)

    assert (priced.shadow_price[free] == 0).all()


@given(problem=problems())
def test_without_floors_no_price_is_below_0(problem: Problem) -> None:
    assert (solve_transport(problem).shadow_price >= 0).all()


@given(problem=problems(floors=True))
def test_the_optimum_leaves_no_lead_that_costs_nothing_to_give(
    problem: Problem,
) -> None:
    plan = solve_transport(problem).plan
    open_slots = loads(problem, plan) < problem.capacity

    left = plan.rep_of < 0

    could = problem.eligible[left] & open_slots & (problem.value[left] >= 0)
    assert not could.any()


@given(problem=problems(floors=True), data=st.data())
def test_renumbering_reps_and_leads_leaves_the_value(
    problem: Problem, data: st.DataObject
) -> None:
    reps = np.array(data.draw(st.permutations(range(problem.n_reps))), np.int64)
    leads = np.array(data.draw(st.permutations(range(problem.n_leads))), np.int64)
    renumbered = Problem(
        problem.value[np.ix_(leads, reps)],
        problem.eligible[np.ix_(leads, reps)],
        problem.capacity[reps],
        problem.floor[reps],
        seed=problem.seed,
    )

    assert optimum(renumbered) == near(optimum(problem), problem)


@given(problem=problems(), scale=st.integers(-200, 200))
def test_the_unit_of_money_changes_no_plan(problem: Problem, scale: int) -> None:
    """Powers of two: what is scaled is exact, so the plan must be the same."""
    value = problem.value.astype(np.float64)
    scaled = with_changes(problem, value=value * 2.0**scale)

    plan = solve_transport(scaled).plan

    same = solve_transport(with_changes(problem, value=value)).plan
    assert plan.rep_of.tolist() == same.rep_of.tolist()


@given(problem=problems(), data=st.data())
def test_kept_floors_are_the_largest_part_that_can_be_kept(
    problem: Problem, data: st.DataObject
) -> None:
    owed = np.minimum(data.draw(counts(problem.n_reps)), problem.capacity)
    promised = with_changes(problem, floor=owed)

    floors = max_kept_floors(promised)

    assert (floors.kept + floors.shortfall == owed).all()
    kept = with_changes(problem, floor=floors.kept)
    assert violations(kept, solve_transport(kept).plan) == []
    most = with_changes(
        problem, value=np.ones_like(problem.value), capacity=owed, floor=owed * 0
    )
    assert floors.kept.sum() == pytest.approx(best_by_highs(most))


@given(problem=problems(), data=st.data())
def test_floors_that_cannot_be_kept_name_the_reps_who_collide(
    problem: Problem, data: st.DataObject
) -> None:
    """The named reps are owed more than all leads that one of them may take."""
    owed = np.minimum(data.draw(counts(problem.n_reps)), problem.capacity)
    promised = with_changes(problem, floor=owed)
    shortfall = int(max_kept_floors(promised).shortfall.sum())
    assume(shortfall > 0)

    with pytest.raises(InfeasiblePlan) as caught:
        solve_transport(promised)

    reps = list(caught.value.reps)
    assert caught.value.owed == owed[reps].sum()
    assert caught.value.reachable == problem.eligible[:, reps].any(axis=1).sum()
    assert caught.value.owed - caught.value.reachable == shortfall


@given(problem=problems(floors=True))
def test_the_gap_of_the_optimum_is_0(problem: Problem) -> None:
    priced = solve_transport(problem)
    assume(priced.bound > 1e-3 * np.abs(problem.value).max(initial=0.0))

    assert abs(gap(problem, priced.plan, priced.bound)) <= 1e-9


@given(problem=problems())
def test_nothing_is_drawn_by_the_optimum(problem: Problem) -> None:
    plan: Plan = solve_transport(problem).plan

    assert np.isnan(plan.propensity).all()
