"""What a valid plan is, what it is worth, and how far from the best it can be.

This is the specification: it knows no solver. Every plan is checked here, in the tests
and again before it is saved.
"""

import numpy as np
from numpy.typing import NDArray

from optimizer.kernels import best_profit
from optimizer.problem import UNASSIGNED, FloatArray, IntArray, Plan, Problem

BLOCK_LEADS = 8192
"""Leads whose profits are held at once."""


def violations(problem: Problem, plan: Plan) -> list[str]:
    """Every hard constraint the plan breaks, as sentences; empty when valid.

    Leads and reps are named by their index. Reps out of range are reported alone: a
    plan that names them has no loads to speak of.
    """
    shape = _shape_violations(problem, plan)
    if shape:
        return shape
    return [
        *_eligibility_violations(problem, plan.rep_of),
        *_load_violations(problem, loads(problem, plan)),
        *_propensity_violations(plan),
    ]


def loads(problem: Problem, plan: Plan) -> IntArray:
    """Leads the plan gives to each rep; int64 (n_reps,)."""
    chosen = plan.rep_of[plan.rep_of != UNASSIGNED]
    return np.bincount(chosen, minlength=problem.n_reps).astype(np.int64)


def total_value(problem: Problem, plan: Plan) -> float:
    """Expected value of the plan, summed in float64."""
    leads = np.flatnonzero(plan.rep_of != UNASSIGNED)
    return float(problem.value[leads, plan.rep_of[leads]].sum(dtype=np.float64))


def bound(problem: Problem, shadow_price: FloatArray) -> float:
    """A value that no plan exceeds, whatever the prices; the better, the lower.

    Relaxing the limits on each rep's leads at price p[j] leaves every lead to choose
    for itself (weak duality), so for any plan x and any prices

        sum v x <= sum_j (c[j] max(p[j], 0) - f[j] max(-p[j], 0))
                   + sum_i max(0, max_j (v[i,j] - p[j]))

    with c open slots and f leads owed. At the optimal prices both sides are equal,
    because the transport problem has no integrality gap.

    Args:
        problem: The batch.
        shadow_price: Price of one slot, any sign; float64 (n_reps,), finite.

    Returns:
        The right-hand side, in float64.
    """
    price = np.ascontiguousarray(shadow_price, dtype=np.float64)
    slots = problem.capacity @ np.maximum(price, 0.0)
    owed = problem.floor @ np.maximum(-price, 0.0)
    return float(slots - owed + profits(problem, price))


def profits(
    problem: Problem,
    price: FloatArray,
    *,
    stay: float = 0.0,
    quality_price: FloatArray | None = None,
) -> float:
    """Sum over leads of the best value after prices, ``stay`` where that is better.

    Args:
        problem: The batch.
        price: Price of one slot; float64 (n_reps,), finite.
        stay: Profit of a lead that stays unassigned.
        quality_price: Price of a unit of the lead's quality; float64 (n_reps,), finite.
    """
    total = 0.0
    for start in range(0, problem.n_leads, BLOCK_LEADS):
        block = slice(start, start + BLOCK_LEADS)
        value = net_of_quality(problem, quality_price, block)
        profit = np.empty(value.shape[0])
        best_profit(value, problem.eligible[block], price, profit)
        total += float(np.maximum(profit, stay).sum())
    return total


def net_of_quality(
    problem: Problem, quality_price: FloatArray | None, block: slice
) -> NDArray[np.floating]:
    """Values of a block of leads after paying for their quality."""
    value = problem.value[block]
    if quality_price is None or problem.quality is None:
        return value
    return value - np.multiply.outer(problem.quality[block], quality_price)


def gap(problem: Problem, plan: Plan, bound: float) -> float:
    """Bound minus the plan's value, over the bound's size; 0 when they meet.

    Rounding can put it below 0 by some 1e-16. It is infinite for a plan that loses
    value against a bound of 0.
    """
    missing = bound - total_value(problem, plan)
    if missing == 0:
        return 0.0
    return missing / abs(bound) if bound else float(np.copysign(np.inf, missing))


def _shape_violations(problem: Problem, plan: Plan) -> list[str]:
    expected = (problem.n_leads,)
    if plan.rep_of.shape != expected or plan.propensity.shape != expected:
        n_answered = plan.rep_of.shape[0]
        return [f"The plan answers for {n_answered} of {problem.n_leads} leads."]
    outside = (plan.rep_of < UNASSIGNED) | (plan.rep_of >= problem.n_reps)
    return [
        f"Lead {lead} went to rep {plan.rep_of[lead]}, who does not exist."
        for lead in np.flatnonzero(outside)
    ]


def _eligibility_violations(problem: Problem, rep_of: IntArray) -> list[str]:
    leads = np.flatnonzero(rep_of != UNASSIGNED)
    refused = leads[~problem.eligible[leads, rep_of[leads]]]
    return [
        f"Lead {lead} went to rep {rep_of[lead]}, who is not eligible."
        for lead in refused
    ]


def _load_violations(problem: Problem, load: IntArray) -> list[str]:
    over = [
        f"Rep {rep} got {load[rep]} leads and has {problem.capacity[rep]} slots."
        for rep in np.flatnonzero(load > problem.capacity)
    ]
    under = [
        f"Rep {rep} got {load[rep]} leads and is owed {problem.floor[rep]}."
        for rep in np.flatnonzero(load < problem.floor)
    ]
    return over + under


def _propensity_violations(plan: Plan) -> list[str]:
    drawn = ~np.isnan(plan.propensity)
    possible = (plan.propensity > 0) & (plan.propensity <= 1)
    wrong = drawn & ~(possible & (plan.rep_of != UNASSIGNED))
    return [
        f"Lead {lead} has propensity {plan.propensity[lead]:g} for rep "
        f"{plan.rep_of[lead]}."
        for lead in np.flatnonzero(wrong)
    ]
