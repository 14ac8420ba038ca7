"""Fair shares with proof: bands on load, quality and groups; the dial; the curve.

Bands on leads, of reps and of groups, keep the problem a network: the answer is exact.
Bands on quality do not: there the answer is a bound, a plan and the gap between them.

The dial goes from the best plan within the bands (0) to load shares as near to the
weights as eligibility allows (1), without leaving more leads. Its measure is the
spread, the largest distance of a load share from its weight; it never rises with the
dial.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from optimizer.collisions import quality_collision
from optimizer.dial import Answer, OutsideBands, Planner
from optimizer.loosening import quality_remedies
from optimizer.network import Limits
from optimizer.problem import BoolArray, FloatArray, IntArray, Plan, Problem
from optimizer.shares import (
    OUTSIDE,
    Fairness,
    limits_of,
    quality_band_of,
    quality_of,
)
from optimizer.verify import gap, loads, total_value
from rightrep.errors import InvalidInput

__all__ = [
    "FairPlan",
    "Fairness",
    "TradePoint",
    "broken_bands",
    "solve_fair",
    "tradeoff",
]


@dataclass(frozen=True, eq=False)
class FairPlan:
    """A plan within fairness limits, with the proof of how good it is.

    Attributes:
        plan: What was chosen.
        shadow_price: Value lost if one open slot of the rep is taken, the limits being
            what they are; in units of value per slot; float64 (n_reps,).
        quality_price: What a rep pays per unit of quality beside that; float64
            (n_reps,), all 0 without a quality band.
        bound: Proven upper bound on the value of any plan within the same limits.
        gap: Bound minus the plan's value, over the bound; 0 up to rounding without a
            quality band.
        spread: Largest distance of a load share from its weight, over the reps who can
            be given a lead of the batch; in [0, 1].
        binding: Limits with no slack in the plan, by name: "load" bool (n_reps,),
            "group" bool (n_groups,), groups in ascending order, "quality" bool
            (n_reps,); the last two only with a band.
    """

    plan: Plan
    shadow_price: FloatArray
    quality_price: FloatArray
    bound: float
    gap: float
    spread: float
    binding: Mapping[str, BoolArray]


class TradePoint(NamedTuple):
    """One point of the curve of value against spread.

    Attributes:
        dial: Where the dial stood, in [0, 1].
        value: Expected value of the plan.
        spread: Largest distance of a load share from its weight, in [0, 1].
        bound: Proven upper bound on the value there.
    """

    dial: float
    value: float
    spread: float
    bound: float


def solve_fair(problem: Problem, fairness: Fairness) -> FairPlan:
    """The most valuable plan within fairness limits.

    Exact on load and group bands and on the dial, up to rounding values to whole units
    (``optimizer.network``). With a quality band nothing is claimed to be exact: bound
    and gap say how near the plan is. Neither the dial nor a quality band leaves more
    leads unassigned than the bands on leads do.

    Raises:
        InfeasiblePlan: The limits collide; it says which, and what to loosen.
        InvalidInput: A quality band without quality, a group band without groups.
        SolverStopped: No whole plan within the quality band was found in time.
    """
    planner = Planner(problem, fairness)
    return _report(planner, _at(planner, fairness.dial))


def tradeoff(
    problem: Problem,
    points: int = 11,
    fairness: Fairness | None = None,
    *,
    report: Callable[[float], None] = lambda _share: None,
) -> list[TradePoint]:
    """Value against spread, from dial 0 to dial 1 in equal steps.

    Args:
        problem: The batch.
        points: Points of the curve, at least 2.
        fairness: Bands that hold all along; its own dial is not looked at.
        report: Told after each point which share of them is done.

    Raises:
        InfeasiblePlan: The limits collide.
        InvalidInput: Fewer than 2 points, or as ``solve_fair``.
        SolverStopped: As ``solve_fair``.
    """
    if points < 2:
        raise InvalidInput("A curve has at least 2 points.", field="points")
    planner = Planner(problem, fairness or Fairness())
    curve = []
    for dial in np.linspace(0.0, 1.0, points).tolist():
        fair = _report(planner, _at(planner, dial))
        value = total_value(problem, fair.plan)
        curve.append(TradePoint(dial, value, fair.spread, fair.bound))
        report(len(curve) / points)
    return curve


def broken_bands(problem: Problem, fairness: Fairness, plan: Plan) -> list[str]:
    """Every limit on leads or quality the plan breaks, as sentences.

    Floors and capacity are among them; the dial is no limit.

    Raises:
        InvalidInput: A quality band without quality, a group band without groups.
    """
    limits, load = limits_of(problem, fairness), loads(problem, plan)
    found = _outside("Rep", load, limits.low, limits.high)
    if limits.groups is not None:
        of_group = np.zeros(limits.n_groups, np.int64)
        np.add.at(of_group, limits.groups.of_rep, load)
        found += _outside("Group", of_group, limits.groups.low, limits.groups.high)
    band = quality_band_of(problem, fairness)
    if band is None:
        return found
    excess = band.excess(quality_of(problem), plan.rep_of)
    return found + [
        f"Rep {rep} has {abs(excess[rep]):g} leads' quality too "
        f"{'much' if excess[rep] > 0 else 'little'}."
        for rep in np.flatnonzero(np.abs(excess) > OUTSIDE)
    ]


def _outside(what: str, load: IntArray, low: IntArray, high: IntArray) -> list[str]:
    return [
        f"{what} {k} got {load[k]} leads, not {low[k]} to {high[k]}."
        for k in np.flatnonzero((load < low) | (load > high))
    ]


def _at(planner: Planner, dial: float) -> Answer:
    try:
        return planner.at(dial)
    except OutsideBands as found:
        if dial > 0.0:
            remedies = [f"Turn the dial down from {dial:g}."]
        else:
            remedies = list(quality_remedies(planner, found.proof))
        raise quality_collision(
            planner.shares, planner.fairness, found.given, remedies
        ) from found


def _report(planner: Planner, answer: Answer) -> FairPlan:
    plan = Plan.certain(answer.rep_of)
    return FairPlan(
        plan=plan,
        shadow_price=answer.prices.rep,
        quality_price=answer.quality_price,
        bound=answer.bound,
        gap=gap(planner.problem, plan, answer.bound),
        spread=planner.shares.spread(answer.load),
        binding=_binding(planner, answer),
    )


def _binding(planner: Planner, answer: Answer) -> dict[str, BoolArray]:
    limits, load, own = answer.limits, answer.load, Limits.of(planner.problem)
    low = (load == limits.low) & (limits.low > own.low)
    high = (load == limits.high) & (limits.high < own.high)
    binding = {"load": low | high}
    groups = limits.groups
    if groups is not None:
        of_group = np.bincount(groups.of_rep, load, limits.n_groups)
        binding["group"] = (of_group == groups.low) | (of_group == groups.high)
    if answer.quality_binds is not None:
        binding["quality"] = answer.quality_binds
    return binding
