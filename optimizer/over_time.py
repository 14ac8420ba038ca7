"""What a batch takes over from the days before it, and leaves to the next one.

Fairness is a matter of weeks, and a batch sees one day, or one lead. So the days before
come in as arrays: what a weighted share still owes each rep, and how far a rep who
joined or came back is lifted to the level of the group.
"""

from dataclasses import replace

import numpy as np

from optimizer.problem import (
    UNASSIGNED,
    BoolArray,
    FloatArray,
    IntArray,
    Plan,
    Problem,
)


def head_start(load: IntArray, weight: FloatArray, settled: FloatArray) -> IntArray:
    """Leads to count on top of the load of reps who joined or came back.

    Without it "least loaded" would flood them until they hold as many leads as the
    others, and a penalty that never ends would starve them. They start at the mean of
    the settled reps, and what is added shrinks evenly until they are settled too.

    Args:
        load: Open leads of each rep; int64 (n_reps,).
        weight: Wanted load relative to others; float64 (n_reps,), positive.
        settled: How far each rep has settled in, 0 on the first day back to 1;
            float64 (n_reps,).

    Returns:
        int64 (n_reps,), >= 0; 0 for settled reps, and for all where nobody is settled.
    """
    old = settled >= 1
    if not old.any():
        return np.zeros(load.size, dtype=np.int64)
    group = load[old].sum() / weight[old].sum()
    missing = np.maximum(group * weight - load, 0.0) * (1 - np.clip(settled, 0, 1))
    return np.asarray(np.rint(missing), dtype=np.int64)


def credit_over_days(
    given: IntArray, present: BoolArray, weight: FloatArray
) -> FloatArray:
    """Leads each rep is behind a share as the weights, over the days of a cycle.

    The leads of a day are owed to who was there that day: a rep on leave is owed none
    of them, nor is one who had not joined, so nobody comes back to a backlog.

    Args:
        given: Leads each rep was given each day; int64 (n_reps, n_days).
        present: Whether the rep took leads that day; bool (n_reps, n_days).
        weight: Wanted load relative to others; float64 (n_reps,), positive.

    Returns:
        float64 (n_reps,); their sum is 0 where somebody was there every day.
    """
    there = present | (given > 0)
    wanted = np.where(there, weight[:, None], 0.0)
    total = wanted.sum(axis=0)
    share = np.divide(wanted, total, out=np.zeros_like(wanted), where=total > 0)
    return np.asarray((share * given.sum(axis=0) - given).sum(axis=1))


def left_over(problem: Problem, plan: Plan) -> Problem:
    """The same batch after a plan for some of its leads was carried out.

    Its leads are eligible for nobody, and what each rep was given is off the slots and
    the floor and on the load; who was given leads waits behind everybody else.

    Args:
        problem: The whole batch.
        plan: Reps of some leads; the others are unassigned.
    """
    settled = plan.rep_of != UNASSIGNED
    reps = plan.rep_of[settled]
    given = np.bincount(reps, minlength=problem.n_reps)
    waited = np.zeros(problem.n_reps) if problem.waited is None else problem.waited
    last = np.zeros(problem.n_reps)
    last[reps] = np.arange(1, reps.size + 1)
    return replace(
        problem,
        eligible=problem.eligible & ~settled[:, None],
        capacity=problem.capacity - given,
        floor=np.maximum(problem.floor - given, 0),
        load=given if problem.load is None else problem.load + given,
        waited=np.where(last > 0, min(0.0, waited.min(initial=0.0)) - last, waited),
        credit=None if problem.credit is None else problem.credit - given,
    )


def keep_previous(problem: Problem) -> Plan:
    """Leads of returning customers to the rep who served them, in order of arrival.

    A lead whose rep may not take it, or has no slot left, stays unassigned, as does one
    of a new customer.
    """
    rep_of = np.full(problem.n_leads, UNASSIGNED, dtype=np.int64)
    if problem.previous_rep is None:
        return Plan.certain(rep_of)
    previous = problem.previous_rep
    known = np.flatnonzero(previous != UNASSIGNED)
    known = known[problem.eligible[known, previous[known]]]
    order = known[np.argsort(previous[known], kind="stable")]
    reps, first, count = np.unique(
        previous[order], return_index=True, return_counts=True
    )
    place = np.arange(order.size) - np.repeat(first, count)
    kept = order[place < np.repeat(problem.capacity[reps], count)]
    rep_of[kept] = previous[kept]
    return Plan.certain(rep_of)
