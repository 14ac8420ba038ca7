"""Claims: a rep takes leads from the public pools, within every limit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from rightrep.domain.claims import SENTENCES, Obstacle, WantedLeads, obstacles
from rightrep.domain.days import local_day
from rightrep.domain.decision import Cause, Decision
from rightrep.domain.eligibility import SENTENCES as WHY_EXCLUDED
from rightrep.domain.eligibility import (
    CodeArray,
    Exclusion,
    LeadColumns,
    exclusions,
)
from rightrep.domain.ids import DecisionId, LeadId, RepId, new_id
from rightrep.domain.lead import Lead, LeadKind
from rightrep.domain.ownership import OwnershipKind
from rightrep.domain.pools import Pool, limited, place_of
from rightrep.domain.protection import NEVER, as_datetime, as_instants
from rightrep.domain.rep import RepAttributes
from rightrep.domain.roster import Roster, RosterEntry
from rightrep.domain.routing import Routing
from rightrep.domain.tenant import Tenant
from rightrep.errors import CapacityReached, Conflict, NotClaimable, NotFound
from rightrep.store import leads, ownership, reps
from rightrep.store.alarms import barred_retakes
from rightrep.store.capacity import Limits, take_leads
from rightrep.store.outcomes import closed_leads
from rightrep.store.pools import pools_in_force
from rightrep.store.projection import lock_leads
from rightrep.store.public_pools import claims_on, former_owners
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.tenants import get_tenant
from serving.usecases.pool_events import tell

CLAIM, MANUAL = "claim", "manual"
"""What chose the rep, in the decision's ``policy``."""

_AWAY = frozenset({Exclusion.LEFT, Exclusion.PAUSED, Exclusion.ON_LEAVE})


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOut:
    """A lead that a claim could not get.

    Attributes:
        lead_id: The lead.
        obstacle: What stood between.
        until: Until when, if nothing else happens; None where time does not help.
    """

    lead_id: LeadId
    obstacle: Obstacle
    until: datetime | None

    @property
    def error(self) -> NotClaimable:
        """The same as a refusal."""
        return NotClaimable(
            lead_id=self.lead_id,
            obstacle=self.obstacle.value,
            sentence=SENTENCES[self.obstacle],
            until=None if self.until is None else self.until.isoformat(),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Claimed:
    """What became of a claim.

    Attributes:
        made: The leads that the rep has now, by their decisions.
        left_out: The others.
    """

    made: Sequence[Decision]
    left_out: Sequence[LeftOut]


@dataclass(frozen=True, eq=False, kw_only=True)
class Claimant:
    """A rep in front of the public pools.

    Attributes:
        rep_id: The rep.
        rep: What is known about them.
        tenant: Whose rep.
        pools: The tenant's pools in order.
        at: Now; aware.
    """

    rep_id: RepId
    rep: RepAttributes
    tenant: Tenant
    pools: Sequence[Pool]
    at: datetime

    @classmethod
    def of(cls, session: ReadSession, rep_id: RepId, at: datetime) -> "Claimant":
        """The rep as of now.

        Raises:
            NotFound: There is no such rep.
        """
        return cls(
            rep_id=rep_id,
            rep=reps.get_rep(session, rep_id, as_of=at).attributes,
            tenant=get_tenant(session),
            pools=pools_in_force(session),
            at=at,
        )

    def limits(self, kind: LeadKind) -> Limits:
        """How many leads of a kind the rep may take, pools' limits among them."""
        only = Routing.of(self.tenant.settings).counted(kind)
        pools = [pool for pool in self.pools if only in (None, pool.kind)]
        return Limits.of(limited(self.rep, pools), only)

    def codes(self, found: Sequence[Lead]) -> CodeArray:
        """Why the rep may not have each lead, limits and hours left out; (n_leads,)."""
        columns = LeadColumns(
            lead_id=[lead.lead_id for lead in found],
            language=[lead.attributes.language for lead in found],
            region=[lead.attributes.region for lead in found],
            product=[lead.attributes.product for lead in found],
        )
        # Limits are counted under the rep's lock; who asks is at work.
        rep = replace(
            self.rep,
            holding_limit=None,
            intake_per_day=None,
            intake_per_month=None,
        )
        routing = Routing.of(self.tenant.settings)
        rules = replace(routing.eligibility, within_hours=None)
        entry = RosterEntry(rep_id=self.rep_id, attributes=rep)
        alone = Roster.of([entry], zone=self.tenant.time_zone)
        return exclusions(columns, alone, rules, at=self.at)[:, 0]

    def require_here(self, codes: CodeArray) -> None:
        """Refuse a rep who left, is paused or on leave.

        Raises:
            Conflict: They are.
        """
        for code in codes.tolist():
            if code in _AWAY:
                raise Conflict(f"Rep {self.rep_id}: {WHY_EXCLUDED[Exclusion(code)]}")

    def decision(
        self, lead_id: LeadId, cause: Cause, *, actor: str, rule: str | None = None
    ) -> Decision:
        """The record of giving the rep a lead."""
        return Decision(
            decision_id=DecisionId(new_id(self.at)),
            lead_id=lead_id,
            rep_id=self.rep_id,
            decided_at=self.at,
            recorded_at=self.at,
            cause=cause,
            actor=actor,
            policy=CLAIM if cause is Cause.CLAIM else MANUAL,
            rule=rule,
        )


def claim(
    session: WriteSession,
    rep_id: RepId,
    lead_ids: Sequence[LeadId],
    *,
    at: datetime,
    actor: str,
    atomic: bool = False,
) -> Claimed:
    """A rep takes leads from public pools.

    Over a limit, the whole claim is refused and uses up nothing. A lead that somebody
    took meanwhile, or that may not be claimed by this rep now, comes back alone.

    Args:
        session: Where to write.
        rep_id: Who claims.
        lead_ids: The leads; repeated ones count once.
        at: Now.
        actor: Who asks.
        atomic: Refuse all when one cannot be had; a single lead is always so.

    Raises:
        NotFound: There is no such lead or rep.
        NotClaimable: ``atomic``, and this lead cannot be had.
        CapacityReached: A limit would be passed: holding, intake or claims.
        Conflict: The rep left, is paused or on leave.
    """
    wanted = list(dict.fromkeys(lead_ids))
    with session.savepoint():
        asking = Claimant.of(session, rep_id, at)
        owner = {
            lead_id: state.owner
            for lead_id, state in lock_leads(session, wanted).items()
        }
        found = leads_of(session, wanted, at)
        codes = asking.codes(found)
        asking.require_here(codes)
        place = place_of(asking.pools, found)
        left_out = look(session, asking, found, place, codes, owner)
        if left_out and (atomic or len(wanted) == 1):
            raise left_out[0].error
        gone = {one.lead_id for one in left_out}
        made = {
            kind: [
                asking.decision(
                    lead.lead_id, Cause.CLAIM, actor=actor, rule=asking.pools[k].pool
                )
                for lead, k in zip(found, place.tolist(), strict=True)
                if lead.kind is kind and lead.lead_id not in gone
            ]
            for kind in LeadKind
        }
        _take(session, asking, made)
    every = [one for some in made.values() for one in some]
    tell(session, "claimed", every, at=at)
    return Claimed(made=every, left_out=left_out)


def look(
    session: ReadSession,
    asking: Claimant,
    found: Sequence[Lead],
    place: NDArray[np.intp],
    codes: CodeArray,
    owner: Mapping[LeadId, RepId | None],
) -> list[LeftOut]:
    """Leads that a rep cannot have now, and why.

    Args:
        session: Where to read.
        asking: The rep.
        found: The leads; n_leads entries.
        place: Index of each lead's public pool; (n_leads,).
        codes: ``Exclusion`` of the rep with each; uint8 (n_leads,).
        owner: Owners of the leads; who is not there has none.
    """
    ids = [lead.lead_id for lead in found]
    closed = closed_leads(session, ids)
    freed = ownership.free_since(session, ids)
    lost = former_owners(session, ids)
    entered = [freed.get(lead.lead_id, lead.created_at) for lead in found]
    lost_at = [lost[lead_id].get(asking.rep_id) for lead_id in ids]
    barred = barred_retakes(session, ids)
    zone = asking.tenant.time_zone
    wanted = WantedLeads(
        lead_id=ids,
        owner=[owner.get(lead_id) for lead_id in ids],
        closed=np.array([lead_id in closed for lead_id in ids], dtype=np.bool_),
        pool=place,
        entered_at=as_instants(entered),
        lost_at=np.array(
            [NEVER if at is None else as_instants([at])[0] for at in lost_at],
            dtype="datetime64[us]",
        ),
        in_ring=np.array(
            [asking.rep_id in barred.get(lead_id, ()) for lead_id in ids],
            dtype=np.bool_,
        ),
        codes=codes,
    )
    why, until = obstacles(wanted, asking.pools, asking.rep, zone=zone, at=asking.at)
    return [
        LeftOut(
            lead_id=lead_id,
            obstacle=obstacle,
            until=None if np.isnat(end) else as_datetime(end),
        )
        for lead_id, obstacle, end in zip(ids, why, until, strict=True)
        if obstacle is not None
    ]


def leads_of(
    session: ReadSession, lead_ids: Sequence[LeadId], at: datetime
) -> list[Lead]:
    """The leads.

    Raises:
        NotFound: One is not there.
    """
    found = leads.get_leads(session, lead_ids, as_of=at)
    known = {lead.lead_id for lead in found}
    for lead_id in lead_ids:
        if lead_id not in known:
            raise NotFound("lead", lead_id)
    return found


def _take(
    session: WriteSession,
    asking: Claimant,
    made: Mapping[LeadKind, Sequence[Decision]],
) -> None:
    """All of these leads, or an error: what was written goes with the savepoint."""
    today = local_day(asking.at, asking.tenant.time_zone)
    for kind, some in made.items():
        returned = take_leads(
            session,
            some,
            limits={asking.rep_id: asking.limits(kind)},
            local_day=today,
            kind=OwnershipKind.CLAIMED,
        )
        if returned:
            raise returned[0].why
    # The rep's load is locked by now: nobody else can add to these counts.
    claimed = claims_on(session, asking.rep_id, today, asking.tenant.time_zone)
    for pool in asking.pools:
        limit = pool.claims_per_day
        if limit is not None and claimed.get(pool.pool, 0) > limit:
            raise CapacityReached(rep_id=asking.rep_id, limit="claims")
