"""Versions of attributes: what was true from when on, and since when it was known."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Table,
    bindparam,
    select,
    tuple_,
)

from rightrep.store.guard import of_tenant
from rightrep.store.rows import insert_new
from rightrep.store.schema import lead_versions
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of, batches, digest

KEYS = ("valid_from", "recorded_at")
_TICK = timedelta(microseconds=1)


class _Known(NamedTuple):
    valid_from: datetime
    recorded_at: datetime
    digest: str


def add_versions(
    session: WriteSession,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    corrected_at: datetime | None = None,
) -> int:
    """Add what changed; a version that says what was known already is left out.

    A version for an instant that has one is a correction: it is told apart, and wins,
    by being recorded a microsecond later at least.

    Args:
        session: Where to write.
        table: ``lead_versions`` or ``rep_versions``.
        rows: The id, ``valid_from``, ``recorded_at`` and every attribute column of
            each version; versions of one record in the order they were told.
        corrected_at: When corrections become known, if later than they say: an old
            row told anew was not known then.

    Returns:
        Versions added.
    """
    of = _id_column(table).name
    added = 0
    for batch in batches(rows):
        known = _known(session, table, {row[of] for row in batch})
        news = [
            new for row in batch if (new := _news(row, known[row[of]], corrected_at))
        ]
        if news:
            insert_new(session, table, news)
        added += len(news)
    return added


def in_force(table: Table, among: "Select[Any] | None" = None) -> "Select[Any]":
    """The version of each record that is true, and known, at ``:as_of``.

    Args:
        table: ``lead_versions`` or ``rep_versions``.
        among: Ids of the records; None is all.
    """
    as_of = bindparam("as_of", type_=table.c.valid_from.type)
    later = table.alias("later")
    replaced = select(later.c.digest).where(
        of_tenant(later),
        _id_column(later) == _id_column(table),
        later.c.valid_from <= as_of,
        later.c.recorded_at <= as_of,
        tuple_(later.c.valid_from, later.c.recorded_at)
        > tuple_(table.c.valid_from, table.c.recorded_at),
    )
    found = select(table).where(
        of_tenant(table),
        table.c.valid_from <= as_of,
        table.c.recorded_at <= as_of,
        ~replaced.exists(),
    )
    return found if among is None else found.where(_id_column(table).in_(among))


def known_then(
    name: str, lead_id: "ColumnElement[str]", *beside: FromClause
) -> "ColumnElement[Any]":
    """An attribute of a lead as it was known at ``:as_of``, looked up lead by lead.

    For many leads of a query: what ``in_force`` gives cannot be looked up by lead once
    it is joined to (SQLite went through all of it once per outcome).

    Args:
        name: A column of ``lead_versions``.
        lead_id: The lead.
        beside: Tables of the query that ``lead_id`` is of; their tenant is the
            session's.
    """
    told = lead_versions.alias()
    as_of = bindparam("as_of", type_=told.c.valid_from.type)
    return (
        select(told.c[name])
        .where(
            of_tenant(told),
            told.c.lead_id == lead_id,
            told.c.valid_from <= as_of,
            told.c.recorded_at <= as_of,
        )
        .order_by(told.c.valid_from.desc(), told.c.recorded_at.desc())
        .limit(1)
        .correlate(*beside)
        .scalar_subquery()
    )


def _id_column(table: FromClause) -> "ColumnElement[Any]":
    return list(table.primary_key)[1]


def _known(
    session: WriteSession, table: Table, ids: Iterable[str]
) -> dict[str, list[_Known]]:
    """Versions of each record, oldest first; on PostgreSQL the records are locked.

    Without the lock two processes could each find the other's version missing.
    """
    wanted = {"ids": sorted(ids)}
    of = _id_column(table)
    if session.is_postgresql:
        parent = next(iter(table.foreign_key_constraints)).referred_table
        own = parent.c[of.name]
        session.execute(
            select(own)
            .where(of_tenant(parent), own.in_(any_of("ids")))
            .order_by(own)
            .with_for_update(key_share=True),
            wanted,
        )
    found: dict[str, list[_Known]] = defaultdict(list)
    for record_id, *version in _rows(session, table, of, wanted):
        found[record_id].append(_Known(*version))
    return found


def _rows(
    session: ReadSession,
    table: Table,
    of: "ColumnElement[Any]",
    wanted: Mapping[str, Any],
) -> Iterable[Any]:
    return session.execute(
        select(of, table.c.valid_from, table.c.recorded_at, table.c.digest)
        .where(of_tenant(table), of.in_(any_of("ids")))
        .order_by(table.c.valid_from, table.c.recorded_at),
        wanted,
    )


def version_digest(row: Mapping[str, Any]) -> str:
    """A hash of what a version says, whenever it was said."""
    return digest({name: value for name, value in row.items() if name not in KEYS})


def _news(
    row: Mapping[str, Any], known: list[_Known], corrected_at: datetime | None
) -> dict[str, Any] | None:
    """The row to add, noted in ``known``; None when nothing changed."""
    new = _Known(row["valid_from"], row["recorded_at"], version_digest(row))
    place = bisect_right(known, new.valid_from, key=lambda version: version.valid_from)
    last = known[place - 1] if place else None
    if last is not None:
        same_instant = last.valid_from == new.valid_from
        if last.digest == new.digest and (
            same_instant or last.recorded_at <= new.recorded_at
        ):
            return None
        if same_instant:
            told_at = corrected_at or new.recorded_at
            later = max(new.recorded_at, told_at, last.recorded_at + _TICK)
            new = new._replace(recorded_at=later)
    known.insert(place, new)
    return {**row, "recorded_at": new.recorded_at, "digest": new.digest}
