"""Records that nobody knows yet, many at a time: no look-up, no merge, one COPY each.

Their ids were made in this transaction, so nothing can be there to collide with. The
functions that save records which may be known ask first what is there.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import JSON, Table

from rightrep.domain.customer import Contact, Customer
from rightrep.domain.lead import LeadVersion
from rightrep.store.copying import copy_in
from rightrep.store.leads import LeadRecord, version_row
from rightrep.store.schema import (
    contact_points,
    contacts,
    customers,
    lead_versions,
    leads,
)
from rightrep.store.session import WriteSession
from rightrep.store.types import UtcDateTime, to_json, to_micros
from rightrep.store.versions import version_digest

_CUSTOMER = (
    "customer_id", "name", "name_key", "tax_number", "address", "grade", "created_at",
)  # fmt: skip
_CONTACT = ("contact_id", "customer_id", "name", "created_at")
_POINT = ("contact_id", "kind", "value", "possible")
_LEAD = ("lead_id", "customer_id", "contact_id", "created_at")


def add_customers(session: WriteSession, made: Sequence[Customer]) -> None:
    """Add customers whose ids were made in this transaction."""
    _copy(session, customers, {n: [getattr(c, n) for c in made] for n in _CUSTOMER})


def add_contacts(session: WriteSession, made: Sequence[Contact]) -> None:
    """Add contacts whose ids were made in this transaction, and how to reach them."""
    _copy(session, contacts, {n: [getattr(c, n) for c in made] for n in _CONTACT})
    points = {
        (contact.contact_id, point.kind.value, point.value): point.possible
        for contact in made
        for point in contact.points
    }
    rows = ((*point, possible) for point, possible in points.items())
    copy_in(session, contact_points, _POINT, rows)


def add_leads(
    session: WriteSession,
    made: Sequence[LeadRecord],
    versions: Sequence[LeadVersion],
) -> None:
    """Add leads whose ids were made in this transaction.

    Args:
        session: Where to write.
        made: The leads.
        versions: At most one version of each of them, and of no other.
    """
    _copy(session, leads, {n: [getattr(lead, n) for lead in made] for n in _LEAD})
    rows = [version_row(version) for version in versions]
    if rows:
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        columns["digest"] = [version_digest(row) for row in rows]
        _copy(session, lead_versions, columns)


def _copy(session: WriteSession, table: Table, columns: dict[str, list[Any]]) -> None:
    copy_in(session, table, tuple(columns), _rows(session, table, columns))


def _rows(
    session: WriteSession, table: Table, columns: dict[str, list[Any]]
) -> Iterator[tuple[Any, ...]]:
    """The columns as rows of what the driver takes."""
    taken: list[list[Any]] = []
    for name, values in columns.items():
        kind = table.c[name].type
        if isinstance(kind, JSON):
            taken.append([to_json(value) for value in values])
        elif isinstance(kind, UtcDateTime) and not session.is_postgresql:
            taken.append([to_micros(value) for value in values])
        else:
            taken.append(values)
    return zip(*taken, strict=True)
