"""Compiled inner loops of pair scoring: arrays in, arrays out; no objects, no checks.

``scoring`` validates and calls. The plain twins that these must match are in
``tests/unit/test_scoring_kernels.py``.

Leaves come as whole counts of a step. Their sums are exact, so an answer is the same
bits whatever the block, the order of the trees or the number of threads.
"""

from collections.abc import Callable
from math import factorial, log
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.columns import Float32Array, IntArray
from training.forest import AT_MOST, AT_MOST_NOT_ZERO, AT_MOST_OR_ZERO, NOT_ABOVE
from training.leaf_lookup import ENTRIES, add_looked_up, leading_zeros
from training.leaf_words import Splits, WordArray

CountArray = NDArray[np.int32]

SET_WORD = 32
"""Categories to a word of a set."""

FEW_SET_WORDS = 4
"""Sets up to this size are compared word by word: that vectorises."""

TOGETHER = 4
"""Words of trees whose leaves left are kept at once: leads x this x 4 bytes."""

MOST_KEPT = 512
"""Rows of leaves left that are kept for the words at hand: 1 MiB at 512 reps."""

NONE_OUT = np.uint32(0xFFFFFFFF)


Kernel = TypeVar("Kernel", bound=Callable[..., object])

# numba counts references to arrays unless told not to. Nothing here needs that, and its
# atomic increments took two thirds of the time of one lead and made threads wait for
# one another. Division need not look for zeros either.
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "_nrt": False}


def _kernel(function: Kernel) -> Kernel:
    return cast("Kernel", njit(cache=True, nogil=True, **_OPTIONS)(function))


class Desk(NamedTuple):
    """Room to work in; contents mean nothing between calls.

    Attributes:
        left_by_lead: Leaves that leads leave; uint32 (TOGETHER, n_leads).
        pool: Leaves that reps leave, then a row to work in, then those that rows of
            pair tables leave; uint32 (> TOGETHER + n_pair_columns, n_reps padded).
        kept_at: Row of ``pool`` for a table's row; int64 (TOGETHER, n_rows).
        kept_for: Filling of the pool that it belongs to; int64 (TOGETHER, n_rows).
        used: Rows of ``pool`` that a lead uses; int64 (n_pair_columns,).
        state: The filling at hand, and its first free row of ``pool``; int64 (2,).
    """

    left_by_lead: WordArray
    pool: WordArray
    kept_at: IntArray
    kept_for: IntArray
    used: IntArray
    state: IntArray

    @classmethod
    def of(cls, n_leads: int, n_rows: int, n_pair: int, width: int) -> "Desk":
        """Room for a block.

        Args:
            n_leads: Leads of the block.
            n_rows: Rows of its pair tables.
            n_pair: Pair columns.
            width: Reps, padded.
        """
        n_kept = min(TOGETHER * n_rows, MOST_KEPT) + n_pair
        return cls(
            np.empty((TOGETHER, n_leads), dtype=np.uint32),
            np.empty((TOGETHER + 1 + n_kept, width), dtype=np.uint32),
            np.empty((TOGETHER, n_rows), dtype=np.int64),
            np.empty((TOGETHER, n_rows), dtype=np.int64),
            np.empty(n_pair, dtype=np.int64),
            np.zeros(2, dtype=np.int64),
        )


@_kernel
def ask(
    split: NDArray[np.void],
    s: int,
    sets: WordArray,
    columns: Float32Array,
    c: int,
    left: WordArray,
    r: int,
) -> None:
    """Rule out the leaves that a split rules out.

    Args:
        split: Splits; SPLIT (n_splits,).
        s: Which of them.
        sets: Sets of categories; uint32 (n_set_words,).
        columns: Values; float32 (n_columns, n).
        c: Which column of them.
        left: Leaves left, one row modified in place; uint32 (n_rows, n).
        r: Which row.
    """
    kind, t = split[s].kind, split[s].threshold
    yes, no = split[s].yes, split[s].no
    n = columns.shape[1]
    if kind == AT_MOST:
        for i in range(n):
            left[r, i] &= yes if columns[c, i] <= t else no
    elif kind == NOT_ABOVE:
        for i in range(n):
            left[r, i] &= no if columns[c, i] > t else yes
    elif kind == AT_MOST_OR_ZERO:
        for i in range(n):
            x = columns[c, i]
            left[r, i] &= yes if x <= t or x == 0 or x != x else no
    elif kind == AT_MOST_NOT_ZERO:
        for i in range(n):
            x = columns[c, i]
            left[r, i] &= yes if x <= t and x != 0 else no
    else:
        start, stop = split[s].set_start, split[s].set_stop
        if stop - start <= FEW_SET_WORDS:
            _ask_small_set(sets, start, stop, yes, no, columns, c, left, r)
        else:
            _ask_set(sets, start, stop, yes, no, columns, c, left, r)


@_kernel
def _ask_small_set(
    sets: WordArray,
    start: int,
    stop: int,
    yes: np.uint32,
    no: np.uint32,
    columns: Float32Array,
    c: int,
    left: WordArray,
    r: int,
) -> None:
    n = columns.shape[1]
    end = np.float32((stop - start) * SET_WORD)
    for q in range(start, stop):
        low = np.float32((q - start) * SET_WORD)
        high = low + np.float32(SET_WORD)
        # The whole part counts, so that -0.5 is category 0.
        low = np.float32(np.nextafter(np.float32(-1), low)) if q == start else low
        chosen = sets[q]
        for i in range(n):
            x = columns[c, i]
            bit = np.uint32(np.int32(x)) & np.uint32(SET_WORD - 1)
            inside = np.uint32(np.uint32(chosen >> bit) & np.uint32(1))
            answer = yes if inside else no
            left[r, i] &= answer if x >= low and x < high else NONE_OUT
    for i in range(n):
        x = columns[c, i]
        left[r, i] &= NONE_OUT if x > -1 and x < end else no


@_kernel
def _ask_set(
    sets: WordArray,
    start: int,
    stop: int,
    yes: np.uint32,
    no: np.uint32,
    columns: Float32Array,
    c: int,
    left: WordArray,
    r: int,
) -> None:
    n_categories = (stop - start) * SET_WORD
    for i in range(columns.shape[1]):
        x = columns[c, i]
        inside = False
        if x > -1 and x < n_categories:
            category = np.int64(x)
            word = sets[start + category // SET_WORD]
            inside = (word >> (category % SET_WORD)) & 1 != 0
        left[r, i] &= yes if inside else no


@_kernel
def leaves_left(
    splits: Splits, leaves: WordArray, columns: Float32Array, left: WordArray
) -> None:
    """Leaves of every word that one side's columns leave.

    Args:
        splits: Splits of that side.
        leaves: Leaves of each word; uint32 (n_words,).
        columns: Columns of the side; float32 (n_columns, n).
        left: Written in place; uint32 (n_words, n).
    """
    for w in range(leaves.shape[0]):
        _ask_word(splits, w, leaves[w], columns, left, w)


@_kernel
def _ask_word(
    splits: Splits,
    w: int,
    leaves: np.uint32,
    columns: Float32Array,
    left: WordArray,
    r: int,
) -> None:
    for i in range(left.shape[1]):
        left[r, i] = leaves
    split, sets = splits.split, splits.sets
    for s in range(splits.start[w], splits.start[w + 1]):
        ask(split, s, sets, columns, split[s].column, left, r)


@_kernel
def sum_block(
    start: int,
    stop: int,
    lead: Splits,
    pair: Splits,
    leaves: WordArray,
    span: WordArray,
    pair_span: WordArray,
    value: CountArray,
    leads: Float32Array,
    run: IntArray,
    shared: IntArray,
    own: IntArray,
    left_by_rep: WordArray,
    tables: Float32Array,
    row: IntArray,
    desk: Desk,
    total: CountArray,
    constant: CountArray,
) -> None:
    """Add the leaves of words ``start`` up to ``stop`` for a block of leads.

    Args:
        start: First word.
        stop: First word after.
        lead: Splits on lead columns.
        pair: Splits on pair columns.
        leaves: As in ``LeafWords``; uint32 (n_words,).
        span: As in ``LeafWords``; uint32 (n_words,).
        pair_span: As in ``LeafWords``; uint32 (n_words, n_pair_columns).
        value: Counts that leaves add; int32 (n_words, ENTRIES).
        leads: Lead columns; float32 (n_lead_columns, n_leads).
        run: First lead of each run, and the end; int64 (n_runs + 1,).
        shared: Pair columns in which a run has one row; int64.
        own: The other pair columns; int64.
        left_by_rep: Leaves each rep leaves; uint32 (n_words, n_reps padded).
        tables: Pair columns' tables, one below the other; float32 (n_rows, as above).
        row: Row of each lead in ``tables``; int64 (n_pair_columns, n_leads).
        desk: Room to work in.
        total: Modified in place; int32 (n_leads, n_reps padded).
        constant: Sums that are the same for every rep, modified in place;
            int32 (n_leads,).
    """
    left_by_lead, pool = desk.left_by_lead, desk.pool
    desk.kept_for[:] = 0
    desk.state[0] = 0
    for first in range(start, stop, TOGETHER):
        n_words = min(TOGETHER, stop - first)
        for g in range(n_words):
            _ask_word(lead, first + g, leaves[first + g], leads, left_by_lead, g)
        _empty(desk)
        for q in range(run.shape[0] - 1):
            i = run[q]
            _make_room(desk, row.shape[0])
            for g in range(n_words):
                w = first + g
                for j in range(pool.shape[1]):
                    pool[g, j] = left_by_rep[w, j]
                for k in shared:
                    if pair_span[w, k]:
                        a = _kept(g, w, k, row[k, i], pair, leaves, tables, desk)
                        _and(pool, g, a)
            for i in range(run[q], run[q + 1]):
                for g in range(n_words):
                    w = first + g
                    left = left_by_lead[g, i]
                    if left & span[w]:
                        n_used = _use(
                            i,
                            g,
                            w,
                            left,
                            own,
                            pair,
                            leaves,
                            pair_span,
                            tables,
                            row,
                            desk,
                        )
                        _add(pool, g, desk.used, n_used, left, value, w, total, i)
                    else:
                        constant[i] += value[w, leading_zeros(left) & (ENTRIES - 1)]


@_kernel
def _use(
    i: int,
    g: int,
    w: int,
    left: np.uint32,
    own: IntArray,
    pair: Splits,
    leaves: WordArray,
    pair_span: WordArray,
    tables: Float32Array,
    row: IntArray,
    desk: Desk,
) -> int:
    """Note the rows of the pool that matter to what lead i has left of word w.

    Returns:
        How many of ``desk.used`` they are.
    """
    _make_room(desk, row.shape[0])
    n_used = 0
    for k in own:
        if left & pair_span[w, k]:
            desk.used[n_used] = _kept(g, w, k, row[k, i], pair, leaves, tables, desk)
            n_used += 1
    return n_used


@_kernel
def _and(pool: WordArray, a: int, b: int) -> None:
    for j in range(pool.shape[1]):
        pool[a, j] &= pool[b, j]


@_kernel
def _empty(desk: Desk) -> None:
    """Forget the kept rows."""
    desk.state[0] += 1
    desk.state[1] = TOGETHER + 1


@_kernel
def _make_room(desk: Desk, n_rows: int) -> None:
    if desk.state[1] + n_rows > desk.pool.shape[0]:
        _empty(desk)


@_kernel
def _kept(
    g: int,
    w: int,
    k: int,
    r: int,
    pair: Splits,
    leaves: WordArray,
    tables: Float32Array,
    desk: Desk,
) -> int:
    """Row of the pool with the leaves of word w that row r of a table leaves."""
    if desk.kept_for[g, r] == desk.state[0]:
        return int(desk.kept_at[g, r])
    at = int(desk.state[1])
    desk.state[1] += 1
    desk.kept_for[g, r] = desk.state[0]
    desk.kept_at[g, r] = at
    for j in range(desk.pool.shape[1]):
        desk.pool[at, j] = leaves[w]
    group = w * desk.used.shape[0] + k
    for s in range(pair.start[group], pair.start[group + 1]):
        ask(pair.split, s, pair.sets, tables, r, desk.pool, at)
    return at


@_kernel
def _add(
    pool: WordArray,
    g: int,
    used: IntArray,
    n_used: int,
    left: np.uint32,
    value: CountArray,
    w: int,
    total: CountArray,
    i: int,
) -> None:
    if n_used == 0:
        add_looked_up(pool, (g,), left, value, w, total, i)
    elif n_used == 1:
        add_looked_up(pool, (g, used[0]), left, value, w, total, i)
    elif n_used == 2:
        add_looked_up(pool, (g, used[0], used[1]), left, value, w, total, i)
    elif n_used == 3:
        add_looked_up(pool, (g, used[0], used[1], used[2]), left, value, w, total, i)
    else:
        a = used[3]
        if n_used > 4:
            for j in range(pool.shape[1]):
                pool[TOGETHER, j] = pool[a, j] & pool[used[4], j]
            a = TOGETHER
        for q in range(5, n_used):
            _and(pool, TOGETHER, used[q])
        add_looked_up(pool, (g, used[0], used[1], used[2], a), left, value, w, total, i)


@_kernel
def sum_pairs(
    start: int,
    stop: int,
    sides: tuple[Splits, Splits, Splits],
    leaves: WordArray,
    value: CountArray,
    columns: tuple[Float32Array, Float32Array, Float32Array],
    left: WordArray,
    total: CountArray,
) -> None:
    """Add the leaves of words ``start`` up to ``stop`` for chosen pairs.

    Args:
        start: First word.
        stop: First word after.
        sides: Splits on lead, rep and pair columns.
        leaves: As in ``LeafWords``; uint32 (n_words,).
        value: Counts that leaves add; int32 (n_words, ENTRIES).
        columns: Lead, rep and pair columns of the pairs; float32 (n_columns, n padded).
        left: Room to work in; uint32 (1, n padded).
        total: Modified in place; int32 (1, n padded).
    """
    lead, rep, pair = sides
    n_pair = columns[2].shape[0]
    for w in range(start, stop):
        _ask_word(lead, w, leaves[w], columns[0], left, 0)
        for s in range(rep.start[w], rep.start[w + 1]):
            ask(rep.split, s, rep.sets, columns[1], rep.split[s].column, left, 0)
        for s in range(pair.start[w * n_pair], pair.start[(w + 1) * n_pair]):
            ask(pair.split, s, pair.sets, columns[2], pair.split[s].column, left, 0)
        add_looked_up(left, (0,), NONE_OUT, value, w, total, 0)


@_kernel
def fold(
    total: CountArray, constant: CountArray, step: float, raw: NDArray[np.float64]
) -> None:
    """Add counts of a step to raw scores, and empty them.

    Args:
        total: int32 (n_leads, n_reps padded), set to 0.
        constant: int32 (n_leads,), set to 0.
        step: What one count is worth, a power of two.
        raw: Modified in place; float64 (n_leads, n_reps).
    """
    for i in range(raw.shape[0]):
        for j in range(raw.shape[1]):
            raw[i, j] += step * (total[i, j] + constant[i])
            total[i, j] = 0
        constant[i] = 0


@_kernel
def chances(
    raw: NDArray[np.float64],
    a: np.float32,
    b: np.float32,
    c: np.float32,
    row: IntArray,
    out: Float32Array,
) -> None:
    """Calibrated chances of raw scores, within 1.5e-7; see ``BetaCalibration``.

    With s = log(1 + exp(-|raw|)) the calibrated log odds are
    b max(raw, 0) - a max(-raw, 0) + (b - a) s + c. In float32: an error of log odds
    that grows with them does not matter, p (1 - p) |log odds| stays below 0.23.

    Args:
        raw: float64 (n_leads, n_reps).
        a: Weight of log q.
        b: Weight of -log(1 - q).
        c: Shift.
        row: Row of ``out`` for each lead; int64 (n_leads,).
        out: Written in place; float32 (n_out, n_reps).
    """
    zero, one = np.float32(0), np.float32(1)
    for i in range(raw.shape[0]):
        r = row[i]
        for j in range(raw.shape[1]):
            x = np.float32(raw[i, j])
            s = _log1p(_exp_minus(abs(x)))
            z = b * max(x, zero) - a * max(-x, zero) + (b - a) * s + c
            e = _exp_minus(abs(z))
            out[r, j] = (one if z >= zero else e) / (one + e)


@_kernel
def _exp_minus(x: np.float32) -> np.float32:
    """exp(-x) for x >= 0, relatively within 2e-7 down to 1e-36; plain arithmetic only.

    numba calls the C library for ``np.exp``, value by value. Here x = n log 2 - r with
    |r| <= log(2) / 2, exp(r) is a Taylor sum and 2^-n is made from bits.
    """
    x = min(x, _LOWEST)
    n = np.float32(x * _PER_LOG_2 + _TO_WHOLE)
    bits = np.int32(_ONE_BITS - np.int32(n.view(np.int32) << np.int32(23)))
    n -= _TO_WHOLE
    r = n * _LOG_2_HIGH - x + n * _LOG_2_LOW
    e = _EXP[0]
    for term in _EXP[1:]:
        e = e * r + term
    return e * bits.view(np.float32)


@_kernel
def _log1p(x: np.float32) -> np.float32:
    """log(1 + x) for x in [0, 1], within 2e-7: 2 artanh(x / (2 + x)) as a sum."""
    w = x / (np.float32(2) + x)
    v = w * w
    t = _ARTANH[0]
    for term in _ARTANH[1:]:
        t = t * v + term
    return w * t


_EXP = tuple(np.float32(1 / factorial(k)) for k in range(7, -1, -1))
_ARTANH = tuple(np.float32(2 / k) for k in range(13, 0, -2))
_LOWEST = np.float32(83.0)
_PER_LOG_2 = np.float32(1 / log(2))
_LOG_2_HIGH = np.float32(0.693145751953125)
_LOG_2_LOW = np.float32(log(2) - 0.693145751953125)
_TO_WHOLE = np.float32(1.5 * 2**23)
"""Added to a float32, it leaves the nearest whole number in the low bits."""
_ONE_BITS = np.int32(0x3F800000)
