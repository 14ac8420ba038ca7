"""Whole tables for features, training and planning, as Arrow.

``read_history`` gives exactly the tables and columns of ``features.history.TABLES``;
a test holds the two together, since the store does not know the features.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    Select,
    Table,
    and_,
    bindparam,
    case,
    null,
    or_,
    select,
)

from rightrep.domain.ids import LeadId
from rightrep.domain.lead import LeadKind
from rightrep.domain.money import minor_digits
from rightrep.store import schema
from rightrep.store.aliases import RecordKind
from rightrep.store.arrow import FLOAT, INT, TEXT, TIME, read_table
from rightrep.store.guard import of_tenant, of_tenant_by_scan
from rightrep.store.kinds import TICKETS, only_leads
from rightrep.store.layouts import LAYOUTS, MERGE, Types
from rightrep.store.rates import Rates, get_rates
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant

FOREVER = datetime(9999, 12, 31, tzinfo=UTC)


def read_history(
    session: ReadSession, *, recorded_until: datetime | None = None
) -> dict[str, pa.Table]:
    """Everything that is known of the tenant's leads and reps, by table.

    Work orders are left out, with all that is recorded of them. Money comes as float in
    major units of the tenant's currency, at the rate of the day (UTC) of the version or
    of the closing; where no rate is known it is null.

    Args:
        session: Where to read, in one snapshot.
        recorded_until: Leaves out what was not known yet at this instant; a merge that
            was undone later still stands.

    Raises:
        NotFound: The tenant was never made.
    """
    until = FOREVER if recorded_until is None else recorded_until
    tables = {name: _read(session, *layout, until) for name, layout in LAYOUTS.items()}
    tables["merges"] = read_merges(session, until)
    return finished(session, tables, tenant_rates(session))


def tenant_rates(session: ReadSession) -> Rates:
    """Rates into the tenant's currency.

    Raises:
        NotFound: The tenant was never made.
    """
    return get_rates(session, get_tenant(session).currency)


def finished(
    session: ReadSession, tables: Mapping[str, pa.Table], rates: Rates
) -> dict[str, pa.Table]:
    """Tables as ``LAYOUTS`` has them as features know them; no work orders.

    Args:
        session: Where to read which leads are work orders.
        tables: Rows of every table.
        rates: What money is converted by.
    """
    tables = dict(tables)
    tickets = read_table(session, TICKETS, {"lead_id": TEXT})["lead_id"]
    if len(tickets):
        tables = {name: _without(table, tickets) for name, table in tables.items()}
    tables["rep_versions"] = _midnight(tables["rep_versions"], "hired_on")
    versions = in_currency(tables["lead_versions"], "budget", "valid_from", rates)
    tables["lead_versions"] = in_currency(versions, "deal_value", "valid_from", rates)
    tables["outcomes"] = in_currency(tables["outcomes"], "value", "closed_at", rates)
    tables["ownership"] = _in_order(tables["ownership"])
    return tables


def _without(table: pa.Table, tickets: pa.ChunkedArray) -> pa.Table:
    """Rows that are about no work order."""
    if "lead_id" not in table.column_names:
        return table
    return table.filter(pc.invert(pc.is_in(table["lead_id"], tickets)))


def open_leads(
    session: ReadSession, *, as_of: datetime, kind: LeadKind = LeadKind.LEAD
) -> list[LeadId]:
    """Leads of a kind that had no owner and no outcome at ``as_of``, oldest first.

    Args:
        session: Where to read.
        as_of: The instant; owners, outcomes and merges are those of then.
        kind: Leads, or work orders.
    """
    asked = {"as_of": as_of, "kind": kind.value}
    return list(session.execute(_OPEN, asked).scalars())


def decisions_between(
    session: ReadSession, *, first: datetime, before: datetime
) -> pa.Table:
    """Who was given which lead in a span of time, the newest last; no work orders.

    Args:
        session: Where to read.
        first: First instant of the span.
        before: First instant after it.

    Returns:
        ``decision_id``, ``lead_id``, ``rep_id`` and ``decided_at``.
    """
    return read_table(
        session, _GIVEN_BETWEEN, _GIVEN, {"first": first, "before": before}
    )


def _read(
    session: ReadSession, table: Table, known_at: str, types: Types, until: datetime
) -> pa.Table:
    query = whole(session, table, types)
    return read_table(session, _until(query, table.c[known_at], until), types)


def whole(session: ReadSession, table: Table, types: Types) -> "Select[Any]":
    """Every row of a table, as it lies there."""
    mine = of_tenant(table) if session.is_postgresql else of_tenant_by_scan(table)
    return select(*(table.c[name] for name in types)).where(mine)


def _until(
    query: "Select[Any]", known_at: "Column[Any]", until: datetime
) -> "Select[Any]":
    if until == FOREVER:
        return query
    return query.where(known_at <= bindparam("until", until, known_at.type))


def read_merges(session: ReadSession, until: datetime) -> pa.Table:
    """Merges of leads that were known at an instant, and when each was undone."""
    table = schema.merges
    undone_at: ColumnElement[datetime | None] = table.c.undone_at
    if until != FOREVER:
        limit = bindparam("undone_until", until, undone_at.type)
        undone_at = case((undone_at <= limit, undone_at), else_=null())
    query = select(
        table.c.merged_id, table.c.survivor_id, table.c.merged_at, undone_at
    ).where(of_tenant(table), table.c.kind == RecordKind.LEAD.value)
    return read_table(session, _until(query, table.c.merged_at, until), MERGE)


def in_currency(table: pa.Table, name: str, at: str, rates: Rates) -> pa.Table:
    """``NAME_minor`` and ``NAME_currency`` as one column ``NAME`` of floats.

    Args:
        table: Rows with an amount.
        name: Name of the amount.
        at: Column of instants, whose days' rates count.
        rates: Rates into the tenant's currency; null where none is known.

    Returns:
        The table with major units of the tenant's currency.
    """
    amounts = _major(
        table[f"{name}_minor"], table[f"{name}_currency"], table[at], rates
    )
    place = table.schema.get_field_index(f"{name}_minor")
    table = table.drop_columns([f"{name}_minor", f"{name}_currency"])
    return table.add_column(place, pa.field(name, FLOAT), amounts)


def _major(
    minor: pa.ChunkedArray,
    currency: pa.ChunkedArray,
    at: pa.ChunkedArray,
    rates: Rates,
) -> pa.Array:
    factor = np.full(len(minor), np.nan)
    days = at.cast(INT).to_numpy() // _MICROS_PER_DAY
    for code in pc.unique(currency).to_pylist():
        if code is None or (code != rates.currency and code not in rates.by_currency):
            continue
        mine = pc.fill_null(pc.equal(currency, code), False).to_numpy()
        factor[mine] = _rates_on(rates, code, days[mine]) / 10 ** minor_digits(code)
    amounts = pc.fill_null(minor.cast(FLOAT), np.nan).to_numpy() * factor
    return pa.array(amounts, FLOAT, from_pandas=True)


def _rates_on(
    rates: Rates, currency: str, days: NDArray[np.int64]
) -> NDArray[np.float64] | float:
    if currency == rates.currency:
        return 1.0
    known_days, known = rates.by_currency[currency]
    since = np.array([(day - _FIRST_DAY).days for day in known_days])
    place = np.searchsorted(since, days, side="right") - 1
    return np.array([float(rate) for rate in known])[np.maximum(place, 0)]


def _midnight(table: pa.Table, name: str) -> pa.Table:
    """A day as its midnight in UTC."""
    place = table.schema.get_field_index(name)
    at = table[name].cast(pa.timestamp("us")).cast(INT).cast(TIME)
    return table.set_column(place, name, at)


def _in_order(table: pa.Table) -> pa.Table:
    """Ownership events as they happened, ties as they were written."""
    keys = (table["revision"].to_numpy(), table["happened_at"].cast(INT).to_numpy())
    return table.drop_columns(["revision"]).take(np.lexsort(keys))


def _open() -> "Select[LeadId]":
    leads, owned = schema.leads, schema.ownership
    as_of: BindParameter[datetime] = bindparam("as_of", type_=leads.c.created_at.type)
    same = and_(
        owned.c.tenant_id == leads.c.tenant_id, owned.c.lead_id == leads.c.lead_id
    )
    return (
        select(leads.c.lead_id)
        .select_from(leads.outerjoin(owned, same))
        .where(
            of_tenant(leads),
            leads.c.kind == bindparam("kind"),
            leads.c.created_at <= as_of,
            _no_owner(as_of),
            ~_closed(as_of).exists(),
            leads.c.lead_id.not_in(_merged(as_of)),
        )
        .order_by(leads.c.created_at, leads.c.lead_id)
    )


def _no_owner(as_of: "BindParameter[datetime]") -> "ColumnElement[bool]":
    """Nobody had the lead then; the events are asked where it changed hands since."""
    now, events = schema.ownership, schema.ownership_events
    owner_then = (
        select(events.c.owner)
        .where(
            of_tenant(events),
            events.c.lead_id == schema.leads.c.lead_id,
            events.c.happened_at <= as_of,
        )
        .order_by(events.c.happened_at.desc(), events.c.revision.desc())
        .limit(1)
        .scalar_subquery()
    )
    return or_(
        now.c.lead_id.is_(None),
        and_(now.c.since <= as_of, now.c.owner.is_(None)),
        and_(now.c.since > as_of, owner_then.is_(None)),
    )


def _closed(as_of: "BindParameter[datetime]") -> "Select[Any]":
    outcomes = schema.outcomes
    return select(outcomes.c.event_id).where(
        of_tenant(outcomes),
        outcomes.c.lead_id == schema.leads.c.lead_id,
        outcomes.c.closed_at <= as_of,
        outcomes.c.recorded_at <= as_of,
    )


def _merged(as_of: "BindParameter[datetime]") -> "Select[Any]":
    merges = schema.merges
    return select(merges.c.merged_id).where(
        of_tenant(merges),
        merges.c.kind == RecordKind.LEAD.value,
        merges.c.merged_at <= as_of,
        merges.c.undone_at.is_(None) | (merges.c.undone_at > as_of),
    )


_GIVEN = {name: LAYOUTS["decisions"][2][name] for name in (
    "decision_id", "lead_id", "rep_id", "decided_at"
)}  # fmt: skip
_FIRST, _BEFORE = (
    bindparam(name, type_=schema.decisions.c.decided_at.type)
    for name in ("first", "before")
)
_GIVEN_BETWEEN = (
    select(*(schema.decisions.c[name] for name in _GIVEN))
    .where(
        of_tenant(schema.decisions),
        schema.decisions.c.decided_at >= _FIRST,
        schema.decisions.c.decided_at < _BEFORE,
        only_leads(schema.decisions.c.lead_id),
    )
    .order_by(schema.decisions.c.decided_at, schema.decisions.c.decision_id)
)
_MICROS_PER_DAY = 86_400_000_000
_FIRST_DAY = date(1970, 1, 1)
_OPEN = _open()
