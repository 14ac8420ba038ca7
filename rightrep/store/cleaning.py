"""Marks of impossible values, and the provenance of values that nobody typed."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, delete, select

from rightrep.domain.cleaning import Mark, Provenance
from rightrep.store.guard import of_tenant
from rightrep.store.rows import insert_new
from rightrep.store.schema import rep_versions
from rightrep.store.schema_cleaning import marks, provenance
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of, batches


def add_marks(session: WriteSession, found: Iterable[Mark]) -> None:
    """Mark values; one that is marked already stays as it is."""
    rows = [_row(mark) for mark in found]
    if rows:
        insert_new(session, marks, rows)


def remove_marks(session: WriteSession, record_ids: Iterable[str], field: str) -> None:
    """Take the marks of one field away: it has another value now."""
    for batch in batches(sorted(set(record_ids))):
        session.execute(_UNMARK, {"ids": list(batch), "of_field": field})


def marks_of(session: ReadSession, record_ids: Iterable[str]) -> list[Mark]:
    """The marks of contacts and customers, by record, field and value."""
    order = (marks.c.record_id, marks.c.field, marks.c.value)
    query = (
        select(*(marks.c[name] for name in Mark.__slots__))
        .where(of_tenant(marks), marks.c.record_id.in_(any_of("ids")))
        .order_by(*order)
    )
    return [
        Mark(**row)
        for batch in batches(sorted(set(record_ids)))
        for row in session.execute(query, {"ids": list(batch)}).mappings()
    ]


def list_marks(
    session: ReadSession, *, field: str | None = None, limit: int = 1_000
) -> list[Mark]:
    """The tenant's marks, newest first.

    Args:
        session: Whose.
        field: Only of this field.
        limit: At most so many.
    """
    query = (
        select(*(marks.c[name] for name in Mark.__slots__))
        .where(of_tenant(marks))
        .order_by(marks.c.marked_at.desc(), marks.c.record_id, marks.c.value)
        .limit(limit)
    )
    if field is not None:
        query = query.where(marks.c.field == field)
    return [Mark(**row) for row in session.execute(query).mappings()]


def add_provenance(session: WriteSession, filled: Iterable[Provenance]) -> None:
    """Say where values came from; what is known already stays as it is."""
    # In a list, since SQLite makes a number of JSON that is a bare one.
    rows = [_row(one) | {"value": [one.value]} for one in filled]
    if rows:
        insert_new(session, provenance, rows)


def provenance_of(
    session: ReadSession, record_ids: Iterable[str]
) -> dict[str, dict[str, Provenance]]:
    """The last fill of each field of leads or customers, by record and field."""
    query = (
        select(*(provenance.c[name] for name in Provenance.__slots__))
        .where(of_tenant(provenance), provenance.c.record_id.in_(any_of("ids")))
        .order_by(provenance.c.filled_at)
    )
    found: dict[str, dict[str, Provenance]] = {}
    for batch in batches(sorted(set(record_ids))):
        for row in session.execute(query, {"ids": list(batch)}).mappings().all():
            one = Provenance(**{**row, "value": row["value"][0]})
            found.setdefault(one.record_id, {})[one.field] = one
    return found


def rep_regions(session: ReadSession) -> frozenset[str]:
    """The regions of the tenant's reps, in the tenant's words."""
    region = rep_versions.c.region
    query = select(region).where(of_tenant(rep_versions), region.is_not(None))
    return frozenset(session.execute(query.distinct()).scalars())


def _row(one: Mark | Provenance) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__slots__}


_UNMARK = delete(marks).where(
    of_tenant(marks),
    marks.c.record_id.in_(any_of("ids")),
    marks.c.field == bindparam("of_field"),
)
