"""Leaf values as whole counts of a step, so that their sums are exact in 32 bits.

The values of a group of trees (which share words) are counted from the middle of their
range, and the middles summed apart. Groups are taken in bands, each with the finest
step whose sum cannot overflow. Rounding a value to its count is then the only error, at
most half a step per group: known before anything is scored, and made as small as asked
by taking more bands.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rightrep.errors import InvalidInput
from training.leaf_words import LeafWords

_MOST = 2**31 - 1


class Band(NamedTuple):
    """Groups of trees that are summed in one step.

    Attributes:
        start: First word.
        stop: First word after.
        step: What one count is worth, a power of two.
    """

    start: int
    stop: int
    step: float


@dataclass(frozen=True, eq=False)
class LeafCounts:
    """The leaves of a forest as counts.

    Attributes:
        count: Counts that leaves add; int32 (n_words, ENTRIES).
        bands: The bands, in order.
        middle: Sum of the groups' middles, added to every raw score.
        error: Most that a raw score can be off.
    """

    count: NDArray[np.int32]
    bands: tuple[Band, ...]
    middle: float
    error: float


def count_leaves(words: LeafWords, *, most_error: float) -> LeafCounts:
    """Count leaf values in as few bands as keep within an error.

    Args:
        words: The forest.
        most_error: Most that a raw score may be off; positive.

    Raises:
        InvalidInput: Leaf values are too large for that, even group by group.
    """
    middle, half = _ranges(words)
    n_groups = middle.size
    n_bands = 1
    while True:
        edges = np.linspace(0, n_groups, n_bands + 1).round().astype(np.int64)
        steps = [_step(half[i:k]) for i, k in pairwise(edges)]
        error = 0.5 * float(np.diff(edges) @ np.array(steps))
        if error <= most_error:
            break
        if n_bands >= n_groups:
            raise InvalidInput(
                f"Leaf values add up to {half.sum():.0f}; raw scores could be off by "
                f"{error:.1g}.",
                remedy="Train with a stronger penalty on leaf values.",
            )
        n_bands = min(2 * n_bands, n_groups)
    first = words.start[edges]
    bands = tuple(map(Band, first[:-1].tolist(), first[1:].tolist(), steps))
    step = np.repeat(steps, np.diff(first))[:, None]
    away = np.where(
        words.known, words.value - np.repeat(middle, np.diff(words.start))[:, None], 0.0
    )
    count = np.rint(away / step).astype(np.int32)
    return LeafCounts(count, bands, float(middle.sum()), error)


def _ranges(words: LeafWords) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middle and half width of each group's values; float64 (n_groups,)."""
    low = np.where(words.known, words.value, np.inf).min(axis=1)
    high = np.where(words.known, words.value, -np.inf).max(axis=1)
    least = np.minimum.reduceat(low, words.start[:-1])
    most = np.maximum.reduceat(high, words.start[:-1])
    return (least + most) / 2, (most - least) / 2


def _step(half: NDArray[np.float64]) -> float:
    """The finest power of two in which a band's sum stays within 32 bits."""
    widest = float(half.sum())
    if widest == 0.0:
        return 2.0**-60
    room = _MOST - half.size  # half a count of rounding per group, and to spare
    return float(2.0 ** np.ceil(np.log2(widest / room)))
