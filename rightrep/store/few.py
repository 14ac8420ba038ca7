"""What is known of a few leads: plain arrays, in two queries.

Whole tables come as Arrow (``bulk``). For the dozen rows that concern one arriving lead
a table costs more than its rows, and a query of its own for each table more again: so
the rows of all tables come in one answer, in places by kind of value.
"""

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    CompoundSelect,
    Double,
    Select,
    Table,
    Text,
    and_,
    cast,
    literal_column,
    null,
    select,
    union_all,
)
from sqlalchemy.types import TypeEngine

from rightrep.domain.ids import LeadId
from rightrep.domain.lead import LeadKind
from rightrep.domain.money import minor_digits
from rightrep.store import schema
from rightrep.store.aliases import RecordKind
from rightrep.store.arrow import FLOAT, INT, TEXT, TIME
from rightrep.store.guard import of_tenant
from rightrep.store.layouts import LAYOUTS, MERGE, Types
from rightrep.store.rates import Rates, get_rates
from rightrep.store.session import ReadSession
from rightrep.store.sets import any_of
from rightrep.store.types import UtcDateTime, from_micros, in_micros

Columns = dict[str, NDArray[Any]]
"""Rows by column: texts as objects with None, floats, times as microseconds."""

NO_TIME = np.iinfo(np.int64).min
"""A time that is missing, as NumPy writes it."""

_OF_LEADS = ("leads", "lead_versions", "decisions", "outcomes", "activities")
_MONEY = {
    "lead_versions": (("budget", "valid_from"), ("deal_value", "valid_from")),
    "outcomes": (("value", "closed_at"),),
}
"""Amounts of each table, and the time whose rate counts."""
_NUMPY = {TEXT: object, FLOAT: np.float64, TIME: np.int64}


def read_few(
    session: ReadSession, lead_ids: Sequence[LeadId], *, currency: str
) -> dict[str, Columns]:
    """What is known of some leads, of those merged with them, and of their customers.

    Merges, and other leads of the same customers, are followed until there are no more;
    work orders of the customers are left out.

    Args:
        session: Where to read, in one snapshot.
        lead_ids: The leads, a few thousand at most.
        currency: The tenant's; amounts come in its major units as ``bulk`` gives them.

    Returns:
        The tables of ``bulk.read_history`` that are about leads.
    """
    ids = {"ids": _together(session, lead_ids)}
    found: list[list[Sequence[Any]]] = [[] for _ in _TABLES]
    # Past SQLAlchemy's rows: the driver's values are what the arrays are made of.
    for place, *values in session.execute(_EVERYTHING, ids).cursor.fetchall():
        found[place].append(values)
    rates = _rates(session, found, currency)
    return {
        name: _columns(name, types, rows, rates)
        for (name, types), rows in zip(_TABLES.items(), found, strict=True)
    }


def _together(session: ReadSession, lead_ids: Sequence[LeadId]) -> list[str]:
    found: set[str] = set()
    fresh: set[str] = set(lead_ids)
    while fresh:
        found |= fresh
        beside = session.execute(_BESIDE, {"ids": sorted(fresh)}).scalars()
        fresh = set(beside) - found
    return sorted(found)


def _rates(
    session: ReadSession, found: Sequence[Sequence[Sequence[Any]]], currency: str
) -> Rates:
    """The rates that these rows need; nearly always none."""
    for name, amounts in _MONEY.items():
        place = list(_TABLES).index(name)
        for amount, _ in amounts:
            k = _PLACES[name][f"{amount}_currency"]
            if any(row[k] not in (None, currency) for row in found[place]):
                return get_rates(session, currency)
    return Rates(currency, {})


def _columns(
    name: str, types: Types, rows: Sequence[Sequence[Any]], rates: Rates
) -> Columns:
    places = _PLACES[name]
    if name == "ownership":
        # As they happened, ties as they were written.
        keys = places["happened_at"], places["revision"]
        rows = sorted(rows, key=lambda row: [row[k] for k in keys])
    columns = {}
    for column, kind in types.items():
        if kind != INT:
            missing = NO_TIME if kind == TIME else None
            values = [row[places[column]] for row in rows]
            values = [missing if value is None else value for value in values]
            columns[column] = np.array(values, dtype=_NUMPY[kind])
    for amount, at in _MONEY.get(name, ()):
        del columns[f"{amount}_currency"]
        minor, code = places[f"{amount}_minor"], places[f"{amount}_currency"]
        majors = [_major(row[minor], row[code], row[places[at]], rates) for row in rows]
        columns[amount] = np.array(majors, dtype=np.float64)
    return columns


def _major(minor: int | None, code: str | None, at: int, rates: Rates) -> float:
    """An amount in major units of the tenant's currency; NaN where it has no rate."""
    if minor is None or code is None:
        return np.nan
    rate = 1.0
    if code != rates.currency:
        if code not in rates.by_currency:
            return np.nan
        rate = float(rates.on(code, from_micros(at).date()))
    return minor * (rate / float(10 ** minor_digits(code)))


_TABLES: Mapping[str, Types] = {
    **{name: LAYOUTS[name][2] for name in (*_OF_LEADS, "ownership")},
    "merges": MERGE,
}
_SLOTS = ((TEXT,), (FLOAT,), (TIME, INT))
"""Kinds that share places; each table's columns of a kind are in its first ones."""


def _by_slot(types: Types) -> list[list[str]]:
    return [[name for name, kind in types.items() if kind in one] for one in _SLOTS]


_WIDTHS = [
    max(len(_by_slot(types)[slot]) for types in _TABLES.values())
    for slot in range(len(_SLOTS))
]
_STARTS = [sum(_WIDTHS[:k]) for k in range(len(_SLOTS))]
_PLACES: Mapping[str, Mapping[str, int]] = {
    name: {
        column: start + k
        for start, columns in zip(_STARTS, _by_slot(types), strict=True)
        for k, column in enumerate(columns)
    }
    for name, types in _TABLES.items()
}
_COLUMN = {("merges", "lead_id"): "merged_id"}
"""Columns that have another name in the database."""
_SQL: tuple[TypeEngine[Any], ...] = (Text(), Double(), BigInteger())


def _as(column: "Column[Any]", slot: int) -> "ColumnElement[Any]":
    if isinstance(column.type, UtcDateTime):
        return in_micros(column)
    return cast(column, _SQL[slot])


def _rows_of(name: str, table: Table, *mine: "ColumnElement[bool]") -> "Select[Any]":
    """Rows of one table: its number, then its values in their places."""
    values: list[ColumnElement[Any]] = []
    for slot, columns in enumerate(_by_slot(_TABLES[name])):
        named = [table.c[_COLUMN.get((name, one), one)] for one in columns]
        values += [_as(column, slot) for column in named]
        empty = _WIDTHS[slot] - len(columns)
        values += repeat(cast(null(), _SQL[slot]), empty)
    number = literal_column(str(list(_TABLES).index(name)), BigInteger())
    return select(number, *values).where(of_tenant(table), *mine)


def _everything() -> "CompoundSelect[Any]":
    ids = any_of("ids")
    of_leads = [
        _rows_of(name, table, table.c.lead_id.in_(ids))
        for name in (*_OF_LEADS, "ownership")
        for table in (LAYOUTS[name][0],)
    ]
    merges = schema.merges
    into = _rows_of(
        "merges",
        merges,
        merges.c.kind == RecordKind.LEAD.value,
        merges.c.survivor_id.in_(ids),
    )
    return union_all(*of_leads, into)


def _beside() -> "CompoundSelect[Any]":
    """Leads of the same customers, and those on the other side of merges."""
    leads, named, merges = schema.leads, schema.leads.alias("named"), schema.merges
    ids = any_of("ids")
    same_customer = and_(
        leads.c.tenant_id == named.c.tenant_id,
        leads.c.customer_id == named.c.customer_id,
    )
    of_leads = of_tenant(merges), merges.c.kind == RecordKind.LEAD.value
    return union_all(
        select(leads.c.lead_id)
        .join_from(named, leads, same_customer)
        .where(
            of_tenant(named),
            named.c.lead_id.in_(ids),
            leads.c.kind == LeadKind.LEAD.value,
        ),
        select(merges.c.merged_id).where(*of_leads, merges.c.survivor_id.in_(ids)),
        # The index of merged leads has those that stand. One that was undone is found
        # from its survivor, of whose history it is a part.
        select(merges.c.survivor_id).where(
            *of_leads, merges.c.merged_id.in_(ids), merges.c.undone_at.is_(None)
        ),
    )


_EVERYTHING = _everything()
_BESIDE = _beside()
