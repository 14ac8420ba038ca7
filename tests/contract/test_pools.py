"""Claims, drops, transfers and locks: what people may do with pools, and what not."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from rightrep.domain.claims import Obstacle
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.outcome import Outcome, Result
from rightrep.domain.ownership import OwnershipKind
from rightrep.domain.rep import Leave, RepStatus
from rightrep.errors import (
    AlreadyOwned,
    CapacityReached,
    Conflict,
    NotClaimable,
    NotFound,
)
from rightrep.store import outbox, ownership
from rightrep.store.aliases import RecordKind
from rightrep.store.endpoints import add_endpoint
from rightrep.store.engine import Store
from rightrep.store.merges import merge
from rightrep.store.outcomes import record_outcome
from rightrep.store.projection import rebuild_projection
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


def won(shop: Sales, lead: LeadId, result: Result = Result.WON) -> None:
    told = Outcome(
        event_id=f"{lead} {result}",
        lead_id=lead,
        decision_id=None,
        result=result,
        closed_at=shop.now,
        recorded_at=shop.now,
    )
    with shop.write() as session:
        record_outcome(session, told)


def obstacles(shop: Sales, rep: RepId, *leads: LeadId) -> list[Obstacle]:
    """What comes back of a claim."""
    return [one.obstacle for one in shop.claim(rep, *leads).left_out]


def test_a_batch_over_the_holding_limit_is_refused_whole(shop: Sales) -> None:
    shop.set_pool(holding_limit=2)
    leads, (rep,) = shop.add_leads(3), shop.add_reps(1)

    with pytest.raises(CapacityReached) as refused:
        shop.claim(rep, *leads)

    assert refused.value.limit == "holding"
    assert shop.owners() == {}
    assert len(shop.claim(rep, *leads[:2]).made) == 2


def test_a_batch_over_the_days_claims_is_refused_whole_and_uses_up_nothing(
    shop: Sales,
) -> None:
    shop.set_pool(claims_per_day=2)
    leads, (rep,) = shop.add_leads(4), shop.add_reps(1)

    with pytest.raises(CapacityReached) as refused:
        shop.claim(rep, *leads[:3])
    shop.claim(rep, *leads[:2])
    with pytest.raises(CapacityReached):
        shop.claim(rep, leads[2])

    assert refused.value.limit == "claims"
    assert sorted(shop.owners()) == sorted(leads[:2])


def test_the_days_claims_begin_again_with_the_tenants_day(shop: Sales) -> None:
    shop.set_pool(claims_per_day=1)
    leads, (rep,) = shop.add_leads(3), shop.add_reps(1)
    shop.claim(rep, leads[0])

    shop.wait(hours=13, minutes=59)  # 23:59 in Berlin
    with pytest.raises(CapacityReached):
        shop.claim(rep, leads[1])
    shop.wait(minutes=1)

    assert len(shop.claim(rep, leads[1]).made) == 1


def test_claims_are_counted_by_pool(shop: Sales) -> None:
    shop.set_pool("east", leads={"region": ["East"]}, claims_per_day=1)
    east, (rep,) = shop.add_leads(2, region="East"), shop.add_reps(1)
    (west,) = shop.add_leads(1, region="West")

    made = shop.claim(rep, east[0], west).made

    assert [one.rule for one in made] == ["east", "common"]
    with pytest.raises(CapacityReached):
        shop.claim(rep, east[1])


def test_a_lead_that_was_taken_meanwhile_comes_back_alone(shop: Sales) -> None:
    leads, reps = shop.add_leads(3), shop.add_reps(2)
    shop.claim(reps[0], leads[1])

    done = shop.claim(reps[1], *leads)

    assert [one.lead_id for one in done.made] == [leads[0], leads[2]]
    assert [(o.lead_id, o.obstacle) for o in done.left_out] == [
        (leads[1], Obstacle.OWNED)
    ]


def test_leads_that_come_back_do_not_count_against_a_limit(shop: Sales) -> None:
    shop.set_pool(holding_limit=2)
    leads, reps = shop.add_leads(3), shop.add_reps(2)
    shop.claim(reps[0], leads[1])

    assert len(shop.claim(reps[1], *leads).made) == 2


def test_an_atomic_claim_is_all_or_nothing(shop: Sales) -> None:
    leads, reps = shop.add_leads(3), shop.add_reps(2)
    shop.claim(reps[0], leads[1])

    with pytest.raises(NotClaimable) as refused:
        shop.claim(reps[1], *leads, atomic=True)

    assert (refused.value.lead_id, refused.value.obstacle) == (leads[1], "owned")
    assert list(shop.owners().values()) == [reps[0]]


def test_the_second_claim_of_a_lead_is_told_that_it_is_taken(shop: Sales) -> None:
    (lead,), reps = shop.add_leads(1), shop.add_reps(2)
    shop.claim(reps[0], lead)

    with pytest.raises(NotClaimable, match="Somebody has taken it"):
        shop.claim(reps[1], lead)


def test_every_former_owner_cools_down_and_not_only_the_last(shop: Sales) -> None:
    shop.set_pool(cool_down_days=2, counting="hours")
    (lead,), reps = shop.add_leads(1), shop.add_reps(3)
    for rep in reps[:2]:
        shop.claim(rep, lead)
        shop.drop(lead, rep)
        shop.wait(hours=10)

    told = []
    for rep in reps[:2]:
        with pytest.raises(NotClaimable) as refused:
            shop.claim(rep, lead)
        told.append((refused.value.obstacle, refused.value.until))

    first = shop.now - timedelta(hours=20) + timedelta(days=2)
    second = shop.now - timedelta(hours=10) + timedelta(days=2)
    assert told == [("cool_down", at.isoformat()) for at in (first, second)]
    shop.wait(hours=28)
    assert len(shop.claim(reps[0], lead).made) == 1


def test_a_cool_down_follows_a_recycled_and_a_transferred_lead_too(
    shop: Sales,
) -> None:
    shop.set_pool(cool_down_days=1, counting="hours", protection={"follow_up_days": 1})
    leads, reps = shop.add_leads(2), shop.add_reps(2)
    shop.claim(reps[0], *leads)
    shop.wait(days=1)
    assert shop.recycle().dropped == 2
    assert obstacles(shop, reps[0], *leads) == [Obstacle.COOL_DOWN] * 2

    shop.claim(reps[1], leads[0])
    shop.wait(hours=23)
    shop.transfer(leads[0], reps[0])
    shop.drop(leads[0], reps[0])

    with pytest.raises(NotClaimable, match="cooling down"):
        shop.claim(reps[1], leads[0])


def test_a_lead_that_has_just_come_cannot_be_claimed_by_anybody(shop: Sales) -> None:
    shop.set_pool(fresh_hours=6)
    (lead,), reps = shop.add_leads(1), shop.add_reps(2)
    assert obstacles_of_one(shop, reps[0], lead) == "fresh"
    shop.wait(hours=6)
    shop.claim(reps[0], lead)

    shop.drop(lead, reps[0])

    assert obstacles_of_one(shop, reps[1], lead) == "fresh"
    shop.wait(hours=6)
    assert len(shop.claim(reps[1], lead).made) == 1


def obstacles_of_one(shop: Sales, rep: RepId, lead: LeadId) -> str:
    with pytest.raises(NotClaimable) as refused:
        shop.claim(rep, lead)
    return refused.value.obstacle


def test_a_rep_claims_from_the_pools_that_are_open_to_their_team(shop: Sales) -> None:
    shop.set_pool("east", leads={"region": ["East"]}, teams=["red"])
    (east,), (west,) = shop.add_leads(1, region="East"), shop.add_leads(1)
    (red,), (blue,) = shop.add_reps(1, team="red"), shop.add_reps(1, team="blue")

    assert obstacles(shop, blue, east, west) == [Obstacle.POOL]
    assert len(shop.claim(red, east).made) == 1


def test_a_claim_keeps_the_hard_rules(shop: Sales) -> None:
    (zh,), (en,) = shop.add_leads(1, language="zh"), shop.add_leads(1, language="en")
    (other,) = shop.add_leads(1, language="en", product="loans")
    (rep,) = shop.add_reps(
        1, languages=frozenset({"en"}), products=frozenset({"cards"})
    )

    done = shop.claim(rep, zh, en, other)

    assert [one.lead_id for one in done.made] == [en]
    assert [one.obstacle for one in done.left_out] == [
        Obstacle.LANGUAGE,
        Obstacle.PRODUCT,
    ]


@pytest.mark.parametrize(
    "away",
    [
        {"status": RepStatus.LEFT},
        {"status": RepStatus.PAUSED},
        {"leave": (Leave(date(2026, 3, 25), date(2026, 3, 25)),)},
    ],
)
def test_who_is_away_neither_claims_nor_is_given_leads(
    shop: Sales, away: dict[str, Any]
) -> None:
    leads, (rep,), (other,) = (
        shop.add_leads(2),
        shop.add_reps(1, **away),
        (shop.add_reps(1)),
    )
    shop.claim(other, leads[1])

    for act in (
        lambda: shop.claim(rep, leads[0]),
        lambda: shop.assign(leads[0], rep),
        lambda: shop.transfer(leads[1], rep),
    ):
        with pytest.raises(Conflict):
            act()

    assert shop.owners() == {leads[1]: other}


def test_a_closed_lead_is_in_no_pool(shop: Sales) -> None:
    leads, (rep,) = shop.add_leads(2), shop.add_reps(1)
    shop.claim(rep, leads[0])
    won(shop, leads[0], Result.LOST)
    shop.drop(leads[0])

    assert obstacles(shop, rep, *leads) == [Obstacle.CLOSED]


def test_manual_assignments_count_against_every_limit(shop: Sales) -> None:
    shop.set_pool(holding_limit=1)
    leads, reps = shop.add_leads(3), shop.add_reps(2)
    shop.assign(leads[0], reps[0])
    shop.assign(leads[1], reps[1])

    with pytest.raises(CapacityReached):
        shop.assign(leads[2], reps[0])
    with pytest.raises(CapacityReached):
        shop.transfer(leads[1], reps[0])
    with pytest.raises(AlreadyOwned):
        shop.assign(leads[1], reps[0])
    with pytest.raises(AlreadyOwned):
        shop.transfer(leads[1], reps[1])

    assert shop.owners() == {leads[0]: reps[0], leads[1]: reps[1]}


@pytest.mark.parametrize("exempt", [True, False])
def test_a_won_lead_stops_counting_if_its_pool_says_so(
    shop: Sales, exempt: bool
) -> None:
    shop.set_pool(holding_limit=1, won_exempt=exempt)
    leads, (rep,) = shop.add_leads(2), shop.add_reps(1)
    shop.claim(rep, leads[0])

    won(shop, leads[0])

    if exempt:
        shop.claim(rep, leads[1])
    else:
        with pytest.raises(CapacityReached):
            shop.claim(rep, leads[1])
    assert shop.owners()[leads[0]] == rep


def test_a_transfer_moves_the_load_and_is_logged_as_a_decision(shop: Sales) -> None:
    (lead,), reps = shop.add_leads(1), shop.add_reps(2)
    shop.claim(reps[0], lead)

    shop.transfer(lead, reps[1])

    with shop.read() as session:
        (claimed, moved) = ownership.get_events(session, lead)
    assert (moved.kind, moved.owner, moved.previous_owner, moved.cause) == (
        OwnershipKind.TRANSFERRED,
        reps[1],
        reps[0],
        "balance",
    )
    assert moved.decision_id not in (None, claimed.decision_id)


def test_only_the_owner_drops_and_only_once(shop: Sales) -> None:
    (lead,), reps = shop.add_leads(1), shop.add_reps(2)
    shop.claim(reps[0], lead)

    with pytest.raises(Conflict):
        shop.drop(lead, reps[1])
    shop.drop(lead, reps[0])
    with pytest.raises(Conflict):
        shop.drop(lead)
    with pytest.raises(NotFound):
        shop.drop(LeadId("nobody"))

    with shop.read() as session:
        events = ownership.get_events(session, lead)
    assert [(event.kind, event.cause) for event in events][1:] == [
        (OwnershipKind.DROPPED, "no need")
    ]


def test_a_locked_lead_is_dropped_by_nobody(shop: Sales) -> None:
    shop.set_pool(protection={"follow_up_days": 1}, counting="hours")
    leads, (rep,) = shop.add_leads(2), shop.add_reps(1)
    shop.claim(rep, *leads)
    shop.lock(leads[0])
    shop.lock(leads[0])

    with pytest.raises(Conflict, match="locked"):
        shop.drop(leads[0], rep)
    shop.wait(days=9)
    assert shop.recycle().dropped == 1
    shop.unlock(leads[0])
    shop.unlock(leads[0])

    assert shop.recycle().dropped == 1
    assert shop.owners() == {}


def test_a_lead_without_owner_cannot_be_locked(shop: Sales) -> None:
    (lead,) = shop.add_leads(1)

    with pytest.raises(Conflict):
        shop.lock(lead)
    with pytest.raises(NotFound):
        shop.lock(LeadId("nobody"))
    with pytest.raises(NotFound):
        shop.unlock(LeadId("nobody"))


def test_a_lock_outlives_a_merge(shop: Sales) -> None:
    shop.set_pool(protection={"follow_up_days": 1}, counting="hours")
    leads, (rep,) = shop.add_leads(2), shop.add_reps(1)
    shop.claim(rep, leads[0])
    shop.lock(leads[0])

    with shop.write() as session:
        merge(session, RecordKind.LEAD, *leads, at=shop.now, actor="x", cause="same")
    shop.wait(days=9)

    assert shop.recycle().dropped == 0
    assert shop.owners() == {leads[1]: rep}
    shop.unlock(leads[1])
    assert shop.recycle().dropped == 1


def test_unknown_leads_and_reps_are_refused_by_name(shop: Sales) -> None:
    (lead,), (rep,) = shop.add_leads(1), shop.add_reps(1)

    with pytest.raises(NotFound):
        shop.claim(RepId("nobody"), lead)
    with pytest.raises(NotFound):
        shop.claim(rep, lead, LeadId("nothing"))

    assert shop.owners() == {}


def test_every_change_of_hands_is_told(shop: Sales) -> None:
    with shop.write() as session:
        made = add_endpoint(session, "https://crm.example/hook", at=shop.now)
    shop.set_pool(protection={"follow_up_days": 1}, counting="hours", warning_days=1)
    leads, reps = shop.add_leads(2), shop.add_reps(2)
    shop.claim(reps[0], leads[0])
    shop.assign(leads[1], reps[0])
    shop.transfer(leads[1], reps[1])
    shop.lock(leads[0])
    shop.unlock(leads[0])
    shop.drop(leads[1])
    shop.recycle()
    shop.wait(days=1)
    shop.recycle()

    with shop.read() as session:
        told = outbox.list_deliveries(session, made.endpoint.endpoint_id)
    assert sorted(one.type.removeprefix("rightrep.") for one in told) == [
        "lead.assigned",
        "lead.claimed",
        "lead.drop_warned",
        "lead.dropped",
        "lead.locked",
        "lead.recycled",
        "lead.transferred",
        "lead.unlocked",
        "pool.changed",
    ]
