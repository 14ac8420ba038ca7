"""Leads shared for a time: both reps see one, its owner stays the owner.

A share stands while it has not ended or been revoked, and while the rep who had the
lead then has it still. All of that is asked as of now: nothing has to run at its end.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import RowMapping, and_, bindparam, insert, select, update

from rightrep.domain.ids import LeadId, RepId, new_id
from rightrep.domain.ownership import OwnershipKind
from rightrep.errors import Conflict, InvalidInput, NotFound
from rightrep.store.guard import of_tenant
from rightrep.store.projection import Change, apply, lock_leads, not_before
from rightrep.store.schema import ownership, reps
from rightrep.store.schema_shares import lead_shares
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """A lead that its owner shares with another rep.

    Attributes:
        share_id: Our id.
        lead_id: The lead.
        owner: Who had it when it was shared.
        rep_id: Who sees it too.
        shared_at: From when on; aware UTC.
        ends_at: Until when; aware UTC.
        reason: Why, in words.
        actor: Who shared it.
        revoked_at: When it was revoked, or None.
        revoked_by: Who revoked it, or None.
    """

    share_id: str
    lead_id: LeadId
    owner: RepId
    rep_id: RepId
    shared_at: datetime
    ends_at: datetime
    reason: str
    actor: str
    revoked_at: datetime | None = None
    revoked_by: str | None = None


def share_lead(
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
    """Let another rep see a lead until an instant.

    Args:
        session: Where to write.
        lead_id: The lead.
        rep_id: Who sees it too.
        held_by: Who must have it; None is anybody.
        ends_at: Until when; aware.
        reason: Why, in words.
        at: Now.
        actor: Who asks.

    Raises:
        NotFound: There is no such lead or rep.
        Conflict: Nobody has the lead, somebody else than ``held_by`` has, or it is
            shared with the rep already.
        InvalidInput: The end is over, or the rep has the lead.
    """
    if ends_at <= at:
        raise InvalidInput("A share ends later than now.", field="ends_at")
    states = lock_leads(session, [lead_id])
    if lead_id not in states:
        raise NotFound("lead", lead_id)
    state = states[lead_id]
    if state.owner is None or held_by not in (None, state.owner):
        raise Conflict(f"Lead {lead_id} belongs to {state.owner or 'nobody'}.")
    _require_other(session, lead_id, rep_id, owner=state.owner, at=at)
    made = Share(
        share_id=new_id(at),
        lead_id=lead_id,
        owner=state.owner,
        rep_id=rep_id,
        shared_at=at,
        ends_at=ends_at.astimezone(UTC),
        reason=reason,
        actor=actor,
    )
    row = {name: getattr(made, name) for name in Share.__slots__}
    session.execute(insert(lead_shares), row)
    shared = Change(
        lead_id=lead_id,
        kind=OwnershipKind.SHARED,
        owner=state.owner,
        at=not_before(at, state),
        actor=actor,
        cause=reason,
    )
    apply(session, states, [shared])
    return made


def revoke_share(
    session: WriteSession,
    share_id: str,
    *,
    held_by: RepId | None,
    at: datetime,
    actor: str,
) -> Share:
    """End a share now; one that has ended stays as it is.

    Args:
        session: Where to write.
        share_id: The share.
        held_by: Who must have shared it; None is anybody.
        at: Now.
        actor: Who asks.

    Raises:
        NotFound: There is no such share.
        Conflict: Somebody else than ``held_by`` shared it.
    """
    found = get_share(session, share_id)
    if held_by not in (None, found.owner):
        raise Conflict(f"Share {share_id} was made by rep {found.owner}.")
    revoked = {"ended": at, "by": actor, "wanted": share_id}
    session.execute(_REVOKE, revoked)
    return get_share(session, share_id)


def get_share(session: ReadSession, share_id: str) -> Share:
    """One share, standing or not.

    Raises:
        NotFound: There is no such share.
    """
    row = session.execute(_ONE, {"wanted": share_id}).mappings().first()
    if row is None:
        raise NotFound("share", share_id)
    return _share(row)


def shares_of(session: ReadSession, lead_id: LeadId, *, at: datetime) -> list[Share]:
    """Shares of a lead that stand, those that end first first."""
    rows = session.execute(_OF_LEAD, {"wanted": lead_id, "now": at}).mappings()
    return [_share(row) for row in rows]


def shared_with(
    session: ReadSession, rep_ids: Iterable[RepId], *, at: datetime
) -> list[Share]:
    """Leads that others share with these reps, those that end first first."""
    scope = {"ids": list(rep_ids), "now": at}
    return [_share(row) for row in session.execute(_WITH, scope).mappings()]


def _require_other(
    session: ReadSession, lead_id: LeadId, rep_id: RepId, *, owner: RepId, at: datetime
) -> None:
    """Refuse a rep who is not there, or sees the lead already."""
    if session.execute(_REP, {"rep_id": rep_id}).first() is None:
        raise NotFound("rep", rep_id)
    if owner == rep_id:
        raise InvalidInput(f"Rep {rep_id} has lead {lead_id}.", field="rep")
    for one in shares_of(session, lead_id, at=at):
        if one.rep_id == rep_id:
            until = one.ends_at.isoformat(timespec="minutes")
            raise Conflict(
                f"Lead {lead_id} is shared with rep {rep_id} until {until}; revoke "
                f"share {one.share_id} first."
            )


def _share(row: RowMapping) -> Share:
    return Share(**{name: row[name] for name in Share.__slots__})


_AT = lead_shares.c.ends_at.type
_REP = select(reps.c.rep_id).where(
    of_tenant(reps), reps.c.rep_id == bindparam("rep_id")
)
_ONE = select(lead_shares).where(
    of_tenant(lead_shares), lead_shares.c.share_id == bindparam("wanted")
)
_STANDING = (
    select(lead_shares)
    .join(
        ownership,
        and_(
            ownership.c.tenant_id == lead_shares.c.tenant_id,
            ownership.c.lead_id == lead_shares.c.lead_id,
            ownership.c.owner == lead_shares.c.owner,
        ),
    )
    .where(
        of_tenant(lead_shares),
        lead_shares.c.revoked_at.is_(None),
        lead_shares.c.ends_at > bindparam("now", type_=_AT),
    )
    .order_by(lead_shares.c.ends_at, lead_shares.c.share_id)
)
_OF_LEAD = _STANDING.where(lead_shares.c.lead_id == bindparam("wanted"))
_WITH = _STANDING.where(lead_shares.c.rep_id.in_(any_of("ids")))
_REVOKE = (
    update(lead_shares)
    .where(
        of_tenant(lead_shares),
        lead_shares.c.share_id == bindparam("wanted"),
        lead_shares.c.revoked_at.is_(None),
        lead_shares.c.ends_at > bindparam("ended", type_=_AT),
    )
    .values(revoked_at=bindparam("ended", type_=_AT), revoked_by=bindparam("by"))
)
