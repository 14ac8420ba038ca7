"""What people do to pools and their leads: set, drop, give, hand over, lock."""

from collections.abc import Sequence
from datetime import datetime

from rightrep.domain.days import local_day
from rightrep.domain.decision import Cause, Decision
from rightrep.domain.eligibility import SENTENCES, Exclusion
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.lead import Lead
from rightrep.domain.ownership import OwnershipKind
from rightrep.domain.pools import Pool
from rightrep.errors import Conflict, NotFound
from rightrep.store import outbox, ownership
from rightrep.store import pools as stored
from rightrep.store.capacity import pass_on, take_lead
from rightrep.store.locks import lock_lead, locked_among, unlock_lead
from rightrep.store.projection import lock_leads
from rightrep.store.session import WriteSession
from serving.usecases.pool_claims import Claimant, leads_of
from serving.usecases.pool_events import emit, tell

_UNFIT = frozenset({Exclusion.LANGUAGE, Exclusion.TERRITORY, Exclusion.PRODUCT})


def change_pool(
    session: WriteSession, pool: Pool, *, actor: str, reason: str, at: datetime
) -> int:
    """Make a pool, or put new settings in force; returns their version.

    Raises:
        Conflict: Somebody else changed the pool at the same moment.
    """
    version = stored.save_pool(session, pool, actor=actor, reason=reason, at=at)
    _tell_changed(session, pool.pool, version, at)
    return version


def remove_pool(
    session: WriteSession, name: str, *, actor: str, reason: str, at: datetime
) -> int:
    """Take a pool away; returns the version that says so.

    Raises:
        NotFound: There is no such pool.
        Conflict: Somebody else changed the pool at the same moment.
    """
    version = stored.remove_pool(session, name, actor=actor, reason=reason, at=at)
    _tell_changed(session, name, version, at)
    return version


def drop(
    session: WriteSession,
    lead_id: LeadId,
    *,
    held_by: RepId | None,
    reason: str,
    at: datetime,
    actor: str,
) -> RepId:
    """An owner gives a lead back to its public pool.

    Args:
        session: Where to write.
        lead_id: The lead.
        held_by: Who must have it; None is anybody.
        reason: Why, in the rep's words.
        at: Now.
        actor: Who asks.

    Returns:
        Who had it.

    Raises:
        NotFound: There is no such lead.
        Conflict: Nobody has it, somebody else than ``held_by`` has, or it is locked.
    """
    state = lock_leads(session, [lead_id]).get(lead_id)
    if state is None:
        raise NotFound("lead", lead_id)
    if state.owner is None:
        raise Conflict(f"Nobody owns lead {lead_id}; it is in a public pool already.")
    if locked_among(session, [lead_id]):
        raise Conflict(f"Lead {lead_id} is locked; unlock it first.")
    ownership.release_lead(
        session,
        lead_id,
        OwnershipKind.DROPPED,
        at=at,
        actor=actor,
        cause=reason,
        held_by=held_by,
    )
    emit(session, "dropped", lead_id, {"previous_owner": state.owner}, at=at)
    return state.owner


def assign(
    session: WriteSession, lead_id: LeadId, rep_id: RepId, *, at: datetime, actor: str
) -> Decision:
    """A manager gives a lead without owner to a rep; every limit counts.

    Raises:
        NotFound: There is no such lead or rep.
        AlreadyOwned: Somebody has it; it can be transferred.
        CapacityReached: The rep has no slot left.
        Conflict: The rep is away, or not fit for the lead.
    """
    given = Claimant.of(session, rep_id, at)
    (lead,) = leads_of(session, [lead_id], at)
    _require_fit(given, [lead])
    made = given.decision(lead_id, Cause.MANUAL, actor=actor)
    today = local_day(at, given.tenant.time_zone)
    take_lead(session, made, limits=given.limits(lead.kind), local_day=today)
    tell(session, "assigned", [made], at=at)
    return made


def transfer(
    session: WriteSession,
    lead_id: LeadId,
    rep_id: RepId,
    *,
    held_by: RepId | None,
    reason: str,
    at: datetime,
    actor: str,
) -> Decision:
    """A manager hands an owned lead over to another rep; every limit counts.

    Args:
        session: Where to write.
        lead_id: The lead.
        rep_id: Who gets it.
        held_by: Who must have it; None is anybody.
        reason: Why, in the manager's words.
        at: Now.
        actor: Who asks.

    Raises:
        NotFound: There is no such lead or rep.
        AlreadyOwned: The rep has it already.
        CapacityReached: The rep has no slot left.
        Conflict: Nobody has it, somebody else than ``held_by`` has, or the rep is away
            or not fit for the lead.
    """
    given = Claimant.of(session, rep_id, at)
    (lead,) = leads_of(session, [lead_id], at)
    _require_fit(given, [lead])
    made = pass_on(
        session,
        [given.decision(lead_id, Cause.MANUAL, actor=actor)],
        held_by=held_by,
        limits={rep_id: given.limits(lead.kind)},
        local_day=local_day(at, given.tenant.time_zone),
        cause=reason,
    )
    tell(session, "transferred", [made], at=at)
    return made


def lock(
    session: WriteSession, lead_id: LeadId, *, reason: str, at: datetime, actor: str
) -> bool:
    """Keep a lead with its owner whatever the clock says; returns whether it is new."""
    is_new = lock_lead(session, lead_id, actor=actor, reason=reason, at=at)
    if is_new:
        emit(session, "locked", lead_id, {}, at=at)
    return is_new


def unlock(session: WriteSession, lead_id: LeadId, *, at: datetime) -> bool:
    """Let the clock run again; returns whether the lead was locked."""
    was_locked = unlock_lead(session, lead_id)
    if was_locked:
        emit(session, "unlocked", lead_id, {}, at=at)
    return was_locked


def _require_fit(given: Claimant, found: Sequence[Lead]) -> None:
    codes = given.codes(found)
    given.require_here(codes)
    for code in codes.tolist():
        if code in _UNFIT:
            raise Conflict(f"Rep {given.rep_id}: {SENTENCES[Exclusion(code)]}")


def _tell_changed(session: WriteSession, name: str, version: int, at: datetime) -> None:
    data = {"pool": name, "version": version}
    outbox.emit(session, "rightrep.pool.changed", data, at=at, subject=name)
