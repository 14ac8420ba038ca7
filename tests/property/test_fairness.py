"""Fair plans, held to every plan there is on small problems."""

import dataclasses
import itertools
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from optimizer.fairness import Fairness, broken_bands, solve_fair, tradeoff
from optimizer.problem import UNASSIGNED, FloatArray, IntArray, Plan, Problem
from optimizer.shares import Shares
from optimizer.verify import loads, total_value, violations
from rightrep.errors import InfeasiblePlan
from tests.oracles import all_plans, values_of
from tests.strategies_problem import counts, problems, weights, with_changes

WIDTHS = st.none() | st.sampled_from([0.0, 0.1, 0.3, 0.5, 1.0, 2.0])
MOST = 0.9
"""Part of the pairs that may be."""
DIALS = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.7, 0.9, 1.0])


class Case(NamedTuple):
    problem: Problem
    fairness: Fairness


@st.composite
def with_room(draw: st.DrawFn) -> Problem:
    """One whose best plan is uneven: slots abound, and some reps are better.

    Most of the smallest examples leave nothing to choose.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_leads, n_reps = draw(st.integers(3, 4)), draw(st.integers(2, 3))
    value = rng.random((n_leads, n_reps)) + 2.0 * rng.random(n_reps)
    return Problem(
        np.round(value, draw(st.sampled_from([0, 9]))),
        rng.random((n_leads, n_reps)) < MOST,
        rng.integers(n_leads - 1, n_leads + 1, n_reps),
        np.zeros(n_reps, np.int64),
        load=draw(st.none() | counts(n_reps)),
        weight=draw(st.none() | weights(n_reps)),
        seed=draw(st.integers(0, 2**32 - 1)),
    )


@st.composite
def cases(
    draw: st.DrawFn, *, quality: bool = False, bands: bool = True, room: bool = False
) -> Case:
    """A small problem with groups, qualities and, if asked, bands and room."""
    any_problem = problems(floors=True, max_leads=4) | with_room()
    problem = draw(with_room() if room else any_problem)
    grades = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9])
    problem = with_changes(
        problem,
        group=draw(hnp.arrays(np.int64, problem.n_reps, elements=st.integers(0, 2))),
        quality=draw(hnp.arrays(np.float64, problem.n_leads, elements=grades)),
    )
    width = st.sampled_from([0.1, 0.5, 1.0, 2.0]) if quality else st.none()
    if not bands:
        return Case(problem, Fairness())
    return Case(problem, Fairness(draw(WIDTHS), draw(width), draw(WIDTHS)))


def plans_within(case: Case) -> IntArray:
    """Every plan that breaks neither a hard constraint nor a band.

    With a quality band only those that give as many leads as the best plan without.
    """
    plans = all_plans(case.problem)
    if case.fairness.quality_band is not None:
        bands = dataclasses.replace(case.fairness, quality_band=None)
        within = plans_within(Case(case.problem, bands))
        if len(within) == 0:
            return within
        free = solve_fair(case.problem, bands).plan
        n_given = (free.rep_of != UNASSIGNED).sum()
        plans = plans[(plans != UNASSIGNED).sum(axis=1) == n_given]
    kept = [
        not broken_bands(case.problem, case.fairness, Plan.certain(plan))
        for plan in plans
    ]
    return plans[np.array(kept, np.bool_)]


def at(case: Case, dial: float) -> Case:
    return Case(case.problem, dataclasses.replace(case.fairness, dial=dial))


def tolerance(problem: Problem) -> float:
    return 1e-9 * float(np.abs(problem.value).max(initial=0.0)) + 1e-12


def spreads_of(problem: Problem, plans: IntArray) -> FloatArray:
    shares = Shares.of(problem)
    return np.array(
        [shares.spread(loads(problem, Plan.certain(plan))) for plan in plans]
    )


@given(case=cases())
def test_bands_on_load_and_groups_cost_no_more_than_they_must(case: Case) -> None:
    plans = plans_within(case)
    assume(len(plans) > 0)

    fair = solve_fair(case.problem, case.fairness)

    best = values_of(case.problem, plans).max()
    near = tolerance(case.problem)
    assert total_value(case.problem, fair.plan) == pytest.approx(best, abs=near)
    assert fair.bound == pytest.approx(best, abs=near)


@given(case=cases() | cases(quality=True), dial=DIALS)
@settings(max_examples=200)
def test_a_fair_plan_keeps_every_limit(case: Case, dial: float) -> None:
    try:
        fair = solve_fair(case.problem, at(case, dial).fairness)
    except InfeasiblePlan:
        assume(False)

    assert violations(case.problem, fair.plan) == []
    assert broken_bands(case.problem, case.fairness, fair.plan) == []


@given(case=cases() | cases(quality=True))
@settings(max_examples=200)
def test_limits_are_refused_only_when_no_plan_keeps_them(case: Case) -> None:
    plans = plans_within(case)

    if len(plans):
        solve_fair(case.problem, case.fairness)
    else:
        with pytest.raises(InfeasiblePlan):
            solve_fair(case.problem, case.fairness)


@given(case=cases(quality=True))
def test_no_plan_within_a_quality_band_exceeds_the_bound(case: Case) -> None:
    plans = plans_within(case)
    assume(len(plans) > 0)
    best = values_of(case.problem, plans).max()

    fair = solve_fair(case.problem, case.fairness)

    size = float(np.abs(case.problem.value).max(initial=0.0))
    value = total_value(case.problem, fair.plan)
    assert fair.bound >= best - 1e-6 * size
    assert value >= best - 1e-4 * size
    assert value <= best + 1e-9 * size


@given(case=cases() | cases(quality=True), dials=st.tuples(DIALS, DIALS))
@settings(max_examples=300)
def test_raising_the_dial_never_widens_the_spread(
    case: Case, dials: tuple[float, float]
) -> None:
    low, high = sorted(dials)
    try:
        before = solve_fair(case.problem, at(case, low).fairness)
        after = solve_fair(case.problem, at(case, high).fairness)
    except InfeasiblePlan:
        assume(False)

    assert after.spread <= before.spread + 1e-9


@given(case=cases())
def test_all_the_way_up_shares_are_as_near_to_the_weights_as_can_be(
    case: Case,
) -> None:
    plans = plans_within(case)
    assume(len(plans) > 0)
    free = solve_fair(case.problem, case.fairness)
    n_given = (free.plan.rep_of != UNASSIGNED).sum()
    plans = plans[(plans != UNASSIGNED).sum(axis=1) == n_given]

    fair = solve_fair(case.problem, at(case, 1.0).fairness)

    assert fair.spread == pytest.approx(spreads_of(case.problem, plans).min())


@given(
    case=cases(bands=False, room=True) | cases(room=True) | cases(),
    part=st.sampled_from([0.0, 0.2, 0.5, 0.9]),
)
@settings(max_examples=200)
def test_the_dial_costs_no_more_value_than_it_must(case: Case, part: float) -> None:
    """Of all plans that give as many leads and stray no further, the best."""
    plans = plans_within(case)
    assume(len(plans) > 0)
    free = solve_fair(case.problem, case.fairness)
    plans = plans[
        (plans != UNASSIGNED).sum(axis=1) == (free.plan.rep_of != UNASSIGNED).sum()
    ]
    spread = spreads_of(case.problem, plans)
    dial = part * (1.0 - spread.min() / free.spread) if free.spread > 0 else part
    allowed = (1.0 - dial) * free.spread

    fair = solve_fair(case.problem, at(case, dial).fairness)

    best = values_of(case.problem, plans[spread <= allowed + 1e-9]).max()
    near = tolerance(case.problem)
    assert total_value(case.problem, fair.plan) == pytest.approx(best, abs=near)
    assert fair.bound == pytest.approx(best, abs=near)


@given(case=cases())
def test_the_dial_never_leaves_more_leads(case: Case) -> None:
    try:
        free = solve_fair(case.problem, case.fairness)
    except InfeasiblePlan:
        assume(False)
    fair = solve_fair(case.problem, at(case, 1.0).fairness)

    assert (fair.plan.rep_of >= 0).sum() == (free.plan.rep_of >= 0).sum()


@given(case=cases())
def test_along_the_curve_value_and_spread_never_rise(case: Case) -> None:
    try:
        curve = tradeoff(case.problem, 6, case.fairness)
    except InfeasiblePlan:
        assume(False)

    assert [point.dial for point in curve] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    for before, after in itertools.pairwise(curve):
        assert after.value <= before.value + tolerance(case.problem)
        assert after.spread <= before.spread + 1e-9


@given(case=cases() | cases(quality=True), dial=DIALS)
def test_the_same_batch_gives_the_same_fair_plan(case: Case, dial: float) -> None:
    try:
        once = solve_fair(case.problem, at(case, dial).fairness)
    except InfeasiblePlan:
        assume(False)
    again = solve_fair(case.problem, at(case, dial).fairness)

    assert once.plan.rep_of.tolist() == again.plan.rep_of.tolist()
    assert once.spread == again.spread
