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

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from ortools.graph.python.min_cost_flow import SimpleMinCostFlow

from optimizer.problem import UNASSIGNED, IntArray, Problem
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


class Pairs:
    """The eligible pairs of a batch as arcs, kept for one solve after another.

    Reps are numbered anew by a lot from the seed, so that where several plans are
    equally good no rep gains by its index.
    """

    def __init__(self, problem: Problem) -> None:
        self.n_leads, self.n_reps = problem.n_leads, problem.n_reps
        lot = np.random.default_rng(problem.seed).permutation(problem.n_reps)
        self.node_of_rep = np.empty(problem.n_reps, np.int64)
        self.node_of_rep[lot] = problem.n_leads + np.arange(problem.n_reps)
        lead, place = np.nonzero(problem.eligible[:, lot])
        self.lead = lead.astype(np.int32)
        self.rep = lot[place]
        self.value = problem.value[lead, self.rep]

    @cached_property
    def head(self) -> NDArray[np.int32]:
        """Node of each arc's rep."""
        return self.node_of_rep[self.rep].astype(np.int32)

    @cached_property
    def scale(self) -> float:
        """Units per value: the largest power of two that does not overflow."""
        largest = float(np.abs(self.value).max(initial=0.0)) or 1.0
        n_nodes = self.n_leads + 2 * self.n_reps + 3
        bits = COST_BITS - np.log2(n_nodes) - np.log2(largest)
        return float(2.0 ** min(np.floor(bits), MOST_BITS))

    def units(self, scale: float) -> IntArray:
        """Values in whole units."""
        return np.rint(self.value.astype(np.float64) * scale).astype(np.int64)


@dataclass(frozen=True, eq=False)
class _Arcs:
    """Arcs and supplies beside the pairs; nodes follow the leads and reps."""

    tail: IntArray
    head: IntArray
    capacity: IntArray
    cost: IntArray
    supply: IntArray


def share_within(pairs: Pairs, limits: Limits) -> Sharing | None:
    """The most valuable sharing within the limits; None when there is none.

    Raises:
        SolverStopped: The flow failed for a reason that is not the limits'.
    """
    if _contradict(pairs, limits):
        return None
    scale = pairs.scale
    while True:
        flow = _state(pairs, limits, scale)
        status = flow.solve()
        if status == SimpleMinCostFlow.INFEASIBLE:
            return None
        if status == SimpleMinCostFlow.OPTIMAL:
            break
        if status != SimpleMinCostFlow.BAD_COST_RANGE or scale == 0.0:
            raise SolverStopped(f"The flow stopped with {status.name}.")
        scale = scale / 2.0**COARSER_BITS
    chosen = flow.flows(np.arange(len(pairs.lead), dtype=np.int32)) > 0
    rep_of = np.full(pairs.n_leads, UNASSIGNED, np.int64)
    rep_of[pairs.lead[chosen]] = pairs.rep[chosen]
    return Sharing(rep_of, scale, -int(flow.optimal_cost()))


def _contradict(pairs: Pairs, limits: Limits) -> bool:
    """Whether the limits collide whatever the pairs."""
    if bool((limits.low > limits.high).any()):
        return True
    groups = limits.groups
    if groups is not None and bool((groups.low > groups.high).any()):
        return True
    return limits.n_given is not None and limits.n_given > pairs.n_leads


def _state(pairs: Pairs, limits: Limits, scale: float) -> SimpleMinCostFlow:
    arcs = _limit_arcs(pairs, limits)
    flow = SimpleMinCostFlow()
    n_pairs = len(pairs.lead)
    flow.add_arcs_with_capacity_and_unit_cost(
        pairs.lead, pairs.head, np.ones(n_pairs, np.int64), -pairs.units(scale)
    )
    flow.add_arcs_with_capacity_and_unit_cost(
        arcs.tail.astype(np.int32), arcs.head.astype(np.int32), arcs.capacity, arcs.cost
    )
    nodes = np.arange(len(arcs.supply), dtype=np.int32)
    flow.set_nodes_supplies(nodes, arcs.supply)
    return flow


def _limit_arcs(pairs: Pairs, limits: Limits) -> _Arcs:
    """Lead -> unassigned, rep -> group or sink, group -> sink, unassigned -> sink."""
    n_leads, n_reps, n_groups = pairs.n_leads, limits.n_reps, limits.n_groups
    first_group = n_leads + n_reps
    stay, sink = first_group + n_groups, first_group + n_groups + 1
    supply = np.zeros(sink + 1, np.int64)
    supply[:n_leads] = 1
    supply[pairs.node_of_rep] = -limits.low
    arrives = np.full(n_reps, sink)
    group_arcs = [np.empty(0, np.int64)] * 3
    if limits.groups is not None:
        nodes = first_group + np.arange(n_groups)
        arrives = first_group + limits.groups.of_rep
        np.add.at(supply, arrives, limits.low)
        supply[nodes] -= limits.groups.low
        width = np.minimum(limits.groups.high - limits.groups.low, n_leads)
        group_arcs = [nodes, np.full(n_groups, sink), width]
    n_stay = n_leads
    if limits.n_given is not None:
        supply[stay] = -(n_leads - limits.n_given)
        n_stay = 0
    supply[sink] = -supply.sum()
    tail, head, capacity = (
        np.concatenate(parts)
        for parts in zip(
            [np.arange(n_leads), np.full(n_leads, stay), np.ones(n_leads, np.int64)],
            [pairs.node_of_rep, arrives, np.minimum(limits.high - limits.low, n_leads)],
            group_arcs,
            [[stay], [sink], [n_stay]],
            strict=True,
        )
    )
    # Of two plans of equal value the one that leaves fewer leads is wanted.
    cost = np.zeros(len(tail), np.int64)
    cost[:n_leads] = 1
    return _Arcs(tail, head, capacity, cost, supply)
