"""Texts as codes: a column of strings once read is numbers from then on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.as_of import BoolArray, IntArray, Values, take
from rightrep.errors import InvalidInput

_FEW = 16
"""Up to so many texts are read and looked up one by one, which is quicker then."""


@dataclass(frozen=True, eq=False)
class Coded:
    """A column of texts.

    Attributes:
        code: Place of each row's text in ``texts``, -1 where missing; int64 (n_rows,).
        texts: The distinct texts.
    """

    code: IntArray
    texts: pd.Index

    @classmethod
    def of(cls, texts: Values) -> "Coded":
        """From a column; a missing text is -1."""
        if isinstance(texts, np.ndarray) and len(texts) <= _FEW:
            return cls._of_few(texts)
        if isinstance(texts.dtype, pd.CategoricalDtype):
            return cls(_codes(texts), index_of(texts.dtype.categories))
        code, values = pd.factorize(texts)
        return cls(code.astype(np.int64), index_of(values))

    @classmethod
    def _of_few(cls, texts: NDArray[Any]) -> "Coded":
        """The same of few rows, at a twentieth of the cost."""
        place: dict[str, int] = {}
        code = [
            -1 if missing else place.setdefault(one, len(place))
            for one, missing in zip(texts.tolist(), pd.isna(texts), strict=True)
        ]
        return cls(np.array(code, dtype=np.int64), _index_of_few(tuple(place)))

    def onto(self, texts: pd.Index) -> IntArray:
        """Place of each of our texts in another list of texts, or -1."""
        return codes_of(texts, self.texts)

    def is_one_of(self, texts: Sequence[str]) -> BoolArray:
        """Which rows have one of these texts; bool (n_rows,)."""
        # One place more, for what is missing: its code is -1, the last.
        is_wanted = np.zeros(len(self.texts) + 1, dtype=np.bool_)
        is_wanted[[code for code in codes_of(self.texts, texts) if code >= 0]] = True
        return is_wanted[self.code]

    def at(self, row: IntArray) -> IntArray:
        """Codes of some rows; -1 where the row is -1 or the text is missing."""
        return take(self.code, row, -1)


def index_of(texts: Values | pd.Index) -> pd.Index:
    """Texts, ready to be looked up."""
    # pandas would turn objects into its own strings, at many times the cost for few.
    return pd.Index(texts, dtype=texts.dtype)


@lru_cache(maxsize=4_096)
def _index_of_few(texts: tuple[str, ...]) -> pd.Index:
    """Kept, since arriving leads have the same few industries, regions and products."""
    return index_of(np.array(texts, dtype=object))


def codes_of(
    ids: pd.Index, wanted: Sequence[str] | NDArray[Any] | pd.Series | pd.Index
) -> IntArray:
    """Place of each id in ``ids``, which are distinct, or -1."""
    if isinstance(wanted, pd.Series) and isinstance(wanted.dtype, pd.CategoricalDtype):
        return take(codes_of(ids, wanted.dtype.categories), _codes(wanted), -1)
    if len(wanted) > _FEW:
        return ids.get_indexer(pd.Index(wanted)).astype(np.int64)
    return np.array([_place(ids, one) for one in wanted], dtype=np.int64)


def _codes(texts: Values) -> IntArray:
    """Codes of a column that has them already."""
    return np.asarray(pd.Series(texts).cat.codes, dtype=np.int64)


def _place(ids: pd.Index, one: str) -> int:
    try:
        place: Any = ids.get_loc(one)
    except KeyError:
        return -1
    return int(place)


def known_codes(ids: pd.Index, wanted: Sequence[str], kind: str) -> IntArray:
    """Place of each id in ``ids``.

    Raises:
        InvalidInput: An id is not there; ``kind`` names what it should be.
    """
    code = codes_of(ids, wanted)
    unknown = np.flatnonzero(code < 0)
    if unknown.size:
        raise InvalidInput(
            f"There is no {kind} {wanted[int(unknown[0])]!r} in this history.",
            field=f"{kind}_id",
        )
    return code
