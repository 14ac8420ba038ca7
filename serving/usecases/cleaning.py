"""What cleaning found about one lead: values that cannot be, values nobody typed."""

from typing import NamedTuple

from rightrep.domain.cleaning import Mark, Provenance, is_filled
from rightrep.domain.lead import Lead
from rightrep.store.cleaning import marks_of, provenance_of
from rightrep.store.customers import get_customers
from rightrep.store.session import ReadSession


class Cleaning(NamedTuple):
    """What cleaning found about a lead.

    Attributes:
        marks: Impossible values of its contact and its customer.
        filled: Fields of the lead and its customer whose present value nobody typed,
            by field.
    """

    marks: list[Mark]
    filled: list[Provenance]


def cleaning_of(session: ReadSession, lead: Lead) -> Cleaning:
    """What cleaning found about a lead.

    Args:
        session: Where to read.
        lead: As it is known now.
    """
    people = [own for own in (lead.contact_id, lead.customer_id) if own is not None]
    customers = [lead.customer_id] if lead.customer_id is not None else []
    told = provenance_of(session, [lead.lead_id, *customers])
    having: dict[str, object] = {lead.lead_id: lead.attributes} | {
        customer.customer_id: customer for customer in get_customers(session, customers)
    }
    filled = [
        one
        for record_id, fields in told.items()
        for name, one in fields.items()
        if is_filled(fields, name, getattr(having.get(record_id), name, None))
    ]
    return Cleaning(marks_of(session, people), sorted(filled, key=lambda f: f.field))
