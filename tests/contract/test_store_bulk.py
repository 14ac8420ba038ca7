"""Whole tables as Arrow: the columns that features ask for, and the rows that are."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from features.history import TABLES, History
from rightrep.domain.activity import Activity, ActivityKind
from rightrep.domain.ids import CustomerId, LeadId, RepId
from rightrep.domain.lead import LeadAttributes, LeadVersion, Stage
from rightrep.domain.money import Money
from rightrep.domain.outcome import Outcome, Result
from rightrep.domain.ownership import OwnershipKind
from rightrep.domain.rep import RepAttributes
from rightrep.errors import NotFound
from rightrep.store.activities import record_activity
from rightrep.store.aliases import RecordKind
from rightrep.store.bulk import open_leads, read_history
from rightrep.store.capacity import NO_LIMITS, take_lead
from rightrep.store.engine import Store
from rightrep.store.leads import LeadRecord, add_lead_versions, save_leads
from rightrep.store.merges import merge, undo_merge
from rightrep.store.outcomes import record_outcome
from rightrep.store.ownership import release_lead
from rightrep.store.rates import Rate, save_rates
from rightrep.store.session import WriteSession
from tests.store_records import (
    ACME,
    NOON,
    TODAY,
    add_leads,
    add_reps,
    add_tenant,
    at,
    decision,
)

ODD = 'a "quoted", comma\nand a line; "" \\N \\. é 北京'
KINDS = {"str": pa.string(), "float": pa.float64(), "time": pa.timestamp("us", "UTC")}


@pytest.fixture
def market(store: Store) -> Store:
    add_tenant(store)
    return store


def take(session: WriteSession, lead_id: LeadId, rep_id: RepId, hours: float) -> None:
    take_lead(
        session,
        replace(decision(lead_id, rep_id, at(hours)), propensity=0.25),
        limits=NO_LIMITS,
        local_day=TODAY,
    )


def rows(tables: dict[str, pa.Table], name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tables[name].to_pylist()
    return found


def open_ids(session: WriteSession, hours: float) -> list[str]:
    return list(open_leads(session, as_of=at(hours)))


def test_the_tables_are_those_that_features_read(market: Store) -> None:
    with market.write(ACME) as session:
        empty = read_history(session)
        (lead_id,) = add_leads(session, 1)
        (rep_id,) = add_reps(session, 1)
        take(session, lead_id, rep_id, 0)
        filled = read_history(session)

    for tables in (empty, filled):
        assert {
            name: dict(zip(t.schema.names, t.schema.types, strict=True))
            for name, t in tables.items()
        } == {
            name: {column: KINDS[kind] for column, kind in columns.items()}
            for name, columns in TABLES.items()
        }
        assert len(History.of(tables).leads) == tables["leads"].num_rows


def test_every_value_of_a_lead_arrives(market: Store) -> None:
    what = LeadAttributes(
        industry=ODD,
        company_size=0.1,
        region="",
        stage=Stage.PROPOSAL,
        attributes={"a b": ODD, "n": 1, "none": None},
    )
    with market.write(ACME) as session:
        (lead_id,) = add_leads(session, 1, what, when=NOON.replace(microsecond=7))
        save_leads(
            session,
            [LeadRecord(lead_id=lead_id, created_at=NOON, customer_id=CustomerId("c"))],
        )

        tables = read_history(session)

    (lead,), (version,) = rows(tables, "leads"), rows(tables, "lead_versions")
    created_at = NOON.replace(microsecond=7)
    assert lead == {
        "lead_id": lead_id,
        "customer_id": "c",
        "created_at": created_at,
    }
    assert json.loads(version.pop("attributes")) == what.attributes
    assert version == {
        "lead_id": lead_id,
        "valid_from": created_at,
        "recorded_at": created_at,
        "industry": ODD,
        "company_size": 0.1,
        "region": "",
        "language": None,
        "product": None,
        "budget": None,
        "deal_value": None,
        "channel": None,
        "campaign": None,
        "stage": "proposal",
        "grade": None,
    }


def test_every_value_of_a_rep_arrives(market: Store) -> None:
    what = RepAttributes(
        team="east",
        languages=frozenset({"zh", "en"}),
        hired_on=date(1969, 7, 20),
        holding_limit=15,
        weight=0.5,
    )
    with market.write(ACME) as session:
        add_reps(session, 1, what)

        (version,) = rows(read_history(session), "rep_versions")

    assert json.loads(version["languages"]) == ["en", "zh"]
    assert json.loads(version["products"]) == []
    assert version["hired_on"] == datetime(1969, 7, 20, tzinfo=UTC)
    assert (version["holding_limit"], version["intake_per_day"]) == (15.0, None)
    assert (version["team"], version["weight"]) == ("east", 0.5)


def test_money_arrives_in_the_tenant_s_currency_at_the_day_s_rate(
    market: Store,
) -> None:
    def worth(money: Money | None, hours: float, lead_id: LeadId) -> LeadVersion:
        return LeadVersion(
            lead_id=lead_id,
            valid_from=at(hours),
            recorded_at=at(hours),
            attributes=LeadAttributes(deal_value=money, grade=str(hours)),
        )

    with market.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        save_rates(
            session,
            [
                Rate(from_currency=code, to_currency="USD", day=day, rate=Decimal(rate))
                for code, day, rate in (
                    ("JPY", date(2026, 3, 1), "0.01"),
                    ("JPY", date(2026, 3, 3), "0.02"),
                    ("KWD", date(2027, 1, 1), "3.0"),
                )
            ],
        )
        amounts = [
            (Money(1_234, "USD"), 1),
            (Money(1_000, "JPY"), 2),
            (Money(1_000, "JPY"), 24),
            (Money(1_500, "KWD"), 25),
            (Money(1_500, "XXX"), 26),
            (None, 27),
        ]
        add_lead_versions(session, [worth(m, h, lead_id) for m, h in amounts])

        versions = rows(read_history(session), "lead_versions")

    versions.sort(key=lambda version: version["valid_from"])
    values = [version["deal_value"] for version in versions]
    assert values == [None, 12.34, 10.0, 20.0, 4.5, None, None]


def test_what_happened_arrives_as_it_happened(market: Store) -> None:
    with market.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        first, second = add_reps(session, 2)
        take(session, lead_id, first, 1)
        release_lead(
            session,
            lead_id,
            OwnershipKind.TRANSFERRED,
            owner=second,
            at=at(1),
            actor="boss",
            cause="handover",
        )
        record_activity(
            session,
            Activity(
                event_id="a",
                kind=ActivityKind.SURVEY,
                lead_id=lead_id,
                rep_id=None,
                happened_at=at(2),
                recorded_at=at(3),
                score=9.5,
                note="not here",
            ),
        )
        record_outcome(
            session,
            Outcome(
                event_id="o",
                lead_id=lead_id,
                decision_id=None,
                result=Result.WON,
                closed_at=at(4),
                recorded_at=at(5),
                value=Money(1_234, "USD"),
            ),
        )

        tables = read_history(session)

    (made,), (outcome,) = rows(tables, "decisions"), rows(tables, "outcomes")
    (activity,) = rows(tables, "activities")
    assert (made["policy"], made["cause"]) == ("round_robin", "request")
    assert (made["propensity"], made["p_convert"]) == (0.25, None)
    assert outcome["decision_id"] == made["decision_id"]
    assert (outcome["value"], outcome["closed_at"]) == (12.34, at(4))
    assert (activity["score"], activity["rep_id"]) == (9.5, None)
    assert [
        (event["kind"], event["owner"], event["previous_owner"])
        for event in rows(tables, "ownership")
    ] == [
        ("assigned", first, None),
        ("transferred", second, first),
        ("closed", second, second),
    ]


def test_what_was_not_known_yet_is_left_out(market: Store) -> None:
    with market.write(ACME) as session:
        a, b = add_leads(session, 2)
        (rep_id,) = add_reps(session, 1)
        take(session, b, rep_id, 3)
        merged = merge(session, RecordKind.LEAD, a, b, at=at(2), actor="x", cause="y")
        undo_merge(session, merged.merge_id, at=at(4), actor="x")

        then = read_history(session, recorded_until=at(2))
        now = read_history(session)

    assert [then[name].num_rows for name in ("decisions", "ownership")] == [0, 0]
    assert rows(then, "merges") == [
        {"lead_id": a, "survivor_id": b, "merged_at": at(2), "undone_at": None}
    ]
    assert rows(now, "merges")[0]["undone_at"] == at(4)
    assert [now[name].num_rows for name in ("decisions", "ownership")] == [1, 1]


def test_a_history_belongs_to_a_tenant_that_is_there(store: Store) -> None:
    with store.read(ACME) as session, pytest.raises(NotFound):
        read_history(session)


def test_open_leads_have_no_owner_and_no_outcome_as_of_an_instant(
    market: Store,
) -> None:
    with market.write(ACME) as session:
        free, taken, closed, merged, later = add_leads(session, 5)
        (rep_id,) = add_reps(session, 1)
        save_leads(session, [])
        take(session, taken, rep_id, 1)
        release_lead(
            session, taken, OwnershipKind.DROPPED, at=at(3), actor="x", cause="y"
        )
        record_outcome(
            session,
            Outcome(
                event_id="o",
                lead_id=closed,
                decision_id=None,
                result=Result.LOST,
                closed_at=at(2),
                recorded_at=at(2),
            ),
        )
        merge(session, RecordKind.LEAD, merged, free, at=at(2), actor="x", cause="y")
        take(session, later, rep_id, 9)

        assert set(open_ids(session, 0)) == {free, taken, closed, merged, later}
        assert set(open_ids(session, 1)) == {free, closed, merged, later}
        assert set(open_ids(session, 2)) == {free, later}
        assert set(open_ids(session, 3)) == {free, taken, later}
        assert set(open_ids(session, 9)) == {free, taken}
        assert open_ids(session, -1) == []


def test_open_leads_come_oldest_first(market: Store) -> None:
    with market.write(ACME) as session:
        (early,) = add_leads(session, 1)
        late = LeadId("01890000-0000-7000-8000-000000000000")
        save_leads(session, [LeadRecord(lead_id=late, created_at=at(1))])

        assert open_leads(session, as_of=at(3)) == [early, late]
