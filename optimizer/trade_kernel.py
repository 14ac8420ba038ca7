"""Compiled local search over whole plans: one lead moves, or two change places.

A place is a rep, or ``n_reps`` for being unassigned.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from optimizer.problem import BoolArray, FloatArray, IntArray


class Rules(NamedTuple):
    """What a plan has to keep.

    Attributes:
        low: Fewest leads of each rep; int64 (n_reps,).
        high: Most leads of each rep; int64 (n_reps,).
        group: Group of each rep; int64 (n_reps,).
        group_low: Fewest leads of each group; int64 (n_groups,).
        group_high: Most leads of each group; int64 (n_groups,).
        share_low: Least quality share of each rep; float64 (n_reps,).
        share_high: Largest quality share of each rep; float64 (n_reps,).
        dear: What quality outside a rep's shares weighs; positive; float64 (n_reps,).
        may_stay: Whether the number of leads given may change.
    """

    low: IntArray
    high: IntArray
    group: IntArray
    group_low: IntArray
    group_high: IntArray
    share_low: FloatArray
    share_high: FloatArray
    dear: FloatArray
    may_stay: bool


class Tally(NamedTuple):
    """Where every lead is, and what that adds up to; all changed in place.

    Attributes:
        place: Place of each lead; int64 (n_leads,).
        load: Leads at each place; int64 (n_reps + 1,).
        group_load: Leads in each group; int64 (n_groups,).
        quality: Quality at each place; float64 (n_reps + 1,).
        given: Quality given in all; float64 (1,).
        first: First lead at each place, -1 for none; int64 (n_reps + 1,).
        after: Next lead at the same place, -1 for none; int64 (n_leads,).
        before: The one before, -1 for none; int64 (n_leads,).
    """

    place: IntArray
    load: IntArray
    group_load: IntArray
    quality: FloatArray
    given: FloatArray
    first: IntArray
    after: IntArray
    before: IntArray


@njit(cache=True, nogil=True)
def trade(
    value: NDArray[np.floating],
    quality: FloatArray,
    active: BoolArray,
    rules: Rules,
    rep_of: IntArray,
    penalty: float,
    least_gain: float,
    most_rounds: int,
) -> float:
    """Raise value - penalty x quality outside, each lead in turn by its best step.

    The limits on leads of reps and groups hold before and so after every step.

    Args:
        value: Expected value; float32 or float64 (n_leads, n_reps).
        quality: Lead-only p; float64 (n_leads,).
        active: Pairs that may be used; bool (n_leads, n_reps).
        rules: What the plan has to keep.
        rep_of: The plan; int64 (n_leads,), -1 for unassigned, modified in place.
        penalty: Value lost per unit of quality outside the shares, for a weight of 1;
            >= 0.
        least_gain: Steps that gain less are not made; positive.
        most_rounds: Rounds over all leads.

    Returns:
        Quality outside the shares in the end, weighted and summed over reps.
    """
    n_leads, n_reps = value.shape
    tally = _count(quality, rules, rep_of)
    for _ in range(most_rounds):
        changed = False
        for lead in range(n_leads):
            there, other = _best_step(
                value, quality, active, rules, tally, penalty, least_gain, lead
            )
            if there >= 0:
                _make_step(quality, rules, tally, lead, there, other)
                changed = True
        if not changed:
            break
    for lead in range(n_leads):
        rep_of[lead] = tally.place[lead] if tally.place[lead] < n_reps else -1
    return _all_outside(rules, tally, 0, 0, 0.0)


@njit(cache=True, nogil=True)
def _count(quality: FloatArray, rules: Rules, rep_of: IntArray) -> Tally:
    n_leads, n_reps = len(rep_of), len(rules.low)
    tally = Tally(
        np.empty(n_leads, np.int64),
        np.zeros(n_reps + 1, np.int64),
        np.zeros(len(rules.group_low), np.int64),
        np.zeros(n_reps + 1),
        np.zeros(1),
        np.full(n_reps + 1, -1),
        np.full(n_leads, -1),
        np.full(n_leads, -1),
    )
    for lead in range(n_leads - 1, -1, -1):
        here = rep_of[lead] if rep_of[lead] >= 0 else n_reps
        _put(tally, lead, here)
        tally.load[here] += 1
        tally.quality[here] += quality[lead]
        if here < n_reps:
            tally.group_load[rules.group[here]] += 1
            tally.given[0] += quality[lead]
    return tally


@njit(cache=True, nogil=True)
def _best_step(
    value: NDArray[np.floating],
    quality: FloatArray,
    active: BoolArray,
    rules: Rules,
    tally: Tally,
    penalty: float,
    least_gain: float,
    lead: int,
) -> tuple[int, int]:
    """The best place for the lead, and who has to change with it (-1 for nobody)."""
    n_reps = len(rules.low)
    here = tally.place[lead]
    best, best_there, best_other = least_gain, -1, -1
    everywhere = _all_outside(rules, tally, here, here, 0.0)
    for there in range(n_reps + 1):
        if there == here or (there < n_reps and not active[lead, there]):
            continue
        won = _worth(value, lead, there) - _worth(value, lead, here)
        # Most steps lose more than all quality that they can bring in is worth.
        hope = penalty * everywhere
        if here < n_reps and there < n_reps:
            hope = penalty * (
                _outside(rules, tally, here) + _outside(rules, tally, there)
            )
        if _may_move(rules, tally, here, there) and won + hope > best:
            gain = won + penalty * _relief(rules, tally, here, there, quality[lead])
            if gain > best:
                best, best_there, best_other = gain, there, -1
        other = tally.first[there]
        while other >= 0:
            if here == n_reps or active[other, here]:
                change = _worth(value, other, here) - _worth(value, other, there)
                if won + change + hope > best:
                    moved = quality[lead] - quality[other]
                    relief = _relief(rules, tally, here, there, moved)
                    gain = won + change + penalty * relief
                    if gain > best:
                        best, best_there, best_other = gain, there, other
            other = tally.after[other]
    return best_there, best_other


@njit(cache=True, nogil=True)
def _worth(value: NDArray[np.floating], lead: int, place: int) -> float:
    return np.float64(value[lead, place]) if place < value.shape[1] else 0.0


@njit(cache=True, nogil=True)
def _excess(rules: Rules, rep: int, quality: float, given: float) -> float:
    """Weighted quality outside the rep's shares of what is given in all."""
    above = max(0.0, quality - rules.share_high[rep] * given)
    below = max(0.0, rules.share_low[rep] * given - quality)
    return np.float64(rules.dear[rep] * (above + below))


@njit(cache=True, nogil=True)
def _outside(rules: Rules, tally: Tally, place: int) -> float:
    """Quality of a place outside its share now; 0 for being unassigned."""
    if place == len(rules.low):
        return 0.0
    return _excess(rules, place, tally.quality[place], tally.given[0])


@njit(cache=True, nogil=True)
def _relief(rules: Rules, tally: Tally, here: int, there: int, moved: float) -> float:
    """Quality outside that a step brings in, when it moves this much from here.

    Giving more or less quality in all shifts every rep's share.
    """
    n_reps = len(rules.low)
    if here == n_reps or there == n_reps:
        now = _all_outside(rules, tally, here, there, 0.0)
        return now - _all_outside(rules, tally, here, there, moved)
    given = tally.given[0]
    after = _excess(rules, here, tally.quality[here] - moved, given)
    after += _excess(rules, there, tally.quality[there] + moved, given)
    return _outside(rules, tally, here) + _outside(rules, tally, there) - after


@njit(cache=True, nogil=True)
def _all_outside(
    rules: Rules, tally: Tally, here: int, there: int, moved: float
) -> float:
    """Quality outside over all reps, after so much has moved from here to there."""
    n_reps = len(rules.low)
    given = tally.given[0]
    if here == n_reps:
        given += moved
    if there == n_reps:
        given -= moved
    found = 0.0
    for j in range(n_reps):
        quality = tally.quality[j]
        if j == here:
            quality -= moved
        if j == there:
            quality += moved
        found += _excess(rules, j, quality, given)
    return found


@njit(cache=True, nogil=True)
def _may_move(rules: Rules, tally: Tally, here: int, there: int) -> bool:
    """Whether the limits let one lead go from here to there with nobody in return."""
    n_reps = len(rules.low)
    if not rules.may_stay and (here == n_reps or there == n_reps):
        return False
    if here < n_reps and tally.load[here] <= rules.low[here]:
        return False
    if there < n_reps and tally.load[there] >= rules.high[there]:
        return False
    left = rules.group[here] if here < n_reps else -1
    joined = rules.group[there] if there < n_reps else -1
    if left == joined:
        return True
    if left >= 0 and tally.group_load[left] <= rules.group_low[left]:
        return False
    return joined < 0 or tally.group_load[joined] < rules.group_high[joined]


@njit(cache=True, nogil=True)
def _make_step(
    quality: FloatArray, rules: Rules, tally: Tally, lead: int, there: int, other: int
) -> None:
    n_reps = len(rules.low)
    here = tally.place[lead]
    moved = quality[lead]
    _take(tally, lead)
    _put(tally, lead, there)
    if other >= 0:
        moved -= quality[other]
        _take(tally, other)
        _put(tally, other, here)
    else:
        tally.load[here] -= 1
        tally.load[there] += 1
        if here < n_reps:
            tally.group_load[rules.group[here]] -= 1
        if there < n_reps:
            tally.group_load[rules.group[there]] += 1
    tally.quality[here] -= moved
    tally.quality[there] += moved
    if here == n_reps:
        tally.given[0] += moved
    if there == n_reps:
        tally.given[0] -= moved


@njit(cache=True, nogil=True)
def _take(tally: Tally, lead: int) -> None:
    """Take a lead out of the list of its place."""
    before, after = tally.before[lead], tally.after[lead]
    if before >= 0:
        tally.after[before] = after
    else:
        tally.first[tally.place[lead]] = after
    if after >= 0:
        tally.before[after] = before


@njit(cache=True, nogil=True)
def _put(tally: Tally, lead: int, place: int) -> None:
    """Put a lead first in the list of a place."""
    tally.place[lead] = place
    tally.before[lead] = -1
    tally.after[lead] = tally.first[place]
    if tally.first[place] >= 0:
        tally.before[tally.first[place]] = lead
    tally.first[place] = lead
