"""Which leaves of a tree each side still allows, as bits.

A split's answer rules out the leaves below its other side. A pair ends in the one leaf
that no answer rules out, so the leaves left are the AND of what each column leaves, and
a side's columns can be asked on their own: once per lead, once per rep, once per
(segment, rep). The idea is QuickScorer's (Lucchese et al., SIGIR 2015,
https://doi.org/10.1145/2766462.2767733), with the leaves of both answers ruled out so
that exactly one bit is left, and split by side.

A word has room for 31 leaves: as many as LightGBM's trees have unless told otherwise,
and one bit stays free for "none of these". A tree with more leaves has several words; a
pair's leaf is in one of them and the others end empty. Small trees share a word, which
has a bit for each combination of their leaves.
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
"""Places in a word. Place c is the bit with c + 1 zeros before it."""

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
    """A forest split by side; w over words, t over trees, k over pair columns.

    A word's places are the leaves of a tree, or the combinations of leaves of a few.

    Attributes:
        lead: Splits on the lead's columns.
        rep: Splits on the rep's columns.
        pair: Splits on pair columns.
        start: First word of each group of trees that share words, and the end;
            int64 (n_groups + 1,).
        group: Group of each tree; int64 (n_trees,).
        leaves: Places the word has; uint32 (n_words,).
        span: Places that some rep or pair split may rule out; uint32 (n_words,).
        pair_span: Places that some split on pair column k may rule out;
            uint32 (n_words, n_pair_columns).
        known: Whether there is a place with e zeros before it; bool (n_words, ENTRIES).
        value: What its leaves add together, or 0; float64 (n_words, ENTRIES).
        index: LightGBM's number of its leaf of tree t, tree by tree and word by word
            within; int32 (sum over trees of words, ENTRIES).
    """

    lead: Splits
    rep: Splits
    pair: Splits
    start: IntArray
    group: IntArray
    leaves: WordArray
    span: WordArray
    pair_span: WordArray
    known: NDArray[np.bool_]
    value: NDArray[np.float64]
    index: NDArray[np.int32]

    @property
    def n_words(self) -> int:
        """Words."""
        return int(self.start[-1])

    @property
    def n_trees(self) -> int:
        """Trees."""
        return int(self.group.shape[0])


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
    layout = _Layout.of(np.diff(forest.leaf_start))
    asked = _asked(forest, layout)
    n_words, n_pair = layout.known.shape[0], len(contract.of(Side.PAIR))
    edges = np.cumsum([0, *(len(contract.of(side)) for side in Side)])
    lead, rep, pair = (
        _of_side(forest, asked, edges[k], edges[k + 1], n_words, by_column=k == 2)
        for k in range(3)
    )
    pair_span = _span(pair).reshape(n_words, n_pair)
    value, index = _tables(forest, layout)
    return LeafWords(
        lead=lead,
        rep=rep,
        pair=pair,
        start=layout.start,
        group=layout.group,
        leaves=_bits(layout.known),
        span=_span(rep) | np.bitwise_or.reduce(pair_span, axis=1),
        pair_span=pair_span,
        known=np.pad(layout.known, ((0, 0), (1, 0))),
        value=value,
        index=index,
    )


class _Layout(NamedTuple):
    """Which leaf is where.

    Attributes:
        start: As in ``LeafWords``.
        group: As in ``LeafWords``.
        stride: Places between a tree's next leaf and the last; int64 (n_trees,).
        size: Leaves of each tree; int64 (n_trees,).
        offset: First leaf in the word, 0 where trees share it; int64 (n_words,).
        known: Whether the word has that place; bool (n_words, WORD).
    """

    start: IntArray
    group: IntArray
    stride: IntArray
    size: IntArray
    offset: IntArray
    known: NDArray[np.bool_]

    @classmethod
    def of(cls, size: IntArray) -> "_Layout":
        """Let trees share a word as long as their combinations fit."""
        group, stride = np.empty_like(size), np.empty_like(size)
        places: list[int] = []
        for t, n in enumerate(size.tolist()):
            if places and places[-1] * n <= WORD:
                stride[t] = places[-1]
                places[-1] *= n
            else:
                stride[t] = 1
                places.append(n)
            group[t] = len(places) - 1
        n_words = -(-np.array(places) // WORD)
        start = np.concatenate([[0], np.cumsum(n_words)])
        owner = np.repeat(np.arange(len(places)), n_words)
        offset = (np.arange(owner.size) - start[owner]) * WORD
        left = np.array(places)[owner] - offset
        return cls(start, group, stride, size, offset, np.arange(WORD) < left[:, None])

    def leaf(self, word: IntArray, tree: IntArray) -> IntArray:
        """The tree's leaf at each place of a word; int64 (n, WORD).

        Args:
            word: int64 (n,).
            tree: A tree of each word; int64 (n,).
        """
        step = np.arange(WORD) // self.stride[tree][:, None]
        return self.offset[word][:, None] + step % self.size[tree][:, None]


def _tables(
    forest: Forest, layout: _Layout
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """``value`` and ``index`` of ``LeafWords``."""
    n_words = np.diff(layout.start)[layout.group]
    tree = np.repeat(np.arange(n_words.size), n_words)
    step = np.arange(tree.size) - np.repeat(np.cumsum(n_words) - n_words, n_words)
    word = layout.start[layout.group[tree]] + step
    known = layout.known[word]
    leaf = np.where(known, layout.leaf(word, tree), 0)
    source = forest.leaf_start[tree][:, None] + leaf
    value = np.zeros((layout.known.shape[0], ENTRIES))
    np.add.at(value[:, 1:], word, np.where(known, forest.leaf_value[source], 0.0))
    index = np.where(known, forest.leaf_index[source], 0).astype(np.int32)
    return value, np.pad(index, ((0, 0), (1, 0)))


class _Asked(NamedTuple):
    """Every split once for each word it matters to."""

    word: IntArray
    split: IntArray
    yes: WordArray
    no: WordArray


def _asked(forest: Forest, layout: _Layout) -> _Asked:
    low, high = forest.first // WORD, (forest.last - 1) // WORD
    times = high - low + 1
    split = np.repeat(np.arange(times.size), times)
    step = np.arange(split.size) - np.repeat(np.cumsum(times) - times, times)
    tree = np.repeat(np.arange(layout.group.size), np.diff(forest.split_start))[split]
    word = layout.start[layout.group[tree]] + low[split] + step
    leaf = layout.leaf(word, tree)
    first, middle, last = (
        end[split][:, None] for end in (forest.first, forest.middle, forest.last)
    )
    below_yes = _bits((first <= leaf) & (leaf < middle) & layout.known[word])
    below_no = _bits((middle <= leaf) & (leaf < last) & layout.known[word])
    return _Asked(word, split, ~below_no, ~below_yes)


def _bits(places: NDArray[np.bool_]) -> WordArray:
    """Words with the bits of those places; uint32 (n,).

    Args:
        places: bool (n, WORD).
    """
    return (places @ (2 ** np.arange(WORD - 1, -1, -1))).astype(np.uint32)


def _of_side(
    forest: Forest, asked: _Asked, low: int, high: int, n_words: int, *, by_column: bool
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
