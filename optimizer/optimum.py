"""The best plan of all, with its prices and its proof."""

from optimizer.problem import PricedPlan, Problem
from optimizer.transport import solve_transport


def solve(problem: Problem) -> PricedPlan:
    """Share the leads for the most expected value; the one place that picks a solver.

    Raises:
        InfeasiblePlan: The load floors owe more than their reps can be given.
    """
    return solve_transport(problem)
