"""Leads shared between reps for a time."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from rightrep.domain.roles import Role
from rightrep.errors import Conflict, InvalidInput, NotAllowed, NotFound
from rightrep.store.aliases import resolve_lead, resolve_rep
from rightrep.store.session import WriteSession
from rightrep.store.shares import Share, shared_with
from serving.dependencies import Caller, Parts, Reading, Writing, allow
from serving.errors import may_raise
from serving.models import Body, Instant, Key, Text
from serving.routes.ownership import reps_asked
from serving.usecases import sharing

router = APIRouter(prefix="/v1", tags=["ownership"])

_OWNERS = [Depends(allow(Role.SERVICE, Role.MANAGER, Role.REP))]
_READERS = [Depends(allow(Role.SERVICE, Role.MANAGER, Role.ANALYST, Role.REP))]


class ShareIn(Body):
    """Who sees a lead too, until when, and why."""

    rep: Key
    ends_at: Instant
    reason: Annotated[Text, Field(min_length=1, description="Why, in your words.")]


class ShareOut(BaseModel):
    """A lead that its owner shares with another rep."""

    share_id: str
    lead_id: str
    owner: str
    rep_id: str
    shared_at: datetime
    ends_at: datetime
    reason: str
    revoked_at: datetime | None

    @classmethod
    def of(cls, one: Share) -> "ShareOut":
        """As callers see it."""
        return cls(
            share_id=one.share_id,
            lead_id=one.lead_id,
            owner=one.owner,
            rep_id=one.rep_id,
            shared_at=one.shared_at,
            ends_at=one.ends_at,
            reason=one.reason,
            revoked_at=one.revoked_at,
        )


class SharesOut(BaseModel):
    """Leads that others share, those that end first first."""

    shares: list[ShareOut]


@router.post(
    "/leads/{lead_id}/share",
    response_model=ShareOut,
    status_code=201,
    responses=may_raise(NotFound, Conflict, InvalidInput),
    dependencies=_OWNERS,
)
def post_share(lead_id: Key, body: ShareIn, call: Writing) -> Response:
    """Let another rep see a lead for a time; a rep shares own leads only."""

    def work(session: WriteSession) -> ShareOut:
        made = sharing.share(
            session,
            resolve_lead(session, lead_id),
            resolve_rep(session, body.rep),
            held_by=call.principal.rep_id,
            ends_at=body.ends_at,
            reason=body.reason,
            **call.stamp(),
        )
        return ShareOut.of(made)

    return call.once(work, status=201)


@router.post(
    "/shares/{share_id}/revoke",
    response_model=ShareOut,
    responses=may_raise(NotFound, Conflict),
    dependencies=_OWNERS,
)
def post_revoke(share_id: Key, call: Writing) -> Response:
    """End a share now; a rep ends those of own leads only."""

    def work(session: WriteSession) -> ShareOut:
        ended = sharing.revoke(
            session,
            share_id,
            held_by=call.principal.rep_id,
            **call.stamp(),
        )
        return ShareOut.of(ended)

    return call.once(work)


@router.get(
    "/shares",
    responses=may_raise(NotFound, NotAllowed, InvalidInput),
    dependencies=_READERS,
)
def get_shares(
    session: Reading,
    caller: Caller,
    parts: Parts,
    rep: Key | None = None,
    team: Text | None = None,
) -> SharesOut:
    """Leads that others share with a rep, or with a team, now; a rep sees the own."""
    at = parts.clock.now()
    whose = reps_asked(session, caller, rep, team, at)
    return SharesOut(
        shares=[ShareOut.of(one) for one in shared_with(session, whose, at=at)]
    )
