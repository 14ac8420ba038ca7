"""A page of a public pool has its leads and no others, in the order of their ids."""

from datetime import timedelta
from itertools import chain

import numpy as np
import pytest

from rightrep.domain.ids import LeadId
from rightrep.domain.lead import LeadAttributes, LeadVersion, Scalar
from rightrep.domain.pools import Pool, in_order, place_of
from rightrep.store import leads
from rightrep.store.engine import Store
from rightrep.store.leads import LeadRecord, add_lead_versions, save_leads
from rightrep.store.pools import save_pool
from rightrep.store.public_pools import free_leads, free_leads_in
from serving.usecases.pool_views import public_leads
from tests.store_records import ACME, NOON, add_leads, add_tenant, at

REGIONS = ("east", "west", "", None)
POOLS = (
    Pool(pool="vip", position=0, leads={"attributes.tier": (1, "gold")}),
    Pool(pool="east", position=1, leads={"region": ("east",)}),
    Pool(pool="nowhere", position=2, leads={"region": (None, 7), "grade": ("A",)}),
    Pool(pool="west", position=3, leads={"region": ("west", ""), "grade": ("A", None)}),
)


@pytest.fixture
def market(store: Store) -> Store:
    """Sixty free leads, some of whose versions are of the past or the future."""
    add_tenant(store)
    rng = np.random.default_rng(2)

    def some(*values: Scalar) -> Scalar:
        return values[int(rng.integers(len(values)))]

    def attributes() -> LeadAttributes:
        region, grade = some(*REGIONS), some("A", "B", None)
        assert region is None or isinstance(region, str)
        assert grade is None or isinstance(grade, str)
        own = {"tier": some(1, "gold", "tin", None)}
        return LeadAttributes(region=region, grade=grade, attributes=own)

    with store.write(ACME) as session:
        for pool in POOLS:
            save_pool(session, pool, actor="x", reason="", at=NOON)
        for _ in range(60):
            (lead_id,) = add_leads(session, 1, attributes())
            for hours in rng.choice(np.array([-5, 2, 30]), 2, replace=False).tolist():
                when = NOON + timedelta(hours=hours)
                version = LeadVersion(
                    lead_id=lead_id,
                    valid_from=when,
                    recorded_at=when,
                    attributes=attributes(),
                )
                add_lead_versions(session, [version])
        record = LeadRecord(lead_id=LeadId("unknown"), created_at=NOON)
        save_leads(session, [record])
    return store


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_pages_have_every_lead_of_the_pool_once_in_order(
    market: Store, limit: int
) -> None:
    pools = in_order(POOLS)
    with market.read(ACME) as session:
        every = list(chain.from_iterable(free_leads(session)))
        place = place_of(pools, leads.get_leads(session, every, as_of=at(3)))
        for k, pool in enumerate(pools):
            found: list[LeadId] = []
            while page := public_leads(
                session,
                pool.pool,
                at=at(3),
                after=found[-1] if found else "",
                limit=limit,
            ):
                assert len(page) <= limit
                found += [one.lead.lead_id for one in page]

            assert found == [
                one for one, mine in zip(every, place, strict=True) if mine == k
            ]
    assert {pools[k].pool for k in place} == {
        "vip", "east", "nowhere", "west", "common"
    }  # fmt: skip


def test_leads_of_other_pools_are_not_even_read(market: Store) -> None:
    pools = in_order([pool for pool in POOLS if pool.pool != "vip"])
    with market.read(ACME) as session:
        pages = free_leads_in(session, pools, 0, as_of=at(3))
        read = leads.get_leads(session, chain.from_iterable(pages), as_of=at(3))

    regions = {lead.lead_id: lead.attributes.region for lead in read}
    assert set(regions.values()) == {"east"}
