"""Compiled inner loops of the auction: short lists, bids, and the proof.

Arrays in, arrays out; no objects but tuples of arrays, no I/O, no checks. Each kernel
has a plain NumPy twin in ``tests/unit/test_auction_kernels.py`` that it must match.

Everything here is bounded by reading ``value`` from memory. A row of prices is
subtracted from a row of values into 64 running maxima at once, which is the form that
LLVM turns into vector code: a plain running maximum takes 3.5 times as long.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from optimizer.problem import BoolArray, FloatArray, IntArray

LANES = 64
"""Running maxima per row: four vectors of doubles and more hide the latency."""

GROUPS = 8
"""A short list has at least this many reps, when so many are eligible."""

WIDTH = 64
"""Longest short list."""

LOWEST = np.finfo(np.float64).min
"""Anything eligible is worth at least this; what is not is worth ``-inf``."""

NOBODY = -1
"""No lead, no rep, no node."""

Index = NDArray[np.int32]


class Batch(NamedTuple):
    """Leads and reps as the kernels read them.

    Attributes:
        value: Expected value; float32 or float64 (n_leads, n_reps), C order.
        eligible: Allowed pairs; bool (n_leads, n_reps), C order.
        masked: Whether any pair is not allowed.
        capacity: Slots per rep, at most n_leads + 1; int64 (n_reps,).
        floor: Leads owed to each rep; int64 (n_reps,).
        stay: What an unassigned lead counts as: a little below 0, so that of equally
            good plans the one that leaves fewer leads wins.
    """

    value: NDArray[np.floating]
    eligible: BoolArray
    masked: bool
    capacity: IntArray
    floor: IntArray
    stay: float


class Shortlists(NamedTuple):
    """The reps worth most to each lead at the prices when they were listed.

    Attributes:
        rep: Reps, in no order; int32 (n_leads, WIDTH).
        value: Value of those pairs; as in ``Batch`` (n_leads, WIDTH).
        length: Entries used; int32 (n_leads,).
        left_out: Nobody left out was worth more than this after prices; float64
            (n_leads,), ``-inf`` where everybody eligible is listed.
    """

    rep: Index
    value: NDArray[np.floating]
    length: Index
    left_out: FloatArray


class Scratch(NamedTuple):
    """Working memory of one row.

    Attributes:
        worth: Value after price; float64, whole lanes, ``-inf`` behind the last rep.
        lane: Running maxima; float64 (LANES,).
        group: Maxima of groups of lanes; float64 (LANES // 2,).
        found: Reps that reach the threshold; int32, one more than ``worth``.
        reached: Lanes that do; int32 (LANES + 1,).
    """

    worth: FloatArray
    lane: FloatArray
    group: FloatArray
    found: Index
    reached: Index


class Held(NamedTuple):
    """The plan so far.

    Attributes:
        rep_of: Rep of each lead, n_reps for unassigned; int32 (n_leads,).
        value_of: Value of that pair, ``stay`` for unassigned; float64 (n_leads,).
        load: Leads per rep; int64 (n_reps,).
    """

    rep_of: Index
    value_of: FloatArray
    load: IntArray


class Offers(NamedTuple):
    """What each rep holds: a heap of offers, the lowest on top, linked by lead.

    Attributes:
        offer: What each holding lead offered; float64 (n_leads,).
        left: Left child; int32 (n_leads,).
        right: Right child; int32 (n_leads,).
        lowest: Lead with the lowest offer of each rep; int32 (n_reps,).
    """

    offer: FloatArray
    left: Index
    right: Index
    lowest: Index


@njit(cache=True, nogil=True)
def new_scratch(n_reps: int) -> Scratch:
    """Working memory for rows of ``n_reps``."""
    n_blocks = max((n_reps + LANES - 1) // LANES, 1)
    worth = np.full(n_blocks * LANES, -np.inf)
    found = np.empty(n_blocks * LANES + 1, np.int32)
    reached = np.empty(LANES + 1, np.int32)
    return Scratch(worth, np.empty(LANES), np.empty(LANES // 2), found, reached)


@njit(cache=True, nogil=True)
def _subtract(batch: Batch, i: int, price: FloatArray, worth: FloatArray) -> None:
    row = batch.value[i]
    if batch.masked:
        allowed = batch.eligible[i]
        for j in range(row.shape[0]):
            x = np.float64(row[j]) - price[j]
            worth[j] = x if allowed[j] else -np.inf
    else:
        for j in range(row.shape[0]):
            worth[j] = np.float64(row[j]) - price[j]


@njit(cache=True, nogil=True)
def _fold(worth: FloatArray, lane: FloatArray) -> None:
    """Maximum of each residue class modulo LANES."""
    for w in range(LANES):
        lane[w] = worth[w]
    for block in range(LANES, worth.shape[0], LANES):
        for w in range(LANES):
            x = worth[block + w]
            lane[w] = max(lane[w], x)


@njit(cache=True, nogil=True)
def _threshold(lane: FloatArray, n_groups: int, group: FloatArray) -> float:
    """The lowest of the groups' highest: at least ``n_groups`` entries reach it."""
    width = LANES // 2
    for w in range(width):
        group[w] = max(lane[w], lane[w + width])
    while width > n_groups:
        width //= 2
        for w in range(width):
            group[w] = max(group[w], group[w + width])
    lowest = np.inf
    for w in range(width):
        lowest = min(lowest, group[w])
    return lowest


@njit(cache=True, nogil=True)
def _find(scratch: Scratch, threshold: float, first_lane: int) -> int:
    """Write the reps that reach the threshold to ``found``; how many there are.

    Both loops count without a branch: every second one would be mispredicted.
    """
    worth, lane, found, reached = (
        scratch.worth,
        scratch.lane,
        scratch.found,
        scratch.reached,
    )
    n_reached = 0
    for turn in range(LANES):
        w = (turn + first_lane) % LANES
        reached[n_reached] = w
        n_reached += lane[w] >= threshold
    n_found = 0
    for k in range(n_reached):
        for j in range(reached[k], worth.shape[0], LANES):
            found[n_found] = j
            n_found += worth[j] >= threshold
    return n_found


@njit(cache=True, nogil=True)
def _list_row(
    batch: Batch, i: int, price: FloatArray, lists: Shortlists, scratch: Scratch
) -> None:
    """List the reps worth most to lead ``i`` afresh; ties begin at another lane."""
    _subtract(batch, i, price, scratch.worth)
    _fold(scratch.worth, scratch.lane)
    n_groups = GROUPS
    threshold = _threshold(scratch.lane, n_groups, scratch.group)
    n_found = _find(scratch, max(threshold, LOWEST), i * 7)
    while n_found > WIDTH and n_groups > 1:
        n_groups //= 2
        threshold = _threshold(scratch.lane, n_groups, scratch.group)
        n_found = _find(scratch, max(threshold, LOWEST), i * 7)
    n_found = min(n_found, WIDTH)
    for k in range(n_found):
        j = scratch.found[k]
        lists.rep[i, k] = j
        lists.value[i, k] = batch.value[i, j]
    lists.length[i] = n_found
    lists.left_out[i] = threshold


@njit(cache=True, nogil=True)
def list_reps(batch: Batch, price: FloatArray, lists: Shortlists) -> None:
    """List for each lead the reps worth most to it at these prices.

    Args:
        batch: Leads and reps.
        price: Price of one slot; float64 (n_reps,), ``inf`` for a closed rep.
        lists: Written in place.
    """
    scratch = new_scratch(batch.value.shape[1])
    for i in range(batch.value.shape[0]):
        _list_row(batch, i, price, lists, scratch)


@njit(cache=True, nogil=True)
def _row_best(batch: Batch, i: int, price: FloatArray, scratch: Scratch) -> float:
    """Highest value after price in a row; ``-inf`` with nobody eligible."""
    row, lane = batch.value[i], scratch.lane
    n_reps = row.shape[0]
    lane[:] = -np.inf
    whole = n_reps // LANES * LANES
    if batch.masked:
        allowed = batch.eligible[i]
        for block in range(0, whole, LANES):
            for w in range(LANES):
                x = np.float64(row[block + w]) - price[block + w]
                x = x if allowed[block + w] else -np.inf
                lane[w] = max(lane[w], x)
        for j in range(whole, n_reps):
            if allowed[j]:
                lane[0] = max(lane[0], np.float64(row[j]) - price[j])
    else:
        for block in range(0, whole, LANES):
            for w in range(LANES):
                x = np.float64(row[block + w]) - price[block + w]
                lane[w] = max(lane[w], x)
        for j in range(whole, n_reps):
            lane[0] = max(lane[0], np.float64(row[j]) - price[j])
    return _threshold(lane, 1, scratch.group)


@njit(cache=True, nogil=True)
def prove(
    batch: Batch,
    price: FloatArray,
    held: Held,
    tolerance: float,
    lists: Shortlists,
) -> tuple[float, int]:
    """Sum what every lead could gain at these prices, over every pair.

    Leads that could gain more than they do get a new short list.

    Args:
        batch: Leads and reps.
        price: Price of one slot and, last, of staying unassigned (0); float64
            (n_reps + 1,), ``inf`` for a closed rep.
        held: The plan.
        tolerance: Gains below this are rounding; positive.
        lists: Modified in place.

    Returns:
        Sum over leads of max(0, best value after price), summed with compensation; and
        how many leads could gain more than they do.
    """
    scratch = new_scratch(batch.value.shape[1])
    total, lost, n_gaining = 0.0, 0.0, 0
    for i in range(batch.value.shape[0]):
        best = _row_best(batch, i, price, scratch)
        if best > held.value_of[i] - price[held.rep_of[i]] + tolerance:
            _list_row(batch, i, price, lists, scratch)
            n_gaining += 1
        gain = max(best, 0.0) - lost
        sum_ = total + gain
        lost = (sum_ - total) - gain
        total = sum_
    return total, n_gaining


@njit(cache=True, nogil=True)
def largest_listed(lists: Shortlists) -> float:
    """Size of the largest listed value; 0 with none."""
    size = 0.0
    for i in range(lists.length.shape[0]):
        for k in range(lists.length[i]):
            size = max(size, abs(np.float64(lists.value[i, k])))
    return size


@njit(cache=True, nogil=True)
def largest(batch: Batch) -> float:
    """Size of the largest value of an allowed pair; 0 with none."""
    size = 0.0
    n_leads, n_reps = batch.value.shape
    for i in range(n_leads):
        for j in range(n_reps):
            if batch.eligible[i, j]:
                size = max(size, abs(np.float64(batch.value[i, j])))
    return size


@njit(cache=True, nogil=True)
def _best_two(
    lists: Shortlists, i: int, price: FloatArray, stay: float
) -> tuple[float, float, int]:
    """Best and second best listed value after price, and the best one's place."""
    best, second, place = stay, stay, NOBODY
    for k in range(lists.length[i]):
        worth = lists.value[i, k] - price[lists.rep[i, k]]
        if worth > best:
            second = best
            best = worth
            place = k
        elif worth > second:
            second = worth
    return best, second, place


@njit(cache=True, nogil=True)
def margins(
    lists: Shortlists, price: FloatArray, stay: float, margin: FloatArray
) -> None:
    """How much more the best listed rep is worth to each lead than the next one.

    Args:
        lists: Short lists.
        price: Price of one slot; float64 (n_reps,) or longer.
        stay: What staying unassigned is worth.
        margin: Written in place; float64 (n_leads,), at least 0.
    """
    for i in range(lists.length.shape[0]):
        best, second, _ = _best_two(lists, i, price, stay)
        margin[i] = best - second


@njit(cache=True, nogil=True)
def _merge(offers: Offers, a: int, b: int) -> int:
    """Merge two heaps (Sleator and Tarjan's skew heap); the new top."""
    if a < 0:
        return b
    if b < 0:
        return a
    if offers.offer[b] < offers.offer[a]:
        a, b = b, a
    top = a
    while b >= 0:
        rest = offers.right[a]
        offers.right[a] = offers.left[a]
        if rest >= 0 and offers.offer[rest] < offers.offer[b]:
            rest, b = b, rest
        offers.left[a] = b
        a, b = b, rest
    return top


@njit(cache=True, nogil=True)
def _reprice(batch: Batch, held: Held, offers: Offers, j: int, price: float) -> float:
    """Price of rep ``j`` after it took an offer: what the next one must beat.

    Below its floor a rep keeps its starting price. From there on the lowest offer held
    is the price, but no more than 0 while slots are left.
    """
    if held.load[j] < batch.floor[j]:
        return price
    lowest: float = offers.offer[offers.lowest[j]]
    if held.load[j] < batch.capacity[j]:
        return max(price, min(lowest, 0.0))
    return max(price, lowest)


@njit(cache=True, nogil=True)
def _is_full(batch: Batch, held: Held, j: int, price: float) -> bool:
    """Whether rep ``j`` must let a lead go to take another at this price."""
    if price < 0.0:
        return bool(held.load[j] >= batch.floor[j])
    return bool(held.load[j] >= batch.capacity[j])


@njit(cache=True, nogil=True)
def _take(
    batch: Batch, held: Held, offers: Offers, i: int, j: int, price: FloatArray
) -> int:
    """Give lead ``i`` to rep ``j`` at its offer; the lead that has to go, or NOBODY."""
    gone = NOBODY
    if _is_full(batch, held, j, price[j]):
        gone = offers.lowest[j]
        rest = _merge(offers, offers.left[gone], offers.right[gone])
        offers.lowest[j] = rest
        held.rep_of[gone] = batch.capacity.shape[0]
        held.value_of[gone] = batch.stay
        held.load[j] -= 1
    offers.left[i] = NOBODY
    offers.right[i] = NOBODY
    offers.lowest[j] = _merge(offers, offers.lowest[j], i)
    held.load[j] += 1
    price[j] = _reprice(batch, held, offers, j, price[j])
    return gone


@njit(cache=True, nogil=True)
def hold_auction(
    batch: Batch,
    price: FloatArray,
    lists: Shortlists,
    held: Held,
    increment: float,
    patience: int,
) -> int:
    """Let the leads bid for slots from given prices until nobody wants to bid.

    A lead bids for its best rep: the rep's price, plus what the second best is worth
    less, plus an increment. A full rep keeps its highest offers and its price is the
    lowest of them (Bertsekas and Castanon, 1989: a slot is not told from another). A
    lead whose short list may be outdated reads its whole row again. Reps who tie, or
    leads who all want one block of reps, outbid one another by one increment at a time;
    so after ``patience`` bids the increment doubles, and again every n_leads / 2 bids.

    Args:
        batch: Leads and reps.
        price: Starting price of one slot, any sign, ``inf`` for a closed rep; float64
            (n_reps,), modified in place.
        lists: Short lists at those prices; modified in place.
        held: Written in place: the plan when the bidding ends, within capacity.
        increment: Least increment of a bid; positive.
        patience: Bids before the increment grows.

    Returns:
        How many bids were made.
    """
    n_leads, n_reps = batch.value.shape
    held.rep_of[:] = n_reps
    held.value_of[:] = batch.stay
    held.load[:] = 0
    offers = Offers(
        np.empty(n_leads),
        np.empty(n_leads, np.int32),
        np.empty(n_leads, np.int32),
        np.full(n_reps, NOBODY, np.int32),
    )
    scratch = new_scratch(n_reps)
    n_bids = 0
    for first in range(n_leads):
        i = first
        while i != NOBODY:
            best, second, place = _best_two(lists, i, price, batch.stay)
            if second < lists.left_out[i] and batch.stay < lists.left_out[i]:
                _list_row(batch, i, price, lists, scratch)
                best, second, place = _best_two(lists, i, price, batch.stay)
            if place == NOBODY:
                break
            n_bids += 1
            patience -= best - second <= increment
            if patience < 0:
                increment *= 2.0
                patience = n_leads // 4
            j = lists.rep[i, place]
            offers.offer[i] = price[j] + (best - second) + increment
            held.rep_of[i] = j
            held.value_of[i] = lists.value[i, place]
            i = _take(batch, held, offers, i, j, price)
    return n_bids
