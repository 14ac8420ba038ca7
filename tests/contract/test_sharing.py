"""Leads shared for a time: two reps see one, one owns it, and it ends by itself."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.ownership import OwnershipKind
from rightrep.errors import Conflict, InvalidInput, NotFound
from rightrep.store import ownership, shares
from rightrep.store.engine import Store
from rightrep.store.projection import rebuild_projection
from rightrep.store.shares import Share
from serving.usecases import sharing
from serving.usecases.pool_views import PrivateLead, private_view
from tests.contract.test_store_ownership import projection
from tests.pool_parts import Sales, sales


@pytest.fixture
def shop(store: Store, tmp_path: Path) -> Iterator[Sales]:
    """A tenant whose projection is, at the end, what its events add up to."""
    made = sales(store, tmp_path)
    yield made
    with made.write() as session:
        written = projection(session)
        rebuild_projection(session)
        assert projection(session) == written


def share(shop: Sales, lead: LeadId, rep: RepId, days: float = 7) -> Share:
    with shop.write() as session:
        return sharing.share(
            session,
            lead,
            rep,
            held_by=None,
            ends_at=shop.now + timedelta(days=days),
            reason="speaks the language",
            at=shop.now,
            actor="boss",
        )


def seen(shop: Sales, rep: RepId) -> list[PrivateLead]:
    with shop.read() as session:
        return private_view(session, [rep], at=shop.now)


def standing(shop: Sales, rep: RepId) -> list[str]:
    with shop.read() as session:
        return [one.share_id for one in shares.shared_with(session, [rep], at=shop.now)]


def test_both_reps_see_a_shared_lead_and_one_owns_it(shop: Sales) -> None:
    (lead,), (owner, other) = shop.add_leads(1), shop.add_reps(2)
    shop.assign(lead, owner)
    since = shop.since(lead)
    with shop.read() as session:
        before = projection(session)
    shop.wait(hours=1)

    made = share(shop, lead, other)

    assert [(one.owner, one.shared_until) for one in seen(shop, owner)] == [
        (owner, None)
    ]
    assert [(one.owner, one.shared_until) for one in seen(shop, other)] == [
        (owner, made.ends_at)
    ]
    assert shop.since(lead) == since
    with shop.read() as session:
        *_, last = ownership.get_events(session, lead)
        loads = projection(session)[1:]
    assert (last.kind, last.owner) == (OwnershipKind.SHARED, owner)
    assert loads == before[1:]


def test_a_share_ends_at_its_date_with_nothing_run(shop: Sales) -> None:
    (lead,), (owner, other) = shop.add_leads(1), shop.add_reps(2)
    shop.assign(lead, owner)
    made = share(shop, lead, other, days=1)

    shop.wait(hours=23, minutes=59)
    assert standing(shop, other) == [made.share_id]
    shop.wait(minutes=1)

    assert standing(shop, other) == []
    assert seen(shop, other) == []
    assert share(shop, lead, other).share_id != made.share_id


def test_a_share_ends_when_it_is_revoked_and_twice_is_once(shop: Sales) -> None:
    (lead,), (owner, other) = shop.add_leads(1), shop.add_reps(2)
    shop.assign(lead, owner)
    made = share(shop, lead, other)

    ended = []
    for _ in range(2):
        shop.wait(hours=1)
        with shop.write() as session:
            ended.append(
                sharing.revoke(
                    session, made.share_id, held_by=owner, at=shop.now, actor="boss"
                )
            )

    assert ended[0] == ended[1]
    assert ended[0].revoked_at == made.shared_at + timedelta(hours=1)
    assert standing(shop, other) == []


def test_a_share_ends_with_the_owner_who_made_it(shop: Sales) -> None:
    (first, second), (owner, other, third) = shop.add_leads(2), shop.add_reps(3)
    for lead in (first, second):
        shop.assign(lead, owner)
        share(shop, lead, other)

    shop.drop(first)
    shop.transfer(second, third)

    assert standing(shop, other) == []


def test_what_cannot_be_shared_is_refused(shop: Sales) -> None:
    (lead, free), (owner, other) = shop.add_leads(2), shop.add_reps(2)
    shop.assign(lead, owner)
    made = share(shop, lead, other)

    with pytest.raises(Conflict, match="is shared with"):
        share(shop, lead, other)
    with pytest.raises(Conflict, match="belongs to nobody"):
        share(shop, free, other)
    with pytest.raises(InvalidInput, match="has lead"):
        share(shop, lead, owner)
    with pytest.raises(InvalidInput, match="later than now"):
        share(shop, lead, other, days=0)
    with pytest.raises(NotFound):
        share(shop, lead, RepId("nobody"))
    with pytest.raises(NotFound):
        share(shop, LeadId("nothing"), other)
    with shop.write() as session, pytest.raises(Conflict, match="made by"):
        sharing.revoke(
            session, made.share_id, held_by=other, at=shop.now, actor="other"
        )


def test_the_owners_protection_days_and_turn_are_not_touched(shop: Sales) -> None:
    shop.set_pool(protection={"follow_up_days": 2}, counting="hours")
    (lead,), (owner, other) = shop.add_leads(1), shop.add_reps(2)
    shop.assign(lead, owner)
    (before,) = seen(shop, owner)
    shop.wait(days=1)

    share(shop, lead, other)

    (after,) = seen(shop, owner)
    assert (after.received_at, after.drops_at) == (before.received_at, before.drops_at)
