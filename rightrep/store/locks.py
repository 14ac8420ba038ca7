"""Locked leads: the clock never takes them from their owners."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, select

from rightrep.domain.ids import LeadId
from rightrep.errors import Conflict, NotFound
from rightrep.store.guard import of_tenant
from rightrep.store.private_pools import groups_of
from rightrep.store.projection import lock_leads
from rightrep.store.schema_pools import lead_locks
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of


def lock_lead(
    session: WriteSession, lead_id: LeadId, *, actor: str, reason: str, at: datetime
) -> bool:
    """Keep a lead with its owner until it is unlocked; twice is once.

    Returns:
        Whether it was not locked before.

    Raises:
        NotFound: There is no such lead.
        Conflict: Nobody owns it.
    """
    states = lock_leads(session, [lead_id])
    if lead_id not in states:
        raise NotFound("lead", lead_id)
    if states[lead_id].owner is None:
        raise Conflict(f"Nobody owns lead {lead_id}, so there is nothing to lock.")
    row = {"lead_id": lead_id, "actor": actor, "reason": reason, "locked_at": at}
    adding = session.insert(lead_locks).on_conflict_do_nothing()
    added = session.execute(adding.returning(lead_locks.c.lead_id), row)
    return added.first() is not None


def unlock_lead(session: WriteSession, lead_id: LeadId) -> bool:
    """Let the clock run again, from receipt and last follow-up as ever.

    Returns:
        Whether the lead, or one merged into it, was locked.

    Raises:
        NotFound: There is no such lead.
    """
    if lead_id not in lock_leads(session, [lead_id]):
        raise NotFound("lead", lead_id)
    ids = {"ids": groups_of(session, [lead_id])[lead_id]}
    return bool(session.execute(_UNLOCK, ids).rowcount)


def locked_among(session: ReadSession, lead_ids: Iterable[LeadId]) -> set[LeadId]:
    """Those of these leads that are locked, or have a locked lead merged into them."""
    groups = groups_of(session, list(lead_ids))
    every = [member for members in groups.values() for member in members]
    found = set(session.execute(_LOCKED, {"ids": every}).scalars())
    return {lead for lead, members in groups.items() if not found.isdisjoint(members)}


_UNLOCK = delete(lead_locks).where(
    of_tenant(lead_locks), lead_locks.c.lead_id.in_(any_of("ids"))
)
_LOCKED = select(lead_locks.c.lead_id).where(
    of_tenant(lead_locks), lead_locks.c.lead_id.in_(any_of("ids"))
)
