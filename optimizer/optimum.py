"""The best plan of all, with its prices and its proof."""

from optimizer.auction import solve_auction
from optimizer.problem import PricedPlan, Problem
from optimizer.transport import solve_transport

FLOW_FROM_REPS = 5_000
"""Reps from which the flow takes over: the auction keeps reps x reps losses."""


def solve(problem: Problem) -> PricedPlan:
    """Share the leads for the most expected value; the one place that picks a solver.

    Both solvers find the same optimum and the same prices. The auction is the faster
    one from a single lead to 100,000, pricing included; the flow's memory grows with
    the eligible pairs instead of the square of the reps. Where several plans are best,
    a lot from the seed decides, whichever solves.

    Raises:
        InfeasiblePlan: The load floors owe more than their reps can be given.
    """
    if problem.n_reps >= FLOW_FROM_REPS:
        return solve_transport(problem)
    return solve_auction(problem, exact=True, by_lot=True).priced()
