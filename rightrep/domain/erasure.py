"""Erasure: what is removed of people, and for how long what is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from rightrep.errors import InvalidInput


class ErasureCause(StrEnum):
    """Why something was removed."""

    REQUEST = "request"
    RETENTION = "retention"


@dataclass(frozen=True, kw_only=True, slots=True)
class Erasure:
    """The record of a removal; it holds no personal data itself.

    Attributes:
        erasure_id: Our id.
        cause: A person's request, or the end of the tenant's retention.
        subject_id: The customer or lead that was asked for; None for retention.
        actor: Who asked.
        erased_at: When; aware UTC.
        counts: Rows removed, by what they held.
    """

    erasure_id: str
    cause: ErasureCause
    subject_id: str | None
    actor: str
    erased_at: datetime
    counts: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Original:
    """One row of an import, as it came.

    Attributes:
        import_id: Which import.
        line: Line of its file, from 1.
        kind: What it was read as: "leads", "activities".
        entity_id: Our id of the lead, customer or rep that it is about.
        raw: The row as JSON text.
    """

    import_id: str
    line: int
    kind: str
    entity_id: str
    raw: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """For how many days a tenant keeps what; None keeps it until it is asked for.

    Attributes:
        customers: Customers, contacts and what they said, counted from the last sign of
            life of any of their leads.
        notes: Notes, counted from when they were known here.
        originals: Import originals.
        jobs: Closed jobs.
        events: Events and their deliveries, once nobody waits for them.
        plan_lines: Lines of plans; their headers stay.
    """

    customers: int | None = None
    notes: int | None = None
    originals: int | None = 90
    jobs: int | None = 30
    events: int | None = 30
    plan_lines: int | None = 180

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Retention":
        """From a tenant's settings: ``{"retention_days": {"notes": 365}}``.

        Raises:
            InvalidInput: A name that is not one above, or days that are not a positive
                whole number or null.
        """
        given = settings.get("retention_days", {})
        names = {field.name for field in fields(cls)}
        for name, days in given.items():
            where = f"settings.retention_days.{name}"
            if name not in names:
                raise InvalidInput(f"{name!r} has no retention.", field=where)
            if days is not None and (type(days) is not int or days < 1):
                raise InvalidInput("Days are a positive whole number.", field=where)
        return cls(**given)
