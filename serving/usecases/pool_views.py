"""Pools as people look at them: what can be claimed, who has what, what will drop."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.lead import Lead
from rightrep.domain.pools import Pool, attributes_asked, is_own, place_of
from rightrep.domain.protection import (
    DropReason,
    as_datetime,
    drops,
    warned_until,
)
from rightrep.errors import NotAllowed, NotFound
from rightrep.store import leads, ownership, reps
from rightrep.store.pools import get_pool, pools_in_force
from rightrep.store.private_pools import private_leads
from rightrep.store.public_pools import free_leads_in
from rightrep.store.recycling import Drop, drops_until
from rightrep.store.session import ReadSession
from rightrep.store.shares import shared_with
from rightrep.store.tenants import get_tenant
from serving.usecases.pool_claims import Claimant, LeftOut, look

FEWEST = 100
"""Leads read at once at least, where pools ask for fields the database cannot tell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublicLead:
    """A lead in a public pool.

    Attributes:
        lead: The lead, without the people behind it.
        entered_at: Since when it is there; aware UTC.
        left_out: Why the rep who asks cannot claim it now; None when they can, or when
            no rep asks.
    """

    lead: Lead
    entered_at: datetime
    left_out: LeftOut | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PrivateLead:
    """A lead in a rep's private pool.

    Attributes:
        lead_id: The lead.
        owner: The rep.
        holding: Whether it counts against the holding limit.
        pool: The public pool it would drop back to; None of a closed lead.
        received_at: Since when the rep has it; aware UTC.
        followed_up_at: The last follow-up, or None.
        locked: Whether the clock leaves it alone.
        drops_at: When it drops back if nothing happens; None is never.
        reason: Why it would.
        shared_until: Until when the owner shares it with the rep who asks; None of an
            own lead.
    """

    lead_id: LeadId
    owner: RepId
    holding: bool
    pool: str | None
    received_at: datetime
    followed_up_at: datetime | None = None
    locked: bool = False
    drops_at: datetime | None = None
    reason: DropReason = DropReason.KEPT
    shared_until: datetime | None = None


def open_pools(
    session: ReadSession, rep_id: RepId | None, *, at: datetime
) -> list[Pool]:
    """Public pools in order; for a rep, those that are open to them.

    Raises:
        NotFound: There is no such rep.
    """
    if rep_id is None:
        return pools_in_force(session)
    asking = Claimant.of(session, rep_id, at)
    return [pool for pool in asking.pools if pool.is_open_to(asking.rep)]


def public_leads(
    session: ReadSession,
    name: str,
    *,
    at: datetime,
    rep_id: RepId | None = None,
    after: str = "",
    limit: int = 100,
) -> list[PublicLead]:
    """Leads in a public pool, in the order of their ids.

    Args:
        session: Where to read.
        name: The pool.
        at: Now.
        rep_id: The rep who asks what they may claim, or None.
        after: Ids up to this one are left out.
        limit: At most so many.

    Raises:
        NotFound: There is no such pool or rep.
        NotAllowed: The pool is not open to the rep.
    """
    pool, pools = get_pool(session, name), pools_in_force(session)
    asking = None if rep_id is None else Claimant.of(session, rep_id, at)
    if asking is not None and not pool.is_open_to(asking.rep):
        raise NotAllowed(f"The pool {name!r} is not open to rep {rep_id}.")
    found: list[Lead] = []
    mine = [one.pool for one in pools].index(name)
    own = any(map(is_own, attributes_asked(pools)))
    size = max(limit, FEWEST) if own else limit
    for page in free_leads_in(session, pools, mine, as_of=at, after=after, page=size):
        known = leads.get_leads(session, page, as_of=at)
        place = place_of(pools, known)
        found += [
            lead for lead, k in zip(known, place.tolist(), strict=True) if k == mine
        ]
        if len(found) >= limit:
            break
    return _looked_at(session, found[:limit], pools, asking)


def private_view(
    session: ReadSession, rep_ids: Iterable[RepId], *, at: datetime
) -> list[PrivateLead]:
    """Every lead that these reps own, by rep, longest first, then what others share."""
    pools, zone = pools_in_force(session), get_tenant(session).time_zone
    whose = list(rep_ids)
    until = {
        one.lead_id: one.ends_at
        for one in shared_with(session, whose, at=at)
        if one.owner not in whose
    }
    owned = [one for rep_id in whose for one in ownership.leads_of(session, rep_id)]
    owned += ownership.get_owners(session, until).values()
    kept = private_leads(session, pools, [one.lead_id for one in owned], as_of=at)
    drops_at, why = drops(kept, pools, zone)
    row_of = {lead_id: row for row, lead_id in enumerate(kept.lead_id)}
    shown = []
    for one in owned:
        row = row_of.get(one.lead_id)
        if row is None:
            shown.append(
                PrivateLead(
                    lead_id=one.lead_id,
                    owner=one.owner,
                    holding=one.holding,
                    pool=None,
                    received_at=one.since,
                    shared_until=until.get(one.lead_id),
                )
            )
            continue
        shown.append(
            PrivateLead(
                lead_id=one.lead_id,
                owner=one.owner,
                holding=one.holding,
                pool=pools[kept.pool[row]].pool,
                received_at=as_datetime(kept.received_at[row]),
                followed_up_at=_known(kept.followed_up_at[row]),
                locked=bool(kept.locked[row]),
                drops_at=_known(drops_at[row]),
                reason=DropReason(int(why[row])),
                shared_until=until.get(one.lead_id),
            )
        )
    return shown


def coming_drops(
    session: ReadSession,
    rep_ids: Iterable[RepId],
    *,
    at: datetime,
    days: int | None = None,
) -> list[Drop]:
    """Leads of these reps that drop back if nothing happens, the first ones first.

    Args:
        session: Where to read.
        rep_ids: The reps.
        at: Now.
        days: So many days ahead, as each pool counts them; None is the pool's setting.
    """
    pools, zone = pools_in_force(session), get_tenant(session).time_zone
    if not any(pool.lets_go for pool in pools):
        return []
    ids = ownership.leads_held_by(session, list(rep_ids))
    kept = private_leads(session, pools, ids, as_of=at)
    until = [warned_until(pool, at, zone, days) for pool in pools]
    return drops_until(kept, pools, until, zone)


def team(session: ReadSession, name: str | None, *, at: datetime) -> list[RepId]:
    """Reps of a team, by id; None is every rep.

    Raises:
        NotFound: Nobody is in it.
    """
    found = [
        rep.rep_id
        for rep in reps.list_reps(session, as_of=at)
        if name is None or rep.attributes.team == name
    ]
    if name is not None and not found:
        raise NotFound("team", name)
    return found


def _looked_at(
    session: ReadSession,
    found: Sequence[Lead],
    pools: Sequence[Pool],
    asking: Claimant | None,
) -> list[PublicLead]:
    freed = ownership.free_since(session, [lead.lead_id for lead in found])
    left_out: dict[LeadId, LeftOut] = {}
    if asking is not None and found:
        codes = asking.codes(found)
        looked = look(session, asking, found, place_of(pools, found), codes, {})
        left_out = {one.lead_id: one for one in looked}
    return [
        PublicLead(
            lead=lead,
            entered_at=freed.get(lead.lead_id, lead.created_at),
            left_out=left_out.get(lead.lead_id),
        )
        for lead in found
    ]


def _known(at: np.datetime64) -> datetime | None:
    return None if np.isnat(at) else as_datetime(at)
