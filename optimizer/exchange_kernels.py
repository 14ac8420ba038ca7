"""Compiled inner loops that make a plan the best one: exchanges along a tree of reps.

Arrays in, arrays out; no objects but tuples of arrays, no I/O, no checks. The twin of
``sweep`` is the optimum itself: ``tests/property/test_auction.py`` holds it to HiGHS.

The transport problem's network simplex, contracted to the reps. Leads are many and reps
few, so the basis is kept as a tree over the reps and one root, the place of unassigned
leads and open slots. Rep j hangs from the rep (or root) that one of its leads would
move to if j had to give up a slot most cheaply, and

    price[j] = price[parent] + value of that lead here - value of it there

is what that costs: rep j's shadow price. A lead i with rep a that would gain
d = (v[i,b] - price[b]) - (v[i,a] - price[a]) > 0 at rep b means one of two things:

- b is not below a: giving up a slot of a is d cheaper than thought, through b. Hang a
  from b and lower the prices below a by d.
- b is below a: moving i to b and each lead on the way from b up to a by one place is a
  round that gains d. Do so; the way is then hung the other way round and the prices
  below the cut rise by d.

Each lead on the tree can move towards the root, never away from it: Cunningham's
strongly feasible trees (1976), which is why this ends with ties too. A lead that moves
costs nothing but two writes, whatever the number of leads.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from optimizer.auction_kernels import NOBODY, Batch, Held, Index, Shortlists
from optimizer.problem import FloatArray

CAUTION = 0.5
"""Share of the price changes since a lead's last look that it takes seriously."""


class Tree(NamedTuple):
    """How each rep would give up a slot; the last node is the root.

    Attributes:
        price: What it costs; float64 (n_reps + 1,), 0 at the root.
        parent: Where the slot's lead goes; int32 (n_reps + 1,).
        lead: The lead that goes there, NOBODY where an open slot is given up; int32
            (n_reps + 1,).
        worth: Value of that lead there, or the price of the open slot; float64
            (n_reps + 1,).
        child: First rep that hangs from this one, or NOBODY; int32 (n_reps + 1,).
        after: Next rep with the same parent, or NOBODY; int32 (n_reps + 1,).
        before: Previous rep with the same parent, or NOBODY; int32 (n_reps + 1,).
    """

    price: FloatArray
    parent: Index
    lead: Index
    worth: FloatArray
    child: Index
    after: Index
    before: Index


class Watch(NamedTuple):
    """Which leads need no second look.

    Attributes:
        margin: What each lead's rep was worth more than any listed other at the last
            look; float64 (n_leads,).
        seen: ``drift`` at that look; float64 (n_leads,).
        drift: Sum over sweeps of the range of price changes; float64 (1,).
    """

    margin: FloatArray
    seen: FloatArray
    drift: FloatArray


class Way(NamedTuple):
    """Working memory of one round: the reps on the way, their leads, what they lose.

    Attributes:
        rep: Reps from the bottom up; int32 (n_reps + 1,).
        lead: The lead that leaves each; int32 (n_reps + 1,).
        worth: What that lead was worth there; float64 (n_reps + 1,).
    """

    rep: Index
    lead: Index
    worth: FloatArray


def new_tree(price: FloatArray) -> Tree:
    """A tree to be planted at these prices; float64 (n_reps + 1,), the last one 0."""
    nodes = [np.full(len(price), NOBODY, np.int32) for _ in range(5)]
    parent, lead, child, after, before = nodes
    return Tree(price, parent, lead, np.zeros(len(price)), child, after, before)


@njit(cache=True, nogil=True)
def _cut(tree: Tree, x: int) -> None:
    """Take rep ``x`` out of its parent's children."""
    before, after = tree.before[x], tree.after[x]
    if before >= 0:
        tree.after[before] = after
    else:
        tree.child[tree.parent[x]] = after
    if after >= 0:
        tree.before[after] = before


@njit(cache=True, nogil=True)
def _hang(tree: Tree, x: int, parent: int, lead: int, worth: float) -> None:
    """Hang rep ``x``, cut before, from ``parent``."""
    first = tree.child[parent]
    tree.parent[x] = parent
    tree.lead[x] = lead
    tree.worth[x] = worth
    tree.before[x] = NOBODY
    tree.after[x] = first
    if first >= 0:
        tree.before[first] = x
    tree.child[parent] = x


@njit(cache=True, nogil=True)
def _shift(tree: Tree, top: int, by: float) -> None:
    """Add ``by`` to the prices of ``top`` and of everything below."""
    x = top
    while True:
        tree.price[x] += by
        if tree.child[x] >= 0:
            x = tree.child[x]
            continue
        while x != top and tree.after[x] < 0:
            x = tree.parent[x]
        if x == top:
            return
        x = tree.after[x]


@njit(cache=True, nogil=True)
def _is_below(tree: Tree, x: int, top: int) -> bool:
    """Whether rep ``x`` hangs below ``top``, directly or not."""
    root: int = tree.price.shape[0] - 1
    if top == root:
        return True
    while x != root and x != top:
        x = tree.parent[x]
    return bool(x == top)


@njit(cache=True, nogil=True)
def slot_price(batch: Batch, load: int, j: int, penalty: float) -> float:
    """What one more lead costs rep ``j`` with an open slot: less than 0 if owed."""
    return -penalty if load < batch.floor[j] else 0.0


@njit(cache=True, nogil=True)
def _direct_ways(
    batch: Batch, lists: Shortlists, held: Held, penalty: float
) -> tuple[FloatArray, Index]:
    """Least loss of moving one lead to each place (row) from each rep (column)."""
    n_reps: int = batch.capacity.shape[0]
    root = n_reps
    loss = np.full((n_reps + 1, n_reps), np.inf)
    lead = np.full((n_reps + 1, n_reps), NOBODY, np.int32)
    for i in range(lists.length.shape[0]):
        a = held.rep_of[i]
        if a == root:
            continue
        worth = held.value_of[i]
        if worth - batch.stay < loss[root, a]:
            loss[root, a] = worth - batch.stay
            lead[root, a] = i
        for k in range(lists.length[i]):
            b = lists.rep[i, k]
            x = worth - lists.value[i, k]
            if b != a and x < loss[b, a]:
                loss[b, a] = x
                lead[b, a] = i
    for j in range(n_reps):
        open_slot = slot_price(batch, held.load[j], j, penalty)
        if held.load[j] < batch.capacity[j] and open_slot <= loss[root, j]:
            loss[root, j] = open_slot
            lead[root, j] = NOBODY
    return loss, lead


@njit(cache=True, nogil=True)
def _nearest(distance: FloatArray, done: FloatArray) -> int:
    """The node not done with the smallest distance; NOBODY when none is left."""
    least, nearest = np.inf, NOBODY
    for x in range(distance.shape[0]):
        if distance[x] + done[x] < least:
            least = distance[x]
            nearest = x
    return nearest


@njit(cache=True, nogil=True)
def _worth_there(batch: Batch, lead: int, there: int, open_slot: float) -> float:
    if lead < 0:
        return open_slot
    if there == batch.capacity.shape[0]:
        return batch.stay
    return np.float64(batch.value[lead, there])


@njit(cache=True, nogil=True)
def plant(
    batch: Batch, lists: Shortlists, held: Held, penalty: float, tree: Tree
) -> None:
    """Grow the tree of cheapest ways to the root for a plan and prices.

    Dijkstra's algorithm from the root on what each move would lose at the prices given;
    where a move would gain, 0 is taken instead, and ``sweep`` puts it right. Closed
    reps, without slots, hang from the root and keep their price.

    Args:
        batch: Leads and reps.
        lists: Short lists.
        held: The plan, within capacity.
        penalty: Loss for each lead that a rep is short of its floor.
        tree: ``price`` is read, then everything is written in place.
    """
    n_reps: int = batch.capacity.shape[0]
    root = n_reps
    loss, lead = _direct_ways(batch, lists, held, penalty)
    guess = tree.price.copy()
    tree.child[:] = NOBODY
    tree.parent[:] = root
    tree.lead[:] = NOBODY
    distance = np.full(n_reps + 1, np.inf)
    done = np.zeros(n_reps + 1)
    distance[root] = 0.0
    tree.price[root] = 0.0
    guess[root] = 0.0
    x = root
    while x >= 0:
        done[x] = np.inf
        if x != root:
            mover = tree.lead[x]
            parent = tree.parent[x]
            tree.price[x] = tree.price[parent] + loss[parent, x]
            worth = _worth_there(batch, mover, parent, loss[root, x])
            _hang(tree, x, parent, mover, worth)
        for j in range(n_reps):
            there = distance[x] + max(loss[x, j] + guess[x] - guess[j], 0.0)
            if there < distance[j]:
                distance[j] = there
                tree.parent[j] = x
                tree.lead[j] = lead[x, j]
        x = _nearest(distance, done)
    for j in range(n_reps):
        if distance[j] == np.inf:
            _hang(tree, j, root, NOBODY, guess[j])


@njit(cache=True, nogil=True)
def refresh(held: Held, tree: Tree, stay: float) -> None:
    """Compute all prices anew from the tree, so that rounding does not add up.

    Args:
        held: The plan.
        tree: ``price`` is written in place.
        stay: What an unassigned lead counts as: ``batch.stay`` while exchanging, 0 for
            prices as others understand them.
    """
    root: int = tree.price.shape[0] - 1
    x = tree.child[root]
    while x >= 0:
        if tree.lead[x] < 0:
            tree.price[x] = tree.worth[x]
        else:
            above = tree.price[tree.parent[x]]
            there = stay if tree.parent[x] == root else tree.worth[x]
            tree.price[x] = above + held.value_of[tree.lead[x]] - there
        if tree.child[x] >= 0:
            x = tree.child[x]
            continue
        while x != root and tree.after[x] < 0:
            x = tree.parent[x]
        x = NOBODY if x == root else tree.after[x]


@njit(cache=True, nogil=True)
def _push_up(batch: Batch, held: Held, tree: Tree, b: int, top: int, way: Way) -> int:
    """Move the lead of each rep from ``b`` up to ``top`` by one place.

    Returns:
        How many reps of the way hang loose now: all, or all but the last where that one
        had an open slot and has another.
    """
    n = 0
    x = b
    while x != top:
        above = tree.parent[x]
        mover = tree.lead[x]
        way.rep[n] = x
        way.lead[n] = mover
        n += 1
        if mover < 0:
            limit = batch.capacity[x]
            if held.load[x] < batch.floor[x]:
                limit = batch.floor[x]
            held.load[x] += 1
            return n - 1 if held.load[x] < limit else n
        way.worth[n - 1] = held.value_of[mover]
        held.value_of[mover] = tree.worth[x]
        held.rep_of[mover] = above
        x = above
    return n


@njit(cache=True, nogil=True)
def _rehang(tree: Tree, way: Way, n: int, top: int, lead: int, worth: float) -> None:
    """Hang the first ``n`` reps of the way the other way round, the first from top."""
    for x in range(n):
        _cut(tree, way.rep[x])
    _hang(tree, way.rep[0], top, lead, worth)
    for x in range(1, n):
        _hang(tree, way.rep[x], way.rep[x - 1], way.lead[x - 1], way.worth[x - 1])


@njit(cache=True, nogil=True)
def _go_round(
    batch: Batch,
    held: Held,
    tree: Tree,
    way: Way,
    i: int,
    b: int,
    worth: float,
    gain: float,
    penalty: float,
) -> None:
    """Move lead ``i`` to rep ``b`` and everybody from ``b`` up to i's rep by one place.

    ``i`` is NOBODY where ``b`` gives up a slot instead of taking a lead.
    """
    root: int = batch.capacity.shape[0]
    top = root if i < 0 else held.rep_of[i]
    n = _push_up(batch, held, tree, b, top, way)
    if i < 0:
        held.load[b] -= 1
        here = slot_price(batch, held.load[b], b, penalty)
    else:
        here = held.value_of[i]
        if top != root and tree.lead[top] == i:
            # The lead was its rep's own way up, so the rep itself is turned over too.
            here = tree.worth[top]
            way.rep[n] = top
            top = tree.parent[top]
            n += 1
        held.rep_of[i] = b
        held.value_of[i] = worth
    if n > 0:
        _shift(tree, way.rep[n - 1], gain)
        _rehang(tree, way, n, top, i, here)


@njit(cache=True, nogil=True)
def _best_other(
    batch: Batch, lists: Shortlists, price: FloatArray, i: int, a: int
) -> tuple[float, int, float]:
    """Best worth after price of another place than ``a``, the place, its value."""
    root: int = batch.capacity.shape[0]
    best = -np.inf if a == root else batch.stay
    b, worth = root, batch.stay
    for k in range(lists.length[i]):
        j = lists.rep[i, k]
        x = lists.value[i, k] - price[j]
        if x > best and j != a:
            best = x
            b = j
            worth = np.float64(lists.value[i, k])
    return best, b, worth


@njit(cache=True, nogil=True)
def _sweep_leads(
    batch: Batch,
    lists: Shortlists,
    held: Held,
    tree: Tree,
    watch: Watch,
    way: Way,
    penalty: float,
    tolerance: float,
    full: bool,
) -> int:
    n_pivots = 0
    for i in range(lists.length.shape[0]):
        if not full and watch.margin[i] > CAUTION * (watch.drift[0] - watch.seen[i]):
            continue
        a = held.rep_of[i]
        best, b, worth = _best_other(batch, lists, tree.price, i, a)
        gain = best - (held.value_of[i] - tree.price[a])
        watch.margin[i] = -gain
        watch.seen[i] = watch.drift[0]
        if gain <= tolerance:
            continue
        n_pivots += 1
        if _is_below(tree, b, a):
            _go_round(batch, held, tree, way, i, b, worth, gain, penalty)
        else:
            _shift(tree, a, -gain)
            _cut(tree, a)
            _hang(tree, a, b, i, worth)
    return n_pivots


@njit(cache=True, nogil=True)
def _sweep_slots(
    batch: Batch, held: Held, tree: Tree, way: Way, penalty: float, tolerance: float
) -> int:
    root: int = batch.capacity.shape[0]
    n_pivots = 0
    for j in range(root):
        load = held.load[j]
        asked = slot_price(batch, load, j, penalty)
        if load < batch.capacity[j] and tree.price[j] > asked + tolerance:
            _shift(tree, j, asked - tree.price[j])
            _cut(tree, j)
            _hang(tree, j, root, NOBODY, asked)
            n_pivots += 1
        given_up = slot_price(batch, load - 1, j, penalty)
        if load > 0 and tree.price[j] < given_up - tolerance:
            gain = given_up - tree.price[j]
            _go_round(batch, held, tree, way, NOBODY, j, 0.0, gain, penalty)
            n_pivots += 1
    return n_pivots


@njit(cache=True, nogil=True)
def sweep(
    batch: Batch,
    lists: Shortlists,
    held: Held,
    tree: Tree,
    watch: Watch,
    penalty: float,
    tolerance: float,
    full: bool,
) -> int:
    """Look at every lead and every rep's open slots once; exchange what pays.

    Args:
        batch: Leads and reps.
        lists: Short lists.
        held: The plan, within capacity; modified in place, never worse.
        tree: Cheapest ways to the root; modified in place.
        watch: Modified in place.
        penalty: Loss for each lead that a rep is short of its floor.
        tolerance: Gains below this are rounding; positive.
        full: Look at every lead, the unlikely ones too.

    Returns:
        How many exchanges or cheaper ways were found: 0 after a full sweep proves the
        plan best among the pairs listed.
    """
    n_nodes = tree.price.shape[0]
    way = Way(
        np.empty(n_nodes, np.int32), np.empty(n_nodes, np.int32), np.empty(n_nodes)
    )
    refresh(held, tree, batch.stay)
    before = tree.price.copy()
    n_pivots = _sweep_leads(
        batch, lists, held, tree, watch, way, penalty, tolerance, full
    )
    n_pivots += _sweep_slots(batch, held, tree, way, penalty, tolerance)
    change = tree.price - before
    watch.drift[0] += change.max() - change.min()
    return n_pivots
