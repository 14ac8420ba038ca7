"""The history of some leads is the whole one, cut to their merges and customers."""

from decimal import Decimal

import pyarrow as pa

from rightrep.domain.activity import Activity, ActivityKind
from rightrep.domain.ids import CustomerId, LeadId
from rightrep.domain.lead import LeadAttributes, LeadVersion
from rightrep.domain.money import Money
from rightrep.domain.outcome import Outcome, Result
from rightrep.domain.ownership import OwnershipKind
from rightrep.store.activities import record_activity
from rightrep.store.aliases import RecordKind
from rightrep.store.arrow import INT, TIME
from rightrep.store.bulk import read_history
from rightrep.store.engine import Store
from rightrep.store.few import NO_TIME, Columns, read_few
from rightrep.store.leads import LeadRecord, add_lead_versions, save_leads
from rightrep.store.merges import Merge, merge, undo_merge
from rightrep.store.outcomes import record_outcome
from rightrep.store.ownership import release_lead
from rightrep.store.rates import Rate, save_rates
from rightrep.store.session import WriteSession
from tests.contract.test_store_bulk import market, take
from tests.store_records import ACME, NOON, TODAY, add_leads, add_reps, at

__all__ = ["market"]


def test_leads_come_with_the_other_leads_of_their_customers(market: Store) -> None:
    with market.write(ACME) as session:
        asked, sibling, stranger, alone = add_leads(session, 4)
        shared, other = CustomerId("c-shared"), CustomerId("c-other")
        save_leads(
            session,
            [
                LeadRecord(lead_id=lead_id, created_at=NOON, customer_id=customer)
                for lead_id, customer in (
                    (asked, shared),
                    (sibling, shared),
                    (stranger, other),
                )
            ],
        )

        found = read_few(session, [asked, alone], currency="USD")
        whole = read_history(session)

    assert set(found["leads"]["lead_id"]) == {asked, sibling, alone}
    for name, table in found.items():
        assert set(table) == set(whole[name].column_names)
        mine = [
            row for row in rows_of(whole[name]) if row["lead_id"] in table["lead_id"]
        ]
        assert same(rows_of_few(table), mine)


def test_everything_that_the_whole_history_knows_comes_for_a_few(market: Store) -> None:
    with market.write(ACME) as session:
        first, second = add_leads(session, 2)
        given_to, taken_by = add_reps(session, 2)
        rate = Rate(
            from_currency="JPY", to_currency="USD", day=TODAY, rate=Decimal("0.01")
        )
        save_rates(session, [rate])
        amounts = [Money(1_234, "USD"), Money(990, "JPY"), Money(5, "XXX"), None]
        add_lead_versions(
            session,
            [
                LeadVersion(
                    lead_id=first,
                    valid_from=at(hours),
                    recorded_at=at(hours),
                    attributes=LeadAttributes(deal_value=money, grade=str(hours)),
                )
                for hours, money in enumerate(amounts, 1)
            ],
        )
        take(session, first, given_to, 6)
        release_lead(
            session,
            first,
            OwnershipKind.TRANSFERRED,
            at=at(7),
            actor="test",
            cause="test",
            owner=taken_by,
        )
        won = Outcome(
            event_id="won",
            decision_id=None,
            lead_id=first,
            result=Result.WON,
            closed_at=at(8),
            recorded_at=at(8),
            value=Money(7_000, "JPY"),
        )
        record_outcome(session, won)
        survey = Activity(
            event_id="survey",
            lead_id=second,
            rep_id=given_to,
            kind=ActivityKind.SURVEY,
            happened_at=at(2),
            recorded_at=at(2),
            score=4.0,
            note=None,
        )
        record_activity(session, survey)
        undo_merge(
            session, _merge(session, second, first).merge_id, at=at(9), actor="test"
        )
        whole = read_history(session)
        leads = [LeadId(one) for one in whole["leads"]["lead_id"].to_pylist()]
        found = read_few(session, leads, currency="USD")

    assert set(whole) == {*found, "reps", "rep_versions"}
    for name, table in found.items():
        assert rows_of_few(table)
        assert same(rows_of_few(table), rows_of(whole[name]))
    assert rows_of_few(found["ownership"]) == rows_of(whole["ownership"])


Rows = list[dict[str, object]]


def same(some: Rows, others: Rows) -> bool:
    return sorted(map(as_text, some)) == sorted(map(as_text, others))


def as_text(row: dict[str, object]) -> str:
    return str(sorted(row.items()))


def rows_of(table: pa.Table) -> Rows:
    """Instants as microseconds."""
    columns = {
        name: [NO_TIME if at is None else at for at in column.cast(INT).to_pylist()]
        if column.type == TIME
        else column.to_pylist()
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def rows_of_few(table: Columns) -> Rows:
    """A missing number is none."""
    columns = {
        name: [None if one != one else one for one in column.tolist()]
        for name, column in table.items()
    }
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def test_leads_come_with_those_merged_with_them_and_their_customers(
    market: Store,
) -> None:
    with market.write(ACME) as session:
        first, second, third, beside, stranger = add_leads(session, 5)
        save_leads(
            session,
            [
                LeadRecord(lead_id=lead_id, created_at=NOON, customer_id=CustomerId(c))
                for lead_id, c in (
                    (first, "c-1"), (third, "c-2"), (beside, "c-2"), (stranger, "c-3")
                )
            ],
        )  # fmt: skip
        undone = _merge(session, second, first)
        undo_merge(session, undone.merge_id, at=NOON, actor="test")
        _merge(session, first, third)

        of_part = read_few(session, [first], currency="USD")
        of_survivor = read_few(session, [third], currency="USD")

    assert set(of_part["leads"]["lead_id"]) == {first, second, third, beside}
    assert set(of_part["merges"]["survivor_id"]) == {first, third}
    for name, table in of_part.items():
        assert same(rows_of_few(table), rows_of_few(of_survivor[name]))


def _merge(session: WriteSession, part: LeadId, survivor: LeadId) -> Merge:
    return merge(
        session, RecordKind.LEAD, part, survivor, at=NOON, actor="test", cause="same"
    )
