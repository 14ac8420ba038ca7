"""Idempotency keys: sent twice, done once, answered the same."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from rightrep.domain.ids import TenantId
from rightrep.errors import InvalidInput, KeyInUse, KeyReused
from rightrep.store.engine import Store
from rightrep.store.guard import of_tenant
from rightrep.store.idempotency import (
    KEPT_FOR,
    Answer,
    answer_once,
    purge_answers,
    stored_answer,
)
from rightrep.store.jobs import enqueue
from rightrep.store.schema_ops import jobs
from rightrep.store.session import WriteSession
from tests.threads import at_once

ACME = TenantId("acme")
OTHER = TenantId("other")
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
BODY = b'{"decision_id":"d","bytes":"\xe4\xb8\xad"}'


def assigned(session: WriteSession) -> Answer:
    """An effect that can be counted."""
    enqueue(session, "effect", {}, at=NOW)
    return Answer(status=201, body=BODY, headers={"Location": "/v1/decisions/d"})


def sent(
    store: Store,
    *,
    key: str = "k",
    body_hash: str = "h",
    at: datetime = NOW,
    tenant: TenantId = ACME,
    effect: Callable[[WriteSession], Answer] = assigned,
) -> Answer:
    with store.write(tenant) as session:
        return answer_once(session, key, body_hash, lambda: effect(session), at=at)


def n_effects(store: Store, tenant: TenantId = ACME) -> int:
    with store.read(tenant) as session:
        query = select(func.count()).select_from(jobs).where(of_tenant(jobs))
        return int(session.execute(query).scalar_one())


def test_a_request_sent_twice_has_one_effect_and_the_same_answer(store: Store) -> None:
    first, second = sent(store), sent(store)

    assert n_effects(store) == 1
    assert (first.is_replayed, second.is_replayed) == (False, True)
    assert (second.status, second.body) == (first.status, first.body) == (201, BODY)
    assert second.headers == {"Location": "/v1/decisions/d"}


def test_another_body_under_the_same_key_is_refused(store: Store) -> None:
    sent(store)

    with pytest.raises(KeyReused):
        sent(store, body_hash="another")
    assert n_effects(store) == 1


def test_a_stored_answer_is_found_before_doing_the_work(store: Store) -> None:
    sent(store)

    with store.read(ACME) as session:
        found = stored_answer(session, "k", "h", at=NOW)
        assert stored_answer(session, "another", "h", at=NOW) is None
        assert stored_answer(session, "k", "h", at=NOW + KEPT_FOR) is None
        with pytest.raises(KeyReused):
            stored_answer(session, "k", "another", at=NOW)
    assert found is not None
    assert (found.status, found.body, found.is_replayed) == (201, BODY, True)


def test_tenants_do_not_share_keys(store: Store) -> None:
    sent(store)

    assert not sent(store, tenant=OTHER, body_hash="another").is_replayed
    assert n_effects(store, OTHER) == 1


def test_a_refusal_is_stored_and_its_writes_are_undone(store: Store) -> None:
    def write_and_refuse(session: WriteSession) -> None:
        with session.savepoint():
            enqueue(session, "effect", {}, at=NOW)
            raise InvalidInput("No such rep.")

    def refuse(session: WriteSession) -> Answer:
        try:
            write_and_refuse(session)
        except InvalidInput as error:
            return Answer(status=422, body=str(error).encode())
        raise AssertionError

    sent(store, effect=refuse)
    again = sent(store)

    assert (again.status, again.body, again.is_replayed) == (422, b"No such rep.", True)
    assert n_effects(store) == 0


def test_a_crash_frees_the_key(store: Store) -> None:
    def crash(session: WriteSession) -> Answer:
        assigned(session)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        sent(store, effect=crash)

    assert not sent(store).is_replayed
    assert n_effects(store) == 1


def test_a_key_is_free_again_after_a_day(store: Store) -> None:
    sent(store)

    assert sent(store, at=NOW + KEPT_FOR - timedelta(seconds=1)).is_replayed
    late = sent(store, at=NOW + KEPT_FOR, body_hash="another")
    assert not late.is_replayed
    assert sent(store, at=NOW + KEPT_FOR, body_hash="another").is_replayed


def test_expired_answers_are_removed(store: Store) -> None:
    sent(store, key="old")
    sent(store, key="young", at=NOW + timedelta(hours=1))

    with store.write(ACME) as session:
        removed = purge_answers(session, at=NOW + KEPT_FOR)

    assert removed == 1
    assert not sent(store, key="old").is_replayed
    assert sent(store, key="young").is_replayed


def test_sixteen_twins_at_once_have_one_effect_each_key(store: Store) -> None:
    start = threading.Barrier(16)
    answers: list[tuple[str, Answer]] = []

    def send() -> None:
        start.wait()
        for number in range(5):
            key = f"key {number}"
            answers.append((key, sent(store, key=key)))

    at_once(*[send] * 16)

    assert n_effects(store) == 5
    assert len(answers) == 80
    assert sum(not answer.is_replayed for _, answer in answers) == 5
    assert {(answer.status, answer.body) for _, answer in answers} == {(201, BODY)}


def test_a_twin_takes_the_place_of_a_first_that_is_undone(store: Store) -> None:
    inside, go_on = threading.Event(), threading.Event()
    answers: list[Answer] = []

    def crash(session: WriteSession) -> Answer:
        assigned(session)
        inside.set()
        go_on.wait(30)
        raise ZeroDivisionError

    def first() -> None:
        with pytest.raises(ZeroDivisionError):
            sent(store, effect=crash)

    def twin() -> None:
        inside.wait(30)
        threading.Timer(0.3, go_on.set).start()
        answers.append(sent(store))

    at_once(first, twin)

    assert [answer.is_replayed for answer in answers] == [False]
    assert n_effects(store) == 1


def test_a_twin_waits_only_so_long(store: Store) -> None:
    if store.url.get_backend_name() == "sqlite":
        pytest.skip("On SQLite writers wait before their transaction begins.")
    inside, go_on = threading.Event(), threading.Event()

    def wait(session: WriteSession) -> Answer:
        inside.set()
        go_on.wait(30)
        return assigned(session)

    def impatient() -> None:
        inside.wait(30)
        with store.write(ACME) as session:
            with pytest.raises(KeyInUse) as refused:
                answer_once(
                    session,
                    "k",
                    "h",
                    lambda: assigned(session),
                    at=NOW,
                    patience=timedelta(milliseconds=100),
                )
            assert refused.value.retry_after_seconds == 1
            # The transaction goes on: the refusal can be logged in it.
            enqueue(session, "note of the refusal", {}, at=NOW)
        go_on.set()

    at_once(lambda: sent(store, effect=wait), impatient)

    assert n_effects(store) == 2
    assert sent(store).is_replayed
