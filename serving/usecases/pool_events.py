"""What happens to leads in pools, told to webhooks in the same transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from rightrep.domain.decision import Decision
from rightrep.domain.event import Event
from rightrep.domain.ids import LeadId, new_id
from rightrep.store import outbox
from rightrep.store.session import WriteSession


def tell(
    session: WriteSession, what: str, made: Sequence[Decision], *, at: datetime
) -> None:
    """Tell webhooks who has leads now."""
    outbox.emit_all(
        session,
        [
            Event(
                event_id=new_id(at),
                type=f"rightrep.lead.{what}",
                subject=one.lead_id,
                time=at,
                data={
                    "lead_id": one.lead_id,
                    "rep_id": one.rep_id,
                    "decision_id": one.decision_id,
                    "policy": one.policy,
                },
            )
            for one in made
        ],
        at=at,
    )


def emit(
    session: WriteSession,
    what: str,
    lead_id: LeadId,
    more: Mapping[str, str],
    *,
    at: datetime,
) -> None:
    """Tell webhooks what happened to one lead."""
    data = {"lead_id": lead_id, **more}
    outbox.emit(session, f"rightrep.lead.{what}", data, at=at, subject=lead_id)
