"""Leads change hands: claimed, dropped, given by hand, handed over, locked."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from rightrep.domain.claims import SENTENCES, Obstacle
from rightrep.domain.decision import Decision
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.roles import Role
from rightrep.errors import (
    AlreadyOwned,
    CapacityReached,
    Conflict,
    InvalidInput,
    NotAllowed,
    NotClaimable,
    NotFound,
)
from rightrep.store import ownership
from rightrep.store.aliases import RecordKind, resolve_lead, resolve_rep
from rightrep.store.session import ReadSession, WriteSession
from serving.dependencies import Caller, Parts, Reading, Writing, allow
from serving.errors import may_raise
from serving.models import Body, Key, Text
from serving.routes.feedback import ids_of
from serving.security import Principal
from serving.usecases import pools
from serving.usecases.pool_claims import claim
from serving.usecases.pool_views import coming_drops, private_view, team

router = APIRouter(prefix="/v1", tags=["ownership"])

Reason = Annotated[Text, Field(min_length=1, description="Why, in your words.")]


class ClaimIn(Body):
    """Leads that a rep takes from public pools."""

    leads: list[Key] = Field(min_length=1, max_length=1_000)
    rep: Key | None = Field(
        default=None, description="Who claims; not needed with a rep's own key."
    )
    atomic: bool = Field(
        default=False, description="All of them or none; a single lead is always so."
    )


class ClaimedOut(BaseModel):
    """A lead that the rep has now."""

    lead_id: str
    pool: str | None
    decision_id: str


class LeftOutOut(BaseModel):
    """A lead that could not be had."""

    lead_id: str
    obstacle: Obstacle
    reason: str
    until: datetime | None = Field(description="Until when, where time helps.")


class ClaimOut(BaseModel):
    """What became of a claim."""

    rep_id: str
    claimed: list[ClaimedOut]
    left_out: list[LeftOutOut]


class DropIn(Body):
    """Why a lead is given back."""

    reason: Reason


class AssignIn(Body):
    """Who gets a lead."""

    rep: Key


class TransferIn(Body):
    """Who gets a lead of somebody else, and why."""

    rep: Key
    reason: Reason
    held_by: Key | None = Field(
        default=None, description="Refuse when somebody else has it by now."
    )


class LockIn(Body):
    """Why a lead stays with its owner."""

    reason: Reason


class OwnerOut(BaseModel):
    """Who has a lead now."""

    lead_id: str
    rep_id: str | None
    previous_owner: str | None = None
    decision_id: str | None = None

    @classmethod
    def of(cls, made: Decision) -> "OwnerOut":
        """Who was given it."""
        return cls(
            lead_id=made.lead_id, rep_id=made.rep_id, decision_id=made.decision_id
        )


class LockOut(BaseModel):
    """Whether the clock leaves a lead alone."""

    lead_id: str
    locked: bool
    changed: bool


class PrivateLeadOut(BaseModel):
    """A lead that a rep owns."""

    lead_id: str
    owner: str
    holding: bool = Field(description="Counts against the holding limit.")
    pool: str | None = Field(description="Where it would drop back to.")
    received_at: datetime
    followed_up_at: datetime | None
    locked: bool
    drops_at: datetime | None = Field(description="If nothing happens; null is never.")
    reason: str | None = Field(description="no_follow_up or not_won.")
    shared_until: datetime | None = Field(
        description="Until when the owner shares it; null of an own lead."
    )


class PrivateLeadsOut(BaseModel):
    """Leads by rep, longest first."""

    leads: list[PrivateLeadOut]


class DropOut(BaseModel):
    """A lead that will drop back if nothing happens."""

    lead_id: str
    owner: str
    pool: str
    drops_at: datetime
    reason: str = Field(description="no_follow_up or not_won.")


class DropsOut(BaseModel):
    """What will drop, the first ones first."""

    leads: list[DropOut]


_BY_HAND = [Depends(allow(Role.SERVICE, Role.MANAGER))]
_OWNERS = [Depends(allow(Role.SERVICE, Role.MANAGER, Role.REP))]
_READERS = [Depends(allow(Role.SERVICE, Role.MANAGER, Role.ANALYST, Role.REP))]


@router.post(
    "/claims",
    response_model=ClaimOut,
    responses=may_raise(NotFound, CapacityReached, NotClaimable, Conflict),
    dependencies=_OWNERS,
)
def post_claim(body: ClaimIn, call: Writing) -> Response:
    """Take leads from public pools.

    Over a limit the whole claim is refused and uses up nothing; a lead that somebody
    took meanwhile comes back alone.
    """

    def work(session: WriteSession) -> ClaimOut:
        rep_id = _claimant(session, call.principal, body.rep)
        names = ids_of(session, RecordKind.LEAD, body.leads)
        done = claim(
            session,
            rep_id,
            [LeadId(names[name]) for name in body.leads],
            **call.stamp(),
            atomic=body.atomic,
        )
        return ClaimOut(
            rep_id=rep_id,
            claimed=[
                ClaimedOut(
                    lead_id=one.lead_id, pool=one.rule, decision_id=one.decision_id
                )
                for one in done.made
            ],
            left_out=[
                LeftOutOut(
                    lead_id=one.lead_id,
                    obstacle=one.obstacle,
                    reason=SENTENCES[one.obstacle],
                    until=one.until,
                )
                for one in done.left_out
            ],
        )

    return call.once(work)


@router.post(
    "/leads/{lead_id}/drop",
    response_model=OwnerOut,
    responses=may_raise(NotFound, Conflict),
    dependencies=_OWNERS,
)
def post_drop(lead_id: Key, body: DropIn, call: Writing) -> Response:
    """Give a lead back to its public pool; a rep gives back own leads only."""

    def work(session: WriteSession) -> OwnerOut:
        known = resolve_lead(session, lead_id)
        before = pools.drop(
            session,
            known,
            held_by=call.principal.rep_id,
            reason=body.reason,
            **call.stamp(),
        )
        return OwnerOut(lead_id=known, rep_id=None, previous_owner=before)

    return call.once(work)


@router.post(
    "/leads/{lead_id}/assign",
    response_model=OwnerOut,
    responses=may_raise(NotFound, AlreadyOwned, CapacityReached, Conflict),
    dependencies=_BY_HAND,
)
def post_assign(lead_id: Key, body: AssignIn, call: Writing) -> Response:
    """Give a lead without owner to a rep by hand; every limit counts."""

    def work(session: WriteSession) -> OwnerOut:
        made = pools.assign(
            session,
            resolve_lead(session, lead_id),
            resolve_rep(session, body.rep),
            **call.stamp(),
        )
        return OwnerOut.of(made)

    return call.once(work)


@router.post(
    "/leads/{lead_id}/transfer",
    response_model=OwnerOut,
    responses=may_raise(NotFound, AlreadyOwned, CapacityReached, Conflict),
    dependencies=_BY_HAND,
)
def post_transfer(lead_id: Key, body: TransferIn, call: Writing) -> Response:
    """Hand an owned lead over to another rep; every limit counts."""

    def work(session: WriteSession) -> OwnerOut:
        held_by = None if body.held_by is None else resolve_rep(session, body.held_by)
        made = pools.transfer(
            session,
            resolve_lead(session, lead_id),
            resolve_rep(session, body.rep),
            held_by=held_by,
            reason=body.reason,
            **call.stamp(),
        )
        return OwnerOut.of(made)

    return call.once(work)


@router.post(
    "/leads/{lead_id}/lock",
    response_model=LockOut,
    responses=may_raise(NotFound, Conflict),
    dependencies=_BY_HAND,
)
def post_lock(lead_id: Key, body: LockIn, call: Writing) -> Response:
    """Keep a lead with its owner whatever the clock says."""

    def work(session: WriteSession) -> LockOut:
        known = resolve_lead(session, lead_id)
        changed = pools.lock(
            session,
            known,
            reason=body.reason,
            **call.stamp(),
        )
        return LockOut(lead_id=known, locked=True, changed=changed)

    return call.once(work)


@router.post(
    "/leads/{lead_id}/unlock",
    response_model=LockOut,
    responses=may_raise(NotFound),
    dependencies=_BY_HAND,
)
def post_unlock(lead_id: Key, call: Writing) -> Response:
    """Let the clock run again."""

    def work(session: WriteSession) -> LockOut:
        known = resolve_lead(session, lead_id)
        changed = pools.unlock(session, known, at=call.clock.now())
        return LockOut(lead_id=known, locked=False, changed=changed)

    return call.once(work)


@router.get(
    "/private-leads",
    responses=may_raise(NotFound, NotAllowed, InvalidInput),
    dependencies=_READERS,
)
def get_private_leads(
    session: Reading,
    caller: Caller,
    parts: Parts,
    rep: Key | None = None,
    team: Text | None = None,
) -> PrivateLeadsOut:
    """Leads that a rep, or a team, owns or that others share; a rep sees the own."""
    at = parts.clock.now()
    whose = reps_asked(session, caller, rep, team, at)
    return PrivateLeadsOut(
        leads=[
            PrivateLeadOut(
                lead_id=one.lead_id,
                owner=one.owner,
                holding=one.holding,
                pool=one.pool,
                received_at=one.received_at,
                followed_up_at=one.followed_up_at,
                locked=one.locked,
                drops_at=one.drops_at,
                reason=one.reason.name.lower() if one.drops_at else None,
                shared_until=one.shared_until,
            )
            for one in private_view(session, whose, at=at)
        ]
    )


@router.get(
    "/private-leads/warnings",
    responses=may_raise(NotFound, NotAllowed, InvalidInput),
    dependencies=_READERS,
)
def get_warnings(
    session: Reading,
    caller: Caller,
    parts: Parts,
    rep: Key | None = None,
    team: Text | None = None,
    days: Annotated[
        int | None,
        Query(ge=0, le=3_650, description="So far ahead; else as the pool says."),
    ] = None,
) -> DropsOut:
    """Exactly what will drop back if nothing happens; a rep sees own leads only."""
    at = parts.clock.now()
    whose = reps_asked(session, caller, rep, team, at)
    return DropsOut(
        leads=[
            DropOut(
                lead_id=drop.lead_id,
                owner=drop.owner,
                pool=drop.pool,
                drops_at=drop.drops_at,
                reason=drop.reason.name.lower(),
            )
            for drop in coming_drops(session, whose, at=at, days=days)
        ]
    )


def _claimant(session: ReadSession, who: Principal, rep: str | None) -> RepId:
    """Who claims: the key's own rep, or the one that is named."""
    rep_id = who.rep_id if rep is None else resolve_rep(session, rep)
    if rep_id is None:
        raise InvalidInput("Say who claims.", field="rep")
    who.require_rep(rep_id)
    return rep_id


def own_lead(session: ReadSession, caller: Principal, name: str) -> LeadId:
    """A lead, which is the rep's own where a rep asks.

    Raises:
        NotFound: There is no such lead, or it is not the rep's.
    """
    lead_id = resolve_lead(session, name)
    owned = ownership.get_owner(session, lead_id)
    if caller.role is Role.REP and (owned is None or owned.owner != caller.rep_id):
        raise NotFound("lead", name)
    return lead_id


def reps_asked(
    session: ReadSession,
    caller: Principal,
    rep: str | None,
    of_team: str | None,
    at: datetime,
) -> list[RepId]:
    """The reps asked about; with a rep's key, that rep."""
    if rep is not None:
        rep_id = resolve_rep(session, rep)
        caller.require_rep(rep_id)
        return [rep_id]
    if caller.rep_id is not None:
        if of_team is not None:
            raise NotAllowed("A rep sees own leads only.")
        return [caller.rep_id]
    if of_team is None:
        raise InvalidInput("Name a rep or a team.", field="rep")
    return team(session, of_team, at=at)
