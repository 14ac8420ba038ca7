"""Leads shared between reps for a time, told to webhooks."""

from datetime import datetime

from rightrep.domain.ids import LeadId, RepId
from rightrep.store import shares
from rightrep.store.session import WriteSession
from rightrep.store.shares import Share
from serving.usecases.pool_events import emit


def share(
    session: WriteSession,
    lead_id: LeadId,
    rep_id: RepId,
    *,
    held_by: RepId | None,
    ends_at: datetime,
    reason: str,
    at: datetime,
    actor: str,
) -> Share:
    """Let another rep see a lead until an instant; see ``store.shares``."""
    made = shares.share_lead(
        session,
        lead_id,
        rep_id,
        held_by=held_by,
        ends_at=ends_at,
        reason=reason,
        at=at,
        actor=actor,
    )
    _tell(session, "shared", made, at)
    return made


def revoke(
    session: WriteSession,
    share_id: str,
    *,
    held_by: RepId | None,
    at: datetime,
    actor: str,
) -> Share:
    """End a share now; one that has ended stays as it is."""
    before = shares.get_share(session, share_id)
    after = shares.revoke_share(session, share_id, held_by=held_by, at=at, actor=actor)
    if after != before:
        _tell(session, "unshared", after, at)
    return after


def _tell(session: WriteSession, what: str, one: Share, at: datetime) -> None:
    more = {
        "share_id": one.share_id,
        "rep_id": one.rep_id,
        "ends_at": one.ends_at.isoformat(),
    }
    emit(session, what, one.lead_id, more, at=at)
