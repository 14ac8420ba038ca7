"""The history of some leads is the whole one, cut to their merges and customers."""

from rightrep.domain.ids import CustomerId, LeadId
from rightrep.store.aliases import RecordKind
from rightrep.store.bulk import read_history, read_history_of
from rightrep.store.engine import Store
from rightrep.store.leads import LeadRecord, save_leads
from rightrep.store.merges import Merge, merge, undo_merge
from rightrep.store.session import WriteSession
from tests.contract.test_store_bulk import market
from tests.store_records import ACME, NOON, add_leads

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

        found = read_history_of(session, [asked, alone])
        whole = read_history(session)

    assert set(found["leads"]["lead_id"].to_pylist()) == {asked, sibling, alone}
    assert set(found) <= set(whole)
    for name, table in found.items():
        assert table.schema == whole[name].schema
        mine = [
            row
            for row in whole[name].to_pylist()
            if row["lead_id"] in {asked, sibling, alone}
        ]
        assert sorted(map(str, table.to_pylist())) == sorted(map(str, mine))


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

        of_part = read_history_of(session, [first])
        of_survivor = read_history_of(session, [third])

    assert set(of_part["leads"]["lead_id"].to_pylist()) == {
        first, second, third, beside
    }  # fmt: skip
    assert of_survivor == of_part
    assert set(of_part["merges"]["survivor_id"].to_pylist()) == {first, third}


def _merge(session: WriteSession, part: LeadId, survivor: LeadId) -> Merge:
    return merge(
        session, RecordKind.LEAD, part, survivor, at=NOON, actor="test", cause="same"
    )
