"""Customer health as of the last look, and whose churn alarm is on.

Keyed by our customer id, which is no personal data; whoever is behind it may be erased
while the row stands. A look writes every score; the alarm is moved one customer at a
time, by a condition on where it stood, so that each crossing is told of once however
many looks run at the same time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, delete, func, select, update

from rightrep.domain.ids import CustomerId, LeadId
from rightrep.store import schema
from rightrep.store.aliases import RecordKind, resolve_many
from rightrep.store.guard import of_tenant
from rightrep.store.schema_health import customer_health
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of, batches


@dataclass(frozen=True, kw_only=True, slots=True)
class CustomerHealth:
    """A customer's health.

    Attributes:
        customer_id: The customer.
        score: From 0 to 100.
        looked_at: As of when; aware UTC.
        parts: By part: ``points`` of the score, the ``most`` it could give, and the
            ``fact`` behind it, null where there is none.
        alarmed_since: When the churn alarm went off; None while it is off.
    """

    customer_id: CustomerId
    score: float
    looked_at: datetime
    parts: Mapping[str, Mapping[str, float | None]]
    alarmed_since: datetime | None = None


def keep_health(session: WriteSession, found: Sequence[CustomerHealth]) -> None:
    """Write scores down; alarms stay as they are, and are off for new customers."""
    statement = session.insert(customer_health)
    statement = statement.on_conflict_do_update(
        index_elements=list(customer_health.primary_key),
        set_={
            name: statement.excluded[name] for name in ("score", "looked_at", "parts")
        },
    )
    names = ("customer_id", "score", "looked_at", "parts")
    for batch in batches(sorted(found, key=lambda one: one.customer_id)):
        rows = [{name: getattr(one, name) for name in names} for one in batch]
        session.execute(statement, rows)


def set_alarm(
    session: WriteSession, customer_id: CustomerId, since: datetime | None
) -> bool:
    """Move a customer's alarm; False when somebody else just did.

    Args:
        session: Whose.
        customer_id: A customer with a score.
        since: When it went off; None is all clear.
    """
    there = customer_health.c.alarmed_since
    other = there.is_(None) if since is not None else there.is_not(None)
    mine = customer_health.c.customer_id == customer_id
    moved = update(customer_health).where(of_tenant(customer_health), mine, other)
    return bool(session.execute(moved.values(alarmed_since=since)).rowcount)


def forget_health(session: WriteSession, customer_ids: Sequence[CustomerId]) -> None:
    """Remove customers who are none any more."""
    for batch in batches(customer_ids):
        gone = customer_health.c.customer_id.in_(any_of("ids"))
        removal = delete(customer_health).where(of_tenant(customer_health), gone)
        session.execute(removal, {"ids": list(batch)})


def alarms(session: ReadSession) -> dict[CustomerId, datetime | None]:
    """Since when every customer's alarm is on; None where it is off."""
    query = select(customer_health.c.customer_id, customer_health.c.alarmed_since)
    rows = session.execute(query.where(of_tenant(customer_health)))
    return {row.customer_id: row.alarmed_since for row in rows}


def get_health(session: ReadSession, customer_id: CustomerId) -> CustomerHealth | None:
    """A customer's health; None of one who was not looked at or never bought."""
    query = _EVERY.where(customer_health.c.customer_id == customer_id)
    row = session.execute(query).mappings().first()
    return None if row is None else _of(row)


def list_alarmed(session: ReadSession, *, limit: int = 100) -> list[CustomerHealth]:
    """Customers whose alarm is on, the newest alarm first."""
    on = _EVERY.where(customer_health.c.alarmed_since.is_not(None))
    newest = on.order_by(
        customer_health.c.alarmed_since.desc(), customer_health.c.customer_id
    )
    return [_of(row) for row in session.execute(newest.limit(limit)).mappings()]


def count_alarmed(session: ReadSession) -> int:
    """Customers whose alarm is on."""
    return int(session.execute(_ALARMED).scalar_one())


def customer_of(session: ReadSession, lead_id: LeadId) -> CustomerId | None:
    """The customer behind a lead, the survivor if merged; None where none is known."""
    return _customers_of(session, [lead_id]).get(lead_id)


def health_of_leads(
    session: ReadSession, lead_ids: Sequence[LeadId]
) -> dict[LeadId, CustomerHealth]:
    """Health of each lead's customer; leads of nobody who bought are left out."""
    found: dict[LeadId, CustomerHealth] = {}
    for batch in batches(lead_ids):
        owner = _customers_of(session, batch)
        known = session.execute(_BY_ID, {"ids": sorted(set(owner.values()))}).mappings()
        health = {row["customer_id"]: _of(row) for row in known}
        found |= {own: health[who] for own, who in owner.items() if who in health}
    return found


def _customers_of(
    session: ReadSession, lead_ids: Sequence[LeadId]
) -> dict[LeadId, CustomerId]:
    rows = session.execute(_CUSTOMERS, {"ids": list(lead_ids)})
    recorded = {row.lead_id: row.customer_id for row in rows}
    standing = resolve_many(session, RecordKind.CUSTOMER, recorded.values())
    return {own: CustomerId(standing.get(who, who)) for own, who in recorded.items()}


def _of(row: RowMapping) -> CustomerHealth:
    return CustomerHealth(**{name: row[name] for name in CustomerHealth.__slots__})


_EVERY = select(customer_health).where(of_tenant(customer_health))
_ALARMED = select(func.count()).where(
    of_tenant(customer_health), customer_health.c.alarmed_since.is_not(None)
)
_BY_ID = _EVERY.where(customer_health.c.customer_id.in_(any_of("ids")))
_CUSTOMERS = select(schema.leads.c.lead_id, schema.leads.c.customer_id).where(
    of_tenant(schema.leads),
    schema.leads.c.lead_id.in_(any_of("ids")),
    schema.leads.c.customer_id.is_not(None),
)
