"""The history of some leads is the whole history, cut to their customers."""

from rightrep.domain.ids import CustomerId
from rightrep.store.bulk import read_history, read_history_of
from rightrep.store.engine import Store
from rightrep.store.leads import LeadRecord, save_leads
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
