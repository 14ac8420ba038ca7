"""The optimum of a whole batch: seconds to a proven plan, family by family.

Peers get arrays that are ready: building them is timed apart and printed. OR-Tools
counts in whole numbers, so values are rounded to a millionth of the largest one, which
favours it: fewer digits are fewer phases.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from ortools.graph.python.min_cost_flow import SimpleMinCostFlow
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linear_sum_assignment, milp

from benchmarks.common import Cell, Figure, options, publish, seconds, side_by_side
from benchmarks.families import FAMILIES, drawn
from optimizer.auction import AuctionResult, solve_auction
from optimizer.problem import Problem

GAP = 1e-6
BAR = 20.0
WORST_BAR = 0.5
UNITS = 1e6
MOST_EXPANDED = 1_000_000
"""Cells of leads x slots that scipy's assignment is given at most."""
MOST_FOR_HIGHS = 10_000
"""Pairs that HiGHS is given at most."""

Row = dict[str, Cell]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure every family, and the largest batch by itself."""
    chosen = options(
        str(__doc__).splitlines()[0], argv, repetitions=3, quick_repetitions=1
    )
    size = (2_000, 100) if chosen.quick else (10_000, 500)
    large = (10_000, 500) if chosen.quick else (100_000, 1_000)
    _warm()
    rows = [measured(name, *size, chosen.repetitions) for name in FAMILIES]
    dense = next(row for row in rows if row["family"] == "dense")
    rows += [
        measured(name, 400, 20, chosen.repetitions) for name in ("dense", "sparse")
    ]
    rows.sort(key=_times)
    alone = [measured_alone(name, *large) for name in ("dense", "deal_values")]
    faster = _times(dense)
    proven = all(_gap(row) <= GAP for row in [*rows, *alone])
    worst = _times(rows[0])
    return publish(
        Figure(
            name="batch_optimum",
            value=round(faster, 2),
            bar=BAR,
            holds=faster >= BAR and worst >= WORST_BAR and proven,
            rows=[*rows, *alone],
            title="Seconds to the optimum of a batch, worst family first.",
            notes=[
                "auction: proven gap, the bound's pass over all pairs included",
                "flow: OR-Tools SimpleMinCostFlow, solve() alone; building beside it",
                "assignment: scipy linear_sum_assignment on reps expanded to slots",
                "highs: HiGHS through scipy, a linear program over the eligible pairs",
                "- : does not fit, cannot state the family, or was not run",
            ],
            extra={
                "unit": "times SimpleMinCostFlow, dense",
                "worst_family": rows[0]["family"],
                "worst": round(worst, 2),
                "worst_bar": WORST_BAR,
                "proven": proven,
            },
        ),
        quick=chosen.quick,
    )


def measured(family: str, n_leads: int, n_reps: int, repetitions: int) -> Row:
    """One line: the auction and the peers that fit, in turns."""
    problem = drawn(family, n_leads, n_reps)
    building = seconds(partial(flow_of, problem))
    flow = flow_of(problem)
    contenders: dict[str, Callable[[], object]] = {
        "auction": partial(solve_auction, problem, gap=GAP),
        "flow": flow.solve,
    }
    expanded = assignment_of(problem)
    if expanded is not None:
        contenders["assignment"] = partial(linear_sum_assignment, expanded, True)
    if problem.eligible.sum() <= MOST_FOR_HIGHS:
        contenders["highs"] = partial(highs, *program_of(problem))
    took = side_by_side(contenders, repetitions)
    row = _row(family, problem, solve_auction(problem, gap=GAP), took["auction"])
    row["flow s"] = took["flow"]
    row["faster"] = took["flow"] / took["auction"]
    row["building s"] = building
    row["assignment s"] = took.get("assignment")
    row["highs s"] = took.get("highs")
    return row


def measured_alone(family: str, n_leads: int, n_reps: int) -> Row:
    """One line without peers, who would need an arc for each of 100,000,000 pairs."""
    problem = drawn(family, n_leads, n_reps)
    results: list[AuctionResult] = []
    took = side_by_side(
        {"auction": lambda: results.append(solve_auction(problem, gap=GAP))}, 1
    )
    return _row(family, problem, results[0], took["auction"])


def _row(family: str, problem: Problem, result: AuctionResult, took: float) -> Row:
    return {
        "family": family,
        "leads x reps": f"{problem.n_leads:,} x {problem.n_reps:,}",
        "auction s": took,
        "gap": result.gap,
        "flow s": None,
        "faster": None,
        "building s": None,
        "assignment s": None,
        "highs s": None,
    }


def flow_of(problem: Problem) -> SimpleMinCostFlow:
    """The batch as a network: leads, reps, and a sink for slots and those who stay."""
    lead, rep = np.nonzero(problem.eligible)
    value = problem.value[lead, rep].astype(np.float64)
    cost = -np.rint(value * (UNITS / np.abs(value).max())).astype(np.int64)
    if not problem.floor.any():
        pays = cost < 0
        lead, rep, cost = lead[pays], rep[pays], cost[pays]
    n_leads, n_reps = problem.value.shape
    leads, reps, sink = (
        np.arange(n_leads),
        n_leads + np.arange(n_reps),
        n_leads + n_reps,
    )
    flow = SimpleMinCostFlow()
    add = flow.add_arcs_with_capacity_and_unit_cost
    add(lead, n_leads + rep, np.ones(len(lead), np.int64), cost)
    owed = -4 * int(UNITS)
    add(reps, np.full(n_reps, sink), problem.floor, np.full(n_reps, owed))
    add(
        reps,
        np.full(n_reps, sink),
        problem.capacity - problem.floor,
        np.zeros(n_reps, np.int64),
    )
    add(
        leads,
        np.full(n_leads, sink),
        np.ones(n_leads, np.int64),
        np.zeros(n_leads, np.int64),
    )
    supply = np.concatenate([np.ones(n_leads), np.zeros(n_reps), [-n_leads]])
    flow.set_nodes_supplies(np.arange(sink + 1), supply.astype(np.int64))
    return flow


def assignment_of(problem: Problem) -> np.ndarray | None:
    """Leads x slots, losses and closed pairs as 0; None where it does not fit."""
    capacity = np.minimum(problem.capacity, problem.n_leads)
    if problem.floor.any() or problem.n_leads * capacity.sum() > MOST_EXPANDED:
        return None
    paying = np.where(problem.eligible, np.maximum(problem.value, 0), 0)
    return np.repeat(paying, capacity, axis=1).astype(np.float64)


Program = tuple[np.ndarray, LinearConstraint]


def program_of(problem: Problem) -> Program:
    """The batch as a linear program over the eligible pairs: costs and limits."""
    lead, rep = np.nonzero(problem.eligible)
    pairs, ones = np.arange(len(lead)), np.ones(len(lead))
    of_lead = sparse.csr_array((ones, (lead, pairs)), (problem.n_leads, len(lead)))
    of_rep = sparse.csr_array((ones, (rep, pairs)), (problem.n_reps, len(lead)))
    low = np.concatenate([np.zeros(problem.n_leads), problem.floor])
    high = np.concatenate([np.ones(problem.n_leads), problem.capacity])
    rows = sparse.vstack([of_lead, of_rep]).tocsc()
    cost = -problem.value[lead, rep].astype(np.float64)
    return cost, LinearConstraint(rows, low, high)


def highs(cost: np.ndarray, limits: LinearConstraint) -> object:
    """Solve the linear program."""
    return milp(cost, constraints=limits, bounds=Bounds(0, 1))


def _warm() -> None:
    """Compile before anything is timed: masked and not, with floors and without."""
    for family in ("dense", "sparse", "load_floors"):
        solve_auction(drawn(family, 300, 10), gap=GAP)


def _times(row: Row) -> float:
    faster = row["faster"]
    return faster if isinstance(faster, float) else np.inf


def _gap(row: Row) -> float:
    gap = row["gap"]
    return gap if isinstance(gap, float) else np.inf


if __name__ == "__main__":
    sys.exit(main())
