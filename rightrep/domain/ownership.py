"""Ownership: who has a lead, as the projection of what happened to it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rightrep.domain.ids import DecisionId, LeadId, RepId


class OwnershipKind(StrEnum):
    """What happened to a lead's ownership."""

    ASSIGNED = "assigned"
    CLAIMED = "claimed"
    DROPPED = "dropped"
    RECYCLED = "recycled"
    TRANSFERRED = "transferred"
    SHARED = "shared"
    MERGED = "merged"
    DECLINED = "declined"
    OVERRIDDEN = "overridden"
    UNDONE = "undone"
    CLOSED = "closed"


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnershipEvent:
    """One change of who has a lead; appended, never changed.

    Attributes:
        event_id: Our id, in the order things happened.
        lead_id: The lead.
        kind: What happened.
        owner: The rep who has the lead afterwards; None puts it in a public pool.
        previous_owner: The rep who had it before, or None.
        decision_id: The decision behind it, or None.
        cause: Why, in one word or the sender's sentence.
        actor: Who did it: an API key's id, a job's id, "import".
        happened_at: When; aware UTC.
    """

    event_id: str
    lead_id: LeadId
    kind: OwnershipKind
    owner: RepId | None
    previous_owner: RepId | None
    decision_id: DecisionId | None
    cause: str
    actor: str
    happened_at: datetime
