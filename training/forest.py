"""The trained trees as arrays, read from LightGBM's own text format.

Every split becomes one comparison in float32 that answers as LightGBM's does in float64
on float32 values, whatever the value: missing, infinite, negative zero or a category
never seen. What LightGBM does with a value is in its ``include/LightGBM/tree.h``
(``NumericalDecision``, ``CategoricalDecision``) and, for values that it takes for zero,
in the dense row reader of its C API.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from features.columns import Float32Array, IntArray
from rightrep.errors import InvalidInput

AT_MOST, NOT_ABOVE, AT_MOST_OR_ZERO, AT_MOST_NOT_ZERO, IN_SET = range(5)
"""What a split asks of a value x and its threshold t; yes goes left.

``AT_MOST``: x <= t, which NaN is not. ``NOT_ABOVE``: not x > t, which NaN is.
``AT_MOST_OR_ZERO`` and ``AT_MOST_NOT_ZERO``: zero and NaN go one way, as with
``zero_as_missing``. ``IN_SET``: the whole part of x is a category of the set.
"""

ZERO = np.float32(1e-35)
"""LightGBM takes a value this close to 0 for 0."""

CATEGORICAL, DEFAULT_LEFT = 1, 2
"""Bits of LightGBM's ``decision_type``."""

MISSING_NONE, MISSING_ZERO = 0, 1
"""LightGBM's missing types apart from NaN, the two bits above."""


@dataclass(frozen=True, eq=False)
class Forest:
    """Every tree, one after the other; t over trees, s over splits, l over leaves.

    A tree's leaves are numbered from left to right, so that the leaves below a split
    are a run: those of its yes are ``first[s]`` to ``middle[s]``, those of its no
    ``middle[s]`` to ``last[s]``, counted within the tree, the ends left out.

    Attributes:
        n_columns: Columns of a feature row.
        split_start: First split of each tree, and the end; int64 (n_trees + 1,).
        leaf_start: First leaf of each tree, and the end; int64 (n_trees + 1,).
        column: Column a split looks at; int64 (n_splits,).
        kind: What it asks: ``AT_MOST`` ... ``IN_SET``; int64 (n_splits,).
        threshold: The largest float32 at most LightGBM's threshold; 0 for ``IN_SET``;
            float32 (n_splits,).
        first: First leaf of the split's yes; int64 (n_splits,).
        middle: First leaf of its no; int64 (n_splits,).
        last: First leaf after; int64 (n_splits,).
        set_start: First word of its set in ``sets``; int64 (n_splits,).
        set_stop: First word after; int64 (n_splits,).
        sets: Sets of categories, 32 to a word, lowest bit first; uint32 (n_set_words,).
        leaf_value: What a leaf adds to the raw score; float64 (n_leaves,).
        leaf_index: LightGBM's number of the leaf in its tree; int64 (n_leaves,).
    """

    n_columns: int
    split_start: IntArray
    leaf_start: IntArray
    column: IntArray
    kind: IntArray
    threshold: Float32Array
    first: IntArray
    middle: IntArray
    last: IntArray
    set_start: IntArray
    set_stop: IntArray
    sets: NDArray[np.uint32]
    leaf_value: NDArray[np.float64]
    leaf_index: IntArray

    @property
    def n_trees(self) -> int:
        """Trees."""
        return int(self.leaf_start.shape[0]) - 1


def read_forest(booster: lgb.Booster) -> Forest:
    """Read a trained booster, up to its best iteration where it has one.

    Raises:
        InvalidInput: It has several classes, linear leaves or averaged trees.
    """
    head, *blocks = booster.model_to_string().split("\nTree=")
    header = _entries(head)
    if int(header["num_tree_per_iteration"]) != 1:
        raise InvalidInput("The model has several classes; a pair is won or lost.")
    if "average_output" in head.splitlines():
        raise InvalidInput(
            "The model averages its trees.", remedy="Train with boosting=gbdt."
        )
    trees = [_read_tree(_entries(block)) for block in blocks]
    return _joined(trees, n_columns=int(header["max_feature_idx"]) + 1)


def _entries(block: str) -> dict[str, str]:
    """The ``key=value`` lines up to the first blank one."""
    lines = block.split("\n\n", 1)[0].splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


class _Tree(NamedTuple):
    column: IntArray
    kind: IntArray
    threshold: Float32Array
    first: IntArray
    middle: IntArray
    last: IntArray
    set_start: IntArray
    set_stop: IntArray
    sets: NDArray[np.uint32]
    leaf_value: NDArray[np.float64]
    leaf_index: IntArray


def _read_tree(entries: Mapping[str, str]) -> _Tree:
    if entries.get("is_linear", "0") != "0":
        raise InvalidInput(
            "The model has linear leaves.", remedy="Train with linear_tree=false."
        )

    def integers(key: str) -> IntArray:
        return np.array(entries.get(key, "").split(), dtype=np.int64)

    value = np.array(entries["leaf_value"].split(), dtype=np.float64)
    asked = np.array(entries.get("threshold", "").split(), dtype=np.float64)
    decision = integers("decision_type")
    in_set = (decision & CATEGORICAL) != 0
    threshold = _rounded_down(np.where(in_set, 0.0, asked))
    first, middle, last, index = _runs(integers("left_child"), integers("right_child"))
    edges = np.append(integers("cat_boundaries"), 0)
    chosen = np.where(in_set, asked, 0).astype(np.int64)
    return _Tree(
        integers("split_feature"),
        np.where(in_set, IN_SET, _kind(decision, threshold)),
        threshold,
        first,
        middle,
        last,
        np.where(in_set, edges[chosen], 0),
        np.where(in_set, edges[np.minimum(chosen + 1, edges.size - 1)], 0),
        np.array(entries.get("cat_threshold", "").split(), dtype=np.uint32),
        value[index],
        index,
    )


def _rounded_down(threshold: NDArray[np.float64]) -> Float32Array:
    """The largest float32 at most each threshold.

    Rounded to nearest it could pass a float32 value that lies above the threshold.
    """
    with np.errstate(over="ignore"):
        near = threshold.astype(np.float32)
    low = np.nextafter(near, np.float32(-np.inf))
    return np.where(near > threshold, low, near)


def _kind(decision: IntArray, threshold: Float32Array) -> IntArray:
    """What a split on an ordered column asks, from LightGBM's ``decision_type``."""
    missing = (decision >> 2) & 3
    default_left = (decision & DEFAULT_LEFT) != 0
    zero_passes = threshold >= 0
    nan_left = np.where(missing == MISSING_NONE, zero_passes, default_left)
    odd_zero = (missing == MISSING_ZERO) & (default_left != zero_passes)
    by_nan = np.where(nan_left, NOT_ABOVE, AT_MOST)
    by_zero = np.where(default_left, AT_MOST_OR_ZERO, AT_MOST_NOT_ZERO)
    return np.where(odd_zero, by_zero, by_nan)


def _runs(
    left: IntArray, right: IntArray
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Number the leaves from left to right.

    Args:
        left: LightGBM's left child of each split, ~leaf for a leaf; a child always
            comes after its parent; int64 (n_splits,).
        right: The same to the right.

    Returns:
        First leaf of each split's yes, first of its no and first after, and LightGBM's
        number of each leaf; int64.
    """
    n_splits = left.shape[0]
    below = np.ones((n_splits, 2), dtype=np.int64)
    for s in range(n_splits - 1, -1, -1):
        for side, child in enumerate((left[s], right[s])):
            if child >= 0:
                below[s, side] = below[child].sum()
    first = np.zeros(n_splits, dtype=np.int64)
    index = np.zeros(n_splits + 1, dtype=np.int64)
    for s in range(n_splits):
        places = ((left[s], first[s]), (right[s], first[s] + below[s, 0]))
        for child, place in places:
            if child >= 0:
                first[child] = place
            else:
                index[place] = ~child
    middle = first + below[:, 0]
    return first, middle, middle + below[:, 1], index


def _joined(trees: Sequence[_Tree], *, n_columns: int) -> Forest:
    set_at = _starts(tree.sets.size for tree in trees)
    placed = [
        tree._replace(set_start=tree.set_start + at, set_stop=tree.set_stop + at)
        for tree, at in zip(trees, set_at[:-1].tolist(), strict=True)
    ]
    return Forest(
        n_columns,
        _starts(tree.column.size for tree in trees),
        _starts(tree.leaf_value.size for tree in trees),
        *(np.concatenate(parts) for parts in zip(*placed, strict=True)),
    )


def _starts(sizes: Iterable[int]) -> IntArray:
    return np.cumsum([0, *sizes], dtype=np.int64)
