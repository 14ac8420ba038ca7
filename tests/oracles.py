"""Independent answers to small problems: by HiGHS, and by trying everything."""

import itertools

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from optimizer.network import Limits
from optimizer.problem import UNASSIGNED, BoolArray, FloatArray, IntArray, Problem


def best_by_highs(problem: Problem, limits: Limits | None = None) -> float | None:
    """Value of the best plan by HiGHS; None when there is no plan."""
    limits = limits or Limits.of(problem)
    lead, rep = np.nonzero(problem.eligible)
    if len(lead) == 0:
        return 0.0 if _nothing_is_allowed(limits) else None
    rows = [
        LinearConstraint(_rows_of(lead, problem.n_leads), 0, 1),
        LinearConstraint(_rows_of(rep, problem.n_reps), limits.low, limits.high),
    ]
    if limits.groups is not None:
        of_group = _rows_of(limits.groups.of_rep[rep], limits.n_groups)
        rows.append(LinearConstraint(of_group, limits.groups.low, limits.groups.high))
    if limits.n_given is not None:
        row = np.ones((1, len(lead)))
        rows.append(LinearConstraint(row, limits.n_given, limits.n_given))
    answer = milp(
        -problem.value[lead, rep].astype(np.float64),
        constraints=rows,
        integrality=np.ones(len(lead), np.int64),
        bounds=Bounds(0, 1),
    )
    return None if answer.x is None else -float(answer.fun)


def all_plans(problem: Problem) -> IntArray:
    """Every ``rep_of`` that breaks no hard constraint; int64 (n_plans, n_leads)."""
    choices = range(UNASSIGNED, problem.n_reps)
    plans = np.array(list(itertools.product(choices, repeat=problem.n_leads)), np.int64)
    plans = plans.reshape((problem.n_reps + 1) ** problem.n_leads, problem.n_leads)
    kept = _eligible(problem, plans).all(axis=1)
    for rep in range(problem.n_reps):
        load = (plans == rep).sum(axis=1)
        kept &= (load >= problem.floor[rep]) & (load <= problem.capacity[rep])
    return plans[kept]


def values_of(problem: Problem, plans: IntArray) -> FloatArray:
    """Value of each plan; float64 (n_plans,)."""
    worth = np.zeros(len(plans))
    for lead in range(problem.n_leads):
        given = plans[:, lead] != UNASSIGNED
        worth[given] += problem.value[lead, plans[given, lead]]
    return worth


def _eligible(problem: Problem, plans: IntArray) -> BoolArray:
    leads = np.arange(problem.n_leads)
    if problem.n_reps == 0:
        return np.ones(plans.shape, np.bool_)
    return np.asarray((plans == UNASSIGNED) | problem.eligible[leads, plans])


def _rows_of(index: IntArray, n_rows: int) -> FloatArray:
    return np.asarray(index == np.arange(n_rows)[:, None], np.float64)


def _nothing_is_allowed(limits: Limits) -> bool:
    groups_allow = limits.groups is None or not limits.groups.low.any()
    return not limits.low.any() and groups_allow and not limits.n_given
