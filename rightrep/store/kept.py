"""A tenant's history kept in memory: what is newer is read, the rest is there already.

Decisions, ownership events, activities, outcomes and versions of leads are only ever
added. So of these tables, once read, only what was added since is read: on SQLite by
the place of a row, which grows with every row; on PostgreSQL by when it was recorded.
There transactions may end later than others that began after them, so what was recorded
within ``LAG`` is read each time, and what is older is counted: a table that has grown
in its past, by an import, is read anew.

Leads, reps and merges may change. They are few beside what happened to them, and are
read each time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import (
    ColumnElement,
    Integer,
    bindparam,
    func,
    literal,
    literal_column,
    select,
)

from rightrep.store.arrow import INT, TEXT, read_table
from rightrep.store.bulk import FOREVER, finished, read_merges, tenant_rates, whole
from rightrep.store.guard import of_tenant_by_scan
from rightrep.store.layouts import LAYOUTS
from rightrep.store.rates import Rates
from rightrep.store.session import ReadSession
from rightrep.store.types import UtcDateTime, from_micros, to_micros

LAG = timedelta(minutes=2)
"""How long after its first instant a transaction ends at the latest, or is found out by
counting."""

GROWING = ("lead_versions", "decisions", "outcomes", "activities", "ownership")
_KNOWN_AT = {"leads": "created_at", "merges": "merged_at"}
"""Tables whose rows may change, and since when what leads are known by is known."""
_DISTINCT = ("decision_id", "event_id", "replaces")
"""Texts that hardly ever repeat; the others are kept as dictionaries."""


@dataclass(frozen=True, eq=False)
class KeptHistory:
    """A history as it was read, ready to be brought up to date.

    Attributes:
        tables: Those of ``bulk.read_history``; texts that repeat are dictionaries.
        stands_until: What was known before this instant is what was known of it at the
            read before; None where nothing can be said.
        raw: Tables that are read each time, as they were.
        grown: Tables that grow.
        rates: What money was converted by.
    """

    tables: dict[str, pa.Table]
    stands_until: datetime | None
    raw: Mapping[str, pa.Table]
    grown: Mapping[str, "Grown"]
    rates: Rates


@dataclass(frozen=True, eq=False)
class Grown:
    """A growing table, its firm rows first.

    Attributes:
        rows: Texts that repeat are dictionaries.
        n_firm: Rows that need not be read again.
        place: Place of the last of them: its row's, or microseconds.
        n_old: Rows that were there at the read before; None if all were read.
    """

    rows: pa.Table
    n_firm: int
    place: int
    n_old: int | None = None


def read_kept(
    session: ReadSession, before: KeptHistory | None, *, at: datetime
) -> KeptHistory:
    """What is known of the tenant's leads and reps, by table.

    Args:
        session: Where to read, in one snapshot.
        before: What an earlier snapshot of the same tenant said; None reads all.
        at: Now.

    Raises:
        NotFound: The tenant was never made.
    """
    rates = tenant_rates(session)
    grown = {
        name: _read_grown(
            session, name, None if before is None else before.grown[name], at
        )
        for name in GROWING
    }
    raw = {name: _whole(session, name) for name in LAYOUTS if name not in GROWING}
    raw["merges"] = read_merges(session, FOREVER)
    every = raw | {name: one.rows for name, one in grown.items()}
    return KeptHistory(
        tables=finished(session, every, rates),
        stands_until=_stands_until(before, raw, grown, rates, at),
        raw=raw,
        grown=grown,
        rates=rates,
    )


def _stands_until(
    before: KeptHistory | None,
    raw: Mapping[str, pa.Table],
    grown: Mapping[str, Grown],
    rates: Rates,
    at: datetime,
) -> datetime | None:
    """The first instant of which something is known now that was not before."""
    if before is None or vars(before.rates) != vars(rates):
        return None
    first = [to_micros(at)]
    for name, one in grown.items():
        if one.n_old is None:
            return None
        first += _earliest(one.rows.slice(one.n_old), LAYOUTS[name][1])
    for name, known_at in _KNOWN_AT.items():
        old = before.raw[name]
        if not raw[name].slice(0, old.num_rows).equals(old):
            return None
        first += _earliest(raw[name].slice(old.num_rows), known_at)
    return from_micros(min(first))


def _earliest(rows: pa.Table, known_at: str) -> Iterator[int]:
    if rows.num_rows:
        yield pc.min(rows[known_at].cast(INT)).as_py()


def _whole(session: ReadSession, name: str) -> pa.Table:
    table, _, types = LAYOUTS[name]
    return read_table(session, whole(session, table, types), types)


def _read_grown(
    session: ReadSession, name: str, before: Grown | None, at: datetime
) -> Grown:
    if session.is_postgresql:
        return _by_time(session, name, before, at)
    return _by_row(session, name, before)


def _by_row(session: ReadSession, name: str, before: Grown | None) -> Grown:
    """On SQLite: what one writer adds comes after all that is there."""
    table, _, types = LAYOUTS[name]
    row: ColumnElement[int] = literal_column("rowid", Integer())
    last = session.execute(
        select(func.max(row)).select_from(table).where(of_tenant_by_scan(table))
        if before is None
        else select(func.coalesce(func.max(row), before.place))
        .select_from(table)
        .where(of_tenant_by_scan(table), row > literal(before.place))
    ).scalar_one()
    query = whole(session, table, types)
    if before is None:
        rows = _coded(read_table(session, query, types))
        return Grown(rows, rows.num_rows, last or 0)
    added = _coded(read_table(session, query.where(row > literal(before.place)), types))
    rows = _joined(before.rows, added)
    return Grown(rows, rows.num_rows, last, before.n_firm)


def _by_time(
    session: ReadSession, name: str, before: Grown | None, at: datetime
) -> Grown:
    """On PostgreSQL: what is recorded later, if there is nothing new before it."""
    table, known_at, types = LAYOUTS[name]
    query, column = whole(session, table, types), table.c[known_at]
    firm = to_micros(at - LAG)
    if before is not None:
        place = bindparam("place", from_micros(before.place), UtcDateTime())
        older = select(func.count()).select_from(
            query.where(column <= place).subquery()
        )
        if session.execute(older).scalar_one() == before.n_firm:
            added = _coded(read_table(session, query.where(column > place), types))
            rows = _joined(
                before.rows.slice(0, before.n_firm), _sorted(added, known_at)
            )
            return Grown(rows, _n_until(rows, known_at, firm), firm, before.n_firm)
    rows = _sorted(_coded(read_table(session, query, types)), known_at)
    return Grown(rows, _n_until(rows, known_at, firm), firm)


def _n_until(rows: pa.Table, known_at: str, until: int) -> int:
    known = rows[known_at].cast(INT).to_numpy()
    return int(np.searchsorted(known, until, side="right"))


def _sorted(rows: pa.Table, known_at: str) -> pa.Table:
    known = rows[known_at].cast(INT).to_numpy()
    return rows.take(np.argsort(known, kind="stable"))


def _joined(rows: pa.Table, added: pa.Table) -> pa.Table:
    if not added.num_rows:
        return rows
    return pa.concat_tables([rows, added]).unify_dictionaries().combine_chunks()


def _coded(rows: pa.Table) -> pa.Table:
    """Texts that repeat as dictionaries, in the order in which they first come."""
    columns: dict[str, Any] = {
        name: rows[name].dictionary_encode().unify_dictionaries()
        if rows.schema.field(name).type == TEXT and name not in _DISTINCT
        else rows[name]
        for name in rows.column_names
    }
    return pa.table(columns).combine_chunks()
