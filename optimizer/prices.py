"""What a slot is worth: prices of a sharing that is optimal within its limits.

A slot taken from rep j pushes one lead out. Where it goes, and whom it pushes out in
turn, is a shortest path among the reps: from j over exchanges of one lead (cost: the
value lost) to a place that has room. The length of that path is the shadow price, by
definition V(c) - V(c - e_j); and since an optimal flow leaves no cycle of negative
cost, all these distances together are optimal dual prices (Ahuja, Magnanti and Orlin,
Network Flows, 1993, chapter 9). The graph has one node per rep and per group, not one
per lead, and everything is counted in the flow's whole units, so nothing is lost to
rounding before the last division.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from optimizer.kernels import FAR, exchange_costs, relax
from optimizer.network import Limits, Sharing
from optimizer.problem import UNASSIGNED, BoolArray, FloatArray, IntArray, Problem
from optimizer.shares import QualityBand
from optimizer.verify import profits
from rightrep.errors import SolverStopped


@dataclass(frozen=True, eq=False)
class Prices:
    """Prices of the limits, in units of value per lead.

    Attributes:
        rep: What a lead pays for a slot of the rep, its group's price included;
            float64 (n_reps,).
        group: The group's part of that; float64 (n_groups,).
        stay: What a lead pays for staying unassigned: 0 unless the number of leads
            given is a limit too.
    """

    rep: FloatArray
    group: FloatArray
    stay: float = 0.0


class QualityPrices(NamedTuple):
    """Prices of the two ends of quality bands, in units of value per unit of quality.

    Attributes:
        above: What a unit of quality above its band costs each rep; >= 0;
            float64 (n_reps,).
        below: What a unit below it costs; >= 0; float64 (n_reps,).
    """

    above: FloatArray
    below: FloatArray

    def paid(self, band: QualityBand) -> FloatArray:
        """What each rep pays per unit of quality it is given; float64 (n_reps,).

        Bands are shares of all quality given, which is free: what it pays to all bands
        together is taken off every one.
        """
        shifted = self.above @ band.high - self.below @ band.low
        return np.asarray(self.above - self.below - shifted)


class Exchange:
    """The graph of exchanges of one lead, as costs between places.

    Places are the reps, being unassigned, the groups and the sink, in this order.
    """

    def __init__(self, problem: Problem, limits: Limits, sharing: Sharing) -> None:
        self.limits, self.scale = limits, sharing.scale
        n_reps, n_groups = limits.n_reps, limits.n_groups
        self.stay, self.first_group = n_reps, n_reps + 1
        self.sink = n_reps + 1 + n_groups
        self.load = np.bincount(
            sharing.rep_of[sharing.rep_of != UNASSIGNED], minlength=n_reps
        )
        self.cost = np.full((self.sink + 1, self.sink + 1), FAR)
        exchange_costs(
            problem.value, problem.eligible, sharing.rep_of, sharing.scale, self.cost
        )
        self._open_arcs()

    def _open_arcs(self) -> None:
        limits, sink = self.limits, self.sink
        reps = np.arange(limits.n_reps)
        arrives = np.full(limits.n_reps, sink)
        if limits.groups is not None:
            arrives = self.first_group + limits.groups.of_rep
            groups = self.first_group + np.arange(limits.n_groups)
            load = np.bincount(
                limits.groups.of_rep, weights=self.load, minlength=limits.n_groups
            )
            self._arc(groups, sink, load < limits.groups.high)
            self._arc(sink, groups, load > limits.groups.low)
        self._arc(reps, arrives, self.load < limits.high)
        self._arc(arrives, reps, self.load > limits.low)
        if limits.n_given is None:
            self.cost[self.stay, sink] = self.cost[sink, self.stay] = 0

    def _arc(
        self, tail: IntArray | int, head: IntArray | int, is_open: BoolArray
    ) -> None:
        tails, heads = np.broadcast_arrays(tail, head)
        self.cost[tails[is_open], heads[is_open]] = 0

    def to_sink(self) -> IntArray:
        """Least loss when one lead more arrives at each place; FAR where none can."""
        distance = np.full(self.sink + 1, FAR)
        distance[self.sink] = 0
        _relax(self.cost, distance)
        return distance

    def from_sink(self) -> IntArray:
        """Least loss when one lead is fetched to each place; FAR where none can."""
        distance = np.full(self.sink + 1, FAR)
        distance[self.sink] = 0
        _relax(np.ascontiguousarray(self.cost.T), distance)
        return distance

    def potentials(self) -> IntArray:
        """Distances to the sink, completed where no lead can leave.

        A place that cannot give up a lead (a rep without slots, or held by its limits
        on both sides) is priced by what one more slot would bring in; one that no lead
        can reach either, by the least that keeps its exchanges from paying.
        """
        push = self.to_sink()
        if (push < FAR).all():
            return push
        pull = np.where(push < FAR, -push, FAR)
        _relax(np.ascontiguousarray(self.cost.T), pull)
        known = np.where(push < FAR, push, np.where(pull < FAR, -pull, 0))
        _relax(self.cost, known)
        return known


def prices_of(problem: Problem, limits: Limits, sharing: Sharing) -> Prices:
    """Optimal dual prices of a sharing that is optimal within its limits.

    Raises:
        SolverStopped: The sharing is not optimal in whole units.
    """
    exchange = Exchange(problem, limits, sharing)
    units = exchange.potentials()
    # A path of roundings is no price: a batch worth nothing has prices of exactly 0.
    units[np.abs(units) <= len(units)] = 0
    potential = units / sharing.scale
    rep = potential[: limits.n_reps].copy()
    # Nobody can take a slot that is not there; a price below 0 would only invite.
    rep[limits.high == 0] = np.maximum(rep[limits.high == 0], 0.0)
    return Prices(
        rep,
        potential[exchange.first_group : exchange.sink],
        float(potential[exchange.stay]),
    )


def bound_within(
    problem: Problem,
    limits: Limits,
    prices: Prices,
    quality_price: FloatArray | None = None,
) -> float:
    """A value that no sharing within the limits exceeds, whatever the prices.

    ``verify.bound`` for limits on groups and on the number of leads given: every limit
    is relaxed at its price, and every lead chooses for itself. In float64. With quality
    prices it bounds the plans within bands on quality shares (``optimizer.quality``).
    """
    own = prices.rep
    total = 0.0
    if limits.groups is not None:
        own = prices.rep - prices.group[limits.groups.of_rep]
        total += _worth(
            prices.group, limits.groups.low, limits.groups.high, problem.n_leads
        )
    total += _worth(own, limits.low, limits.high, problem.n_leads)
    if limits.n_given is not None:
        total += prices.stay * (problem.n_leads - limits.n_given)
    return total + profits(
        problem, prices.rep, stay=-prices.stay, quality_price=quality_price
    )


def _worth(price: FloatArray, low: IntArray, high: IntArray, n_leads: int) -> float:
    """Most that leads within the limits, and there are no more of them, can pay."""
    most = np.minimum(high, n_leads)
    return float(most @ np.maximum(price, 0.0) - low @ np.maximum(-price, 0.0))


def _relax(cost: IntArray, distance: IntArray) -> None:
    if not relax(cost, distance):
        raise SolverStopped("The sharing is not optimal: it has no prices.")
