"""Customers and contacts of lead rows: found by id, number or name, else made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rightrep.domain.cleaning import TAX_NUMBER, Provenance, is_filled
from rightrep.domain.customer import Contact, Customer
from rightrep.domain.ids import ContactId, CustomerId, LeadId, new_ids
from rightrep.domain.lead import Lead
from rightrep.intake.records import LeadRow
from rightrep.intake.tax_numbers import tax_number
from rightrep.store.aliases import RecordKind, find_or_make_ids
from rightrep.store.cleaning import provenance_of, remove_marks
from rightrep.store.customers import (
    customers_named,
    get_contacts,
    get_customers,
    save_contacts,
    save_customers,
)
from rightrep.store.fresh import add_contacts, add_customers
from rightrep.store.session import WriteSession
from serving.usecases.import_run import Run


@dataclass(slots=True)
class People:
    """Who is behind leads.

    Attributes:
        customer_of: Customer by lead, where a row tells one.
        contact_of: Contact by lead, likewise.
        changed: Leads that were known and of whose people something is news.
        erased: Leads whose people were erased; what rows say of them is passed over.
    """

    customer_of: dict[LeadId, CustomerId] = field(default_factory=dict)
    contact_of: dict[LeadId, ContactId] = field(default_factory=dict)
    changed: set[LeadId] = field(default_factory=set)
    erased: set[LeadId] = field(default_factory=set)


def save_people(
    session: WriteSession,
    rows: Sequence[LeadRow],
    ids: dict[str, LeadId],
    known: dict[LeadId, Lead],
    run: Run,
) -> People:
    """Make or complete the customers and contacts of lead rows.

    A customer is found by the CRM's id, by its tax number, or by its name's key, in
    this order; a person without company is one, and a contact belongs to its lead. Rows
    fill what is empty and add phones and addresses; they overwrite nothing that was
    typed, since rows of one customer may differ, but they go before what a register
    filled, and a tax number that can be goes before one that cannot. Who was erased
    does not come back with the file that they came with.

    Args:
        session: Where to write.
        rows: The rows, in the file's order.
        ids: Our id of each lead.
        known: Leads that were there before.
        run: The import.
    """
    customers = {lead.customer_id for lead in known.values() if lead.customer_id}
    contacts = {lead.contact_id for lead in known.values() if lead.contact_id}
    there = {c.customer_id: c for c in get_customers(session, customers)}
    here = {c.contact_id: c for c in get_contacts(session, contacts)}
    people = People(erased=_erased(known, there, here))
    rows = [row for row in rows if ids[row.external_id] not in people.erased]
    _save_customers(session, rows, ids, known, there, run, people)
    _save_contacts(session, rows, ids, known, here, run, people)
    return people


def _erased(
    known: dict[LeadId, Lead],
    there: Mapping[CustomerId, Customer],
    here: Mapping[ContactId, Contact],
) -> set[LeadId]:
    """Known leads that name a customer or a contact who is not there any more."""
    return {
        lead.lead_id
        for lead in known.values()
        if (lead.customer_id and lead.customer_id not in there)
        or (lead.contact_id and lead.contact_id not in here)
    }


def _save_customers(
    session: WriteSession,
    rows: Sequence[LeadRow],
    ids: dict[str, LeadId],
    known: dict[LeadId, Lead],
    there: dict[CustomerId, Customer],
    run: Run,
    people: People,
) -> None:
    so_far = {
        row.external_id: own
        for row in rows
        if (lead := known.get(ids[row.external_id])) and (own := lead.customer_id)
    }
    of_row, fresh = _customer_ids(session, rows, so_far, run)
    old = {own for own in of_row if own is not None and own not in fresh}
    unseen = get_customers(session, old - there.keys())
    there |= {customer.customer_id: customer for customer in unseen}
    told = provenance_of(session, there)
    wanted: dict[CustomerId, Customer] = {}
    for row, customer_id in zip(rows, of_row, strict=True):
        if customer_id is None:
            continue
        lead_id = ids[row.external_id]
        people.customer_of[lead_id] = customer_id
        before = wanted.get(customer_id) or there.get(customer_id)
        after = _customer(row, customer_id, before, told.get(customer_id, {}))
        if after is not before:
            wanted[customer_id] = after
            if lead_id in known:
                people.changed.add(lead_id)
    add_customers(session, [c for own, c in wanted.items() if own in fresh])
    changed = [c for own, c in wanted.items() if own not in fresh]
    if changed:
        save_customers(session, changed)
        mended = [
            c.customer_id
            for c in changed
            if (had := there.get(c.customer_id)) and had.tax_number != c.tax_number
        ]
        remove_marks(session, mended, TAX_NUMBER)


def _customer(
    row: LeadRow,
    customer_id: CustomerId,
    before: Customer | None,
    filled: Mapping[str, Provenance],
) -> Customer:
    told = {
        "name": row.company,
        "name_key": row.company_key,
        "tax_number": row.tax_number,
        "address": row.address,
        "grade": row.attributes.grade,
    }
    if before is None:
        return Customer(customer_id=customer_id, created_at=row.created_at, **told)
    news: dict[str, Any] = {
        name: value
        for name, value in told.items()
        if value is not None
        and value != (had := getattr(before, name))
        and (had is None or is_filled(filled, name, had))
    }
    if _is_mended(row, before):
        news["tax_number"] = row.tax_number
    return replace(before, **news) if news else before


def _is_mended(row: LeadRow, before: Customer) -> bool:
    """Whether a row has a number for a customer whose own cannot be."""
    if row.tax_number is None or row.tax_problem or before.tax_number is None:
        return False
    return tax_number(before.tax_number).problem is not None


def _customer_ids(
    session: WriteSession,
    rows: Sequence[LeadRow],
    had: dict[str, CustomerId],
    run: Run,
) -> tuple[list[CustomerId | None], set[str]]:
    """Each row's customer, and which of them were made here and now.

    A person without company is a customer of its own; ``had`` is who is behind each
    lead so far, and grows.
    """
    named = {row.customer for row in rows if row.customer is not None}
    by_id, fresh = find_or_make_ids(
        session, RecordKind.CUSTOMER, run.source, named, at=run.now
    )
    rest = [row for row in rows if row.customer is None]
    taxes = {number for row in rest if (number := _identity(row))}
    keys = {row.company_key for row in rest if row.company_key is not None}
    by_tax = _first_of(session, taxes, "tax_number")
    by_key = _first_of(session, keys, "name_key")
    spare = iter(new_ids(run.now, len(rest)))
    found: list[CustomerId | None] = []
    for row in rows:
        tax, key = _identity(row), row.company_key or ""
        own = by_tax.get(tax) or by_key.get(key)
        if row.customer is not None:
            own = CustomerId(by_id[row.customer])
        elif own is None and (tax or key):
            own = CustomerId(next(spare))
            fresh.add(own)
        elif own is None and (row.contact_name or row.points):
            own = had.get(row.external_id) or CustomerId(next(spare))
            if row.external_id not in had:
                fresh.add(own)
        if own is not None:
            had[row.external_id] = own
        found.append(own)
        if own is not None and tax:
            by_tax.setdefault(tax, own)
        if own is not None and key:
            by_key.setdefault(key, own)
    return found, fresh


def _identity(row: LeadRow) -> str:
    """The tax number that tells who it is; one that cannot be tells nothing."""
    return row.tax_number or "" if row.tax_problem is None else ""


def _first_of(session: WriteSession, names: set[str], by: str) -> dict[str, CustomerId]:
    if not names:
        return {}
    found = customers_named(session, names, by=by)
    return {name: customers[0] for name, customers in found.items()}


def _save_contacts(
    session: WriteSession,
    rows: Sequence[LeadRow],
    ids: dict[str, LeadId],
    known: dict[LeadId, Lead],
    there: Mapping[ContactId, Contact],
    run: Run,
    people: People,
) -> None:
    had = {lead_id: lead.contact_id for lead_id, lead in known.items()}
    wanted: dict[ContactId, Contact] = {}
    fresh = iter(new_ids(run.now, len(rows)))
    for row in rows:
        if row.contact_name is None and not row.points:
            continue
        lead_id = ids[row.external_id]
        own = people.contact_of.get(lead_id) or had.get(lead_id)
        contact_id = own or ContactId(next(fresh))
        people.contact_of[lead_id] = contact_id
        before = wanted.get(contact_id) or there.get(contact_id)
        after = _contact(row, contact_id, people.customer_of.get(lead_id), before)
        if after != before:
            wanted[contact_id] = after
            if lead_id in known:
                people.changed.add(lead_id)
    add_contacts(session, [c for own, c in wanted.items() if own not in there])
    changed = [c for own, c in wanted.items() if own in there]
    if changed:
        save_contacts(session, changed)


def _contact(
    row: LeadRow,
    contact_id: ContactId,
    customer_id: CustomerId | None,
    before: Contact | None,
) -> Contact:
    if before is None:
        return Contact(
            contact_id=contact_id,
            created_at=row.created_at,
            customer_id=customer_id,
            name=row.contact_name,
            points=row.points,
        )
    return replace(
        before,
        customer_id=before.customer_id or customer_id,
        name=before.name or row.contact_name,
        points=tuple(dict.fromkeys([*before.points, *row.points])),
    )
