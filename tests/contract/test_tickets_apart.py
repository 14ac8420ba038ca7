"""Whoever learns from leads, counts or prices them never sees a work order."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from rightrep.domain.activity import Activity, ActivityKind
from rightrep.domain.customer import Customer
from rightrep.domain.ids import CustomerId, LeadId, new_id
from rightrep.domain.lead import LeadKind
from rightrep.domain.outcome import Outcome, Result
from rightrep.errors import InvalidInput
from rightrep.store import bulk, rule_facts
from rightrep.store.activities import record_activities
from rightrep.store.aliases import RecordKind
from rightrep.store.customers import save_customers
from rightrep.store.decisions import given_since
from rightrep.store.engine import Store
from rightrep.store.evidence import read_events
from rightrep.store.few import read_few
from rightrep.store.leads import LeadRecord, arrivals, get_leads, save_leads
from rightrep.store.merges import merge
from rightrep.store.outcomes import record_outcome
from rightrep.store.paces import first_ends, first_touches
from rightrep.store.projection import rebuild_projection
from rightrep.store.public_pools import free_leads
from rightrep.store.reps import roster, taken_since
from tests.pool_parts import START, Sales, sales

DAY = date(2026, 3, 2)


@pytest.fixture
def shop(store: Store, tmp_path: Path) -> Sales:
    return sales(store, tmp_path)


def lived(shop: Sales) -> dict[LeadKind, LeadId]:
    """One lead and one work order of one customer, each given, touched and closed."""
    (rep,) = shop.add_reps(1)
    found = {kind: shop.add_leads(1, kind)[0] for kind in LeadKind}
    results = {LeadKind.LEAD: Result.WON, LeadKind.TICKET: Result.RESOLVED}
    customer = CustomerId(new_id(shop.now))
    with shop.write() as session:
        save_customers(session, [Customer(customer_id=customer, created_at=shop.now)])
        records = [
            LeadRecord(lead_id=one, created_at=shop.now, customer_id=customer)
            for one in found.values()
        ]
        save_leads(session, records)
    shop.wait(hours=1)
    for kind, lead in found.items():
        shop.assign(lead, rep)
        told = Activity(
            event_id=f"call {kind}", kind=ActivityKind.CALL, lead_id=lead, rep_id=rep,
            happened_at=shop.now, recorded_at=shop.now,
        )  # fmt: skip
        closed = Outcome(
            event_id=f"end of {kind}", lead_id=lead, decision_id=None,
            result=results[kind], closed_at=shop.now, recorded_at=shop.now,
        )  # fmt: skip
        with shop.write() as session:
            record_activities(session, [told])
            record_outcome(session, closed)
    shop.wait(hours=1)
    return found


def test_history_has_every_table_without_work_orders(shop: Sales) -> None:
    found = lived(shop)

    with shop.read() as session:
        whole = bulk.read_history(session)
        few = read_few(session, [found[LeadKind.LEAD]], currency="EUR")

    for name, table in whole.items():
        if "lead_id" in table.column_names:
            told = set(table["lead_id"].to_pylist())
            assert told == (set() if name == "merges" else {found[LeadKind.LEAD]})
    assert list(few["leads"]["lead_id"]) == [found[LeadKind.LEAD]]
    assert set(few["activities"]["lead_id"]) == {found[LeadKind.LEAD]}


def test_win_rates_arrivals_and_pacing_count_leads_alone(shop: Sales) -> None:
    found = lived(shop)
    rep = shop.reps[0]

    with shop.read() as session:
        (judged,) = rule_facts.count_judged(session, None, as_of=shop.now)
        came = arrivals(session, since=START, before=shop.now)
        given = given_since(session, START)

    assert (judged.won, judged.judged) == (1, 1)
    assert [lead for lead, _ in came] == [found[LeadKind.LEAD]]
    assert given == {rep: 1}


def test_shares_paces_and_experiments_are_of_leads_alone(shop: Sales) -> None:
    found = lived(shop)
    lead, until = found[LeadKind.LEAD], shop.now + timedelta(hours=1)

    with shop.read() as session:
        shared = bulk.decisions_between(session, first=START, before=until)
        paces = [
            read(session, first=START, before=until)
            for read in (first_touches, first_ends)
        ]
        events = read_events(session, START, at=until)

    assert shared["lead_id"].to_pylist() == [lead]
    assert [told.num_rows for told in paces] == [1, 1]
    for name in ("decisions", "outcomes", "touches"):
        assert events[name]["lead_id"].to_pylist() == [lead], name


def test_open_leads_and_the_leads_of_a_day_are_of_the_kind_asked_for(
    shop: Sales,
) -> None:
    found = {kind: shop.add_leads(2, kind) for kind in LeadKind}
    shop.wait(hours=1)

    with shop.read() as session:
        for kind, leads in found.items():
            waiting = bulk.open_leads(session, as_of=shop.now, kind=kind)
            came = rule_facts.leads_created(
                session, START, shop.now, limit=9, kind=kind
            )
            free = [one for page in free_leads(session, kind=kind) for one in page]
            assert sorted(waiting) == sorted(leads)
            assert sorted(lead for lead, _ in came) == sorted(leads)
            assert free == sorted(leads)
        unasked = bulk.open_leads(session, as_of=shop.now)
        assert sorted(unasked) == sorted(found[LeadKind.LEAD])


def test_who_served_before_is_asked_of_the_same_kind(shop: Sales) -> None:
    found = lived(shop)
    new = {kind: shop.add_leads(1, kind)[0] for kind in LeadKind}
    (other,) = shop.add_reps(1)
    with shop.write() as session:
        (known,) = get_leads(session, [found[LeadKind.LEAD]], as_of=shop.now)
        records = [
            LeadRecord(lead_id=one, created_at=shop.now, customer_id=known.customer_id)
            for one in new.values()
        ]
        save_leads(session, records)
    third = shop.add_leads(1, LeadKind.TICKET)[0]
    with shop.write() as session:
        save_leads(
            session,
            [
                LeadRecord(
                    lead_id=third, created_at=shop.now, customer_id=known.customer_id
                )
            ],
        )
    shop.assign(third, other)
    shop.wait(minutes=1)

    with shop.read() as session:
        before = rule_facts.served_before(session, [*new.values()], as_of=shop.now)

    assert before == {
        new[LeadKind.LEAD]: shop.reps[0],
        new[LeadKind.TICKET]: other,
    }


def test_load_and_intake_tell_work_orders_apart_also_when_built_anew(
    shop: Sales,
) -> None:
    (rep,) = shop.add_reps(1)
    leads, tickets = shop.add_leads(2), shop.add_leads(1, LeadKind.TICKET)
    for lead in (*leads, *tickets):
        shop.assign(lead, rep)
    shop.drop(leads[0])

    def counted(only: LeadKind | None) -> tuple[int, int, int]:
        with shop.read() as session:
            (entry,) = roster(session, as_of=shop.now, local_day=DAY, only=only)
            taken = taken_since(session, date(2020, 1, 1), only=only)
            held = rule_facts.held_at(session, shop.now, only=only)
        return entry.held, taken[rep], held[rep]

    wanted = {None: (2, 3, 2), LeadKind.LEAD: (1, 2, 1), LeadKind.TICKET: (1, 1, 1)}
    assert {only: counted(only) for only in wanted} == wanted
    with shop.write() as session:
        rebuild_projection(session)
    assert {only: counted(only) for only in wanted} == wanted


def test_a_lead_and_a_work_order_are_never_one_record(shop: Sales) -> None:
    found = {kind: shop.add_leads(1, kind)[0] for kind in LeadKind}

    with shop.write() as session, pytest.raises(InvalidInput, match="never one record"):
        merge(
            session, RecordKind.LEAD, found[LeadKind.TICKET], found[LeadKind.LEAD],
            at=shop.now, actor="boss", cause="same",
        )  # fmt: skip


def test_a_pool_of_work_orders_is_read_by_its_own_index(shop: Sales) -> None:
    """No lead is looked at, however many there are."""
    shop.add_leads(20)
    tickets = shop.add_leads(2, LeadKind.TICKET)
    asked: list[tuple[str, Any]] = []

    def note(_c: object, _u: object, statement: str, given: object, *_: object) -> None:
        asked.append((statement, given))

    with shop.read() as session:
        connection = session.connection
        event.listen(connection, "before_cursor_execute", note)
        (found,) = free_leads(session, kind=LeadKind.TICKET)
        event.remove(connection, "before_cursor_execute", note)
        statement, given = asked[-1]
        explain = "EXPLAIN QUERY PLAN "
        if session.is_postgresql:
            # So few rows are read whole otherwise.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            explain = "EXPLAIN "
        plan = connection.exec_driver_sql(explain + statement, given).all()

    assert found == sorted(tickets)
    assert "ix_leads_tickets" in str(plan)
