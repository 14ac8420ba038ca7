"""The contract between tables and model: which columns there are, and in which form.

A pair's feature row is ``[lead columns, rep columns, pair columns]`` in float32. It is
never built for every pair. A batch is kept by side instead: one row per lead, one row
per rep, and for the pair columns an ``Affinity``: small tables over (segment of the
lead, rep), plus a sparse list of exceptions (earlier contact).
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
IntArray = NDArray[np.int64]

MISSING = np.float32(np.nan)
"""How a missing value is written in every column, categorical ones too."""


class Side(StrEnum):
    """What a column looks at."""

    LEAD = "lead"
    REP = "rep"
    PAIR = "pair"


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column of the contract.

    Attributes:
        name: Name, unique over all sides.
        side: What it looks at.
        unit: Unit or type in words: "days", "share", "code".
        meaning: What it says, in a manager's words; used by explanations.
        categorical: Whether values are codes without an order.
        missing: When the value is missing.
    """

    name: str
    side: Side
    unit: str
    meaning: str
    categorical: bool = False
    missing: str = "never"


@dataclass(frozen=True, slots=True)
class Contract:
    """Every column in the order of a feature row: lead, then rep, then pair.

    Attributes:
        columns: The columns.
    """

    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        order = [list(Side).index(column.side) for column in self.columns]
        if order != sorted(order):
            raise ValueError("Columns come in the order lead, rep, pair.")
        if len({column.name for column in self.columns}) != len(self.columns):
            raise ValueError("Two columns have the same name.")

    @property
    def names(self) -> list[str]:
        """Names in the order of a feature row."""
        return [column.name for column in self.columns]

    @property
    def version(self) -> str:
        """Hash of every name, side, unit and kind; 12 hex digits.

        Two contracts with the same version give feature rows of the same meaning.
        """
        text = json.dumps(
            [(c.name, c.side, c.unit, c.categorical) for c in self.columns]
        )
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def of(self, side: Side) -> tuple[Column, ...]:
        """The columns of one side, in order."""
        return tuple(column for column in self.columns if column.side is side)

    def categorical(self) -> list[int]:
        """Positions of categorical columns in a feature row."""
        return [k for k, column in enumerate(self.columns) if column.categorical]


@dataclass(frozen=True, eq=False)
class Affinity:
    """Pair columns without the pairs; k over pair columns.

    The value of column k for lead i and rep j is
    ``tables[k][segment[i, k], j]``, or missing where ``segment[i, k]`` is -1, unless an
    exception names (i, j, k).

    Attributes:
        segment: Row of each lead in each column's table, or -1;
            int64 (n_leads, n_pair_columns).
        tables: One table per pair column; float32 (n_segments_k, n_reps), C order.
        exception_lead: Leads of the exceptions, ascending; int64 (n_exceptions,).
        exception_rep: Their reps; int64 (n_exceptions,).
        exception_column: Their pair columns; int64 (n_exceptions,).
        exception_value: Their values; float32 (n_exceptions,).
    """

    segment: IntArray
    tables: tuple[Float32Array, ...]
    exception_lead: IntArray
    exception_rep: IntArray
    exception_column: IntArray
    exception_value: Float32Array

    def of_lead(self, lead: int) -> "Affinity":
        """The pair columns of one lead."""
        its = self.exception_lead == lead
        rep = self.exception_rep[its]
        return Affinity(
            self.segment[lead : lead + 1],
            self.tables,
            np.zeros_like(rep),
            rep,
            self.exception_column[its],
            self.exception_value[its],
        )

    def of_leads(self, leads: IntArray) -> "Affinity":
        """The pair columns of some leads, each at most once."""
        place = np.full(len(self.segment), -1, dtype=np.int64)
        place[leads] = np.arange(leads.size)
        row = place[self.exception_lead]
        its = np.flatnonzero(row >= 0)
        its = its[np.argsort(row[its], kind="stable")]
        return Affinity(
            self.segment[leads],
            self.tables,
            row[its],
            self.exception_rep[its],
            self.exception_column[its],
            self.exception_value[its],
        )

    @classmethod
    def empty(cls, n_leads: int) -> "Affinity":
        """No pair columns at all."""
        none = np.empty(0, dtype=np.int64)
        return cls(
            np.empty((n_leads, 0), dtype=np.int64),
            (),
            none,
            none,
            none,
            np.empty(0, dtype=np.float32),
        )

    @property
    def n_columns(self) -> int:
        """Pair columns."""
        return len(self.tables)

    def rows(self, leads: slice) -> "Affinity":
        """The same for a run of leads; the tables are shared, not copied."""
        start, stop, _ = leads.indices(self.segment.shape[0])
        low, high = np.searchsorted(self.exception_lead, [start, stop])
        return Affinity(
            self.segment[start:stop],
            self.tables,
            self.exception_lead[low:high] - start,
            self.exception_rep[low:high],
            self.exception_column[low:high],
            self.exception_value[low:high],
        )

    def pairs(self, lead: IntArray, rep: IntArray) -> Float32Array:
        """Pair columns of chosen pairs.

        Args:
            lead: Lead of each pair; int64 (n_pairs,).
            rep: Rep of each pair; int64 (n_pairs,).

        Returns:
            float32 (n_pairs, n_pair_columns).
        """
        out = np.full((lead.shape[0], self.n_columns), MISSING, dtype=np.float32)
        for k, table in enumerate(self.tables):
            row = self.segment[lead, k]
            known = row >= 0
            out[known, k] = table[row[known], rep[known]]
        self._overrule(lead, rep, out)
        return out

    def _overrule(self, lead: IntArray, rep: IntArray, out: Float32Array) -> None:
        if self.exception_lead.size == 0 or lead.size == 0:
            return
        n_reps = int(max(rep.max(), self.exception_rep.max())) + 1
        code = lead * n_reps + rep
        order = np.argsort(code, kind="stable")
        wanted = self.exception_lead * n_reps + self.exception_rep
        first = np.searchsorted(code[order], wanted, side="left")
        last = np.searchsorted(code[order], wanted, side="right")
        for e in np.flatnonzero(last > first):
            places = order[first[e] : last[e]]
            out[places, self.exception_column[e]] = self.exception_value[e]


def feature_rows(
    leads: Float32Array,
    reps: Float32Array,
    affinity: Affinity,
    *,
    lead: IntArray,
    rep: IntArray,
) -> Float32Array:
    """Whole feature rows of chosen pairs, in the contract's order.

    Args:
        leads: Lead columns; float32 (n_leads, n_lead_columns).
        reps: Rep columns; float32 (n_reps, n_rep_columns).
        affinity: Pair columns.
        lead: Lead of each pair; int64 (n_pairs,).
        rep: Rep of each pair; int64 (n_pairs,).

    Returns:
        float32 (n_pairs, n_columns).
    """
    parts: Sequence[Float32Array] = (leads[lead], reps[rep], affinity.pairs(lead, rep))
    return np.ascontiguousarray(np.hstack(parts), dtype=np.float32)
