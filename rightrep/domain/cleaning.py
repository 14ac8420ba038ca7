"""What cleaning found: values that cannot exist, and values that nobody typed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

FROM_ADDRESS = "address"
"""Source of a region that was read from an address."""

TAX_NUMBER = "tax_number"
"""The field of marks of registration and tax numbers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A value that was given, is kept, and cannot exist. Personal data.

    Attributes:
        record_id: Our id of the contact or customer that has it.
        field: "phone", "email" or "tax_number".
        value: As it is kept there.
        reason: Why it cannot exist, in words.
        marked_at: When it was first given; aware UTC.
    """

    record_id: str
    field: str
    value: str
    reason: str
    marked_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """Where a value came from that no user typed. Personal data, as its value is.

    It tells of a record's field as long as the field has this value.

    Attributes:
        record_id: Our id of the lead or customer.
        field: Which field was filled.
        value: With what.
        source: The register's name, or "address".
        filled_at: When; aware UTC.
    """

    record_id: str
    field: str
    value: str | float
    source: str
    filled_at: datetime


def is_filled(told: Mapping[str, Provenance], field: str, value: object) -> bool:
    """Whether a field's value is one that nobody typed.

    Args:
        told: The record's provenance by field.
        field: Which field.
        value: What it has now.
    """
    return value is not None and field in told and told[field].value == value
