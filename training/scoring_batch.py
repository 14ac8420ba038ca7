"""A batch to score, in the form the kernels want: columns first, tables small."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from features.columns import MISSING, Affinity, Contract, Float32Array, IntArray, Side
from rightrep.errors import InvalidInput
from training.forest import ZERO
from training.leaf_lookup import LANES

SHORT_RUN = 8
"""Leads that a run must have on average to be worth an AND of its own."""


class Block(NamedTuple):
    """Some leads of a batch, side by side with all reps.

    Attributes:
        lead: Which leads; int64 (n,).
        leads: Their columns; float32 (n_lead_columns, n).
        tables: Rows of the pair columns' tables that they use, each column's after one
            that is all missing; float32 (n_rows, n_reps padded).
        row: Row of each in ``tables``; int64 (n_pair_columns, n).
        run: First lead of each run, and the end; int64 (n_runs + 1,).
        shared: Pair columns in which the leads of a run have one row; int64.
        own: The other pair columns; int64.
    """

    lead: IntArray
    leads: Float32Array
    tables: Float32Array
    row: IntArray
    run: IntArray
    shared: IntArray
    own: IntArray


class Pairs(NamedTuple):
    """Chosen pairs.

    Attributes:
        lead: Lead of each; int64 (n,).
        rep: Rep of each; int64 (n,).
        columns: Lead, rep and pair columns; float32 (n_columns, n padded) each.
    """

    lead: IntArray
    rep: IntArray
    columns: tuple[Float32Array, Float32Array, Float32Array]


@dataclass(frozen=True, eq=False)
class Batch:
    """Leads, reps and what there is between them.

    Attributes:
        leads: Lead columns; float32 (n_leads, n_lead_columns).
        reps: Rep columns; float32 (n_reps, n_rep_columns).
        affinity: Pair columns.
    """

    leads: Float32Array
    reps: Float32Array
    affinity: Affinity

    @classmethod
    def of(
        cls,
        leads: Float32Array,
        reps: Float32Array,
        affinity: Affinity,
        contract: Contract,
    ) -> "Batch":
        """Check a batch against the contract.

        Raises:
            InvalidInput: A shape or an index does not fit.
        """
        leads = np.asarray(leads, dtype=np.float32)
        reps = np.asarray(reps, dtype=np.float32)
        for name, rows, side in (("leads", leads, Side.LEAD), ("reps", reps, Side.REP)):
            n_columns = len(contract.of(side))
            if rows.ndim != 2 or rows.shape[1] != n_columns:
                raise InvalidInput(
                    f"{name} has shape {rows.shape}, not (n, {n_columns}).", field=name
                )
        _check(affinity, leads.shape[0], reps.shape[0], len(contract.of(Side.PAIR)))
        return cls(leads, reps, affinity)

    @property
    def n_leads(self) -> int:
        """Leads."""
        return int(self.leads.shape[0])

    @property
    def n_reps(self) -> int:
        """Reps."""
        return int(self.reps.shape[0])

    def block(self, lead: IntArray, by_use: IntArray) -> Block:
        """Those leads, and only the rows of tables that they use.

        Args:
            lead: Which leads, best in order of ``by_use``; int64 (n,).
            by_use: Pair columns, the one most asked first; int64 (n_pair_columns,).
        """
        width = padded(self.n_reps)
        row = np.zeros((self.affinity.n_columns, lead.size), dtype=np.int64)
        # Each column has a missing row of its own: what a row leaves is kept by row.
        missing = np.full((1, self.n_reps), MISSING)
        parts = [missing[:0]]
        n_rows = 0
        for k, table in enumerate(self.affinity.tables):
            used, at = _distinct(self.affinity.segment[lead, k])
            known = used >= 0
            parts += [missing, table[used[known]]]
            row[k] = n_rows + np.where(known, np.cumsum(known), 0)[at]
            n_rows += 1 + int(known.sum())
        tables = columns(np.concatenate(parts), width)
        own_columns = columns(self.leads[lead].T, lead.size)
        run, n_shared = _runs(row[by_use])
        shared, own = by_use[:n_shared], by_use[n_shared:]
        return Block(lead, own_columns, tables, row, run, shared, own)

    def exceptions(self, n_at_once: int) -> Iterator[Pairs]:
        """Pairs with a pair column of their own, each once."""
        affinity = self.affinity
        code = affinity.exception_lead * self.n_reps + affinity.exception_rep
        order = np.argsort(code, kind="stable")
        pairs, first = np.unique(code[order], return_index=True)
        ends = np.append(first, order.size)
        for start in range(0, pairs.size, n_at_once):
            stop = min(start + n_at_once, pairs.size)
            named = order[ends[start] : ends[stop]]
            yield self._pairs(pairs[start:stop], code[named], named)

    def _pairs(self, pairs: IntArray, code: IntArray, named: IntArray) -> Pairs:
        affinity = self.affinity
        lead, rep = np.divmod(pairs, self.n_reps)
        none = np.empty(0, dtype=np.int64)
        own = replace(affinity, exception_lead=none).pairs(lead, rep)
        at = np.searchsorted(pairs, code)
        own[at, affinity.exception_column[named]] = affinity.exception_value[named]
        width = padded(lead.size)
        sides = (self.leads[lead], self.reps[rep], own)
        lead_side, rep_side, pair_side = (columns(side.T, width) for side in sides)
        return Pairs(lead, rep, (lead_side, rep_side, pair_side))


def _distinct(segment: IntArray) -> tuple[IntArray, IntArray]:
    """Distinct values, ascending, and the place of each value among them."""
    if segment.size == 1:  # a sixth of the time of one lead went into sorting ones
        return segment, np.zeros(1, dtype=np.int64)
    return np.unique(segment, return_inverse=True)


def _runs(row: IntArray) -> tuple[IntArray, int]:
    """Cut leads into runs that agree in as many leading columns as pays.

    Args:
        row: Row of each lead in each column's table; int64 (n_pair_columns, n).

    Returns:
        First lead of each run, and the end; in how many columns its leads agree.
    """
    n_leads = row.shape[1]
    changes = np.logical_or.accumulate(np.diff(row, axis=1) != 0, axis=0)
    n_runs = 1 + changes.sum(axis=1)
    n_shared = int((n_runs * SHORT_RUN <= n_leads).sum())
    ends = np.flatnonzero(changes[n_shared - 1]) + 1 if n_shared else np.empty(0)
    return np.concatenate([[0], ends, [n_leads]]).astype(np.int64), n_shared


def padded(n: int) -> int:
    """n, rounded up to whole registers."""
    return -(-n // LANES) * LANES


def columns(values: Float32Array, width: int) -> Float32Array:
    """A padded copy in which 0 is what LightGBM takes for 0.

    Args:
        values: float32 (n_columns, n).
        width: Values to a column; at least n.
    """
    out = np.zeros((values.shape[0], width), dtype=np.float32)
    out[:, : values.shape[1]] = values
    out[np.abs(out) <= ZERO] = 0.0
    return out


def _check(affinity: Affinity, n_leads: int, n_reps: int, n_pair: int) -> None:
    """Refuse an affinity that names what is not there."""
    if affinity.segment.shape != (n_leads, n_pair):
        raise InvalidInput(
            f"segment has shape {affinity.segment.shape}, not {(n_leads, n_pair)}.",
            field="affinity.segment",
        )
    if affinity.n_columns != n_pair:
        raise InvalidInput(
            f"There are {affinity.n_columns} tables for {n_pair} pair columns.",
            field="affinity.tables",
        )
    for k, table in enumerate(affinity.tables):
        if table.ndim != 2 or table.shape[1] != n_reps:
            raise InvalidInput(
                f"Table {k} has shape {table.shape}, not (n, {n_reps}).",
                field="affinity.tables",
            )
        _within(affinity.segment[:, k], -1, table.shape[0], "affinity.segment")
    _within(affinity.exception_lead, 0, n_leads, "affinity.exception_lead")
    _within(affinity.exception_rep, 0, n_reps, "affinity.exception_rep")
    _within(affinity.exception_column, 0, n_pair, "affinity.exception_column")


def _within(index: IntArray, low: int, stop: int, field: str) -> None:
    if index.size and not (low <= index.min() and index.max() < stop):
        raise InvalidInput(f"{field} names something that is not there.", field=field)
