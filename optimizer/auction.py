"""The optimum of large batches, with its proof: bids first, then exchanges.

Three parts, each exact about what it claims:

- An auction brings prices and a plan near the optimum (Bertsekas and Castanon, 1989),
  from prices that a sample of the leads suggests. It reads short lists of the reps
  worth most to each lead, and a whole row only when a list may be outdated.
- A network simplex on the reps alone exchanges leads until nothing on the short lists
  pays (``optimizer.exchange_kernels``). It needs no increment, never makes a plan
  worse, and ends with ties, whole numbers and identical reps.
- A pass over the whole matrix sums what every lead could gain at the final prices,
  which is the bound. Leads that could gain more than they do get new short lists, and
  the exchanges go on until there are none.

A carried price is never trusted: bids can only raise prices, so a start above the
optimum leaves slots open at a price. The exchanges lower it to 0 or fill the slot.
"""

import time
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from optimizer.auction_kernels import (
    WIDTH,
    Batch,
    Held,
    Shortlists,
    hold_auction,
    largest,
    largest_listed,
    list_reps,
    margins,
    prove,
)
from optimizer.exchange_kernels import Watch, new_tree, plant, refresh, sweep
from optimizer.problem import (
    UNASSIGNED,
    FloatArray,
    IntArray,
    Plan,
    PricedPlan,
    Problem,
)
from optimizer.transport import broken_floors
from optimizer.verify import total_value
from rightrep.errors import SolverStopped

ROUNDING = 2e-12
"""Gains below this share of the largest value are rounding."""

STAY = 1e-11
"""A lead that stays unassigned costs this share of the largest value."""

SAMPLE_PER_REP = 3
"""Leads per rep in the sample that prices start from."""

SAMPLE_FROM = 3
"""A batch at least this many times its sample is sampled."""

FIRST_INCREMENT = 0.3
"""First increment of a bid, in median margins between a lead's two best places."""

LEAST_INCREMENT = 1e-7
"""Of the largest value, where all margins are 0."""

MARGIN_OFF = 10.0
"""Starting prices are below the sample's by this many mean margins, over the root of
the slots that the sample had: dearer prices cost an exchange, cheaper ones a bid."""

PATIENCE = 2
"""Bids per lead that gain no more than the increment, before it grows."""

CLOSED = 1e290
"""Price of a rep without slots: no value reaches it."""


@dataclass(frozen=True, eq=False)
class AuctionResult:
    """A plan, its prices, and how far from the best it can be.

    Attributes:
        plan: What was chosen.
        shadow_price: As in ``PricedPlan``, exact when nothing is left to gain; for a
            rep without slots the lowest that no lead would pay; float64 (n_reps,).
        value: Value of the plan.
        bound: Proven upper bound on the value of any plan, in float64 from the prices.
        gap: Bound minus value, over the bound; at least 0.
        proven: Whether the gap asked for was reached; False when time ran out first.
        rounds: Passes over the whole matrix that looked for a better plan.
    """

    plan: Plan
    shadow_price: FloatArray
    value: float
    bound: float
    gap: float
    proven: bool
    rounds: int

    def priced(self) -> PricedPlan:
        """The same as every solver answers."""
        return PricedPlan(self.plan, self.shadow_price, self.bound)


def solve_auction(
    problem: Problem,
    *,
    gap: float = 1e-6,
    time_limit: timedelta | None = None,
    exact: bool = False,
    by_lot: bool = False,
) -> AuctionResult:
    """Share the leads for the most expected value, with a proof of how good it is.

    Measured on one core, 10,000 leads x 500 reps: about 0.05 s where OR-Tools' minimum
    cost flow takes 2 to 3 s (``benchmarks/batch_optimum.py`` has the table). Of equally
    good plans one that leaves few leads is chosen.

    Args:
        problem: The batch; values are read as they are, float32 or float64.
        gap: Largest bound minus value, over the bound, to be content with.
        time_limit: Stop about then with the best plan so far; no limit if None.
        exact: Go on until no exchange pays, whatever the gap.
        by_lot: Number the reps anew by a lot from the seed, so that equally good plans
            favour no index; costs one copy of the values.

    Returns:
        The plan, with ``proven`` False when time ran out before the gap was reached.

    Raises:
        InfeasiblePlan: The load floors owe more than their reps can be given.
        SolverStopped: Time ran out before the load floors were met.
    """
    limit = np.inf if time_limit is None else time_limit.total_seconds()
    if 0 in problem.value.shape:
        return _nothing_to_share(problem)
    lot = np.arange(problem.n_reps)
    batch = _batch(problem)
    if by_lot:
        lot = np.random.default_rng(problem.seed).permutation(problem.n_reps)
        batch = _renumbered(batch, lot)
    asked = 0.0 if exact else gap
    search = _started(batch, time.monotonic() + limit)
    search.run(asked)
    if bool((search.held.load < batch.floor).any()):
        if search.done:
            raise broken_floors(problem)
        raise SolverStopped("Time ran out before the load floors were met.")
    return _result(problem, search, lot, asked)


def _batch(problem: Problem) -> Batch:
    """The problem as the kernels read it; values are not copied."""
    # A rep with more slots than there are leads never fills up.
    capacity = np.minimum(problem.capacity, problem.n_leads + 1)
    masked = not bool(problem.eligible.all())
    return Batch(problem.value, problem.eligible, masked, capacity, problem.floor, 0.0)


def _renumbered(batch: Batch, lot: IntArray) -> Batch:
    """The same batch with rep ``lot[j]`` in place ``j``."""
    eligible = batch.eligible
    return batch._replace(
        value=np.take(batch.value, lot, axis=1),
        eligible=np.take(eligible, lot, axis=1) if batch.masked else eligible,
        capacity=batch.capacity[lot],
        floor=batch.floor[lot],
    )


def _nothing_to_share(problem: Problem) -> AuctionResult:
    if problem.floor.any():
        raise broken_floors(problem)
    plan = Plan.certain(np.full(problem.n_leads, UNASSIGNED))
    price = np.zeros(problem.n_reps)
    return AuctionResult(plan, price, 0.0, 0.0, 0.0, proven=True, rounds=0)


def _started(batch: Batch, deadline: float) -> "_Search":
    """A search with a first plan: from a sample's prices, where that is worth it."""
    n_leads, n_reps = batch.value.shape
    price, increment = np.where(batch.capacity > 0, 0.0, CLOSED), None
    if n_leads >= SAMPLE_FROM * SAMPLE_PER_REP * n_reps:
        price, increment = _sampled_prices(batch, deadline)
    search = _Search(batch, price, deadline)
    search.start(increment)
    return search


def _sampled_prices(batch: Batch, deadline: float) -> tuple[FloatArray, float]:
    """Prices to start from, and a first increment, by solving a sample of the leads.

    With every lead given and every slot taken, prices are known up to a constant; the
    tree has the highest, bids need the lowest.
    """
    sample = _sample(batch)
    search = _Search(sample, np.where(sample.capacity > 0, 0.0, CLOSED), deadline)
    search.start(None)
    search.run(0.0)
    found = np.maximum(search.prices(), -search.largest)
    if bool((search.held.rep_of < len(found)).all()) and not sample.floor.any():
        found -= found.min()
    margin = search.margin()
    off = MARGIN_OFF * margin.mean() / np.sqrt(np.maximum(sample.capacity, 1))
    start = np.where(found < 0, found - off, np.maximum(found - off, 0.0))
    increment = FIRST_INCREMENT * max(float(np.median(margin)), 0.03 * margin.mean())
    return np.where(batch.capacity > 0, start, CLOSED), increment


def _sample(batch: Batch) -> Batch:
    """Some leads, drawn by a fixed lot, and the slots and floors that go with them."""
    n_leads, n_reps = batch.value.shape
    lot = np.random.default_rng(0)
    drawn = np.sort(lot.choice(n_leads, SAMPLE_PER_REP * n_reps, replace=False))
    share = len(drawn) / n_leads
    capacity = _part(np.minimum(batch.capacity, n_leads), share, lot)
    return batch._replace(
        value=batch.value[drawn],
        eligible=batch.eligible[drawn],
        capacity=capacity,
        floor=np.minimum(_part(batch.floor, share, lot), capacity),
    )


def _part(whole: IntArray, share: float, lot: np.random.Generator) -> IntArray:
    """A share of each count in whole numbers, the sum right, fractions by lot."""
    ends = np.floor(np.cumsum(whole) * share + lot.random())
    return np.asarray(np.diff(ends, prepend=0.0), np.int64)


def _result(
    problem: Problem, search: "_Search", lot: IntArray, asked: float
) -> AuctionResult:
    """What was found, reps numbered as in the problem."""
    plan = Plan.certain(np.append(lot, UNASSIGNED)[search.held.rep_of])
    value = total_value(problem, plan)
    bound = max(search.bound, value)
    gap = _gap(bound, value)
    price = np.empty(problem.n_reps)
    price[lot] = search.prices() if search.done else search.bound_price
    proven = search.done or gap <= asked
    return AuctionResult(plan, price, value, bound, gap, proven, search.rounds)


def _gap(bound: float, value: float) -> float:
    missing = bound - value
    if missing <= 0.0:
        return 0.0
    return missing / abs(bound) if bound else np.inf


class _Search:
    """One batch on the way to its optimum.

    Attributes:
        batch: Leads and reps; neither side is empty.
        held: The plan so far.
        tree: Its cheapest ways to give up a slot, and the prices.
        largest: Size of the largest value.
        bound: Lowest bound proven so far.
        bound_price: The prices that prove it; float64 (n_reps,).
        rounds: Passes over the whole matrix.
        done: Whether nothing is left to gain.
    """

    def __init__(self, batch: Batch, price: FloatArray, deadline: float) -> None:
        n_leads, n_reps = batch.value.shape
        self.batch = batch
        self.lists = Shortlists(
            np.empty((n_leads, WIDTH), np.int32),
            np.empty((n_leads, WIDTH), batch.value.dtype),
            np.empty(n_leads, np.int32),
            np.empty(n_leads),
        )
        self.held = Held(
            np.empty(n_leads, np.int32), np.empty(n_leads), np.empty(n_reps, np.int64)
        )
        self.tree = new_tree(np.append(price, 0.0))
        self.largest = 1.0
        self.penalty = 0.0
        self.bound = np.inf
        self.bound_price = price
        self.rounds = 0
        self.done = False
        self._deadline = deadline

    def start(self, increment: float | None) -> None:
        """Hold the auction from the prices given and plant the tree.

        Args:
            increment: First increment of a bid; from the margins at the prices if None.
        """
        price = self.tree.price
        list_reps(self.batch, price, self.lists)
        self._learn_scale()
        if increment is None:
            increment = float(self.margin().mean())
        increment = max(increment, LEAST_INCREMENT * self.largest)
        patience = PATIENCE * len(self.held.rep_of)
        hold_auction(self.batch, price, self.lists, self.held, increment, patience)
        self.bound_price = price[:-1].copy()
        plant(self.batch, self.lists, self.held, self.penalty, self.tree)

    def run(self, gap: float) -> None:
        """Exchange leads until the gap is proven, nothing pays, or time is up."""
        while not self.is_late():
            settled = self._exchange()
            refresh(self.held, self.tree, 0.0)
            n_gaining = self._prove(self.tree.price)
            self.done = settled and n_gaining == 0
            if self.done or _gap(self.bound, self._value()) <= gap:
                return
        # In the middle of the exchanges the auction's prices prove more.
        self._prove(np.append(self.bound_price, 0.0))

    def is_late(self) -> bool:
        """Whether the time limit has passed."""
        return time.monotonic() > self._deadline

    def margin(self) -> FloatArray:
        """How much more each lead's best place is worth than the next best."""
        margin = np.empty(len(self.held.rep_of))
        margins(self.lists, self.tree.price, self.batch.stay, margin)
        return margin

    def prices(self) -> FloatArray:
        """Shadow prices, rounding off; for closed reps the lowest nobody would pay."""
        batch, load = self.batch, self.held.load
        price = self.tree.price[:-1].copy()
        price[load < batch.capacity] = np.minimum(price[load < batch.capacity], 0.0)
        price[load > batch.floor] = np.maximum(price[load > batch.floor], 0.0)
        closed = np.flatnonzero(batch.capacity == 0)
        if len(closed) > 0:
            profit = self.held.value_of - self.tree.price[self.held.rep_of]
            gain = batch.value[:, closed] - np.maximum(profit, 0.0)[:, None]
            where = batch.eligible[:, closed]
            price[closed] = gain.max(axis=0, initial=0.0, where=where)
        return price

    def _learn_scale(self) -> None:
        """Learn what is large and what is rounding, from the lists just made."""
        self.largest = largest_listed(self.lists) or 1.0
        if self.batch.floor.any():
            self.largest = largest(self.batch) or 1.0
            # More than any way through all reps could gain.
            self.penalty = 2.0 * (len(self.held.load) + 2) * self.largest
        self.batch = self.batch._replace(stay=-STAY * self.largest)

    def _exchange(self) -> bool:
        """Sweep until nothing on the short lists pays; False when time is up first."""
        n_leads = len(self.held.rep_of)
        watch = Watch(np.full(n_leads, -1.0), np.zeros(n_leads), np.zeros(1))
        tolerance, full = ROUNDING * self.largest, True
        while not self.is_late():
            n_pivots = sweep(
                self.batch,
                self.lists,
                self.held,
                self.tree,
                watch,
                self.penalty,
                tolerance,
                full,
            )
            if n_pivots == 0 and full:
                return True
            full = n_pivots == 0
        return False

    def _value(self) -> float:
        given = self.held.rep_of < len(self.held.load)
        return float(self.held.value_of[given].sum())

    def _prove(self, price: FloatArray) -> int:
        """Read the whole matrix: the bound, and new lists for leads that could gain.

        Returns:
            How many leads could gain more than they do.
        """
        rounding = (ROUNDING + STAY) * self.largest
        gain, n_gaining = prove(self.batch, price, self.held, rounding, self.lists)
        slots = self.batch.capacity @ np.maximum(price[:-1], 0.0)
        owed = self.batch.floor @ np.maximum(-price[:-1], 0.0)
        bound = float(slots - owed + gain)
        self.rounds += 1
        if bound < self.bound:
            self.bound, self.bound_price = bound, price[:-1].copy()
        return int(n_gaining)
