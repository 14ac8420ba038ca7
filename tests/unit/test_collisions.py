"""What a manager reads when limits cannot be kept together."""

import numpy as np
import pytest
from hypothesis import given

from optimizer.collisions import shortage
from optimizer.fairness import Fairness, solve_fair
from optimizer.network import Pairs
from optimizer.problem import Problem
from optimizer.shares import limits_of
from rightrep.errors import InfeasiblePlan, InvalidInput
from tests.oracles import best_by_highs
from tests.property.test_fairness import Case, cases


def batch(**fields: object) -> Problem:
    """Six leads worth 1 to each of three reps, two slots each."""
    given_fields: dict[str, object] = {
        "value": np.ones((6, 3)),
        "eligible": np.ones((6, 3), np.bool_),
        "capacity": np.array([2, 2, 2]),
        "floor": np.zeros(3, np.int64),
        "group": np.array([0, 0, 1]),
        "quality": np.array([0.9, 0.9, 0.1, 0.1, 0.1, 0.1]),
    }
    return Problem(**{**given_fields, **fields})  # type: ignore[arg-type]


def refusal(problem: Problem, fairness: Fairness) -> InfeasiblePlan:
    with pytest.raises(InfeasiblePlan) as caught:
        solve_fair(problem, fairness)
    return caught.value


def test_a_band_that_needs_more_eligible_leads_says_how_wide_it_has_to_be() -> None:
    """Rep 0 may take one lead and is owed two by a band of 0."""
    eligible = np.ones((6, 3), np.bool_)
    eligible[1:, 0] = False
    problem = batch(eligible=eligible, capacity=np.array([6, 6, 6]))

    refused = refusal(problem, Fairness(load_band=0.0))

    assert str(refused) == (
        "Floors and bands owe 2 leads to rep 0, who can be given 1 at most. "
        "Widen the load band from 0 to 0.01: the best plan is then worth 6. "
        "Make more leads eligible for these reps, or wait for more."
    )
    assert (refused.owed, refused.reachable, refused.reps) == (2, 1, (0,))
    solve_fair(problem, Fairness(load_band=0.01))


def test_a_floor_above_a_band_names_both_ways_out() -> None:
    problem = batch(floor=np.array([2, 0, 0]), load=np.array([2, 0, 0]))

    refused = refusal(problem, Fairness(load_band=0.0))

    assert refused.reps == (0,)
    assert "Widen the load band from 0 to" in str(refused)
    assert "Lower the floors by 1 leads or more" in str(refused)


def test_floors_of_a_group_above_its_band_name_its_reps() -> None:
    problem = batch(floor=np.array([2, 2, 0]), weight=np.array([1.0, 1.0, 6.0]))

    refused = refusal(problem, Fairness(group_band=0.0))

    assert refused.reps == (0, 1)
    assert (refused.owed, refused.reachable) == (4, 2)


def test_a_group_whose_reps_have_too_few_slots_is_named_by_its_reps() -> None:
    problem = batch(capacity=np.array([3, 3, 1]), weight=np.array([1.0, 1.0, 8.0]))

    refused = refusal(problem, Fairness(group_band=0.0))

    assert refused.reps == (2,)
    assert (refused.owed, refused.reachable) == (4, 1)


def test_a_quality_band_that_no_plan_keeps_says_how_wide_it_has_to_be() -> None:
    """Two of six leads are good, so one of three reps must go without."""
    problem = batch()

    refused = refusal(problem, Fairness(quality_band=0.2))

    assert "no plan keeps every quality share within 0.2" in str(refused)
    width = float(refused.remedies[0].rstrip(",").split()[-1])
    solve_fair(problem, Fairness(quality_band=width))


def test_bands_ask_for_the_columns_they_need() -> None:
    with pytest.raises(InvalidInput, match="quality"):
        solve_fair(batch(quality=None), Fairness(quality_band=0.1))
    with pytest.raises(InvalidInput, match="group"):
        solve_fair(batch(group=None), Fairness(group_band=0.1))


@given(case=cases())
def test_a_shortage_is_found_just_when_another_solver_finds_no_plan(case: Case) -> None:
    limits = limits_of(case.problem, case.fairness)

    found = shortage(Pairs(case.problem), limits)

    assert (found.missing == 0) == (best_by_highs(case.problem, limits) is not None)


@given(case=cases())
def test_a_refusal_names_reps_who_are_owed_more_than_can_reach_them(case: Case) -> None:
    limits = limits_of(case.problem, case.fairness)
    found = shortage(Pairs(case.problem), limits)

    assert (len(found.reps) > 0) == (found.missing > 0)
    assert found.owed >= found.missing
