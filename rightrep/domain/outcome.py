"""Outcomes: how a lead closed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rightrep.domain.activity import Activity, ActivityKind
from rightrep.domain.ids import DecisionId, LeadId, derived_id
from rightrep.domain.lead import LeadKind
from rightrep.domain.money import Money

LONGEST_REASON = 40
_REASON = re.compile(r"[a-z]+[0-9]{0,2}(_[a-z]+[0-9]{0,2}){0,2}")


class Result(StrEnum):
    """How a lead closed, or a work order."""

    WON = "won"
    LOST = "lost"
    RESOLVED = "resolved"
    """The work order is done."""
    UNRESOLVED = "unresolved"
    """It was closed without: withdrawn, or nothing could be done."""


RESULTS: Mapping[LeadKind, Sequence[Result]] = {
    LeadKind.LEAD: (Result.WON, Result.LOST),
    LeadKind.TICKET: (Result.RESOLVED, Result.UNRESOLVED),
}
"""How leads of each kind close."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a lead closed; appended, never changed.

    Attributes:
        event_id: The sender's id of this message; the same id says the same thing.
        lead_id: The lead.
        decision_id: The decision it judges: the last one before ``closed_at`` when the
            sender does not say.
        result: One of the lead's kind.
        closed_at: When it closed; aware UTC.
        recorded_at: When it was known here; aware UTC.
        value: Money won, or None.
        reason: A code (``reason_code``), or None; outcomes outlive an erasure, so that
            what people say goes into a note instead.
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


def why_not_result(result: Result, kind: LeadKind) -> str | None:
    """Why a lead of this kind does not close so, in a sentence; None where it does."""
    if result in RESULTS[kind]:
        return None
    told, words = ("work order", "resolved or unresolved")
    if kind is LeadKind.LEAD:
        told, words = ("lead", "won or lost")
    return f"A {told} closes as {words}, not as {result.value}."


def reason_code(words: str | None) -> str | None:
    """The code that up to three plain words are; None where they are a remark.

    >>> reason_code("No budget"), reason_code("Her mother fell ill last week.")
    ('no_budget', None)

    Args:
        words: What the sender says; letters without accents, 40 at most, to be a code.
    """
    if words is None:
        return None
    code = re.sub(r"[\s\-_]+", "_", words.strip().lower())
    if len(code) > LONGEST_REASON or not _REASON.fullmatch(code):
        return None
    return code


def remark_of(outcome: Outcome, words: str) -> Activity:
    """What was said of an outcome, as a note: personal, so that it can be erased."""
    return Activity(
        event_id=derived_id(outcome.closed_at, f"{outcome.event_id} remark"),
        kind=ActivityKind.NOTE,
        lead_id=outcome.lead_id,
        rep_id=None,
        happened_at=outcome.closed_at,
        recorded_at=outcome.recorded_at,
        note=words,
    )
