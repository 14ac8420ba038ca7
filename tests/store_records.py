"""Small records for store tests: one tenant, some reps, some leads."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from rightrep.domain.decision import Cause, Decision
from rightrep.domain.ids import DecisionId, LeadId, RepId, TenantId, new_id
from rightrep.domain.lead import Lead, LeadAttributes, LeadKind
from rightrep.domain.rep import Rep, RepAttributes
from rightrep.domain.tenant import Tenant
from rightrep.store.engine import Store
from rightrep.store.leads import upsert_leads
from rightrep.store.reps import upsert_reps
from rightrep.store.session import WriteSession
from rightrep.store.tenants import create_tenant

ACME = TenantId("acme")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TODAY = NOON.date()


def at(hours: float) -> datetime:
    """So many hours after noon."""
    return NOON + timedelta(hours=hours)


def add_tenant(store: Store, tenant_id: TenantId = ACME) -> None:
    create_tenant(
        store, Tenant(tenant_id=tenant_id, name=tenant_id.title(), created_at=NOON)
    )


def add_leads(
    session: WriteSession,
    count: int,
    attributes: LeadAttributes | None = None,
    when: datetime = NOON,
    kind: LeadKind = LeadKind.LEAD,
) -> list[LeadId]:
    ids = [LeadId(new_id(when)) for _ in range(count)]
    known = attributes or LeadAttributes()
    upsert_leads(
        session,
        [
            Lead(
                lead_id=lead_id,
                customer_id=None,
                contact_id=None,
                created_at=when,
                attributes=known,
                kind=kind,
            )
            for lead_id in ids
        ],
        at=when,
    )
    return ids


def add_reps(
    session: WriteSession,
    count: int,
    attributes: RepAttributes | None = None,
    when: datetime = NOON,
) -> list[RepId]:
    ids = sorted(RepId(new_id(when)) for _ in range(count))
    known = attributes or RepAttributes()
    upsert_reps(
        session,
        [
            Rep(rep_id=rep_id, name=f"Rep {k}", created_at=when, attributes=known)
            for k, rep_id in enumerate(ids)
        ],
        at=when,
    )
    return ids


def decision(lead_id: LeadId, rep_id: RepId, when: datetime = NOON) -> Decision:
    return Decision(
        decision_id=DecisionId(new_id(when)),
        lead_id=lead_id,
        rep_id=rep_id,
        decided_at=when,
        recorded_at=when,
        cause=Cause.REQUEST,
        actor="key-1",
        policy="round_robin",
    )


def decisions(
    leads: Sequence[LeadId], reps: Sequence[RepId], when: datetime = NOON
) -> list[Decision]:
    """One decision per lead, the reps taking turns."""
    return [
        decision(lead_id, reps[k % len(reps)], when) for k, lead_id in enumerate(leads)
    ]
