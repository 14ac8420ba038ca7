"""Outcomes: how a lead closed."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rightrep.domain.ids import DecisionId, LeadId
from rightrep.domain.money import Money


class Result(StrEnum):
    """How a lead closed."""

    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a lead closed; appended, never changed.

    Attributes:
        event_id: The sender's id of this message; the same id says the same thing.
        lead_id: The lead.
        decision_id: The decision it judges: the last one before ``closed_at`` when the
            sender does not say.
        result: Won or lost.
        closed_at: When it closed; aware UTC.
        recorded_at: When it was known here; aware UTC.
        value: Money won, or None.
        reason: The sender's words, or None.
        replaces: ``event_id`` of the outcome this one corrects, or None.
    """

    event_id: str
    lead_id: LeadId
    decision_id: DecisionId | None
    result: Result
    closed_at: datetime
    recorded_at: datetime
    value: Money | None = None
    reason: str | None = None
    replaces: str | None = None
