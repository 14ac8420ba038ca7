"""Activities: what happened between a rep and a lead."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rightrep.domain.ids import LeadId, RepId


class ActivityKind(StrEnum):
    """What happened."""

    CALL = "call"
    MESSAGE = "message"
    MEETING = "meeting"
    VISIT = "visit"
    NOTE = "note"
    PAGE_VIEW = "page_view"
    SURVEY = "survey"


@dataclass(frozen=True, kw_only=True, slots=True)
class Activity:
    """Something that happened between a rep and a lead; appended, never changed.

    Attributes:
        event_id: The sender's id of this message.
        kind: What happened.
        lead_id: The lead.
        rep_id: The rep, or None when the lead acted alone.
        happened_at: When; aware UTC.
        recorded_at: When it was known here; aware UTC.
        result: The sender's word for how it went ("reached", "no answer"), or None.
        score: Satisfaction or NPS given in a survey, or None.
        latitude: Degrees north in [-90, 90], or None.
        longitude: Degrees east in [-180, 180], or None.
        note: Free text; personal, kept apart so that it can be erased.
    """

    event_id: str
    kind: ActivityKind
    lead_id: LeadId
    rep_id: RepId | None
    happened_at: datetime
    recorded_at: datetime
    result: str | None = None
    score: float | None = None
    latitude: float | None = None
    longitude: float | None = None
    note: str | None = None
