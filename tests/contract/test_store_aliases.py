"""Ids: a CRM's names of our records, and records found to be one."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rightrep.domain.customer import Contact, ContactPoint, Customer, PointKind
from rightrep.domain.ids import ContactId, CustomerId, LeadId, is_id
from rightrep.errors import Conflict, InvalidInput, NotFound
from rightrep.store.aliases import (
    RecordKind,
    add_aliases,
    aliases_of,
    ensure_ids,
    resolve,
    resolve_many,
)
from rightrep.store.customers import (
    contacts_reached_by,
    customers_named,
    get_contacts,
    get_customers,
    save_contacts,
    save_customers,
)
from rightrep.store.engine import Store
from rightrep.store.merges import list_merges, merge, undo_merge
from rightrep.store.ownership import get_owner, set_owners
from rightrep.store.reps import roster
from rightrep.store.session import ReadSession, WriteSession
from tests.store_records import ACME, NOON, TODAY, add_leads, add_reps, at

LEAD = RecordKind.LEAD


def join(session: WriteSession, merged: str, survivor: str, hours: float = 1) -> str:
    made = merge(
        session, LEAD, merged, survivor, at=at(hours), actor="key-1", cause="same phone"
    )
    return made.merge_id


def held(session: ReadSession) -> list[int]:
    return [entry.held for entry in roster(session, as_of=at(9), local_day=TODAY)]


def owner(session: ReadSession, lead_id: LeadId) -> str | None:
    found = get_owner(session, lead_id)
    return found.owner if found else None


def test_the_same_external_id_gets_the_same_id_again(store: Store) -> None:
    with store.write(ACME) as session:
        first = ensure_ids(session, LEAD, "crm", ["a", "b", "a"], at=NOON)
        again = ensure_ids(session, LEAD, "crm", ["b", "a"], at=at(1))
        other = ensure_ids(session, LEAD, "fair", ["a"], at=NOON)
        rep = ensure_ids(session, RecordKind.REP, "crm", ["a"], at=NOON)

    assert first == again
    assert all(is_id(own_id) for own_id in first.values())
    assert len({*first.values(), *other.values(), *rep.values()}) == 4


def test_thousands_of_ids_are_resolved_by_either_name_in_one_call(store: Store) -> None:
    with store.write(ACME) as session:
        leads = add_leads(session, 6_000)
        names: dict[str, str] = {f"lead-{k}": own for k, own in enumerate(leads)}
        add_aliases(session, LEAD, "crm", names, at=NOON)

        asked = [*names, *leads[:500], "nobody"]
        found = resolve_many(session, LEAD, asked)

    assert found == names | {lead_id: lead_id for lead_id in leads[:500]}


def test_what_names_nothing_is_not_found(store: Store) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        add_aliases(session, LEAD, "crm", {"a": lead_id}, at=NOON)

        assert resolve(session, LEAD, "a", source="crm") == lead_id
        for name, source in (("a", "fair"), ("b", None), (lead_id[:-1] + "x", None)):
            with pytest.raises(NotFound):
                resolve(session, LEAD, name, source=source)


def test_an_id_that_two_sources_use_differently_needs_its_source(store: Store) -> None:
    with store.write(ACME) as session:
        first, second = add_leads(session, 2)
        add_aliases(session, LEAD, "crm", {"a": first}, at=NOON)
        add_aliases(session, LEAD, "fair", {"a": second}, at=NOON)

        assert resolve(session, LEAD, "a", source="fair") == second
        with pytest.raises(InvalidInput):
            resolve(session, LEAD, "a")
        join(session, first, second)
        assert resolve(session, LEAD, "a") == second


def test_an_alias_is_never_moved_to_another_record(store: Store) -> None:
    with store.write(ACME) as session:
        first, second = add_leads(session, 2)
        add_aliases(session, LEAD, "crm", {"a": first}, at=NOON)
        add_aliases(session, LEAD, "crm", {"a": second, "b": second}, at=NOON)

        assert aliases_of(session, LEAD, [first, second]) == {
            first: [("crm", "a")],
            second: [("crm", "b")],
        }


def test_a_merged_id_answers_with_its_survivor_until_the_merge_is_undone(
    store: Store,
) -> None:
    with store.write(ACME) as session:
        a, b, c = add_leads(session, 3)
        first = join(session, a, b)
        join(session, b, c, hours=2)

        assert resolve_many(session, LEAD, [a, b, c]) == {a: c, b: c, c: c}
        undone = undo_merge(session, first, at=at(3), actor="boss")

        assert (undone.undone_at, undone.undone_by) == (at(3), "boss")
        assert resolve_many(session, LEAD, [a, b, c]) == {a: a, b: c, c: c}
        assert [m.merge_id for m in list_merges(session, LEAD, a)] == [first]
        with pytest.raises(Conflict):
            undo_merge(session, first, at=at(4), actor="boss")
        with pytest.raises(NotFound):
            undo_merge(session, "nothing", at=at(4), actor="boss")


def test_a_record_is_merged_once_and_never_in_a_ring(store: Store) -> None:
    with store.write(ACME) as session:
        a, b, c = add_leads(session, 3)
        join(session, a, b)

        for merged, survivor in ((a, c), (b, a), (c, a), (c, c)):
            with pytest.raises(InvalidInput):
                join(session, merged, survivor)
        with pytest.raises(NotFound):
            join(session, c, "nobody")
        (rep,) = add_reps(session, 1)
        with pytest.raises(InvalidInput):
            merge(session, RecordKind.REP, rep, rep, at=NOON, actor="a", cause="b")


@settings(max_examples=25)
@given(steps=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_whatever_is_merged_every_id_has_one_survivor(
    store: Store, steps: list[tuple[int, int]]
) -> None:
    with store.write(ACME) as session:
        leads = add_leads(session, 6)
        parent = {lead_id: lead_id for lead_id in leads}
        for merged, survivor in steps:
            try:
                join(session, leads[merged], leads[survivor])
            except InvalidInput:
                continue
            parent[leads[merged]] = leads[survivor]

        def end(lead_id: LeadId) -> LeadId:
            return lead_id if parent[lead_id] == lead_id else end(parent[lead_id])

        assert resolve_many(session, LEAD, leads) == {x: end(x) for x in leads}


def test_a_merge_keeps_the_owner_and_counts_one_lead(store: Store) -> None:
    with store.write(ACME) as session:
        a, b, c = add_leads(session, 3)
        (rep,) = add_reps(session, 1)
        set_owners(session, {a: rep, c: rep}, at=NOON, actor="crm", cause="sync")

        to_unowned = join(session, a, b)
        assert (owner(session, a), owner(session, b), held(session)) == (None, rep, [2])
        to_owned = join(session, c, b)
        assert (owner(session, b), held(session)) == (rep, [1])

        undo_merge(session, to_owned, at=at(2), actor="boss")
        assert (owner(session, c), held(session)) == (rep, [2])
        undo_merge(session, to_unowned, at=at(3), actor="boss")
        owners = [owner(session, lead_id) for lead_id in (a, b, c)]
        assert (owners, held(session)) == ([rep, None, rep], [2])


def test_an_undone_merge_leaves_alone_who_got_the_survivor_since(store: Store) -> None:
    with store.write(ACME) as session:
        a, b = add_leads(session, 2)
        first, second = add_reps(session, 2)
        set_owners(session, {a: first}, at=NOON, actor="crm", cause="sync")
        merge_id = join(session, a, b)
        set_owners(session, {b: second}, at=at(2), actor="crm", cause="sync")

        undo_merge(session, merge_id, at=at(3), actor="boss")

        assert (owner(session, a), owner(session, b)) == (first, second)
        assert held(session) == [1, 1]


def test_leads_of_two_reps_are_not_merged(store: Store) -> None:
    with store.write(ACME) as session:
        a, b = add_leads(session, 2)
        first, second = add_reps(session, 2)
        told = {a: first, b: second}
        set_owners(session, told, at=NOON, actor="crm", cause="sync")

        with pytest.raises(Conflict):
            join(session, a, b)


def test_a_customer_is_found_by_name_key_and_by_tax_number(store: Store) -> None:
    customer = Customer(
        customer_id=CustomerId("c1"),
        created_at=NOON,
        name="北京字节有限公司",
        name_key="北京字节",
        tax_number="91110",
        address="海淀",
    )
    with store.write(ACME) as session:
        save_customers(session, [customer])
        save_customers(
            session,
            [Customer(customer_id=CustomerId("c1"), created_at=at(1), grade="A")],
        )

        (found,) = get_customers(session, [CustomerId("c1"), CustomerId("c2")])
        assert (found.name, found.grade, found.created_at) == (
            customer.name,
            "A",
            NOON,
        )
        assert customers_named(session, ["北京字节", "x"]) == {"北京字节": ["c1"]}
        by_tax = customers_named(session, ["91110"], by="tax_number")
        assert by_tax == {"91110": ["c1"]}


def test_a_contact_is_found_by_phone_and_by_e_mail(store: Store) -> None:
    phone = ContactPoint(PointKind.PHONE, "+8613812345678")
    email = ContactPoint(PointKind.EMAIL, "li@example.com")
    wrong = ContactPoint(PointKind.PHONE, "123", possible=False)
    contact = Contact(
        contact_id=ContactId("p1"), created_at=NOON, name="李雷", points=(phone, wrong)
    )
    with store.write(ACME) as session:
        save_contacts(session, [contact])
        save_contacts(
            session,
            [
                Contact(
                    contact_id=ContactId("p1"),
                    created_at=NOON + timedelta(1),
                    customer_id=CustomerId("c1"),
                    points=(email, phone),
                )
            ],
        )

        (found,) = get_contacts(session, [ContactId("p1")])
        assert found.name == "李雷"
        assert found.customer_id == "c1"
        assert set(found.points) == {phone, email, wrong}
        for point in (phone, email):
            reached = contacts_reached_by(session, point.kind, [point.value, "x"])
            assert reached == {point.value: ["p1"]}


def test_customers_are_merged_as_leads_are(store: Store) -> None:
    with store.write(ACME) as session:
        save_customers(
            session,
            [
                Customer(customer_id=CustomerId(name), created_at=NOON)
                for name in (
                    "01890000-0000-7000-8000-00000000000a",
                    "01890000-0000-7000-8000-00000000000b",
                )
            ],
        )
        a, b = (
            "01890000-0000-7000-8000-00000000000a",
            "01890000-0000-7000-8000-00000000000b",
        )
        merge(session, RecordKind.CUSTOMER, a, b, at=NOON, actor="x", cause="y")

        assert resolve(session, RecordKind.CUSTOMER, a) == b
