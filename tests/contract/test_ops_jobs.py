"""Jobs: asked for in a transaction, done once, by whoever holds the lease."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from rightrep.domain.ids import TenantId
from rightrep.domain.job import JobState, Lease, backoff
from rightrep.domain.recurrence import next_daily, next_multiple
from rightrep.errors import Conflict, LeaseLost, NotFound
from rightrep.store.engine import Store
from rightrep.store.jobs import (
    cancel_job,
    claim_job,
    enqueue,
    extend_lease,
    fail_job,
    finish_job,
    list_jobs,
    purge_jobs,
    read_job,
    schedule,
)
from rightrep.store.session import WriteSession
from tests.threads import at_once

ACME = TenantId("acme")
OTHER = TenantId("other")
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def asked(store: Store, kind: str = "plan", tenant: TenantId = ACME) -> str:
    with store.write(tenant) as session:
        return enqueue(session, kind, {"policy": "optimal"}, at=NOW).job_id


def claimed(store: Store, worker: str = "first", at: datetime = NOW) -> Lease:
    with store.system() as session:
        lease = claim_job(session, worker=worker, at=at, lease_for=MINUTE)
    assert lease is not None
    return lease


@contextmanager
def losing(store: Store) -> Iterator[WriteSession]:
    """A transaction that must find its lease lost."""
    with pytest.raises(LeaseLost), store.write(ACME) as session:
        yield session


def test_a_job_of_a_transaction_that_fails_does_not_exist(store: Store) -> None:
    def ask_and_fail() -> None:
        with store.write(ACME) as session:
            enqueue(session, "plan", {}, at=NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask_and_fail()

    with store.system() as session:
        lease = claim_job(session, worker="w", at=NOW, lease_for=MINUTE)
    assert lease is None


def test_a_worker_takes_the_job_due_longest_of_any_tenant(store: Store) -> None:
    with store.write(ACME) as session:
        later = enqueue(session, "plan", {}, at=NOW, run_at=NOW + MINUTE).job_id
    first = asked(store, tenant=OTHER)

    assert claimed(store).job_id == first
    with store.system() as session:
        early = claim_job(session, worker="w", at=NOW, lease_for=MINUTE)
    assert early is None
    second = claimed(store, "second", NOW + MINUTE)
    assert (second.tenant_id, second.job_id) in {(ACME, later), (OTHER, first)}


def test_a_worker_takes_only_kinds_it_can_do(store: Store) -> None:
    asked(store, "train")

    with store.system() as session:
        lease = claim_job(
            session, worker="w", at=NOW, lease_for=MINUTE, kinds=["plan", "import"]
        )

    assert lease is None


def test_a_finished_job_shows_its_result(store: Store) -> None:
    job_id = asked(store)
    lease = claimed(store)
    with store.write(ACME) as session:
        extend_lease(
            session, lease, until=NOW + MINUTE, progress=0.5, message="Solving"
        )
    with store.read(ACME) as reading:
        assert read_job(reading, job_id).progress == 0.5

    with store.write(ACME) as session:
        finish_job(session, lease, at=NOW + MINUTE, result={"plan_id": "p"})

    with store.read(ACME) as reading:
        job = read_job(reading, job_id)
    assert (job.state, job.progress, job.message) == (JobState.DONE, 1.0, "Solving")
    assert job.result == {"plan_id": "p"}
    assert job.finished_at == NOW + MINUTE


def test_another_tenant_does_not_see_the_job(store: Store) -> None:
    job_id = asked(store)

    with store.read(OTHER) as session, pytest.raises(NotFound):
        read_job(session, job_id)


def test_a_dead_workers_job_goes_to_the_next_one(store: Store) -> None:
    job_id = asked(store)
    claimed(store)

    second = claimed(store, "second", NOW + 2 * MINUTE)

    assert (second.job_id, second.attempt) == (job_id, 2)


def test_a_living_workers_job_stays_with_it(store: Store) -> None:
    asked(store)
    lease = claimed(store)
    with store.write(ACME) as session:
        extend_lease(session, lease, until=NOW + 5 * MINUTE)

    with store.system() as session:
        other = claim_job(session, worker="w", at=NOW + 2 * MINUTE, lease_for=MINUTE)

    assert other is None


def test_who_lost_the_lease_can_do_nothing_more(store: Store) -> None:
    asked(store)
    slow = claimed(store)
    # Even under the same name: the attempt is the fence.
    quick = claimed(store, "first", NOW + 2 * MINUTE)

    with losing(store) as session:
        enqueue(session, "effect of the slow one", {}, at=NOW)
        finish_job(session, slow, at=NOW)
    with losing(store) as session:
        extend_lease(session, slow, until=NOW + 9 * MINUTE)
    with losing(store) as session:
        fail_job(session, slow, at=NOW, error="It broke.")

    with store.write(ACME) as session:
        finish_job(session, quick, at=NOW + 2 * MINUTE)
    with store.read(ACME) as reading:
        assert [job.kind for job in list_jobs(reading)] == ["plan"]


def test_a_failed_attempt_is_tried_again_later_and_then_no_more(store: Store) -> None:
    with store.write(ACME) as session:
        job_id = enqueue(session, "plan", {}, at=NOW, max_attempts=2).job_id

    lease = claimed(store)
    with store.write(ACME) as session:
        state = fail_job(session, lease, at=NOW, error="No answer.")
    assert state is JobState.QUEUED
    again = NOW + backoff(1)
    with store.system() as system:
        assert claim_job(system, worker="w", at=NOW, lease_for=MINUTE) is None
    lease = claimed(store, at=again)
    with store.write(ACME) as session:
        state = fail_job(session, lease, at=again, error="No answer again.")

    assert state is JobState.FAILED
    with store.read(ACME) as reading:
        job = read_job(reading, job_id)
    assert (job.state, job.error) == (JobState.FAILED, "No answer again.")


def test_a_hopeless_failure_is_not_tried_again(store: Store) -> None:
    asked(store)
    lease = claimed(store)

    with store.write(ACME) as session:
        state = fail_job(session, lease, at=NOW, error="Bad file.", retry=False)

    assert state is JobState.FAILED


def test_a_job_that_kills_its_workers_is_closed_and_says_so(store: Store) -> None:
    with store.write(ACME) as session:
        job_id = enqueue(session, "plan", {}, at=NOW, max_attempts=1).job_id
    claimed(store)

    with store.system() as system:
        lease = claim_job(system, worker="w", at=NOW + 2 * MINUTE, lease_for=MINUTE)

    assert lease is None
    with store.read(ACME) as reading:
        job = read_job(reading, job_id)
    assert job.state is JobState.FAILED
    assert job.error == "The worker died 1 times while doing it."


def test_cancelling_takes_the_job_from_its_worker(store: Store) -> None:
    job_id = asked(store)
    lease = claimed(store)

    with store.write(ACME) as session:
        cancel_job(session, job_id, at=NOW)

    with losing(store) as session:
        finish_job(session, lease, at=NOW)
    with store.write(ACME) as session, pytest.raises(Conflict):
        cancel_job(session, job_id, at=NOW)
    with store.write(ACME) as session, pytest.raises(NotFound):
        cancel_job(session, "none", at=NOW)


def test_an_open_key_is_free_again_when_its_job_is_closed(store: Store) -> None:
    def ask() -> tuple[str, bool]:
        with store.write(ACME) as session:
            return enqueue(session, "train", {}, at=NOW, open_key="one at once")

    first = ask()
    assert ask() == (first[0], False)
    lease = claimed(store)
    assert ask() == (first[0], False)
    with store.write(ACME) as session:
        finish_job(session, lease, at=NOW)

    assert ask()[1]


def test_an_occurrence_is_scheduled_once_however_many_ask(store: Store) -> None:
    night = NOW + timedelta(hours=17)

    def ask() -> bool:
        with store.write(ACME) as session:
            return schedule(session, "train", {}, run_at=night, at=NOW).is_new

    assert ask()
    assert not ask()
    lease = claimed(store, at=night)
    with store.write(ACME) as session:
        finish_job(session, lease, at=night)
    assert not ask()


def test_one_of_many_askers_at_once_creates_the_job(store: Store) -> None:
    start = threading.Barrier(8)
    answers: list[tuple[str, bool]] = []

    def ask() -> None:
        start.wait()
        with store.write(ACME) as session:
            answers.append(enqueue(session, "train", {}, at=NOW, open_key="one"))

    at_once(*[ask] * 8)

    assert sum(is_new for _, is_new in answers) == 1
    assert len({job_id for job_id, _ in answers}) == 1


def test_no_two_workers_at_once_get_the_same_job(store: Store) -> None:
    with store.write(ACME) as session:
        wanted = {enqueue(session, "plan", {}, at=NOW).job_id for _ in range(40)}
    taken: list[str] = []

    def work() -> None:
        name = f"worker {threading.get_ident()}"
        while True:
            with store.system() as session:
                lease = claim_job(session, worker=name, at=NOW, lease_for=MINUTE)
            if lease is None:
                return
            taken.append(lease.job_id)
            with store.write(lease.tenant_id) as session:
                finish_job(session, lease, at=NOW)

    at_once(*[work] * 6)

    assert sorted(taken) == sorted(wanted)


def test_old_closed_jobs_are_removed_and_open_ones_stay(store: Store) -> None:
    asked(store)
    lease = claimed(store)
    with store.write(ACME) as session:
        finish_job(session, lease, at=NOW)
    waiting = asked(store)

    with store.write(ACME) as session:
        removed = purge_jobs(session, before=NOW + MINUTE)

    assert removed == 1
    with store.read(ACME) as reading:
        assert [job.job_id for job in list_jobs(reading)] == [waiting]


def test_jobs_are_listed_by_kind_and_state(store: Store) -> None:
    train, plan = asked(store, "train"), asked(store, "plan")

    with store.read(ACME) as session:
        by_kind = [job.job_id for job in list_jobs(session, kind="train")]
        queued = {job.job_id for job in list_jobs(session, state=JobState.QUEUED)}
        done = list_jobs(session, state=JobState.DONE)

    assert by_kind == [train]
    assert queued == {train, plan}
    assert done == []


def test_a_daily_time_is_kept_when_clocks_change() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    saturday = datetime(2026, 3, 28, 12, tzinfo=UTC)  # clocks go forward that night

    first = next_daily(saturday, time(6), berlin)
    second = next_daily(first, time(6), berlin)
    skipped = next_daily(saturday, time(2, 30), berlin)

    assert first == datetime(2026, 3, 29, 4, tzinfo=UTC)
    assert second == datetime(2026, 3, 30, 4, tzinfo=UTC)
    assert skipped == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_every_process_agrees_on_the_next_multiple() -> None:
    quarter = timedelta(minutes=15)

    assert next_multiple(NOW, quarter) == NOW + quarter
    assert next_multiple(NOW + MINUTE, quarter) == NOW + quarter


def test_waiting_grows_up_to_an_hour() -> None:
    waits = [backoff(attempt) for attempt in range(1, 100)]

    assert waits == sorted(waits)
    assert waits[0] == timedelta(seconds=5)
    assert waits[-1] == timedelta(hours=1)
