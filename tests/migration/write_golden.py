"""Write a database of this version, to be opened by every later one.

    python -m tests.migration.write_golden 0.1

Run it once, when the version is released; the file is never written anew.
"""

import sys
from datetime import timedelta
from pathlib import Path

from sqlalchemy import create_engine, text

from rightrep.domain.activity import Activity, ActivityKind
from rightrep.domain.customer import Contact, ContactPoint, Customer, PointKind
from rightrep.domain.ids import ContactId, CustomerId
from rightrep.domain.lead import LeadAttributes
from rightrep.domain.money import Money
from rightrep.domain.outcome import Outcome, Result
from rightrep.store.activities import record_activity
from rightrep.store.aliases import RecordKind, add_aliases
from rightrep.store.capacity import NO_LIMITS, take_leads
from rightrep.store.customers import save_contacts, save_customers
from rightrep.store.engine import Store
from rightrep.store.merges import merge
from rightrep.store.outcomes import record_outcome
from rightrep.store.session import WriteSession
from tests import store_records as records
from tests.store_records import ACME, NOON, TODAY, at

GOLDEN = Path("tests/golden")
N_LEADS = 20


def main(version: str) -> None:
    """Write the file."""
    path = GOLDEN / f"store-{version}.db"
    path.unlink(missing_ok=True)
    store = Store(f"sqlite:///{path}")
    store.migrate()
    records.add_tenant(store)
    with store.write(ACME) as session:
        fill(session)
    store.close()
    # One file, without a log beside it.
    with create_engine(f"sqlite:///{path}").connect() as connection:
        connection.execute(text("pragma journal_mode=delete"))


def fill(session: WriteSession) -> None:
    """Some of everything that a tenant has."""
    save_customers(
        session, [Customer(customer_id=CustomerId("c1"), created_at=NOON, name="字节")]
    )
    phone = ContactPoint(PointKind.PHONE, "+8613812345678")
    save_contacts(
        session, [Contact(contact_id=ContactId("p1"), created_at=NOON, points=[phone])]
    )
    what = LeadAttributes(deal_value=Money(100, "USD"), attributes={"vip": True})
    leads = records.add_leads(session, N_LEADS, what)
    reps = records.add_reps(session, 3)
    names = {f"lead-{k}": str(lead_id) for k, lead_id in enumerate(leads)}
    add_aliases(session, RecordKind.LEAD, "crm", names, at=NOON)
    plan = records.decisions(leads[2:], reps)
    take_leads(session, plan, limits=dict.fromkeys(reps, NO_LIMITS), local_day=TODAY)
    merge(
        session, RecordKind.LEAD, leads[0], leads[1], at=at(1), actor="x", cause="twin"
    )
    record_activity(
        session,
        Activity(
            event_id="activity-1",
            kind=ActivityKind.CALL,
            lead_id=leads[2],
            rep_id=reps[0],
            happened_at=at(1),
            recorded_at=at(1),
            note="喜欢 ERP",
        ),
    )
    record_outcome(
        session,
        Outcome(
            event_id="outcome-1",
            lead_id=leads[2],
            decision_id=None,
            result=Result.WON,
            closed_at=NOON + timedelta(days=1),
            recorded_at=NOON + timedelta(days=1),
            value=Money(100, "USD"),
        ),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
