"""Fair plans of batches too large to try everything."""

import dataclasses
import re

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from optimizer import loosening
from optimizer.fairness import (
    Fairness,
    FairPlan,
    TradePoint,
    broken_bands,
    solve_fair,
    tradeoff,
)
from optimizer.problem import Plan, Problem
from optimizer.quality import relax
from optimizer.quality_model import QualityModel
from optimizer.shares import limits_of, quality_band_of, quality_of
from optimizer.transport import solve_transport
from optimizer.verify import loads, total_value, violations
from rightrep.errors import InfeasiblePlan, InvalidInput
from tests.strategies_problem import with_changes

WIDEN = r"Widen the (\w+) band from [\d.]+ to ([\d.]+): .* worth ([\d,]+)\."
BANDS = Fairness(load_band=0.3, quality_band=0.3, group_band=0.2)


def market(n_leads: int = 240, n_reps: int = 12, *, slots: float = 1.5) -> Problem:
    """Good reps and bad ones, good leads and bad ones, most pairs eligible."""
    rng = np.random.default_rng(5)
    quality = rng.beta(2, 8, n_leads)
    skill = rng.normal(0, 0.6, n_reps)
    fit = rng.normal(0, 0.4, (n_leads, n_reps))
    odds = np.log(quality / (1 - quality))[:, None] + skill + fit
    worth = np.exp(rng.normal(8, 1, n_leads))[:, None] / (1 + np.exp(-odds))
    weight = rng.choice([0.5, 1.0, 1.5], n_reps)
    capacity = np.ceil(slots * n_leads / n_reps * weight / weight.mean())
    return Problem(
        worth,
        rng.random((n_leads, n_reps)) < 0.8,
        capacity.astype(np.int64),
        np.zeros(n_reps, np.int64),
        weight=weight,
        group=rng.integers(0, 3, n_reps),
        quality=quality,
    )


def quality_shares(problem: Problem, plan: Plan) -> np.ndarray:
    quality = quality_of(problem)
    given = plan.rep_of >= 0
    of_rep = np.bincount(plan.rep_of[given], quality[given], problem.n_reps)
    return np.asarray(of_rep / of_rep.sum())


@pytest.mark.parametrize("slots", [0.6, 1.0, 1.5])
def test_all_bands_together_cost_little_and_say_how_little(slots: float) -> None:
    problem = market(slots=slots)

    fair = solve_fair(problem, BANDS)

    assert violations(problem, fair.plan) == []
    assert broken_bands(problem, BANDS, fair.plan) == []
    assert 0 <= fair.gap < 0.02
    assert total_value(problem, fair.plan) <= fair.bound


def test_a_quality_band_keeps_every_rep_off_the_leftovers() -> None:
    problem = market()
    wanted = problem.weight / problem.weight.sum()  # type: ignore[union-attr]

    free = solve_fair(problem, Fairness())
    fair = solve_fair(problem, Fairness(quality_band=0.3))

    assert (quality_shares(problem, free.plan) / wanted).min() < 0.5
    kept = quality_shares(problem, fair.plan) / wanted
    assert kept.min() >= 0.7 - 1e-6
    assert kept.max() <= 1.3 + 1e-6


def test_the_relaxation_is_that_of_all_pairs() -> None:
    """Solved over few pairs and priced against all, it ends where HiGHS ends."""
    problem = market()
    limits, band = limits_of(problem, BANDS), quality_band_of(problem, BANDS)
    assert band is not None
    few = np.zeros_like(problem.eligible)
    start = solve_fair(problem, Fairness(load_band=0.3, group_band=0.2)).plan.rep_of
    few[np.arange(problem.n_leads), start] = True

    relaxed = relax(problem, limits, band, few)

    model = QualityModel(problem, limits, band, problem.eligible)
    n_apart = 2 * problem.n_reps
    everything = milp(
        np.concatenate([-model.value, np.zeros(1 + n_apart)]),
        constraints=[
            LinearConstraint(model.at_most, -np.inf, model.most),
            LinearConstraint(model.exactly, model.right, model.right),
        ],
        bounds=Bounds(0, np.repeat([np.inf, 0], [len(model.value) + 1, n_apart])),
    )
    assert everything.fun is not None
    best = -everything.fun * model.size
    assert best * (1 - 1e-9) <= relaxed.bound <= best * (1 + 1e-4)


def test_without_bands_a_fair_plan_is_the_optimum() -> None:
    problem = market()
    priced = solve_transport(problem)

    fair = solve_fair(problem, Fairness())

    assert total_value(problem, fair.plan) == total_value(problem, priced.plan)
    assert fair.shadow_price == pytest.approx(priced.shadow_price)
    assert not fair.quality_price.any()
    assert not fair.binding["load"].any()


def test_all_the_way_up_every_rep_has_its_share() -> None:
    problem = market()

    fair = solve_fair(problem, Fairness(dial=1.0))

    target = problem.n_leads * problem.weight / problem.weight.sum()  # type: ignore[operator, union-attr]
    assert np.abs(loads(problem, fair.plan) - target).max() < 1


def test_a_rep_few_leads_suit_does_not_hold_up_everybody_else() -> None:
    """One rep can take one lead of 240; the others still share alike."""
    problem = market()
    eligible = problem.eligible.copy()
    eligible[1:, 0] = False
    eligible[0, 0] = True
    problem = with_changes(
        problem, eligible=eligible, weight=np.ones(12), capacity=np.full(12, 240)
    )

    fair = solve_fair(problem, Fairness(dial=1.0))

    load = loads(problem, fair.plan)
    assert load[0] == 1
    assert load[1:].max() - load[1:].min() <= 1


@pytest.mark.parametrize("bands", [Fairness(), BANDS], ids=["dial alone", "all bands"])
def test_along_the_curve_the_spread_falls_and_value_pays_for_it(
    bands: Fairness,
) -> None:
    curve = tradeoff(market(), 6, bands)

    spread = [point.spread for point in curve]
    assert spread == sorted(spread, reverse=True)
    assert spread[-1] < 0.1 * spread[0] + 1e-3
    for point in curve:
        assert point.value <= point.bound * (1 + 1e-12)
        assert point.value >= 0.98 * point.bound
    assert curve[0].bound > curve[-1].bound


def test_the_curve_and_a_single_plan_agree() -> None:
    problem = market()

    fair: FairPlan = solve_fair(problem, Fairness(load_band=0.5, dial=0.5))
    middle: TradePoint = tradeoff(problem, 3, Fairness(load_band=0.5))[1]

    assert middle.spread == fair.spread
    assert middle.bound == pytest.approx(fair.bound)


def test_where_everybody_is_worth_the_same_fairness_is_free() -> None:
    """Every plan is optimal, so even at dial 0.01 the fairest one is taken."""
    problem = with_changes(market(), value=np.ones((240, 12)))

    curve = tradeoff(problem, 101)

    assert curve[1].value == curve[0].value
    assert curve[1].spread == curve[-1].spread


def test_binding_bands_are_named() -> None:
    problem = market()

    fair = solve_fair(problem, BANDS)

    limits, load = limits_of(problem, BANDS), loads(problem, fair.plan)
    at_end = (load == limits.low) | (load == limits.high)
    assert fair.binding["load"].any()
    assert not (fair.binding["load"] & ~at_end).any()
    assert fair.binding["group"].shape == (3,)
    assert fair.binding["quality"].any()


def test_broken_bands_are_said_in_sentences() -> None:
    problem = Problem(
        np.ones((4, 2)),
        np.ones((4, 2), np.bool_),
        np.array([4, 4]),
        np.array([0, 0]),
        group=np.array([0, 1]),
        quality=np.full(4, 0.5),
    )
    plan = Plan.certain(np.array([0, 0, 0, 0]))

    assert broken_bands(problem, Fairness(0.0, 0.0, 0.0), plan) == [
        "Rep 0 got 4 leads, not 2 to 2.",
        "Rep 1 got 0 leads, not 2 to 2.",
        "Group 0 got 4 leads, not 2 to 2.",
        "Group 1 got 0 leads, not 2 to 2.",
        "Rep 0 has 2 leads' quality too much.",
        "Rep 1 has 2 leads' quality too little.",
    ]


def poor_fare(n_poor: int) -> Problem:
    """Some reps may take nothing but the poorest third of the leads."""
    problem = market(n_leads=360)
    rich = quality_of(problem) > np.quantile(quality_of(problem), 1 / 3)
    eligible = problem.eligible.copy()
    eligible[rich, :n_poor] = False
    return with_changes(problem, eligible=eligible)


def test_of_quality_bands_that_collide_it_says_what_loosening_is_enough() -> None:
    problem = poor_fare(3)
    bands = Fairness(load_band=0.1, quality_band=0.1)

    with pytest.raises(InfeasiblePlan) as refused:
        solve_fair(problem, bands)

    error = refused.value
    assert set(error.reps) >= {0, 1, 2}
    widened = [re.match(WIDEN, remedy) for remedy in error.remedies]
    found = {match[1]: match for match in widened if match}
    assert "quality" in found
    for name, match in found.items():
        looser = dataclasses.replace(bands, **{f"{name}_band": float(match[2])})
        fair = solve_fair(problem, looser)
        assert f"{total_value(problem, fair.plan):,.0f}" == match[3]
        # And hardly less would have been.
        near = dataclasses.replace(bands, **{f"{name}_band": float(match[2]) - 0.03})
        with pytest.raises(InfeasiblePlan):
            solve_fair(problem, near)


def test_who_cannot_be_held_at_the_end_of_the_allowance_goes_nearer() -> None:
    """With one lead less for the first, the others are owed three and two are left."""
    eligible = np.ones((4, 3), np.bool_)
    eligible[1, [0, 2]] = False
    problem = Problem(
        np.array([[2.0, 1, 1], [2, 1, 1], [3, 1, 1], [3, 2, 1]]),
        eligible,
        np.array([4, 4, 1]),
        np.zeros(3, np.int64),
        weight=np.array([0.6, 0.7, 0.3]),
        quality=np.array([0.1, 0.5, 0.25, 0.5]),
    )

    free = solve_fair(problem, Fairness(quality_band=1.0))
    fair = solve_fair(problem, Fairness(quality_band=1.0, dial=0.1))

    assert loads(problem, free.plan).tolist() == [3, 1, 0]
    assert loads(problem, fair.plan).tolist() == [1, 2, 1]
    assert fair.spread < 0.9 * free.spread


def test_when_time_is_up_a_refusal_says_what_it_does_not_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loosening, "SECONDS", -1.0)

    with pytest.raises(InfeasiblePlan) as refused:
        solve_fair(poor_fare(3), Fairness(quality_band=0.1))

    assert refused.value.remedies[0] == (
        "Time was up before it was known whether a wider quality band is enough."
    )


def test_floors_beyond_a_group_band_are_told_before_quality_is_looked_at() -> None:
    problem = market()
    first = problem.group == 0
    problem = with_changes(problem, floor=np.where(first, problem.capacity, 0))
    bands = Fairness(quality_band=0.5, group_band=0.0)

    with pytest.raises(InfeasiblePlan) as refused:
        solve_fair(problem, bands)

    widened = re.match(
        r"Widen the (\w+) band from \S+ to (\S+):", str(refused.value.remedies[0])
    )
    assert widened is not None
    assert widened[1] == "group"
    assert "if the quality band can be kept as well" in refused.value.remedies[0]
    solve_fair(problem, dataclasses.replace(bands, group_band=float(widened[2])))


def test_a_curve_has_two_ends() -> None:
    with pytest.raises(InvalidInput, match="at least 2 points"):
        tradeoff(market(), 1)
