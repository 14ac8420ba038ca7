"""Which leaves of a tree each side still allows, as bits.

A split's answer rules out the leaves below its other side. A pair ends in the one leaf
that no answer rules out, so the leaves left are the AND of what each column leaves, and
a side's columns can be asked on their own: once per lead, once per rep, once per
(segment, rep). The idea is QuickScorer's (Lucchese et al., SIGIR 2015,
https://doi.org/10.1145/2766462.2767733), with the leaves of both answers ruled out so
that exactly one bit is left, and split by side.

31 leaves share a word: as many as LightGBM's trees have unless told otherwise, and one
bit stays free for "none of these". A tree with more leaves has several words; a pair's
leaf is in one of them and the others end empty.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.columns import Contract, IntArray, Side
from rightrep.errors import InvalidInput
from training.forest import Forest
from training.leaf_lookup import ENTRIES

WORD = 31
"""Leaves to a word. Leaf b of a word is the bit with b + 1 zeros before it."""

WordArray = NDArray[np.uint32]


SPLIT = np.dtype(
    [
        ("column", np.int32),
        ("kind", np.int32),
        ("threshold", np.float32),
        ("yes", np.uint32),
        ("no", np.uint32),
        ("set_start", np.int32),
        ("set_stop", np.int32),
    ]
)
"""A split in a word: its column of the side; what it asks, as in ``forest``; the leaves
of the word that a yes leaves, and a no; its set's first word in ``sets``, and its last
plus one."""


class Splits(NamedTuple):
    """The splits of one side, word by word; a plain tuple, as kernels want it.

    Attributes:
        start: First split of each word (of each word and column on the pair side), and
            the end; int64 (n_words + 1,) or (n_words * n_pair_columns + 1,).
        split: The splits; SPLIT (n_splits,).
        sets: Sets of categories; uint32 (n_set_words,).
    """

    start: IntArray
    split: NDArray[np.void]
    sets: WordArray


@dataclass(frozen=True, eq=False)
class LeafWords:
    """A forest split by side; w over words, k over pair columns.

    Attributes:
        lead: Splits on the lead's columns.
        rep: Splits on the rep's columns.
        pair: Splits on pair columns.
        tree: Tree of each word; int64 (n_words,).
        leaves: Leaves the word has; uint32 (n_words,).
        span: Leaves that some rep or pair split may rule out; uint32 (n_words,).
        pair_span: Leaves that some split on pair column k may rule out;
            uint32 (n_words, n_pair_columns).
        known: Whether there is a leaf with e zeros before it;
            bool (n_words, ENTRIES).
        value: What it adds, or 0; float64 (n_words, ENTRIES).
        index: LightGBM's number of that leaf in its tree; int32 (n_words, ENTRIES).
    """

    lead: Splits
    rep: Splits
    pair: Splits
    tree: IntArray
    leaves: WordArray
    span: WordArray
    pair_span: WordArray
    known: NDArray[np.bool_]
    value: NDArray[np.float64]
    index: NDArray[np.int32]

    @property
    def n_words(self) -> int:
        """Words."""
        return int(self.tree.shape[0])

    @property
    def n_trees(self) -> int:
        """Trees."""
        return int(self.tree[-1]) + 1


def split_by_side(forest: Forest, contract: Contract) -> LeafWords:
    """Split every tree by what its columns look at.

    Raises:
        InvalidInput: The forest was trained on another number of columns.
    """
    if forest.n_columns != len(contract.columns):
        raise InvalidInput(
            f"The model has {forest.n_columns} columns, the contract "
            f"{len(contract.columns)}."
        )
    n_words_of = -(-np.diff(forest.leaf_start) // WORD)
    word_start = np.concatenate([[0], np.cumsum(n_words_of)])
    tree = np.repeat(np.arange(forest.n_trees), n_words_of)
    offset = (np.arange(tree.size) - word_start[tree]) * WORD
    n_leaves = np.diff(forest.leaf_start)[tree] - offset
    asked = _asked(forest, word_start)
    n_pair = len(contract.of(Side.PAIR))
    edges = np.cumsum([0, *(len(contract.of(side)) for side in Side)])
    lead, rep, pair = (
        _of_side(
            forest, asked, edges[k], edges[k + 1], n_words=tree.size, by_column=k == 2
        )
        for k in range(3)
    )
    pair_span = _span(pair).reshape(tree.size, n_pair)
    leaf = np.arange(-1, ENTRIES - 1)
    known = (leaf >= 0) & (leaf < np.minimum(n_leaves, WORD)[:, None])
    source = np.where(known, (forest.leaf_start[tree] + offset)[:, None] + leaf, 0)
    return LeafWords(
        lead=lead,
        rep=rep,
        pair=pair,
        tree=tree,
        leaves=_bits(np.zeros_like(n_leaves), n_leaves),
        span=_span(rep) | np.bitwise_or.reduce(pair_span, axis=1),
        pair_span=pair_span,
        known=known,
        value=np.where(known, forest.leaf_value[source], 0.0),
        index=np.where(known, forest.leaf_index[source], 0).astype(np.int32),
    )


class _Asked(NamedTuple):
    """Every split once for each word it matters to."""

    word: IntArray
    split: IntArray
    yes: WordArray
    no: WordArray


def _asked(forest: Forest, word_start: IntArray) -> _Asked:
    low, high = forest.first // WORD, (forest.last - 1) // WORD
    times = high - low + 1
    split = np.repeat(np.arange(times.size), times)
    step = np.arange(split.size) - np.repeat(np.cumsum(times) - times, times)
    in_tree = low[split] + step
    of_tree = np.repeat(np.arange(forest.n_trees), np.diff(forest.split_start))
    base = in_tree * WORD
    below_yes = _bits(forest.first[split] - base, forest.middle[split] - base)
    below_no = _bits(forest.middle[split] - base, forest.last[split] - base)
    return _Asked(word_start[of_tree[split]] + in_tree, split, ~below_no, ~below_yes)


def _bits(start: IntArray, stop: IntArray) -> WordArray:
    """The bits of leaves ``start`` up to ``stop``, clipped to the word."""
    one = np.uint64(1)
    high = one << (WORD - np.clip(start, 0, WORD)).astype(np.uint64)
    low = one << (WORD - np.clip(stop, 0, WORD)).astype(np.uint64)
    return (high - low).astype(np.uint32)


def _of_side(
    forest: Forest, asked: _Asked, low: int, high: int, *, n_words: int, by_column: bool
) -> Splits:
    """The splits on columns ``low`` up to ``high``, in order of word (and column)."""
    column = forest.column[asked.split]
    chosen = np.flatnonzero((column >= low) & (column < high))
    group = asked.word[chosen]
    n_groups = n_words
    if by_column:
        group = group * (high - low) + column[chosen] - low
        n_groups = n_words * (high - low)
    order = np.argsort(group, kind="stable")
    chosen = chosen[order]
    source = asked.split[chosen]
    split = np.empty(chosen.size, dtype=SPLIT)
    split["column"] = forest.column[source] - low
    split["kind"] = forest.kind[source]
    split["threshold"] = forest.threshold[source]
    split["yes"] = asked.yes[chosen]
    split["no"] = asked.no[chosen]
    split["set_start"] = forest.set_start[source]
    split["set_stop"] = forest.set_stop[source]
    start = np.searchsorted(group[order], np.arange(n_groups + 1))
    return Splits(start, split, forest.sets)


def _span(splits: Splits) -> WordArray:
    """Leaves that the splits of each group may rule out."""
    n_groups = splits.start.size - 1
    span = np.zeros(n_groups, dtype=np.uint32)
    group = np.repeat(np.arange(n_groups), np.diff(splits.start))
    np.bitwise_or.at(span, group, ~(splits.split["yes"] & splits.split["no"]))
    return span
