"""A tenant with pools for tests: leads, reps, and what people and the clock do."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from rightrep.clock import FixedClock
from rightrep.domain.activity import Activity, ActivityKind
from rightrep.domain.ids import LeadId, RepId, TenantId, new_id
from rightrep.domain.lead import LeadAttributes, LeadKind
from rightrep.domain.pools import Pool
from rightrep.domain.rep import RepAttributes
from rightrep.domain.tenant import Tenant
from rightrep.settings import Settings
from rightrep.store import activities, ownership
from rightrep.store.engine import Store
from rightrep.store.tenants import create_tenant
from serving.usecases import pools
from serving.usecases.context import Context
from serving.usecases.next_rep import propose
from serving.usecases.pool_claims import Claimed, claim
from serving.usecases.pool_recycling import Recycled, recycle
from tests.store_records import add_leads, add_reps

BERLIN = "Europe/Berlin"
START = datetime(2026, 3, 25, 9, tzinfo=UTC)
"""Four days before clocks go forward in Berlin."""


@dataclass
class Sales:
    """One tenant, its leads and its reps.

    Attributes:
        context: The parts of the process, with a clock that stands.
        tenant_id: The tenant.
        leads: Its leads.
        reps: Its reps.
    """

    context: Context
    tenant_id: TenantId
    leads: list[LeadId] = field(default_factory=list)
    reps: list[RepId] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        """The time."""
        return self.context.clock.now()

    def wait(self, **span: float) -> None:
        """Time passes."""
        clock = self.context.clock
        assert isinstance(clock, FixedClock)
        clock.move(timedelta(**span))

    def write(self) -> Any:
        """A transaction of the tenant."""
        return self.context.store.write(self.tenant_id)

    def read(self) -> Any:
        """A snapshot of the tenant."""
        return self.context.store.read(self.tenant_id)

    def add_leads(
        self, count: int, kind: LeadKind = LeadKind.LEAD, **attributes: Any
    ) -> list[LeadId]:
        """More leads, or work orders."""
        known = LeadAttributes(**attributes)
        with self.write() as session:
            made = add_leads(session, count, known, self.now, kind)
        self.leads += made
        return made

    def add_reps(self, count: int, **attributes: Any) -> list[RepId]:
        """More reps."""
        with self.write() as session:
            made = add_reps(session, count, RepAttributes(**attributes), self.now)
        self.reps += made
        return made

    def set_pool(self, name: str = "common", **settings: Any) -> None:
        """Put settings of a pool in force."""
        pool = Pool.of(name, settings)
        with self.write() as session:
            pools.change_pool(session, pool, actor="admin", reason="", at=self.now)

    def claim(self, rep: RepId, *leads: LeadId, atomic: bool = False) -> Claimed:
        """A rep claims."""
        with self.write() as session:
            return claim(session, rep, leads, at=self.now, actor="rep", atomic=atomic)

    def drop(self, lead: LeadId, rep: RepId | None = None) -> None:
        """A lead is given back."""
        with self.write() as session:
            pools.drop(
                session, lead, held_by=rep, reason="no need", at=self.now, actor="rep"
            )

    def assign(self, lead: LeadId, rep: RepId) -> None:
        """A manager gives a lead."""
        with self.write() as session:
            pools.assign(session, lead, rep, at=self.now, actor="boss")

    def transfer(self, lead: LeadId, rep: RepId) -> None:
        """A manager hands a lead over."""
        with self.write() as session:
            pools.transfer(
                session,
                lead,
                rep,
                held_by=None,
                reason="balance",
                at=self.now,
                actor="boss",
            )

    def lock(self, lead: LeadId) -> None:
        """A lead stays where it is."""
        with self.write() as session:
            pools.lock(session, lead, reason="big deal", at=self.now, actor="boss")

    def unlock(self, lead: LeadId) -> None:
        """It need not any more."""
        with self.write() as session:
            pools.unlock(session, lead, at=self.now)

    def follow_up(
        self,
        lead: LeadId,
        rep: RepId | None,
        kind: ActivityKind = ActivityKind.CALL,
        happened_at: datetime | None = None,
    ) -> None:
        """Somebody was in touch with a lead."""
        told = Activity(
            event_id=new_id(self.now),
            kind=kind,
            lead_id=lead,
            rep_id=rep,
            happened_at=happened_at or self.now,
            recorded_at=self.now,
        )
        with self.write() as session:
            activities.record_activity(session, told)

    def recycle(self) -> Recycled:
        """The clock strikes."""
        return recycle(self.context, self.tenant_id, actor="job")

    def proposed(self, lead: LeadId) -> list[RepId]:
        """Who should have a lead now, best first."""
        found = propose(self.context, self.tenant_id, lead)
        return [found.situation.rep_ids[j] for j in found.ranking]

    def since(self, lead: LeadId) -> datetime:
        """From when on the owner has a lead."""
        with self.read() as session:
            found = ownership.get_owner(session, lead)
        assert found is not None
        return found.since

    def owners(self, leads: Sequence[LeadId] | None = None) -> dict[LeadId, RepId]:
        """Who has what."""
        with self.read() as session:
            found = ownership.get_owners(session, leads or self.leads)
        return {lead_id: one.owner for lead_id, one in found.items()}


def sales(
    store: Store, home: Path, *, tenant_id: str = "acme", settings: Any = None
) -> Sales:
    """A new tenant in Berlin."""
    create_tenant(
        store,
        Tenant(
            tenant_id=TenantId(tenant_id),
            created_at=START,
            name=tenant_id,
            time_zone=BERLIN,
            settings=settings or {},
        ),
    )
    url = SecretStr(store.url.render_as_string(hide_password=False))
    parts = Settings(home=home, database_url=url, tenant=tenant_id)
    return Sales(Context(parts, store, FixedClock(START)), TenantId(tenant_id))
