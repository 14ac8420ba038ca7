"""What the CRM tells us back: how leads closed, what happened, who really has them."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from rightrep.domain.activity import Activity
from rightrep.domain.days import local_day
from rightrep.domain.event import Event
from rightrep.domain.ids import LeadId, RepId, new_id
from rightrep.domain.outcome import Outcome, Result
from rightrep.domain.ownership import OwnershipKind
from rightrep.errors import Conflict, InvalidInput
from rightrep.store import activities, outbox, outcomes, ownership
from rightrep.store.session import WriteSession
from rightrep.store.tenants import get_tenant
from serving.usecases.service import hand_to_service


class Word(StrEnum):
    """What the CRM says about our decision."""

    CONFIRMED = "confirmed"
    """The owner is as we decided."""
    OVERRIDDEN = "overridden"
    """Somebody there chose another owner, or none."""
    DECLINED = "declined"
    """The rep refused; the lead is free and will not be offered to the rep again."""


def log_outcomes(
    session: WriteSession, told: Sequence[Outcome], *, at: datetime
) -> list[bool]:
    """Log how leads closed and tell webhooks of the new ones.

    Customers of won leads go to their service reps.

    Returns:
        Whether each was new.
    """
    new = outcomes.record_outcomes(session, told)
    outbox.emit_all(
        session,
        [
            Event(
                event_id=new_id(at),
                type=f"rightrep.lead.{outcome.result.value}",
                subject=outcome.lead_id,
                time=outcome.closed_at,
                data={"lead_id": outcome.lead_id, "event_id": outcome.event_id},
            )
            for outcome, is_new in zip(told, new, strict=True)
            if is_new
        ],
        at=at,
    )
    won = [
        outcome.lead_id
        for outcome, is_new in zip(told, new, strict=True)
        if is_new and outcome.result is Result.WON
    ]
    if won:
        hand_to_service(session, won, at=at)
    return new


def log_activities(session: WriteSession, told: Sequence[Activity]) -> list[bool]:
    """Log what happened between reps and leads; returns whether each was new."""
    return activities.record_activities(session, told)


def hear_owner(
    session: WriteSession,
    lead_id: LeadId,
    word: Word,
    *,
    rep_id: RepId | None,
    at: datetime,
    actor: str,
    cause: str,
) -> RepId | None:
    """Take the CRM's word on who has a lead.

    Args:
        session: Where to write.
        lead_id: The lead.
        word: What the CRM says.
        rep_id: Who has it (confirmed, overridden; None is nobody), or who declined.
        at: When.
        actor: Who says so.
        cause: Why, in the sender's words.

    Returns:
        Who has the lead now.

    Raises:
        InvalidInput: Confirmed or declined without naming the rep.
        Conflict: Confirmed or declined a rep who does not have the lead.
    """
    if rep_id is None and word is not Word.OVERRIDDEN:
        raise InvalidInput(f"{word.value} needs its rep.", field="rep")
    owned = ownership.get_owner(session, lead_id)
    present = owned.owner if owned else None
    if word is Word.CONFIRMED:
        if present != rep_id:
            raise Conflict(
                f"Lead {lead_id} belongs to {present or 'nobody'} here. Send "
                "`overridden` if the CRM's owner is right."
            )
        return present
    if word is Word.OVERRIDDEN and present == rep_id:
        return present
    kind = OwnershipKind.DECLINED if word is Word.DECLINED else OwnershipKind.OVERRIDDEN
    ownership.release_lead(
        session,
        lead_id,
        kind,
        at=at,
        actor=actor,
        cause=cause,
        owner=rep_id if word is Word.OVERRIDDEN else None,
        held_by=rep_id if word is Word.DECLINED else None,
        decision_id=owned.decision_id if owned else None,
        local_day=local_day(at, get_tenant(session).time_zone),
    )
    outbox.emit(
        session,
        f"rightrep.lead.{kind.value}",
        {"lead_id": lead_id, "rep_id": rep_id, "previous_owner": present},
        at=at,
        subject=lead_id,
    )
    return rep_id if word is Word.OVERRIDDEN else None
