"""Whose personal data it is: all records of one person or company.

Merged records are one, so what is erased of one is erased of all. A subject grows along
standing merges and between leads, their customers and their contacts, until nothing new
is found. A contact who belongs to one customer and stands on another's lead joins them
not: that is somebody working for both.
"""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, Table, and_, bindparam, or_, select

from rightrep.store.aliases import RecordKind
from rightrep.store.guard import of_tenant
from rightrep.store.schema import contacts, leads, merges
from rightrep.store.session import ReadSession
from rightrep.store.sets import any_of, batches

CUSTOMER, LEAD, CONTACT = RecordKind.CUSTOMER, RecordKind.LEAD, RecordKind.CONTACT
_KINDS = (CUSTOMER, LEAD, CONTACT)


@dataclass(frozen=True, slots=True)
class Subject:
    """The records of one person or company.

    Attributes:
        ids: Our ids, by what they name: customers, leads and contacts.
    """

    ids: dict[RecordKind, set[str]] = field(
        default_factory=lambda: {kind: set() for kind in _KINDS}
    )

    def all(self) -> list[str]:
        """Every id, ascending."""
        return sorted(set().union(*self.ids.values()))


def subject_of(session: ReadSession, kind: RecordKind, own_id: str) -> Subject:
    """Everything that is the same person or company as one record.

    Args:
        session: Whose.
        kind: Customer, lead or contact.
        own_id: Our id of it.
    """
    subject = Subject()
    subject.ids[kind].add(own_id)
    size = 0
    while size != len(subject.all()):
        size = len(subject.all())
        for source, target, query in _EDGES:
            known = sorted(subject.ids[source])
            for batch in batches(known):
                given = {"ids": list(batch), "kind": source.value}
                subject.ids[target].update(session.execute(query, given).scalars())
    return subject


def _merged(side: str, other: str) -> "Select[Any]":
    return select(merges.c[other]).where(
        of_tenant(merges),
        merges.c.kind == bindparam("kind"),
        merges.c[side].in_(any_of("ids")),
        merges.c.undone_at.is_(None),
    )


def _met(found: str, by: str) -> "Select[Any]":
    """Leads and contacts that stand on one another, and are not two customers'."""
    pair = and_(
        contacts.c.tenant_id == leads.c.tenant_id,
        contacts.c.contact_id == leads.c.contact_id,
        or_(leads.c.customer_id.is_(None), contacts.c.customer_id.is_(None)),
    )
    return (
        select(leads.c[found])
        .join_from(leads, contacts, pair)
        .where(of_tenant(leads), leads.c[by].in_(any_of("ids")))
    )


def _of_customer(table: Table, own_id: str) -> tuple["Select[Any]", "Select[Any]"]:
    down = select(table.c[own_id]).where(
        of_tenant(table), table.c.customer_id.in_(any_of("ids"))
    )
    up = select(table.c.customer_id).where(
        of_tenant(table),
        table.c[own_id].in_(any_of("ids")),
        table.c.customer_id.is_not(None),
    )
    return down, up


_TO_LEADS, _FROM_LEADS = _of_customer(leads, "lead_id")
_TO_CONTACTS, _FROM_CONTACTS = _of_customer(contacts, "contact_id")
_EDGES = (
    (CUSTOMER, LEAD, _TO_LEADS),
    (LEAD, CUSTOMER, _FROM_LEADS),
    (CUSTOMER, CONTACT, _TO_CONTACTS),
    (CONTACT, CUSTOMER, _FROM_CONTACTS),
    (LEAD, CONTACT, _met("contact_id", "lead_id")),
    (CONTACT, LEAD, _met("lead_id", "contact_id")),
    *((kind, kind, _merged("merged_id", "survivor_id")) for kind in _KINDS),
    *((kind, kind, _merged("survivor_id", "merged_id")) for kind in _KINDS),
)
