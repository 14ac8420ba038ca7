"""What handovers do, told to webhooks in the same transaction."""

from collections.abc import Sequence
from datetime import datetime

from rightrep.domain.event import Event
from rightrep.domain.handover import Handover, HandoverLine, MoveState
from rightrep.domain.ids import new_id
from rightrep.store import outbox
from rightrep.store.session import WriteSession


def tell_handover(
    session: WriteSession, handover: Handover, what: str, *, at: datetime
) -> None:
    """Tell how far a handover is: previewed, committed, undone."""
    data = {"handover_id": handover.handover_id, "policy": handover.policy}
    kind = f"rightrep.handover.{what}"
    outbox.emit(session, kind, data, at=at, subject=handover.handover_id)


def tell_moves(
    session: WriteSession,
    handover: Handover,
    settled: Sequence[HandoverLine],
    *,
    at: datetime,
) -> None:
    """Tell of each lead that went to another rep, or back."""
    outbox.emit_all(
        session,
        [
            Event(
                event_id=new_id(at),
                type="rightrep.lead.transferred",
                subject=line.lead_id,
                time=at,
                data={
                    "lead_id": line.lead_id,
                    "rep_id": line.to_rep
                    if line.state is MoveState.MOVED
                    else line.from_rep,
                    "decision_id": line.decision_id
                    if line.state is MoveState.MOVED
                    else line.decision_before,
                    "policy": line.policy,
                    "handover_id": handover.handover_id,
                },
            )
            for line in settled
            if line.state in (MoveState.MOVED, MoveState.RETURNED)
        ],
        at=at,
    )
