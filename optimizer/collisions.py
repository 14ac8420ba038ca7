"""Why limits cannot be kept together, by how much, and what loosening one would do.

Limits on leads are a network, so whether they can be kept is a maximum flow, and why
not is its smallest cut: reps who are owed more leads than can reach them.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from ortools.graph.python.max_flow import SimpleMaxFlow

from optimizer.network import GroupLimits, Limits, Pairs, limit_arcs, supply_of
from optimizer.problem import BoolArray, FloatArray, IntArray, Problem
from optimizer.resolve import Resolver
from optimizer.shares import OUTSIDE, Fairness, Shares, limits_of
from optimizer.transport import named
from rightrep.errors import InfeasiblePlan, SolverStopped

WIDEST = 1e4
"""Bands wider than this limit nobody."""
NEAR = 0.01
"""Widths are found to within this."""
TINY = float(np.finfo(np.float64).tiny)


class Shortage(NamedTuple):
    """Leads that are owed and cannot be given.

    Attributes:
        missing: How many; 0 when the limits can be kept.
        owed: Leads owed to the reps who collide.
        reps: Those reps, ascending; int64.
    """

    missing: int
    owed: int
    reps: IntArray


def collision(problem: Problem, fairness: Fairness) -> InfeasiblePlan:
    """The error that says which limits collide and which loosening is enough."""
    pairs = Pairs(problem)
    found = shortage(pairs, limits_of(problem, fairness))
    reachable = found.owed - found.missing
    return InfeasiblePlan(
        owed=found.owed,
        reachable=reachable,
        reps=found.reps.tolist(),
        reason=(
            f"Floors and bands owe {found.owed} leads to {named(found.reps)}, who can "
            f"be given {reachable} at most."
        ),
        remedies=list(_remedies(problem, pairs, fairness, found.missing)),
    )


def quality_collision(
    shares: Shares, fairness: Fairness, given: FloatArray, remedies: Sequence[str]
) -> InfeasiblePlan:
    """The error that says whose quality share cannot be kept.

    Args:
        shares: The reps' shares.
        fairness: The bands.
        given: Quality of each rep in a plan that strays little; float64 (n_reps,).
        remedies: What would help, one sentence each.
    """
    part, band = shares.takes_part, fairness.quality_band or 0.0
    off = np.abs(given[part] / max(given.sum(), TINY) / shares.weight[part] - 1.0)
    reps = np.flatnonzero(part)[off > band + OUTSIDE]
    return InfeasiblePlan(
        owed=0,
        reachable=0,
        reps=reps.tolist(),
        reason=(
            f"Together with the other limits no plan keeps every quality share within "
            f"{band:g} of its weight; {named(reps)} would be left outside."
        ),
        remedies=[*remedies, "Make more leads eligible for these reps."],
    )


def shortage(pairs: Pairs, limits: Limits) -> Shortage:
    """How far the limits on leads are from being kept, and whose they are."""
    crossed = _crossed(limits)
    if crossed is not None:
        return crossed
    supply = supply_of(pairs, limits)
    flow, source, sink = _feasibility(pairs, limits, supply)
    status = flow.solve(source, sink)
    if status != SimpleMaxFlow.OPTIMAL:
        raise SolverStopped(f"The flow stopped with {status.name}.")
    missing = int(supply[supply > 0].sum()) - int(flow.optimal_flow())
    if missing == 0:
        return Shortage(0, 0, np.empty(0, np.int64))
    short = np.zeros(len(supply) + 2, np.bool_)
    short[np.asarray(flow.get_sink_side_min_cut(), np.int64)] = True
    return _owed(pairs, limits, short, missing)


def _crossed(limits: Limits) -> Shortage | None:
    """Reps or groups who are owed more than they may be given, whoever is eligible."""
    reps = np.flatnonzero(limits.low > limits.high)
    if len(reps):
        owed = int(limits.low[reps].sum())
        return Shortage(owed - int(limits.high[reps].sum()), owed, reps)
    if limits.groups is None:
        return None
    inside = _of_group(limits.groups, limits.low)
    over = np.flatnonzero(inside > limits.groups.high)
    if len(over) == 0:
        return None
    owed = int(inside[over].sum())
    members = np.isin(limits.groups.of_rep, over) & (limits.low > 0)
    missing = owed - int(limits.groups.high[over].sum())
    return Shortage(missing, owed, np.flatnonzero(members))


def _of_group(groups: GroupLimits, leads: IntArray) -> IntArray:
    """Leads of each group's reps together."""
    total = np.zeros(len(groups.low), np.int64)
    np.add.at(total, groups.of_rep, leads)
    return total


def _feasibility(
    pairs: Pairs, limits: Limits, supply: IntArray
) -> tuple[SimpleMaxFlow, int, int]:
    """A flow that is full just when every supply reaches a demand."""
    source, sink = len(supply), len(supply) + 1
    flow = SimpleMaxFlow()
    flow.add_arcs_with_capacity(
        pairs.lead, pairs.head, np.ones(len(pairs.lead), np.int64)
    )
    for arcs in limit_arcs(pairs, limits):
        flow.add_arcs_with_capacity(arcs.tail, arcs.head, arcs.capacity)
    nodes = np.arange(len(supply), dtype=np.int32)
    for sign, tail, head in ((1, source, None), (-1, None, sink)):
        some = nodes[sign * supply > 0]
        flow.add_arcs_with_capacity(
            some if tail is None else np.full(len(some), tail, np.int32),
            some if head is None else np.full(len(some), head, np.int32),
            sign * supply[some],
        )
    return flow, source, sink


def _owed(pairs: Pairs, limits: Limits, short: BoolArray, missing: int) -> Shortage:
    """The reps on the short side of the cut, alone or as a group."""
    reps = short[pairs.node_of_rep] & (limits.low > 0)
    owed = limits.low * reps
    if limits.groups is None:
        return Shortage(missing, int(owed.sum()), np.flatnonzero(reps))
    first = pairs.n_leads + pairs.n_reps
    groups = short[first : first + limits.n_groups] & (limits.groups.low > 0)
    of_group = _of_group(limits.groups, owed)
    total = np.where(groups, np.maximum(of_group, limits.groups.low), of_group)
    colliding = reps | groups[limits.groups.of_rep]
    return Shortage(missing, int(total.sum()), np.flatnonzero(colliding))


def _remedies(
    problem: Problem, pairs: Pairs, fairness: Fairness, missing: int
) -> Iterator[str]:
    """Each single loosening that is enough, with what the best plan is then worth.

    Enough for the limits on leads: quality is looked at when these can be kept.
    """
    resolver = Resolver(problem)
    banded = fairness.quality_band is not None
    unsure = ", if the quality band can be kept as well" if banded else ""
    for field in ("load_band", "group_band"):
        width = getattr(fairness, field)
        if width is None:
            continue
        enough = _enough(problem, pairs, fairness, field)
        if enough is None:
            continue
        looser = dataclasses.replace(fairness, **{field: enough})
        worth = _worth(problem, resolver, limits_of(problem, looser)) + unsure
        name = field.replace("_", " ")
        yield f"Widen the {name} from {width:g} to {enough:.2f}: {worth}."
    if problem.floor.any():
        free = dataclasses.replace(problem, floor=np.zeros_like(problem.floor))
        limits = limits_of(free, fairness)
        if shortage(pairs, limits).missing == 0:
            worth = _worth(problem, resolver, limits) + unsure
            yield f"Lower the floors by {missing} leads or more: without any {worth}."
    yield "Make more leads eligible for these reps, or wait for more."


def _enough(
    problem: Problem, pairs: Pairs, fairness: Fairness, field: str
) -> float | None:
    """The narrowest band that can be kept, the other limits as they are."""

    def can_be_kept(width: float) -> bool:
        looser = dataclasses.replace(fairness, **{field: width})
        return shortage(pairs, limits_of(problem, looser)).missing == 0

    return narrowest(can_be_kept, float(getattr(fairness, field)))


def narrowest(is_enough: Callable[[float], bool], narrow: float) -> float | None:
    """The narrowest band that is enough, up; None when none is.

    Args:
        is_enough: Whether a width is; from some width on all are.
        narrow: A width that is not.
    """
    wide = WIDEST
    if not is_enough(wide):
        return None
    while wide - narrow > NEAR:
        # Widths between 0 and 1 matter most, so large ones are halved by size.
        middle = np.sqrt(narrow * wide) if narrow > 1 else (narrow + min(wide, 3)) / 2
        if is_enough(middle):
            wide = middle
        else:
            narrow = middle
    return float(np.ceil(wide / NEAR) * NEAR)


def _worth(problem: Problem, resolver: Resolver, limits: Limits) -> str:
    solved = resolver.share(limits)
    if solved is None:
        raise SolverStopped("Limits that can be kept have no plan.")
    rep_of = solved[0].rep_of
    leads = np.flatnonzero(rep_of >= 0)
    worth = float(problem.value[leads, rep_of[leads]].sum(dtype=np.float64))
    return f"the best plan is then worth {worth:,.0f}"
