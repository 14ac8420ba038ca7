"""Customers and contacts: who is behind leads. All of it is personal data."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from rightrep.domain.ids import ContactId, CustomerId


@dataclass(frozen=True, kw_only=True, slots=True)
class Customer:
    """The company or person behind leads.

    Attributes:
        customer_id: Our id.
        name: As the CRM writes it, or None.
        name_key: The name with legal forms and widths taken out; equal keys may be
            the same customer.
        tax_number: Registration or tax number, or None.
        address: As the CRM writes it, or None.
        grade: The customer's class, or None.
        created_at: When it was first known here; aware UTC.
    """

    customer_id: CustomerId
    created_at: datetime
    name: str | None = None
    name_key: str | None = None
    tax_number: str | None = None
    address: str | None = None
    grade: str | None = None


class PointKind(StrEnum):
    """How a contact can be reached."""

    PHONE = "phone"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class ContactPoint:
    """One phone number or e-mail address.

    Attributes:
        kind: Which of the two.
        value: E.164 where the phone is possible, else the digits as they were given;
            an e-mail address in lower case.
        possible: Whether such a number or address can exist.
        reason: Why it cannot, in words, where it was read just now; the store keeps
            reasons as marks.
    """

    kind: PointKind
    value: str
    possible: bool = True
    reason: str | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Contact:
    """A person at a customer.

    Attributes:
        contact_id: Our id.
        customer_id: Where the person works, or None.
        name: As the CRM writes it, or None.
        points: Phones and e-mail addresses.
        created_at: When it was first known here; aware UTC.
    """

    contact_id: ContactId
    created_at: datetime
    customer_id: CustomerId | None = None
    name: str | None = None
    points: Sequence[ContactPoint] = ()
