"""Leads whose protection is over go back to their public pool, each of them once.

Every lead is looked at again under a lock that keeps new records about it out, so a run
may be late, run twice, or run beside another one: what was claimed, followed up, locked
or taken back meanwhile is left as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import bindparam, delete

from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.ownership import OwnershipKind
from rightrep.domain.pools import Pool
from rightrep.domain.protection import (
    DropReason,
    PrivateLeads,
    as_datetime,
    as_instants,
    drops,
)
from rightrep.store.guard import of_tenant
from rightrep.store.private_pools import groups_of, private_leads
from rightrep.store.projection import (
    Change,
    apply,
    lock_leads,
    lock_leads_alone,
    not_before,
)
from rightrep.store.rows import insert_new
from rightrep.store.schema_pools import pool_warnings
from rightrep.store.session import WriteSession

KEPT_WARNINGS = timedelta(days=30)
"""How long it is known that a drop was told ahead."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drop:
    """A lead that drops back, or did.

    Attributes:
        lead_id: The lead.
        owner: Who has it, or had it.
        pool: The public pool it goes to.
        drops_at: When its protection is over; aware UTC.
        reason: Why.
    """

    lead_id: LeadId
    owner: RepId
    pool: str
    drops_at: datetime
    reason: DropReason


def drops_until(
    leads: PrivateLeads, pools: Sequence[Pool], until: Sequence[datetime], zone: str
) -> list[Drop]:
    """Leads that drop at or before an instant of their pool, the first ones first.

    Args:
        leads: Owned leads.
        pools: The tenant's pools in order.
        until: The instant of each pool; n_pools entries, aware.
        zone: IANA zone of the tenant.
    """
    at, why = drops(leads, pools, zone)
    # A comparison with NaT is false: what never drops is left out.
    rows = np.flatnonzero(at <= as_instants(until)[leads.pool])
    return [
        Drop(
            lead_id=leads.lead_id[row],
            owner=leads.owner[row],
            pool=pools[leads.pool[row]].pool,
            drops_at=as_datetime(at[row]),
            reason=DropReason(int(why[row])),
        )
        for row in rows[np.argsort(at[rows], kind="stable")]
    ]


def drop_due(
    session: WriteSession,
    pools: Sequence[Pool],
    lead_ids: Sequence[LeadId],
    *,
    at: datetime,
    zone: str,
    actor: str,
) -> list[Drop]:
    """Put those of these leads whose protection is over into their public pools.

    Args:
        session: Its own transaction.
        pools: The tenant's pools in order.
        lead_ids: Leads that looked due, a few hundred.
        at: Now, not earlier than the transaction.
        zone: IANA zone of the tenant.
        actor: The job.

    Returns:
        What dropped; leads that somebody is busy with are left for the next run.
    """
    leads = private_leads(session, pools, lock_whole(session, lead_ids), as_of=at)
    due = drops_until(leads, pools, [at] * len(pools), zone)
    states = lock_leads(session, [drop.lead_id for drop in due])
    changes = [
        Change(
            lead_id=drop.lead_id,
            kind=OwnershipKind.RECYCLED,
            owner=None,
            at=not_before(at, states[drop.lead_id]),
            actor=actor,
            cause=drop.reason.name.lower(),
        )
        for drop in due
    ]
    apply(session, states, changes)
    return due


def lock_whole(session: WriteSession, lead_ids: Sequence[LeadId]) -> list[LeadId]:
    """Lock leads, with all that were merged into them, against every other writer.

    Returns:
        The leads that are ours as a whole.
    """
    groups = groups_of(session, lead_ids)
    members = [member for group in groups.values() for member in group]
    ours = lock_leads_alone(session, members)
    return [lead_id for lead_id, group in groups.items() if ours.issuperset(group)]


def note_warnings(
    session: WriteSession, coming: Sequence[Drop], *, at: datetime
) -> list[Drop]:
    """Remember that drops were told ahead; gives those that were not told before."""
    rows = [
        {"lead_id": drop.lead_id, "drops_at": drop.drops_at, "warned_at": at}
        for drop in coming
    ]
    session.execute(_FORGET, {"before": at - KEPT_WARNINGS})
    new = insert_new(session, pool_warnings, rows)
    return [drop for drop in coming if drop.lead_id in new]


_FORGET = delete(pool_warnings).where(
    of_tenant(pool_warnings),
    pool_warnings.c.drops_at < bindparam("before", type_=pool_warnings.c.drops_at.type),
)
