"""Texts as codes: a column of strings once read is numbers from then on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.as_of import IntArray, take
from rightrep.errors import InvalidInput


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
    def of(cls, texts: pd.Series) -> "Coded":
        """From a column; a missing text is -1."""
        code, values = pd.factorize(texts)
        return cls(code.astype(np.int64), pd.Index(values))

    def onto(self, texts: pd.Index) -> IntArray:
        """Place of each of our texts in another list of texts, or -1."""
        return texts.get_indexer(self.texts).astype(np.int64)

    def at(self, row: IntArray) -> IntArray:
        """Codes of some rows; -1 where the row is -1 or the text is missing."""
        return take(self.code, row, -1)


def codes_of(ids: pd.Index, wanted: Sequence[str] | pd.Series | pd.Index) -> IntArray:
    """Place of each id in ``ids``, or -1."""
    return ids.get_indexer(pd.Index(wanted)).astype(np.int64)


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
