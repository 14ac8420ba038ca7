"""Cheating in the store: raised once, the retake refused, settled by a manager."""

from pathlib import Path

import pytest

from rightrep.domain.activity import Activity, ActivityKind
from rightrep.domain.claims import Obstacle
from rightrep.domain.collusion import AlarmKind
from rightrep.domain.ids import LeadId, RepId, new_id
from rightrep.errors import Conflict, InvalidInput, NotClaimable, NotFound
from rightrep.store import activities, alarms, outbox
from rightrep.store.endpoints import add_endpoint
from rightrep.store.engine import Store
from serving.usecases.cheating import in_words, look_for_cheating, raise_alarms
from tests.pool_parts import Sales, sales

QUIET = {"cheating": {"surprise": 0.02}}


@pytest.fixture
def shop(store: Store, tmp_path: Path) -> Sales:
    """A tenant whose managers want to hear of small rings too."""
    return sales(store, tmp_path, settings=QUIET)


def look(shop: Sales) -> int:
    """The job runs; how many alarms are new."""
    found = look_for_cheating(shop.context, shop.tenant_id)
    with shop.write() as session:
        return len(raise_alarms(session, found, at=shop.now))


def pass_round(shop: Sales, lead: LeadId, reps: list[RepId]) -> None:
    """Each of them takes the lead and gives it back."""
    for rep in reps:
        shop.claim(rep, lead)
        shop.wait(hours=5)
        shop.drop(lead, rep)
        shop.wait(hours=1)


def ring(shop: Sales) -> tuple[list[LeadId], list[RepId]]:
    """Two of twelve reps pass two leads round; the others claim one each."""
    reps, leads = shop.add_reps(12), shop.add_leads(12)
    for rep, lead in zip(reps[2:], leads[2:], strict=True):
        shop.claim(rep, lead)
    for lead in leads[:2]:
        pass_round(shop, lead, [reps[0], reps[1], reps[0], reps[1], reps[0]])
    return leads[:2], reps


def test_a_ring_is_one_alarm_however_often_it_is_looked_for(shop: Sales) -> None:
    with shop.write() as session:
        hook = add_endpoint(session, "https://crm.example/hook", at=shop.now)
    leads, reps = ring(shop)
    assert look(shop) == 1
    assert look(shop) == 0
    with shop.read() as session:
        (raised,) = alarms.list_alarms(session)
        sent = outbox.list_deliveries(session, hook.endpoint.endpoint_id)
    assert [one.type for one in sent].count("rightrep.cheating.noticed") == 1
    assert raised.alarm.reps == tuple(sorted(reps[:2]))
    assert raised.alarm.leads == tuple(sorted(leads))
    assert "pass leads round" in in_words(raised.alarm)


def test_a_ring_is_refused_the_retake_and_others_are_not(shop: Sales) -> None:
    leads, reps = ring(shop)
    look(shop)
    with pytest.raises(NotClaimable) as refused:
        shop.claim(reps[1], leads[0])
    assert refused.value.obstacle == Obstacle.RING.value
    assert len(shop.claim(reps[5], leads[0]).made) == 1
    fresh = shop.add_leads(1)
    assert len(shop.claim(reps[1], *fresh).made) == 1


def test_a_settled_ring_may_claim_again_and_new_passes_raise_it_anew(
    shop: Sales,
) -> None:
    leads, reps = ring(shop)
    look(shop)
    with shop.write() as session:
        (raised,) = alarms.list_alarms(session)
        alarms.settle_alarm(
            session, raised.alarm_id, actor="boss", because="talked", at=shop.now
        )
    assert look(shop) == 0
    shop.wait(minutes=1)
    pass_round(shop, leads[0], [reps[0], reps[1], reps[0]])
    assert look(shop) == 0
    for rep in reps[2:]:
        (other,) = shop.add_leads(1)
        shop.claim(rep, other)
    pass_round(shop, leads[1], [reps[1], reps[0], reps[1]])
    assert look(shop) == 1
    with shop.write() as session:
        with pytest.raises(Conflict, match="settled before"):
            alarms.settle_alarm(
                session, raised.alarm_id, actor="boss", because="x", at=shop.now
            )
        with pytest.raises(NotFound):
            alarms.settle_alarm(session, "none", actor="a", because="x", at=shop.now)
        assert len(alarms.list_alarms(session, settled=True)) == 1


def test_empty_follow_ups_in_the_last_hour_are_measured_against_the_drop(
    shop: Sales,
) -> None:
    shop.set_pool(protection={"follow_up_days": 2}, counting="hours")
    idle, busy = shop.add_reps(2)
    mine, theirs = shop.add_leads(6), shop.add_leads(60)
    shop.claim(idle, *mine)
    shop.claim(busy, *theirs)
    shop.wait(hours=5)
    for lead in theirs:
        shop.follow_up(lead, busy)
    shop.wait(hours=42.5)
    for lead in mine:
        shop.follow_up(lead, idle)
    look(shop)
    with shop.read() as session:
        (raised,) = alarms.list_alarms(session)
    assert raised.alarm.kind is AlarmKind.EMPTY_FOLLOW_UPS
    assert raised.alarm.reps == (idle,)
    assert raised.alarm.facts["empty"] == 6


def test_visits_and_words_are_read_from_the_activities(shop: Sales) -> None:
    (rep,) = shop.add_reps(1)
    leads = shop.add_leads(2)
    for lead, north in zip(leads, (48.1, 52.5), strict=True):
        told = Activity(
            event_id=new_id(shop.now),
            kind=ActivityKind.VISIT,
            lead_id=lead,
            rep_id=rep,
            happened_at=shop.now,
            recorded_at=shop.now,
            latitude=north,
            longitude=13.0,
            note="met them",
        )
        with shop.write() as session:
            activities.record_activity(session, told)
        shop.wait(minutes=20)
    assert look(shop) == 1
    with shop.read() as session:
        (raised,) = alarms.list_alarms(session)
    assert "489 km in 20 minutes" in in_words(raised.alarm)


def test_limits_that_make_no_sense_are_named(store: Store, tmp_path: Path) -> None:
    shop = sales(store, tmp_path, settings={"cheating": {"window": 3}})
    with pytest.raises(InvalidInput, match="no setting 'window'"):
        look_for_cheating(shop.context, shop.tenant_id)
