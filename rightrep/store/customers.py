"""Customers and contacts: all of it personal, all of it erasable."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from sqlalchemy import bindparam, func, select

from rightrep.domain.customer import Contact, ContactPoint, Customer, PointKind
from rightrep.domain.ids import ContactId, CustomerId, LeadId
from rightrep.store.guard import of_tenant
from rightrep.store.schema import contact_points, contacts, customers, leads
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of, batches

_CUSTOMER = ("name", "name_key", "tax_number", "address", "grade")


def save_customers(session: WriteSession, given: Sequence[Customer]) -> None:
    """Make customers; of those that are there, set what is given."""
    statement = session.insert(customers)
    statement = statement.on_conflict_do_update(
        index_elements=list(customers.primary_key),
        set_={
            name: func.coalesce(statement.excluded[name], customers.c[name])
            for name in _CUSTOMER
        },
    )
    for batch in batches(sorted(given, key=lambda customer: customer.customer_id)):
        session.execute(statement, [asdict(customer) for customer in batch])


def save_contacts(session: WriteSession, given: Sequence[Contact]) -> None:
    """Make contacts; of those that are there, set what is given and add points."""
    statement = session.insert(contacts)
    statement = statement.on_conflict_do_update(
        index_elements=list(contacts.primary_key),
        set_={
            name: func.coalesce(statement.excluded[name], contacts.c[name])
            for name in ("customer_id", "name")
        },
    )
    points = session.insert(contact_points).on_conflict_do_nothing()
    for batch in batches(sorted(given, key=lambda contact: contact.contact_id)):
        session.execute(
            statement,
            [
                {
                    "contact_id": contact.contact_id,
                    "customer_id": contact.customer_id,
                    "name": contact.name,
                    "created_at": contact.created_at,
                }
                for contact in batch
            ],
        )
        reached = [
            {"contact_id": contact.contact_id, **_point_row(point)}
            for contact in batch
            for point in contact.points
        ]
        if reached:
            session.execute(points, reached)


def get_customers(
    session: ReadSession, customer_ids: Iterable[CustomerId]
) -> list[Customer]:
    """Customers in no order; unknown and erased ones are left out."""
    found: list[Customer] = []
    for batch in batches(list(dict.fromkeys(customer_ids))):
        rows = session.execute(_CUSTOMERS, {"ids": list(batch)}).all()
        found += [Customer(**dict(zip(_COLUMNS, row, strict=True))) for row in rows]
    return found


def get_contacts(
    session: ReadSession, contact_ids: Iterable[ContactId]
) -> list[Contact]:
    """Contacts in no order; unknown and erased ones are left out."""
    found: list[Contact] = []
    for batch in batches(list(dict.fromkeys(contact_ids))):
        ids = {"ids": list(batch)}
        points: dict[str, list[ContactPoint]] = {}
        for row in session.execute(_POINTS, ids).all():
            point = ContactPoint(PointKind(row.kind), row.value, row.possible)
            points.setdefault(row.contact_id, []).append(point)
        found += [
            Contact(
                contact_id=row.contact_id,
                customer_id=row.customer_id,
                name=row.name,
                created_at=row.created_at,
                points=tuple(points.get(row.contact_id, ())),
            )
            for row in session.execute(_CONTACTS, ids).all()
        ]
    return found


def contacts_of(
    session: ReadSession, customer_ids: Iterable[CustomerId]
) -> dict[CustomerId, list[Contact]]:
    """The contacts of each customer, those known first first."""
    wanted = list(dict.fromkeys(customer_ids))
    found: dict[CustomerId, list[Contact]] = {own: [] for own in wanted}
    for batch in batches(wanted):
        ids = session.execute(_AT, {"ids": list(batch)}).scalars().all()
        for contact in get_contacts(session, ids):
            if contact.customer_id is not None:
                found[contact.customer_id].append(contact)
    for people in found.values():
        people.sort(key=lambda contact: (contact.created_at, contact.contact_id))
    return found


def contacts_reached_by(
    session: ReadSession, kind: PointKind, values: Iterable[str]
) -> dict[str, list[ContactId]]:
    """Contacts with one of these phones or addresses, by the phone or address."""
    found: dict[str, list[ContactId]] = {}
    for batch in batches(list(dict.fromkeys(values))):
        rows = session.execute(_REACHED, {"values": list(batch), "kind": kind.value})
        for row in rows:
            found.setdefault(row.value, []).append(row.contact_id)
    return found


def customers_named(
    session: ReadSession, keys: Iterable[str], *, by: str = "name_key"
) -> dict[str, list[CustomerId]]:
    """Customers with one of these keys, by the key.

    Args:
        session: Where to read.
        keys: Name keys or tax numbers.
        by: ``name_key`` or ``tax_number``.
    """
    found: dict[str, list[CustomerId]] = {}
    column = customers.c[by]
    query = (
        select(column.label("key"), customers.c.customer_id)
        .where(of_tenant(customers), column.in_(any_of("keys")))
        .order_by(customers.c.created_at, customers.c.customer_id)
    )
    for batch in batches(list(dict.fromkeys(keys))):
        for row in session.execute(query, {"keys": list(batch)}).all():
            found.setdefault(row.key, []).append(row.customer_id)
    return found


def lead_ids_behind(
    session: ReadSession, customer_ids: Iterable[CustomerId]
) -> list[LeadId]:
    """Every lead that names one of these customers, merged ones too."""
    return [
        LeadId(own)
        for batch in batches(list(dict.fromkeys(customer_ids)))
        for own in session.execute(_LEADS, {"ids": list(batch)}).scalars()
    ]


def _point_row(point: ContactPoint) -> dict[str, object]:
    return {
        "kind": point.kind.value,
        "value": point.value,
        "possible": point.possible,
    }


_COLUMNS = ("customer_id", "created_at", *_CUSTOMER)
_CUSTOMERS = select(*(customers.c[name] for name in _COLUMNS)).where(
    of_tenant(customers), customers.c.customer_id.in_(any_of("ids"))
)
_CONTACTS = select(contacts).where(
    of_tenant(contacts), contacts.c.contact_id.in_(any_of("ids"))
)
_AT = select(contacts.c.contact_id).where(
    of_tenant(contacts), contacts.c.customer_id.in_(any_of("ids"))
)
_POINTS = (
    select(contact_points)
    .where(of_tenant(contact_points), contact_points.c.contact_id.in_(any_of("ids")))
    .order_by(contact_points.c.kind, contact_points.c.value)
)
_LEADS = select(leads.c.lead_id).where(
    of_tenant(leads), leads.c.customer_id.in_(any_of("ids"))
)
_REACHED = (
    select(contact_points.c.value, contact_points.c.contact_id)
    .where(
        of_tenant(contact_points),
        contact_points.c.kind == bindparam("kind"),
        contact_points.c.value.in_(any_of("values")),
    )
    .order_by(contact_points.c.contact_id)
)
