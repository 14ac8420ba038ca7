"""Compiled inner loops: arrays in, arrays out; no objects, no I/O, no checks.

Callers validate (see ``Problem``). Each kernel has a plain NumPy twin in
``tests/unit/test_kernels.py`` that it must match.

``turn`` is the order in which reps wait, the lowest first; a rep who is given a lead
goes to the back, so every tie goes to who waited longest.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from optimizer.problem import BoolArray, FloatArray, IntArray

CREDIT_TIE = 1e-9
"""Credits of a weighted cycle closer than this are equal; in leads."""


FAR = np.int64(2**62)
"""Length of a path that does not exist."""

DRAWN_AMONG, HAD_TURN = 1, 2
"""What a lot in turn saw of a rep who was open to the lead."""


@njit(cache=True, nogil=True)
def give_in_turn(
    eligible: BoolArray, open_slots: IntArray, turn: IntArray, rep_of: IntArray
) -> None:
    """Give each lead to the open rep who waited longest.

    Args:
        eligible: Allowed pairs; bool (n_leads, n_reps).
        open_slots: Slots left per rep; int64 (n_reps,), modified in place.
        turn: Place in the queue, a permutation; int64 (n_reps,), modified in place.
        rep_of: Written in place; int64 (n_leads,), -1 where nobody is open.
    """
    n_leads, n_reps = eligible.shape
    back = np.int64(n_reps)
    for i in range(n_leads):
        chosen = -1
        for j in range(n_reps):
            if not eligible[i, j] or open_slots[j] <= 0:
                continue
            if chosen < 0 or turn[j] < turn[chosen]:
                chosen = j
        rep_of[i] = chosen
        if chosen >= 0:
            open_slots[chosen] -= 1
            turn[chosen] = back
            back += 1


@njit(cache=True, nogil=True)
def give_best_value(
    value: NDArray[np.floating],
    eligible: BoolArray,
    open_slots: IntArray,
    turn: IntArray,
    rep_of: IntArray,
) -> None:
    """Give each lead, in order, to the open rep with the highest value.

    Args:
        value: Expected value; float32 or float64 (n_leads, n_reps).
        eligible: Allowed pairs; bool (n_leads, n_reps).
        open_slots: Slots left per rep; int64 (n_reps,), modified in place.
        turn: Place in the queue, a permutation; int64 (n_reps,), modified in place.
        rep_of: Written in place; int64 (n_leads,), -1 where nobody is open.
    """
    n_leads, n_reps = eligible.shape
    back = np.int64(n_reps)
    for i in range(n_leads):
        chosen = -1
        for j in range(n_reps):
            if not eligible[i, j] or open_slots[j] <= 0:
                continue
            if (
                chosen < 0
                or value[i, j] > value[i, chosen]
                or (value[i, j] == value[i, chosen] and turn[j] < turn[chosen])
            ):
                chosen = j
        rep_of[i] = chosen
        if chosen >= 0:
            open_slots[chosen] -= 1
            turn[chosen] = back
            back += 1


@njit(cache=True, nogil=True)
def give_least_loaded(
    eligible: BoolArray,
    open_slots: IntArray,
    load: IntArray,
    weight: FloatArray,
    turn: IntArray,
    rep_of: IntArray,
) -> None:
    """Give each lead to the open rep with the least load for its weight.

    Args:
        eligible: Allowed pairs; bool (n_leads, n_reps).
        open_slots: Slots left per rep; int64 (n_reps,), modified in place.
        load: Leads given so far; int64 (n_reps,), modified in place.
        weight: Wanted load relative to others; float64 (n_reps,), positive.
        turn: Place in the queue, a permutation; int64 (n_reps,), modified in place.
        rep_of: Written in place; int64 (n_leads,), -1 where nobody is open.
    """
    n_leads, n_reps = eligible.shape
    back = np.int64(n_reps)
    for i in range(n_leads):
        chosen = -1
        for j in range(n_reps):
            if not eligible[i, j] or open_slots[j] <= 0:
                continue
            if chosen < 0:
                chosen = j
                continue
            mine, best = load[j] * weight[chosen], load[chosen] * weight[j]
            if mine < best or (mine == best and turn[j] < turn[chosen]):
                chosen = j
        rep_of[i] = chosen
        if chosen >= 0:
            open_slots[chosen] -= 1
            load[chosen] += 1
            turn[chosen] = back
            back += 1


@njit(cache=True, nogil=True)
def give_by_credit(
    eligible: BoolArray,
    open_slots: IntArray,
    weight: FloatArray,
    credit: FloatArray,
    turn: IntArray,
    rep_of: IntArray,
) -> None:
    """Give each lead by smooth weighted round robin.

    Each lead is worth one credit, shared among the reps open to it by weight; who has
    the most credit takes the lead and pays one. With whole weights and everybody open,
    each cycle of sum(weight) leads gives every rep exactly its weight.

    Args:
        eligible: Allowed pairs; bool (n_leads, n_reps).
        open_slots: Slots left per rep; int64 (n_reps,), modified in place.
        weight: Wanted load relative to others; float64 (n_reps,), positive.
        credit: Leads each rep is behind its share; float64 (n_reps,), modified in
            place.
        turn: Place in the queue, a permutation; int64 (n_reps,), modified in place.
        rep_of: Written in place; int64 (n_leads,), -1 where nobody is open.
    """
    n_leads, n_reps = eligible.shape
    back = np.int64(n_reps)
    for i in range(n_leads):
        total = 0.0
        for j in range(n_reps):
            if eligible[i, j] and open_slots[j] > 0:
                total += weight[j]
        chosen = -1
        for j in range(n_reps):
            if not eligible[i, j] or open_slots[j] <= 0:
                continue
            credit[j] += weight[j] / total
            if chosen < 0:
                chosen = j
                continue
            more = credit[j] - credit[chosen]
            if more > CREDIT_TIE or (more >= -CREDIT_TIE and turn[j] < turn[chosen]):
                chosen = j
        rep_of[i] = chosen
        if chosen >= 0:
            open_slots[chosen] -= 1
            credit[chosen] -= 1.0
            turn[chosen] = back
            back += 1


@njit(cache=True, nogil=True)
def give_by_lot(
    eligible: BoolArray,
    open_slots: IntArray,
    draw: FloatArray,
    rep_of: IntArray,
    propensity: FloatArray,
) -> None:
    """Give each lead to one of the reps open to it, all equally likely.

    Args:
        eligible: Allowed pairs; bool (n_leads, n_reps).
        open_slots: Slots left per rep; int64 (n_reps,), modified in place.
        draw: One uniform number per lead; float64 (n_leads,), in [0, 1).
        rep_of: Written in place; int64 (n_leads,), -1 where nobody is open.
        propensity: Written in place; float64 (n_leads,), one over the number of reps
            open to the lead; NaN where nobody is.
    """
    n_leads, n_reps = eligible.shape
    open_to = np.empty(n_reps, np.int64)
    for i in range(n_leads):
        n_open = 0
        for j in range(n_reps):
            if eligible[i, j] and open_slots[j] > 0:
                open_to[n_open] = j
                n_open += 1
        rep_of[i] = -1
        propensity[i] = np.nan
        if n_open > 0:
            chosen = open_to[int(draw[i] * n_open)]
            rep_of[i] = chosen
            propensity[i] = 1.0 / n_open
            open_slots[chosen] -= 1


@njit(cache=True, nogil=True)
def give_by_chance(
    eligible: BoolArray,
    open_slots: IntArray,
    chance: FloatArray,
    draw: FloatArray,
    rep_of: IntArray,
    propensity: FloatArray,
) -> None:
    """Give each lead to one of the reps open to it, in proportion to their chances.

    Reps without any chance are equally likely where nobody else is open.

    Args:
        eligible: Allowed pairs; bool (n_leads, n_reps).
        open_slots: Slots left per rep; int64 (n_reps,), modified in place.
        chance: Relative chance of each rep; float64 (n_reps,), >= 0.
        draw: One uniform number per lead; float64 (n_leads,), in [0, 1).
        rep_of: Written in place; int64 (n_leads,), -1 where nobody is open.
        propensity: Written in place; float64 (n_leads,), the rep's share of the chances
            of those open to the lead; NaN where nobody is.
    """
    n_leads, n_reps = eligible.shape
    for i in range(n_leads):
        total, n_open = 0.0, 0
        for j in range(n_reps):
            if eligible[i, j] and open_slots[j] > 0:
                total += chance[j]
                n_open += 1
        rep_of[i] = -1
        propensity[i] = np.nan
        if n_open == 0:
            continue
        left = draw[i] * (total if total > 0.0 else n_open)
        for j in range(n_reps):
            if not eligible[i, j] or open_slots[j] <= 0:
                continue
            mine = chance[j] if total > 0.0 else 1.0
            # Rounding may use up the draw short of the end: the last one with a
            # chance has it then.
            if mine > 0.0:
                rep_of[i] = j
                if left < mine:
                    break
                left -= mine
        chosen = rep_of[i]
        propensity[i] = chance[chosen] / total if total > 0.0 else 1.0 / n_open
        open_slots[chosen] -= 1


@njit(cache=True, nogil=True)
def give_in_turn_by_lot(
    eligible: BoolArray,
    open_slots: IntArray,
    had_turn: BoolArray,
    draw: FloatArray,
    rep_of: IntArray,
    propensity: FloatArray,
) -> None:
    """Round robin whose order within each cycle is drawn by lot.

    Each lead draws among the reps open to it who have not had their turn in this
    cycle. When all of them have had it, a new cycle begins for them. The draw is fresh
    for every lead: fixing the cycle's order in advance would make the chances of later
    leads depend on what earlier leads with other eligible reps revealed of it.

    Args:
        eligible: Allowed pairs; bool (n_leads, n_reps).
        open_slots: Slots left per rep; int64 (n_reps,), modified in place.
        had_turn: Reps who have had their turn in the present cycle; bool (n_reps,),
            modified in place.
        draw: One uniform number per lead; float64 (n_leads,), in [0, 1).
        rep_of: Written in place; int64 (n_leads,), -1 where nobody is open.
        propensity: Written in place; float64 (n_leads,), one over the number of reps
            drawn from; NaN where nobody is open.
    """
    n_leads, n_reps = eligible.shape
    open_to = np.empty(n_reps, np.int64)
    for i in range(n_leads):
        n_open = 0
        for j in range(n_reps):
            if eligible[i, j] and open_slots[j] > 0 and not had_turn[j]:
                open_to[n_open] = j
                n_open += 1
        if n_open == 0:
            for j in range(n_reps):
                if eligible[i, j] and open_slots[j] > 0:
                    had_turn[j] = False
                    open_to[n_open] = j
                    n_open += 1
        rep_of[i] = -1
        propensity[i] = np.nan
        if n_open > 0:
            chosen = open_to[int(draw[i] * n_open)]
            rep_of[i] = chosen
            propensity[i] = 1.0 / n_open
            open_slots[chosen] -= 1
            had_turn[chosen] = True


@njit(cache=True, nogil=True)
def look_at_turns(
    eligible: BoolArray,
    open_slots: IntArray,
    had_turn: BoolArray,
    rep_of: IntArray,
    seen: NDArray[np.uint8],
) -> None:
    """What ``give_in_turn_by_lot`` saw at each draw, from whom it gave the leads.

    Args:
        eligible: Allowed pairs; bool (n_leads, n_reps).
        open_slots: Slots left per rep before; int64 (n_reps,), modified in place.
        had_turn: Reps who had had their turn before; bool (n_reps,), modified in place.
        rep_of: Whom it gave the leads; int64 (n_leads,), -1 where nobody was open.
        seen: Written in place; uint8 (n_leads, n_reps): ``DRAWN_AMONG``, ``HAD_TURN``,
            or 0 where the rep was not open to the lead.
    """
    n_leads, n_reps = eligible.shape
    for i in range(n_leads):
        n_waiting = 0
        for j in range(n_reps):
            seen[i, j] = 0
            if eligible[i, j] and open_slots[j] > 0:
                seen[i, j] = HAD_TURN if had_turn[j] else DRAWN_AMONG
                n_waiting += not had_turn[j]
        if n_waiting == 0:
            for j in range(n_reps):
                if seen[i, j] == HAD_TURN:
                    seen[i, j] = DRAWN_AMONG
                    had_turn[j] = False
        chosen = rep_of[i]
        if chosen >= 0:
            open_slots[chosen] -= 1
            had_turn[chosen] = True


@njit(cache=True, nogil=True)
def best_profit(
    value: NDArray[np.floating],
    eligible: BoolArray,
    price: FloatArray,
    profit: FloatArray,
) -> None:
    """What each lead is worth at most after paying the rep's price.

    Args:
        value: Expected value; float32 or float64 (n_leads, n_reps).
        eligible: Allowed pairs; bool (n_leads, n_reps).
        price: Price of one slot; float64 (n_reps,), finite.
        profit: Written in place; float64 (n_leads,), ``-inf`` with nobody eligible.
    """
    n_leads, n_reps = eligible.shape
    for i in range(n_leads):
        best = -np.inf
        for j in range(n_reps):
            if eligible[i, j]:
                # A float32 value minus a float64 price is a float64.
                best = max(best, value[i, j] - price[j])
        profit[i] = best


@njit(cache=True, nogil=True)
def exchange_costs(
    value: NDArray[np.floating],
    eligible: BoolArray,
    rep_of: IntArray,
    scale: float,
    cost: IntArray,
) -> None:
    """Least loss of moving one lead of the plan from one place to another.

    Places are the reps and, after them, being unassigned. Values are rounded to whole
    units of 1 / scale, staying unassigned costs one such unit, as in the flow.

    Args:
        value: Expected value; float32 or float64 (n_leads, n_reps).
        eligible: Allowed pairs; bool (n_leads, n_reps).
        rep_of: The plan; int64 (n_leads,), -1 for unassigned.
        scale: Units per value; positive.
        cost: Modified in place, at least int64 (n_reps + 1, n_reps + 1): lowered to the
            least loss from row to column.
    """
    n_leads, n_reps = eligible.shape
    for i in range(n_leads):
        here = rep_of[i] if rep_of[i] >= 0 else n_reps
        worth = np.int64(-1)
        if here < n_reps:
            worth = np.int64(np.rint(np.float64(value[i, here]) * scale))
            cost[here, n_reps] = min(cost[here, n_reps], worth + 1)
        for k in range(n_reps):
            if eligible[i, k] and k != here:
                there = np.int64(np.rint(np.float64(value[i, k]) * scale))
                cost[here, k] = min(cost[here, k], worth - there)


@njit(cache=True, nogil=True)
def relax(cost: IntArray, distance: IntArray) -> bool:
    """Lower distances until no arc can lower them further (Bellman and Ford).

    Args:
        cost: Arc costs from row to column; int64 (n, n), FAR where there is none.
        distance: Cost from each node to the end; int64 (n,), modified in place,
            FAR where no way is known yet.

    Returns:
        False when a cycle of negative cost was met, True otherwise.
    """
    n = cost.shape[0]
    for _ in range(n + 1):
        lowered = False
        for j in range(n):
            best = distance[j]
            for k in range(n):
                if cost[j, k] < FAR and distance[k] < FAR:
                    best = min(best, cost[j, k] + distance[k])
            if best < distance[j]:
                distance[j] = best
                lowered = True
        if not lowered:
            return True
    return False


@njit(cache=True, nogil=True)
def nearest_pairs(
    value: NDArray[np.floating],
    eligible: BoolArray,
    price: FloatArray,
    n_nearest: int,
    active: BoolArray,
) -> None:
    """Mark the reps who are worth most to each lead after prices.

    Args:
        value: Expected value; float32 or float64 (n_leads, n_reps).
        eligible: Allowed pairs; bool (n_leads, n_reps).
        price: Price of one slot; float64 (n_reps,), finite.
        n_nearest: Reps to mark per lead, at most; positive.
        active: Modified in place: True where marked; bool (n_leads, n_reps).
    """
    n_leads, n_reps = eligible.shape
    best = np.empty(n_nearest)
    best_rep = np.empty(n_nearest, np.int64)
    for i in range(n_leads):
        n_kept = 0
        for j in range(n_reps):
            if not eligible[i, j]:
                continue
            profit = value[i, j] - price[j]
            if n_kept == n_nearest and profit <= best[n_kept - 1]:
                continue
            place = min(n_kept, n_nearest - 1)
            n_kept = place + 1
            while place > 0 and best[place - 1] < profit:
                best[place] = best[place - 1]
                best_rep[place] = best_rep[place - 1]
                place -= 1
            best[place] = profit
            best_rep[place] = j
        for place in range(n_kept):
            active[i, best_rep[place]] = True


@njit(cache=True, nogil=True)
def add_paying_pairs(
    value: NDArray[np.floating],
    eligible: BoolArray,
    rep_of: IntArray,
    scale: float,
    price: IntArray,
    active: BoolArray,
) -> int:
    """Mark pairs that would pay more at these prices than where their lead is.

    Values are rounded to whole units as in ``exchange_costs``.

    Args:
        value: Expected value; float32 or float64 (n_leads, n_reps).
        eligible: Allowed pairs; bool (n_leads, n_reps).
        rep_of: The plan; int64 (n_leads,), -1 for unassigned.
        scale: Units per value; positive.
        price: Price of each rep and, after them, of being unassigned, in units; int64,
            at least (n_reps + 1,).
        active: Modified in place: True where marked; bool (n_leads, n_reps).

    Returns:
        How many pairs were marked: 0 proves the plan.
    """
    n_leads, n_reps = eligible.shape
    n_marked = 0
    for i in range(n_leads):
        here = rep_of[i]
        if here >= 0:
            profit = np.int64(np.rint(np.float64(value[i, here]) * scale)) - price[here]
        else:
            profit = -1 - price[n_reps]
        for j in range(n_reps):
            if not eligible[i, j] or active[i, j]:
                continue
            units = np.int64(np.rint(np.float64(value[i, j]) * scale))
            if units - price[j] > profit:
                active[i, j] = True
                n_marked += 1
    return n_marked
