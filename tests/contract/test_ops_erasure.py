"""Erasure: people are forgotten, what they taught is not."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, inspect, text
from sqlalchemy.exc import DBAPIError

from rightrep.domain.activity import Activity, ActivityKind
from rightrep.domain.cleaning import Mark, Provenance
from rightrep.domain.customer import Contact, ContactPoint, Customer, PointKind
from rightrep.domain.erasure import ErasureCause, Original, Retention
from rightrep.domain.ids import ContactId, CustomerId, LeadId, TenantId, new_id
from rightrep.domain.lead import Lead, LeadAttributes
from rightrep.domain.outcome import Outcome, Result
from rightrep.domain.tenant import Tenant
from rightrep.errors import InvalidInput, NotFound, StoreUnavailable
from rightrep.store import erasure, retention
from rightrep.store.activities import list_activities, record_activity
from rightrep.store.aliases import RecordKind, add_aliases, resolve
from rightrep.store.bulk import read_history
from rightrep.store.cleaning import add_marks, add_provenance
from rightrep.store.customers import get_customers, save_contacts, save_customers
from rightrep.store.decisions import list_decisions, log_decisions
from rightrep.store.engine import Store
from rightrep.store.erasure import (
    erase_customer,
    erase_lead,
    keep_originals,
    list_erasures,
    originals_of,
    scrub,
)
from rightrep.store.guard import of_tenant
from rightrep.store.leads import upsert_leads
from rightrep.store.merges import merge, undo_merge
from rightrep.store.outcomes import list_outcomes, record_outcome
from rightrep.store.schema_ops import erasures
from rightrep.store.session import WriteSession
from rightrep.store.tenants import create_tenant
from tests.store_records import ACME, NOON, add_reps, decision

OTHER = TenantId("other")
DAY = timedelta(days=1)


class Person:
    """Somebody with recognisable data in every place that may hold personal data."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.customer_id = CustomerId(new_id(NOON))
        self.contact_id = ContactId(new_id(NOON))
        self.lead_id = LeadId(new_id(NOON))
        self.event_id = f"event-{new_id(NOON)}"
        self.marks = [
            f"{name}公司",
            f"{name}key",
            f"{name}tax",
            f"{name} Street 1",
            f"{name} von Anschrift",
            f"{name.lower()}@example.com",
            f"+86{sum(map(ord, name))}13800",
            f"{name} is allergic to nuts",
        ]

    def save(self, session: WriteSession, *, alone: bool = False) -> None:
        """Write the person; alone is a contact's lead without a customer."""
        company, key, tax, street, full_name, email, phone, note = self.marks
        customer = None if alone else self.customer_id
        made = Customer(
            customer_id=self.customer_id,
            name=company,
            name_key=key,
            tax_number=tax,
            address=street,
            created_at=NOON,
        )
        points = (
            ContactPoint(PointKind.EMAIL, email),
            ContactPoint(PointKind.PHONE, phone),
        )
        if not alone:
            save_customers(session, [made])
        save_contacts(
            session,
            [
                Contact(
                    contact_id=self.contact_id,
                    customer_id=customer,
                    name=full_name,
                    points=points,
                    created_at=NOON,
                )
            ],
        )
        lead = Lead(
            lead_id=self.lead_id,
            customer_id=customer,
            contact_id=self.contact_id,
            created_at=NOON,
            attributes=LeadAttributes(industry="manufacturing"),
        )
        upsert_leads(session, [lead], at=NOON)
        named: dict[RecordKind, str] = {RecordKind.CONTACT: self.contact_id}
        if not alone:
            named[RecordKind.CUSTOMER] = self.customer_id
        for kind, own_id in named.items():
            add_aliases(session, kind, "crm", {company: own_id}, at=NOON)
        crm_id = f"00Q{self.name}"
        add_aliases(session, RecordKind.LEAD, "crm", {crm_id: self.lead_id}, at=NOON)
        self._note(session, note)
        impossible = Mark(
            record_id=self.contact_id,
            field="email",
            value=email,
            reason="it bounced",
            marked_at=NOON,
        )
        add_marks(session, [impossible])
        filled = Provenance(
            record_id=self.contact_id if alone else self.customer_id,
            field="address",
            value=street,
            source="register",
            filled_at=NOON,
        )
        add_provenance(session, [filled])
        raw = "|".join(self.marks)
        ids = (self.lead_id, self.contact_id if alone else self.customer_id)
        keep_originals(
            session,
            [
                Original(
                    import_id=f"import {self.name}",
                    line=k,
                    kind="leads",
                    entity_id=own_id,
                    raw=raw,
                )
                for k, own_id in enumerate(ids, start=1)
            ],
            at=NOON,
        )

    def _note(self, session: WriteSession, note: str) -> None:
        said = Activity(
            event_id=self.event_id,
            kind=ActivityKind.NOTE,
            lead_id=self.lead_id,
            rep_id=None,
            happened_at=NOON,
            recorded_at=NOON,
            note=note,
        )
        record_activity(session, said)

    def teach(self, session: WriteSession) -> None:
        """A decision about the person's lead, and how it ended."""
        [rep] = add_reps(session, 1)
        log_decisions(session, [decision(self.lead_id, rep)])
        won = Outcome(
            event_id=f"won-{self.lead_id}",
            lead_id=self.lead_id,
            decision_id=None,
            result=Result.WON,
            closed_at=NOON + DAY,
            recorded_at=NOON + DAY,
        )
        record_outcome(session, won)


def marks_found(store: Store, marks: Iterable[str]) -> set[tuple[str, str]]:
    """(table, mark) wherever a mark stands in any column of any table."""
    found = set()
    with store.system() as session:
        for table in inspect(session.connection).get_table_names():
            for row in session.execute(text(f"SELECT * FROM {table}")):
                content = b"\0".join(_bytes(value) for value in row)
                found |= {(table, m) for m in marks if m.encode() in content}
    return found


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def saved(store: Store, *people: Person, alone: bool = False) -> None:
    with store.write(ACME) as session:
        for person in people:
            person.save(session, alone=alone)


PLACES = {
    "aliases",
    "contact_points",
    "contacts",
    "customers",
    "import_originals",
    "marks",
    "notes",
    "provenance",
}


def test_nothing_personal_is_left_in_any_table_and_decisions_still_load(
    store: Store,
) -> None:
    keep(store)
    ann, bob = Person("Ann"), Person("Bob")
    saved(store, ann, bob)
    with store.write(ACME) as session:
        ann.teach(session)
    assert {table for table, _ in marks_found(store, ann.marks)} == PLACES
    bobs = marks_found(store, bob.marks)

    with store.write(ACME) as session:
        erased = erase_customer(session, ann.customer_id, actor="key-9", at=NOON)

    assert marks_found(store, ann.marks) == set()
    assert marks_found(store, bob.marks) == bobs
    assert erased.counts == {
        "aliases": 2,
        "contact_points": 2,
        "contacts": 1,
        "customers": 1,
        "identities": 0,
        "keys": 0,
        "marks": 1,
        "notes": 1,
        "originals": 2,
        "provenance": 1,
    }
    with store.read(ACME) as session:
        [made] = list_decisions(session, limit=10, lead_id=ann.lead_id).decisions
        [outcome] = list_outcomes(session, ann.lead_id)
        [activity] = list_activities(session, ann.lead_id)
        history = read_history(session)
        assert resolve(session, RecordKind.LEAD, "00QAnn") == ann.lead_id
        assert get_customers(session, [ann.customer_id]) == []
    assert (made.lead_id, outcome.result, activity.note) == (
        ann.lead_id,
        Result.WON,
        None,
    )
    assert history["decisions"].num_rows == 1
    assert ann.lead_id in history["leads"].column("lead_id").to_pylist()


def test_an_erasure_is_logged_without_what_it_erased(store: Store) -> None:
    ann = Person("Ann")
    saved(store, ann)

    with store.write(ACME) as session:
        erased = erase_customer(session, ann.customer_id, actor="key-9", at=NOON)

    with store.read(ACME) as session:
        assert list_erasures(session) == [erased]
    assert (erased.cause, erased.actor) == (ErasureCause.REQUEST, "key-9")
    assert (erased.subject_id, erased.erased_at) == (ann.customer_id, NOON)
    with pytest.raises(DBAPIError), store.write(ACME) as session:
        session.execute(delete(erasures).where(of_tenant(erasures)))


def test_a_lead_is_enough_to_find_whom_to_forget(store: Store) -> None:
    ann, cy = Person("Ann"), Person("Cy")
    saved(store, ann)
    saved(store, cy, alone=True)

    with store.write(ACME) as session:
        erase_lead(session, ann.lead_id, actor="key-9", at=NOON)
        erase_lead(session, cy.lead_id, actor="key-9", at=NOON)

    assert marks_found(store, ann.marks) == set()
    assert marks_found(store, cy.marks) == set()


def test_who_was_merged_is_forgotten_with_the_survivor(store: Store) -> None:
    ann, twin, apart = Person("Ann"), Person("Anne"), Person("Anna")
    saved(store, ann, twin, apart)
    with store.write(ACME) as session:
        for gone in (twin, apart):
            made = merge(
                session,
                RecordKind.LEAD,
                gone.lead_id,
                ann.lead_id,
                at=NOON,
                actor="key-1",
                cause="Same phone.",
            )
        undo_merge(session, made.merge_id, at=NOON, actor="key-1")

    with store.write(ACME) as session:
        erase_customer(session, twin.customer_id, actor="key-9", at=NOON)

    assert marks_found(store, twin.marks) == set()
    assert marks_found(store, ann.marks) == set()
    assert {table for table, _ in marks_found(store, apart.marks)} == PLACES


def test_erasing_twice_finds_nothing_more(store: Store) -> None:
    ann = Person("Ann")
    saved(store, ann)

    for expected in (1, 0):
        with store.write(ACME) as session:
            erased = erase_customer(session, ann.customer_id, actor="k", at=NOON)
        assert erased.counts["customers"] == expected


def test_what_is_not_there_cannot_be_erased(store: Store) -> None:
    ann = Person("Ann")
    saved(store, ann)

    with store.write(OTHER) as session, pytest.raises(NotFound):
        erase_customer(session, ann.customer_id, actor="k", at=NOON)
    with store.write(OTHER) as session, pytest.raises(NotFound):
        erase_lead(session, ann.lead_id, actor="k", at=NOON)

    assert {table for table, _ in marks_found(store, ann.marks)} == PLACES


def test_after_scrubbing_the_files_hold_nothing_either(store: Store) -> None:
    people = [Person(f"Person{k}") for k in range(20)]
    saved(store, *people)
    with store.write(ACME) as session:
        for person in people:
            erase_customer(session, person.customer_id, actor="k", at=NOON)

    scrub(store)

    assert marks_found(store, people[0].marks) == set()
    for content in _files(store):
        for person in people:
            assert not [mark for mark in person.marks if mark.encode() in content]


def _files(store: Store) -> list[bytes]:
    if store.url.get_backend_name() != "sqlite":
        return []
    path = Path(str(store.url.database))
    return [p.read_bytes() for p in path.parent.glob(f"{path.name}*")]


@pytest.mark.parametrize("busy", ["read", "write"])
def test_scrubbing_says_so_when_others_use_the_database(
    store: Store, monkeypatch: pytest.MonkeyPatch, busy: str
) -> None:
    monkeypatch.setattr(erasure, "PATIENCE", timedelta(milliseconds=100))
    ann = Person("Ann")
    saved(store, ann)

    with getattr(store, busy)(ACME) as session:
        get_customers(session, [ann.customer_id])
        with pytest.raises(StoreUnavailable):
            scrub(store)

    scrub(store)


def test_originals_are_kept_as_they_came_and_once(store: Store) -> None:
    row = Original(
        import_id="i", line=7, kind="leads", entity_id="l", raw='{"电话":"1"}'
    )

    for raw in (row.raw, "changed"):
        with store.write(ACME) as session:
            keep_originals(session, [replace(row, raw=raw)], at=NOON)

    with store.read(ACME) as session:
        assert originals_of(session, "l") == [row]
    with store.read(OTHER) as session:
        assert originals_of(session, "l") == []


def keep(store: Store, **days: int | None) -> None:
    settings = {"retention_days": days}
    tenant = Tenant(tenant_id=ACME, name="Acme", created_at=NOON, settings=settings)
    create_tenant(store, tenant)


def test_personal_data_goes_when_its_time_is_over(store: Store) -> None:
    keep(store, notes=30, originals=10)
    ann = Person("Ann")
    saved(store, ann)

    def apply(days: int) -> set[str]:
        retention.apply_retention(store, ACME, actor="job", at=NOON + days * DAY)
        return {table for table, _ in marks_found(store, ann.marks)}

    assert apply(5) == PLACES
    with store.read(ACME) as session:
        assert list_erasures(session) == []
    assert apply(20) == PLACES - {"import_originals"}
    assert apply(31) == PLACES - {"import_originals", "notes"}
    assert apply(9999) == PLACES - {"import_originals", "notes"}
    with store.read(ACME) as session:
        logged = [(e.cause, e.subject_id, e.counts) for e in list_erasures(session)]
    assert logged == [
        (ErasureCause.RETENTION, None, {"notes": 1, "originals": 0}),
        (ErasureCause.RETENTION, None, {"notes": 0, "originals": 2}),
    ]


@pytest.mark.parametrize("at_once", [1, 200])
def test_customers_go_when_their_leads_have_been_silent_long_enough(
    store: Store, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", at_once)
    keep(store, customers=100)
    silent, lively, alone = Person("Ann"), Person("Bob"), Person("Cy")
    saved(store, silent, lively)
    saved(store, alone, alone=True)
    with store.write(ACME) as session:
        call = Activity(
            event_id="call",
            kind=ActivityKind.CALL,
            lead_id=lively.lead_id,
            rep_id=None,
            happened_at=NOON + 50 * DAY,
            recorded_at=NOON + 50 * DAY,
        )
        record_activity(session, call)

    early = retention.apply_retention(store, ACME, actor="job", at=NOON + 99 * DAY)
    late = retention.apply_retention(store, ACME, actor="job", at=NOON + 101 * DAY)

    assert "customers" not in early
    assert (late["customers"], late["contacts"]) == (1, 2)
    assert marks_found(store, silent.marks) == set()
    assert "contacts" not in {t for t, _ in marks_found(store, alone.marks)}
    bobs = {table for table, _ in marks_found(store, lively.marks)}
    assert bobs == PLACES - {"import_originals"}


def test_who_was_merged_with_somebody_lively_stays(store: Store) -> None:
    keep(store, customers=100)
    silent, lively = Person("Ann"), Person("Bob")
    saved(store, silent)
    with store.write(ACME) as session:
        lively.save(session)
        merge(
            session,
            RecordKind.CUSTOMER,
            silent.customer_id,
            lively.customer_id,
            at=NOON,
            actor="key-1",
            cause="Same phone.",
        )
        call = Activity(
            event_id="call",
            kind=ActivityKind.CALL,
            lead_id=lively.lead_id,
            rep_id=None,
            happened_at=NOON + 50 * DAY,
            recorded_at=NOON + 50 * DAY,
        )
        record_activity(session, call)

    retention.apply_retention(store, ACME, actor="job", at=NOON + 101 * DAY)

    left = {table for table, _ in marks_found(store, silent.marks)}
    assert left == PLACES - {"import_originals"}


def test_retention_without_a_time_keeps_what_people_said(store: Store) -> None:
    keep(store, originals=None, jobs=None, events=None, plan_lines=None)
    ann = Person("Ann")
    saved(store, ann)

    retention.apply_retention(store, ACME, actor="job", at=NOON + 9999 * DAY)

    assert {table for table, _ in marks_found(store, ann.marks)} == PLACES


@pytest.mark.parametrize("days", [{"note": 3}, {"notes": 0}, {"notes": "3"}])
def test_a_retention_that_makes_no_sense_is_refused(days: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        Retention.of({"retention_days": days})
