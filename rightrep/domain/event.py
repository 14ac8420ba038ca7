"""Events: what happened, told to those who asked to be told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from rightrep.domain.ids import TenantId

RETRIES = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
)
"""Waits after the first, second, ... failure; the schedule Standard Webhooks suggests.
After the last one fails too, the delivery is dead until it is replayed."""


class DeliveryState(StrEnum):
    """Where the delivery of an event to an endpoint stands."""

    OPEN = "open"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        event_id: Our id; receivers drop one they have seen.
        type: What kind: "rightrep.lead.assigned".
        subject: What it happened to: our id of it, or None.
        time: When; aware UTC.
        data: The rest; JSON, pseudonymous.
    """

    event_id: str
    type: str
    subject: str | None
    time: datetime
    data: Mapping[str, Any]

    def envelope(self) -> dict[str, Any]:
        """The event as CloudEvents 1.0 writes it in JSON."""
        about = {} if self.subject is None else {"subject": self.subject}
        return {
            "specversion": "1.0",
            "id": self.event_id,
            "source": "/rightrep",
            "type": self.type,
            **about,
            "time": self.time.isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "data": dict(self.data),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """An event on its way to an endpoint, claimed by a sender.

    Attributes:
        tenant_id: Whose.
        endpoint_id: Where to.
        url: Its address.
        secrets: What to sign with: the present secret, then one still good for a while.
        event: What to send.
        attempt: Which try this is, from 1.
    """

    tenant_id: TenantId
    endpoint_id: str
    url: str
    secrets: tuple[str, ...]
    event: Event
    attempt: int


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryStatus:
    """How the delivery of one event to one endpoint is going.

    Attributes:
        event_id: The event.
        type: Its kind.
        state: Where it stands.
        attempts: Tries so far.
        due_at: When the next try is due, or None.
        answer: Last HTTP status code, or None.
        error: Why the last try failed, or None.
        delivered_at: When it arrived, or None.
    """

    event_id: str
    type: str
    state: DeliveryState
    attempts: int
    due_at: datetime | None
    answer: int | None
    error: str | None
    delivered_at: datetime | None
