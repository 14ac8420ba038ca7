"""Columns of text, put together without a loop over rows."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from experiments.market_settings import BoolArray, IntArray

TEXT = pa.large_string()


def spell(words: Sequence[str], codes: IntArray) -> pa.Array:
    """The word of each code; missing where the code is negative."""
    return pa.array(list(words), TEXT).take(pa.array(codes, mask=codes < 0))


def digits(numbers: IntArray, width: int = 1) -> pa.Array:
    """Whole numbers as text, zeros in front up to ``width``."""
    return pc.utf8_lpad(pa.array(numbers).cast(TEXT), width, "0")


def join(*parts: pa.Array | str) -> pa.Array:
    """Texts one after the other; missing where a part is missing."""
    texts = [pa.scalar(p, TEXT) if isinstance(p, str) else p for p in parts]
    return pc.binary_join_element_wise(*texts, pa.scalar("", TEXT))


def missing_where(column: pa.Array, gone: BoolArray) -> pa.Array:
    """The column with holes."""
    return pc.if_else(pa.array(gone), pa.scalar(None, TEXT), column)


def scatter(groups: Sequence[tuple[IntArray, pa.Array]], size: int) -> pa.Array:
    """One column from parts; each row in exactly one part.

    Args:
        groups: Rows and their texts.
        size: Rows in all.
    """
    rows = np.concatenate([rows for rows, _ in groups])
    where = np.empty(size, dtype=np.int64)
    where[rows] = np.arange(size)
    return pa.concat_arrays([text for _, text in groups]).take(pa.array(where))
