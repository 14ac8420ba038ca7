"""Service reps: who looks after a customer once a deal is won; the last word counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, select

from rightrep.domain.ids import LeadId, RepId
from rightrep.store.guard import of_tenant
from rightrep.store.identities import clusters_of, customers_of_leads
from rightrep.store.moves import append_numbered
from rightrep.store.schema_service import service_reps
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of, batches
from rightrep.store.types import UtcDateTime


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceRep:
    """Who looks after a customer.

    Attributes:
        customer_id: The customer, as the record that stood then.
        rep_id: The service rep.
        lead_id: The won lead that made it so.
        policy: What chose the rep.
        since: From when on; aware UTC.
        actor: Who told of the win.
    """

    customer_id: str
    rep_id: RepId
    lead_id: LeadId
    policy: str
    since: datetime
    actor: str


def set_service_rep(session: WriteSession, given: ServiceRep) -> None:
    """Say who looks after a customer from now on.

    Raises:
        Conflict: Somebody else said so at the same moment.
    """
    values = {name: getattr(given, name) for name in ServiceRep.__slots__}
    within = {"customer_id": values.pop("customer_id")}
    append_numbered(session, service_reps, "number", values, within=within)


def service_rep_of(session: ReadSession, customer_id: str) -> ServiceRep | None:
    """Who looks after a customer now; None where nobody does."""
    return service_reps_of(session, [customer_id]).get(customer_id)


def service_reps_of(
    session: ReadSession, customer_ids: Sequence[str]
) -> dict[str, ServiceRep]:
    """Who looks after each customer now, by all records merged into it.

    Args:
        session: Where to read.
        customer_ids: The records that stand; those nobody looks after are left out.
    """
    found: dict[str, ServiceRep] = {}
    root_of = clusters_of(session, customer_ids)
    every: list[ServiceRep] = []
    for batch in batches(list(root_of)):
        for row in session.execute(_OF_CUSTOMERS, {"ids": list(batch)}).mappings():
            told = {name: row[name] for name in ServiceRep.__slots__}
            every.append(ServiceRep(**told))
    for one in sorted(every, key=lambda one: one.since):
        found[root_of[one.customer_id]] = one
    return found


def service_reps_of_leads(
    session: ReadSession, lead_ids: Sequence[LeadId]
) -> dict[LeadId, RepId]:
    """Who looks after each lead's customer now; leads without are left out."""
    customer_of = customers_of_leads(session, lead_ids)
    known = service_reps_of(session, sorted(set(customer_of.values())))
    return {
        lead_id: known[customer].rep_id
        for lead_id, customer in customer_of.items()
        if customer in known
    }


def customers_served(session: ReadSession) -> dict[RepId, tuple[int, datetime]]:
    """Customers each rep looks after, and since when the latest of them."""
    rows = session.execute(_SERVED)
    return {RepId(row.rep_id): (row.customers, row.latest) for row in rows}


_OF_CUSTOMERS = (
    select(service_reps)
    .where(of_tenant(service_reps), service_reps.c.customer_id.in_(any_of("ids")))
    .order_by(service_reps.c.number)
)
_NEWEST = (
    select(
        service_reps.c.tenant_id,
        service_reps.c.customer_id,
        func.max(service_reps.c.number).label("number"),
    )
    .where(of_tenant(service_reps))
    .group_by(service_reps.c.tenant_id, service_reps.c.customer_id)
    .subquery()
)
_SERVED = (
    select(
        service_reps.c.rep_id,
        func.count().label("customers"),
        func.max(service_reps.c.since, type_=UtcDateTime()).label("latest"),
    )
    .join(
        _NEWEST,
        and_(
            _NEWEST.c.tenant_id == service_reps.c.tenant_id,
            _NEWEST.c.customer_id == service_reps.c.customer_id,
            _NEWEST.c.number == service_reps.c.number,
        ),
    )
    .where(of_tenant(service_reps))
    .group_by(service_reps.c.rep_id)
)
