"""Sharing leads within limits as a flow: stated, solved, or proved impossible.

Sets        i in leads, j in reps, g in groups; E = eligible pairs
Data        v[i,j] value; low[j] <= high[j] leads of rep j, the same of group g
Variables   x[i,j] in {0, 1}, lead i goes to rep j, for (i,j) in E
Maximize    sum of v[i,j] x[i,j] over E
Such that   once[i]   sum over j of x[i,j] <= 1
            rep[j]    low[j] <= sum over i of x[i,j] <= high[j]
            group[g]  low[g] <= sum over i and j in g of x[i,j] <= high[g]
            given     sum of x[i,j] = n_given, where that is asked

The limits are nested, so the matrix is that of a network (lead -> rep -> group -> sink)
and the optimum is in whole leads. A lower limit is a demand at its node: the flow is
told what has to arrive, and only the rest of the limit is an arc. That is exact where a
reward for keeping the limit would cost digits of the values.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from ortools.graph.python.min_cost_flow import SimpleMinCostFlow

from optimizer.problem import UNASSIGNED, BoolArray, FloatArray, IntArray, Problem
from rightrep.errors import SolverStopped

COST_BITS = 60
"""Costs times nodes stay below 2**COST_BITS: the flow counts in int64."""
COARSER_BITS = 8
"""Bits given up when the flow finds that its own sums would overflow all the same."""
MOST_BITS = 1000
"""Units of 2**-MOST_BITS are the finest: beyond, powers of two are not floats."""


@dataclass(frozen=True, eq=False)
class GroupLimits:
    """How many leads of a batch each group of reps must and may be given.

    Attributes:
        of_rep: Group of each rep; int64 (n_reps,), in [0, n_groups).
        low: Fewest leads of each group; int64 (n_groups,), >= 0.
        high: Most leads of each group; int64 (n_groups,), >= low.
    """

    of_rep: IntArray
    low: IntArray
    high: IntArray


@dataclass(frozen=True, eq=False)
class Limits:
    """How many leads of a batch each rep and each group must and may be given.

    Attributes:
        low: Fewest leads of each rep; int64 (n_reps,), >= 0.
        high: Most leads of each rep; int64 (n_reps,), >= low.
        groups: The same of groups of reps, or None.
        n_given: Leads to be given in all, or None for any number.
    """

    low: IntArray
    high: IntArray
    groups: GroupLimits | None = None
    n_given: int | None = None

    @classmethod
    def of(cls, problem: Problem) -> "Limits":
        """The problem's own: floors and capacity."""
        return cls(problem.floor, problem.capacity)

    @property
    def n_reps(self) -> int:
        """Reps who have limits: all of the batch."""
        return len(self.low)

    @property
    def n_groups(self) -> int:
        """Groups that have limits."""
        return 0 if self.groups is None else len(self.groups.low)


@dataclass(frozen=True, eq=False)
class Sharing:
    """The answer of the flow.

    Attributes:
        rep_of: Rep of each lead; int64 (n_leads,), ``UNASSIGNED`` for nobody.
        scale: Units per value, a power of two. Values were rounded to whole units, so
            the sharing is worth at most 2 n_leads / scale less than the best one.
        units: The value of the sharing in units, exact; leaving a lead costs one unit.
    """

    rep_of: IntArray
    scale: float
    units: int


class Arcs(NamedTuple):
    """Arcs as OR-Tools takes them; int32 nodes, int64 capacity and cost."""

    tail: NDArray[np.int32]
    head: NDArray[np.int32]
    capacity: IntArray
    cost: IntArray


class Pairs:
    """The eligible pairs of a batch, as arcs.

    Reps are numbered anew by a lot from the seed, so that where several plans are
    equally good no rep gains by its index.

    Args:
        problem: The batch.
        active: Pairs to use, some of the eligible ones; all of them when None.
        scale: Units per value; the finest that cannot overflow when None.
    """

    def __init__(
        self,
        problem: Problem,
        active: BoolArray | None = None,
        scale: float | None = None,
    ) -> None:
        self.n_leads, self.n_reps = problem.n_leads, problem.n_reps
        lot = np.random.default_rng(problem.seed).permutation(problem.n_reps)
        self.node_of_rep = np.empty(problem.n_reps, np.int64)
        self.node_of_rep[lot] = problem.n_leads + np.arange(problem.n_reps)
        usable = problem.eligible if active is None else active
        lead, place = np.nonzero(usable[:, lot])
        self.lead = lead.astype(np.int32)
        self.rep = lot[place]
        self.value = problem.value[lead, self.rep]
        self.scale = _finest_scale(self.value, self.n_nodes) if scale is None else scale

    @property
    def n_nodes(self) -> int:
        """Nodes of the network at most, groups counted."""
        return self.n_leads + 2 * self.n_reps + 3

    @cached_property
    def head(self) -> NDArray[np.int32]:
        """Node of each arc's rep."""
        return self.node_of_rep[self.rep].astype(np.int32)

    def units(self, scale: float) -> IntArray:
        """Values in whole units."""
        return np.rint(self.value.astype(np.float64) * scale).astype(np.int64)


def _finest_scale(value: NDArray[np.floating], n_nodes: int) -> float:
    """Units per value: the largest power of two whose costs do not overflow."""
    largest = float(np.abs(value).max(initial=0.0)) or 1.0
    bits = COST_BITS - np.log2(n_nodes) - np.log2(largest)
    return float(2.0 ** min(np.floor(bits), MOST_BITS))


def share_within(pairs: Pairs, limits: Limits) -> Sharing | None:
    """The most valuable sharing within the limits; None when there is none.

    Raises:
        SolverStopped: The flow failed for a reason that is not the limits'.
    """
    if contradict(pairs, limits):
        return None
    scale = pairs.scale
    while True:
        flow = SimpleMinCostFlow()
        _add_pairs(flow, pairs, -pairs.units(scale))
        _add_limits(flow, pairs, limits)
        status = flow.solve()
        if status != SimpleMinCostFlow.BAD_COST_RANGE or scale == 0.0:
            break
        scale = scale / 2.0**COARSER_BITS
    if not _answered(status):
        return None
    rep_of = _rep_of(flow, pairs)
    return Sharing(rep_of, scale, -int(flow.optimal_cost()))


def fairest_within(pairs: Pairs, limits: Limits, target: FloatArray) -> IntArray | None:
    """The loads within the limits that are nearest to the targets.

    They have the least sum of squares, as a flow whose arcs cost more with every lead.
    By the exchange property of flows (they are M-convex: Murota, Discrete Convex
    Analysis, 2003) no rep above its target could then hand a lead, directly or through
    others, to one who is more than one lead further below; so the largest deviation
    from a target is the least possible too.

    Args:
        pairs: Who may take what; values count for nothing.
        limits: Leads per rep and group; ``n_given`` is kept too.
        target: Wanted leads of each rep; float64 (n_reps,).

    Returns:
        Leads of each rep; int64 (n_reps,). None when the limits collide.
    """
    if contradict(pairs, limits):
        return None
    flow = SimpleMinCostFlow()
    _add_pairs(flow, pairs, np.zeros(len(pairs.lead), np.int64))
    _add_limits(flow, pairs, limits, target)
    if not _answered(flow.solve()):
        return None
    given = _rep_of(flow, pairs)
    return np.bincount(given[given != UNASSIGNED], minlength=pairs.n_reps)


def _answered(status: SimpleMinCostFlow.Status) -> bool:
    """Whether there is an answer; False when the limits have none."""
    if status not in (SimpleMinCostFlow.OPTIMAL, SimpleMinCostFlow.INFEASIBLE):
        raise SolverStopped(f"The flow stopped with {status.name}.")
    return bool(status == SimpleMinCostFlow.OPTIMAL)


def _rep_of(flow: SimpleMinCostFlow, pairs: Pairs) -> IntArray:
    chosen = flow.flows(np.arange(len(pairs.lead), dtype=np.int32)) > 0
    rep_of = np.full(pairs.n_leads, UNASSIGNED, np.int64)
    rep_of[pairs.lead[chosen]] = pairs.rep[chosen]
    return rep_of


def contradict(pairs: Pairs, limits: Limits) -> bool:
    """Whether the limits collide whatever the pairs."""
    if bool((limits.low > limits.high).any()):
        return True
    groups = limits.groups
    if groups is not None and bool((groups.low > groups.high).any()):
        return True
    return limits.n_given is not None and limits.n_given > pairs.n_leads


def _add_pairs(flow: SimpleMinCostFlow, pairs: Pairs, cost: IntArray) -> None:
    flow.add_arcs_with_capacity_and_unit_cost(
        pairs.lead, pairs.head, np.ones(len(cost), np.int64), cost
    )


def _add_limits(
    flow: SimpleMinCostFlow,
    pairs: Pairs,
    limits: Limits,
    target: FloatArray | None = None,
) -> None:
    """Arcs beside the pairs, and the supply of every node."""
    for arcs in limit_arcs(pairs, limits, target):
        flow.add_arcs_with_capacity_and_unit_cost(*arcs)
    supply = supply_of(pairs, limits)
    flow.set_nodes_supplies(np.arange(len(supply), dtype=np.int32), supply)


def limit_arcs(
    pairs: Pairs, limits: Limits, target: FloatArray | None = None
) -> Iterator[Arcs]:
    """Lead -> unassigned -> sink, rep -> group or sink, group -> sink.

    Args:
        pairs: The pairs, whose nodes come first.
        limits: What limits these arcs.
        target: Wanted leads of each rep; arcs get dearer away from it. None for free.
    """
    n_leads, sink = pairs.n_leads, pairs.n_leads + limits.n_reps + limits.n_groups + 1
    # Of two plans of equal value the one that leaves fewer leads is wanted.
    yield _arcs(np.arange(n_leads), sink - 1, 1, 1)
    n_stay = n_leads if limits.n_given is None else 0
    yield _arcs(np.array([sink - 1]), sink, n_stay, 0)
    arrives = np.full(limits.n_reps, sink)
    if limits.groups is not None:
        arrives = n_leads + limits.n_reps + limits.groups.of_rep
        nodes = n_leads + limits.n_reps + np.arange(limits.n_groups)
        width = limits.groups.high - limits.groups.low
        yield _arcs(nodes, sink, np.minimum(width, n_leads), 0)
    width = np.minimum(limits.high - limits.low, n_leads)
    if target is None:
        yield _arcs(pairs.node_of_rep, arrives, width, 0)
        return
    rep, cost = _rising_costs(limits.low, width, target, pairs.n_nodes)
    yield _arcs(pairs.node_of_rep[rep], arrives[rep], 1, cost)


def _arcs(
    tail: IntArray,
    head: IntArray | int,
    capacity: IntArray | int,
    cost: IntArray | int,
) -> Arcs:
    n_arcs = len(tail)
    return Arcs(
        tail.astype(np.int32),
        np.broadcast_to(head, n_arcs).astype(np.int32),
        np.broadcast_to(capacity, n_arcs).astype(np.int64),
        np.broadcast_to(cost, n_arcs).astype(np.int64),
    )


def _rising_costs(
    low: IntArray, width: IntArray, target: FloatArray, n_nodes: int
) -> tuple[IntArray, IntArray]:
    """One arc per lead of a rep, each dearer than the last: the rise of the square."""
    rep = np.repeat(np.arange(len(low)), width)
    first = np.repeat(np.cumsum(width) - width, width)
    nth = low[rep] + np.arange(len(rep)) - first
    rise = 2.0 * (nth - target[rep]) + 1.0
    return rep, np.rint(rise * _finest_scale(rise, n_nodes)).astype(np.int64)


def supply_of(pairs: Pairs, limits: Limits) -> IntArray:
    """Supply of each node: one per lead; what a lower limit demands arrives there."""
    n_leads, n_reps, n_groups = pairs.n_leads, limits.n_reps, limits.n_groups
    supply = np.zeros(n_leads + n_reps + n_groups + 2, np.int64)
    supply[:n_leads] = 1
    supply[pairs.node_of_rep] = -limits.low
    if limits.groups is not None:
        # What a rep has to be given counts for its group without passing an arc.
        nodes = n_leads + n_reps + np.arange(n_groups)
        np.add.at(supply, n_leads + n_reps + limits.groups.of_rep, limits.low)
        supply[nodes] -= limits.groups.low
    if limits.n_given is not None:
        supply[-2] = limits.n_given - n_leads
    supply[-1] = -supply.sum()
    return supply
