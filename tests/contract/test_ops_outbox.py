"""The outbox: what happened is told, at least once, to those who asked."""

import base64
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from rightrep.domain.event import RETRIES, Delivery, DeliveryState, Event
from rightrep.domain.ids import TenantId, new_id
from rightrep.errors import Conflict, NotFound
from rightrep.store.endpoints import (
    add_endpoint,
    disable_endpoint,
    enable_endpoint,
    list_endpoints,
    read_endpoint,
    rotate_secret,
)
from rightrep.store.engine import Store
from rightrep.store.outbox import (
    claim_deliveries,
    emit,
    emit_all,
    list_deliveries,
    mark_delivered,
    mark_failed,
    purge_events,
    replay,
)
from tests.threads import at_once

ACME = TenantId("acme")
OTHER = TenantId("other")
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ASSIGNED = "rightrep.lead.assigned"
DROPPED = "rightrep.lead.dropped"


def added(store: Store, *types: str, tenant: TenantId = ACME) -> str:
    with store.write(tenant) as session:
        new = add_endpoint(session, "https://crm.example/hook", types=types, at=NOW)
    return new.endpoint.endpoint_id


def told(store: Store, type_: str = ASSIGNED, tenant: TenantId = ACME) -> Event:
    with store.write(tenant) as session:
        return emit(session, type_, {"rep_id": "r"}, at=NOW, subject="lead-1")


def claimed(store: Store, at: datetime = NOW, limit: int = 100) -> list[Delivery]:
    with store.system() as session:
        return claim_deliveries(session, at=at, claim_for=MINUTE, limit=limit)


def state(store: Store, endpoint_id: str) -> dict[str, DeliveryState]:
    with store.read(ACME) as session:
        found = list_deliveries(session, endpoint_id)
    return {status.event_id: status.state for status in found}


def test_an_event_of_a_change_that_fails_is_not_told(store: Store) -> None:
    added(store)

    def change_and_fail() -> None:
        with store.write(ACME) as session:
            emit(session, ASSIGNED, {}, at=NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change_and_fail()

    assert claimed(store) == []


def test_an_event_goes_to_every_endpoint_of_its_tenant_that_wants_it(
    store: Store,
) -> None:
    every, drops = added(store), added(store, DROPPED)
    added(store, tenant=OTHER)

    event = told(store)

    found = claimed(store)
    assert [(d.endpoint_id, d.event, d.attempt) for d in found] == [(every, event, 1)]
    assert found[0].url == "https://crm.example/hook"
    assert state(store, drops) == {}
    told(store, DROPPED)
    assert {d.endpoint_id for d in claimed(store)} == {every, drops}


def test_an_event_is_written_as_cloudevents_writes_it(store: Store) -> None:
    added(store)
    event = told(store)

    assert claimed(store)[0].event.envelope() == {
        "specversion": "1.0",
        "id": event.event_id,
        "source": "/rightrep",
        "type": "rightrep.lead.assigned",
        "subject": "lead-1",
        "time": "2026-03-02T09:00:00Z",
        "datacontenttype": "application/json",
        "data": {"rep_id": "r"},
    }


def test_what_arrived_is_not_sent_again(store: Store) -> None:
    endpoint = added(store)
    event = told(store)
    [delivery] = claimed(store)

    with store.write(ACME) as session:
        mark_delivered(session, delivery, at=NOW, answer=204)

    assert claimed(store, NOW + timedelta(days=30)) == []
    with store.read(ACME) as session:
        [status] = list_deliveries(session, endpoint, state=DeliveryState.DELIVERED)
        assert list_deliveries(session, endpoint, state=DeliveryState.DEAD) == []
    assert (status.event_id, status.type) == (event.event_id, ASSIGNED)
    assert (status.answer, status.delivered_at, status.attempts) == (204, NOW, 1)


def test_a_dead_senders_claim_runs_out(store: Store) -> None:
    added(store)
    event = told(store)
    claimed(store)

    assert claimed(store, NOW + MINUTE / 2) == []
    [second] = claimed(store, NOW + MINUTE)
    assert (second.event, second.attempt) == (event, 2)


def test_a_failure_is_retried_on_schedule_and_dies_in_the_end(store: Store) -> None:
    endpoint = added(store)
    event = told(store)
    at = NOW

    for wait in (*RETRIES, None):
        [delivery] = claimed(store, at)
        with store.write(ACME) as session:
            after = mark_failed(session, delivery, at=at, error="Said no.", answer=500)
        assert after == (DeliveryState.OPEN if wait else DeliveryState.DEAD)
        if wait:
            assert claimed(store, at + wait - timedelta(seconds=1)) == []
            at += wait

    assert claimed(store, at + timedelta(days=30)) == []
    with store.read(ACME) as session:
        [status] = list_deliveries(session, endpoint)
    assert (status.state, status.answer, status.error) == (
        DeliveryState.DEAD,
        500,
        "Said no.",
    )
    assert status.event_id == event.event_id


def test_a_late_failure_does_not_undo_a_success(store: Store) -> None:
    endpoint = added(store)
    event = told(store)
    [slow] = claimed(store)
    [quick] = claimed(store, NOW + MINUTE)

    with store.write(ACME) as session:
        mark_failed(session, slow, at=NOW + MINUTE, error="Timed out.")
    with store.write(ACME) as session:
        mark_delivered(session, quick, at=NOW + MINUTE, answer=200)
    with store.write(ACME) as session:
        mark_failed(session, quick, at=NOW + MINUTE, error="Twice?")

    assert state(store, endpoint) == {event.event_id: DeliveryState.DELIVERED}


def test_a_replay_sends_what_happened_in_between_again(store: Store) -> None:
    with store.write(ACME) as session:
        events = [
            emit(session, type_, {}, at=NOW + k * MINUTE)
            for k, type_ in enumerate((ASSIGNED, ASSIGNED, DROPPED, ASSIGNED))
        ]
    endpoint = added(store, ASSIGNED)  # only now: nothing is due yet
    assert claimed(store) == []

    def again() -> int:
        with store.write(ACME) as session:
            return replay(
                session, endpoint, since=NOW + MINUTE, until=NOW + 3 * MINUTE, at=NOW
            )

    assert again() == 1
    [delivery] = claimed(store)
    assert delivery.event == events[1]
    with store.write(ACME) as session:
        mark_delivered(session, delivery, at=NOW, answer=200)
    assert again() == 1
    with store.write(ACME) as session:
        mark_delivered(session, delivery, at=NOW, answer=200)  # an old answer
    assert [d.event for d in claimed(store)] == [events[1]]


def test_a_replay_with_nothing_to_send_sends_nothing(store: Store) -> None:
    endpoint = added(store)

    with store.write(ACME) as session:
        assert replay(session, endpoint, since=NOW, until=NOW + MINUTE, at=NOW) == 0


def test_a_disabled_endpoint_is_left_alone_until_it_is_enabled(store: Store) -> None:
    endpoint = added(store)
    event = told(store)

    with store.write(ACME) as session:
        disable_endpoint(session, endpoint, at=NOW, because="It answered 410.")
    told(store)

    assert claimed(store) == []
    assert state(store, endpoint) == {event.event_id: DeliveryState.DEAD}
    with store.write(ACME) as session, pytest.raises(Conflict):
        replay(session, endpoint, since=NOW, until=NOW + MINUTE, at=NOW)
    with store.write(ACME) as session:
        enable_endpoint(session, endpoint)
        assert replay(session, endpoint, since=NOW, until=NOW + MINUTE, at=NOW) == 2
    assert len(claimed(store)) == 2


def test_endpoints_are_their_tenants_own(store: Store) -> None:
    endpoint = added(store, ASSIGNED)

    with store.read(ACME) as session:
        [found] = list_endpoints(session)
        assert found == read_endpoint(session, endpoint)
    assert (found.types, found.disabled_at) == ((ASSIGNED,), None)
    with store.read(OTHER) as session, pytest.raises(NotFound):
        read_endpoint(session, endpoint)
    with store.write(OTHER) as session, pytest.raises(NotFound):
        rotate_secret(session, endpoint, at=NOW, overlap=MINUTE)


def test_receivers_can_change_secrets_without_missing_an_event(store: Store) -> None:
    with store.write(ACME) as session:
        endpoint, old = add_endpoint(session, "https://crm.example/hook", at=NOW)
    with store.write(ACME) as session:
        new = rotate_secret(session, endpoint.endpoint_id, at=NOW, overlap=MINUTE)
    told(store)

    assert len(base64.b64decode(new.removeprefix("whsec_"))) == 32
    [during] = claimed(store, NOW + MINUTE / 2)
    assert during.secrets == (new, old)
    for secret in during.secrets:
        signed = Webhook(secret).sign("msg", NOW, "{}")
        assert signed.startswith("v1,")
    [after] = claimed(store, NOW + 2 * MINUTE)
    assert after.secrets == (new,)


def test_senders_at_once_do_not_send_the_same_delivery(store: Store) -> None:
    added(store)
    with store.write(ACME) as session:
        events = [
            Event(event_id=new_id(NOW), type=ASSIGNED, subject=None, time=NOW, data={})
            for _ in range(60)
        ]
        emit_all(session, events, at=NOW)
        emit_all(session, [], at=NOW)
    sent: list[str] = []

    def send() -> None:
        while taken := claimed(store, limit=7):
            sent.extend(delivery.event.event_id for delivery in taken)

    at_once(*[send] * 4)

    assert Counter(sent) == Counter(event.event_id for event in events)


def test_old_events_go_but_not_those_somebody_waits_for(store: Store) -> None:
    told(store, tenant=OTHER)
    first = told(store)  # nobody wants it
    endpoint = added(store)
    arrived, waiting = told(store), told(store)
    delivery = next(d for d in claimed(store) if d.event == arrived)
    with store.write(ACME) as session:
        mark_delivered(session, delivery, at=NOW, answer=200)

    with store.write(ACME) as session:
        assert purge_events(session, before=NOW) == 0
        assert purge_events(session, before=NOW + MINUTE) == 2

    assert state(store, endpoint) == {waiting.event_id: DeliveryState.OPEN}
    with store.write(ACME) as session:
        left = replay(session, endpoint, since=NOW, until=NOW + MINUTE, at=NOW)
    assert left == 1
    assert first.event_id not in state(store, endpoint)
