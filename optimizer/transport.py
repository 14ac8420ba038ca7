"""The exact optimum as a minimum cost flow, its prices, and what to do without one."""

from dataclasses import dataclass

import numpy as np
from ortools.graph.python.max_flow import SimpleMaxFlow

from optimizer.network import Limits, Pairs, share_within
from optimizer.prices import Exchange, prices_of
from optimizer.problem import BoolArray, FloatArray, IntArray, Plan, PricedPlan, Problem
from optimizer.verify import bound
from rightrep.errors import InfeasiblePlan, SolverStopped

MOST_NAMED = 5
"""Reps whom a message names; the error's ``reps`` has them all."""


@dataclass(frozen=True, eq=False)
class KeptFloors:
    """The largest part of the promised floors that can be kept.

    Attributes:
        kept: Floors that can all be kept together; int64 (n_reps,).
        shortfall: Leads promised beyond them; int64 (n_reps,).
    """

    kept: IntArray
    shortfall: IntArray


@dataclass(frozen=True, eq=False)
class _Floors:
    """A largest flow into the floors and the reps of its smallest cut."""

    kept: IntArray
    colliding: BoolArray


def solve_transport(problem: Problem) -> PricedPlan:
    """Share the leads for the most expected value, and price each rep's slots.

    OR-Tools' minimum cost flow over the eligible pairs (``optimizer.network`` states
    it). Values are rounded to whole units of the largest power of two that cannot
    overflow, so the plan is worth at most 2 n_leads units less than the best one: about
    1e-11 of the largest value for 10,000 leads x 500 reps. Of equally good plans one
    that leaves the fewest leads is chosen.

    Raises:
        InfeasiblePlan: The load floors owe more than their reps can be given.
        SolverStopped: The flow failed for a reason that is not the problem's.
    """
    limits = Limits.of(problem)
    sharing = share_within(Pairs(problem), limits)
    if sharing is None:
        raise broken_floors(problem)
    price = prices_of(problem, limits, sharing).rep
    return PricedPlan(Plan.certain(sharing.rep_of), price, bound(problem, price))


def slot_value(problem: Problem) -> FloatArray:
    """Value of one more slot of each rep, V(c + e_j) - V(c); float64 (n_reps,).

    At most the shadow price: the first slot taken away costs no less than the first one
    added brings in.

    Raises:
        InfeasiblePlan: The load floors owe more than their reps can be given.
    """
    limits = Limits.of(problem)
    sharing = share_within(Pairs(problem), limits)
    if sharing is None:
        raise broken_floors(problem)
    exchange = Exchange(problem, limits, sharing)
    units = -exchange.from_sink()[: problem.n_reps]
    gains = (exchange.load >= problem.capacity) & (units > problem.n_reps)
    return np.where(gains, units / sharing.scale, 0.0)


def max_kept_floors(problem: Problem) -> KeptFloors:
    """The most leads that the promised floors can be given, rep by rep.

    A maximum flow from the leads into the floors. ``problem`` with ``floor=kept`` is
    feasible.
    """
    kept = _flow_into_floors(problem).kept
    return KeptFloors(kept, problem.floor - kept)


def _flow_into_floors(problem: Problem) -> _Floors:
    n_leads, n_reps = problem.n_leads, problem.n_reps
    lead, rep = np.nonzero(problem.eligible & (problem.floor > 0))
    source, sink = n_leads + n_reps, n_leads + n_reps + 1
    leads, reps = np.arange(n_leads), n_leads + np.arange(n_reps)
    flow = SimpleMaxFlow()
    flow.add_arcs_with_capacity(
        np.concatenate([reps, np.full(n_leads, source), lead]).astype(np.int32),
        np.concatenate([np.full(n_reps, sink), leads, n_leads + rep]).astype(np.int32),
        # Pairs are wide, so that a smallest cut runs through leads and floors alone.
        np.concatenate(
            [problem.floor, np.ones(n_leads), np.full(len(lead), n_leads)]
        ).astype(np.int64),
    )
    status = flow.solve(source, sink)
    if status != SimpleMaxFlow.OPTIMAL:
        raise SolverStopped(f"The flow into the floors stopped with {status.name}.")
    kept = np.asarray(flow.flows(np.arange(n_reps, dtype=np.int32)), np.int64)
    cut = np.asarray(flow.get_sink_side_min_cut(), np.int64)
    colliding = np.zeros(n_reps, np.bool_)
    colliding[cut[(cut >= n_leads) & (cut < source)] - n_leads] = True
    return _Floors(kept, colliding & (problem.floor > 0))


def broken_floors(problem: Problem) -> InfeasiblePlan:
    """The reps whose floors collide: by Hall, more owed than leads they may take."""
    reps = np.flatnonzero(_flow_into_floors(problem).colliding)
    owed = int(problem.floor[reps].sum())
    reachable = int(problem.eligible[:, reps].any(axis=1).sum())
    missing = owed - reachable
    names = named(reps)
    return InfeasiblePlan(
        owed=owed,
        reachable=reachable,
        reps=reps.tolist(),
        remedies=[
            f"Lower the floors of {names} by {missing} leads in all,",
            f"or make {missing} more leads eligible for one of them,",
            f"or wait for {missing} more leads that they may take.",
        ],
    )


def named(reps: IntArray) -> str:
    """The reps in words, at most ``MOST_NAMED`` of them."""
    names = [f"rep {rep}" for rep in reps[:MOST_NAMED]]
    if len(reps) > MOST_NAMED:
        names.append(f"{len(reps) - MOST_NAMED} more")
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
