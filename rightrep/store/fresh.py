"""Records that nobody knows yet, many at a time: no look-up, no merge, one COPY each.

Their ids were made in this transaction, so nothing can be there to collide with. The
functions that save records which may be known ask first what is there.
"""

from collections.abc import Sequence

from rightrep.domain.customer import Contact, Customer
from rightrep.domain.lead import LeadVersion
from rightrep.store.copying import add_rows, copy_in
from rightrep.store.leads import LeadRecord, version_row
from rightrep.store.schema import (
    contact_points,
    contacts,
    customers,
    lead_versions,
    leads,
)
from rightrep.store.session import WriteSession
from rightrep.store.versions import version_digest

_CUSTOMER = (
    "customer_id", "name", "name_key", "tax_number", "address", "grade", "created_at",
)  # fmt: skip
_CONTACT = ("contact_id", "customer_id", "name", "created_at")
_POINT = ("contact_id", "kind", "value", "possible")
_LEAD = ("lead_id", "customer_id", "contact_id", "created_at")


def add_customers(session: WriteSession, made: Sequence[Customer]) -> None:
    """Add customers whose ids were made in this transaction."""
    add_rows(session, customers, {n: [getattr(c, n) for c in made] for n in _CUSTOMER})


def add_contacts(session: WriteSession, made: Sequence[Contact]) -> None:
    """Add contacts whose ids were made in this transaction, and how to reach them."""
    add_rows(session, contacts, {n: [getattr(c, n) for c in made] for n in _CONTACT})
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
    columns = {n: [getattr(lead, n) for lead in made] for n in _LEAD}
    kinds = [lead.kind.value for lead in made]
    add_rows(session, leads, columns | {"kind": kinds})
    rows = [version_row(version) for version in versions]
    if rows:
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        columns["digest"] = [version_digest(row) for row in rows]
        add_rows(session, lead_versions, columns)
