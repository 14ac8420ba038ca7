"""Jobs against a model of them in memory, through random histories."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from rightrep.domain.ids import TenantId
from rightrep.domain.job import OPEN, JobState, Lease, backoff
from rightrep.errors import Conflict, LeaseLost
from rightrep.store.engine import Store
from rightrep.store.jobs import (
    cancel_job,
    claim_job,
    enqueue,
    extend_lease,
    fail_job,
    finish_job,
    list_jobs,
)

MINUTE = timedelta(minutes=1)
LEASE_FOR = 2 * MINUTE


@dataclass
class Modelled:
    """A job as it should be."""

    due_at: datetime
    max_attempts: int
    once_key: str | None
    open_key: str | None
    state: JobState = JobState.QUEUED
    attempts: int = 0

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    def has_key(self, once_key: str | None, open_key: str | None) -> bool:
        once = once_key is not None and once_key == self.once_key
        return once or (
            open_key is not None and open_key == self.open_key and self.is_open
        )


class Jobs(RuleBasedStateMachine):
    """Some askers, some workers, some of them too slow, and the clock."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.now = datetime(2026, 3, 2, 9, tzinfo=UTC)
        # A world of its own for each history, in one database.
        self.tenant = TenantId(uuid.uuid4().hex)
        self.kind = f"kind {self.tenant}"
        self.jobs: dict[str, Modelled] = {}
        self.leases: list[Lease] = []

    @rule(
        once_key=st.sampled_from([None, None, "first", "second"]),
        open_key=st.sampled_from([None, None, "one at once"]),
        wait=st.integers(0, 3),
        max_attempts=st.integers(1, 3),
    )
    def ask(
        self, once_key: str | None, open_key: str | None, wait: int, max_attempts: int
    ) -> None:
        run_at = self.now + wait * MINUTE
        with self.store.write(self.tenant) as session:
            asked = enqueue(
                session,
                self.kind,
                {},
                at=self.now,
                run_at=run_at,
                once_key=once_key,
                open_key=open_key,
                max_attempts=max_attempts,
            )
        holders = {k for k, j in self.jobs.items() if j.has_key(once_key, open_key)}
        assert asked.is_new == (not holders)
        if holders:
            assert asked.job_id in holders
            return
        self.jobs[asked.job_id] = Modelled(run_at, max_attempts, once_key, open_key)

    @rule(minutes=st.integers(1, 5))
    def time_passes(self, minutes: int) -> None:
        self.now += minutes * MINUTE

    @rule(worker=st.sampled_from(["ann", "bob"]))
    def claim(self, worker: str) -> None:
        with self.store.system() as session:
            lease = claim_job(
                session,
                worker=worker,
                at=self.now,
                lease_for=LEASE_FOR,
                kinds=[self.kind],
            )
        expected = self._claimed()
        assert (None if lease is None else lease.job_id) == expected
        if lease is not None:
            assert lease.attempt == self.jobs[lease.job_id].attempts
            self.leases.append(lease)

    def _claimed(self) -> str | None:
        due = [
            (job.due_at, job_id)
            for job_id, job in self.jobs.items()
            if job.is_open and job.due_at <= self.now
        ]
        for _, job_id in sorted(due):
            job = self.jobs[job_id]
            if job.attempts >= job.max_attempts:
                job.state = JobState.FAILED
                continue
            job.state, job.due_at = JobState.RUNNING, self.now + LEASE_FOR
            job.attempts += 1
            return job_id
        return None

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), how=st.sampled_from(["finish", "extend", "retry", "give up"]))
    def work(self, data: st.DataObject, how: str) -> None:
        lease = data.draw(st.sampled_from(self.leases))
        job = self.jobs[lease.job_id]
        holds = job.state is JobState.RUNNING and job.attempts == lease.attempt
        try:
            self._work(lease, how)
        except LeaseLost:
            assert not holds
            return
        assert holds
        if how == "extend":
            job.due_at = self.now + LEASE_FOR
        elif how == "finish":
            job.state = JobState.DONE
        elif how == "give up" or job.attempts >= job.max_attempts:
            job.state = JobState.FAILED
        else:
            job.state, job.due_at = JobState.QUEUED, self.now + backoff(lease.attempt)

    def _work(self, lease: Lease, how: str) -> None:
        with self.store.write(self.tenant) as session:
            if how == "finish":
                finish_job(session, lease, at=self.now)
            elif how == "extend":
                extend_lease(session, lease, until=self.now + LEASE_FOR)
            else:
                retry = how == "retry"
                fail_job(session, lease, at=self.now, error="It broke.", retry=retry)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.jobs)))
        was_open = self.jobs[job_id].is_open
        try:
            with self.store.write(self.tenant) as session:
                cancel_job(session, job_id, at=self.now)
        except Conflict:
            assert not was_open
            return
        assert was_open
        self.jobs[job_id].state = JobState.CANCELLED

    @invariant()
    def every_job_is_as_modelled(self) -> None:
        with self.store.read(self.tenant) as session:
            found = {j.job_id: (j.state, j.attempts) for j in list_jobs(session)}
        assert found == {k: (j.state, j.attempts) for k, j in self.jobs.items()}


def test_jobs_behave_as_modelled_through_any_history(store: Store) -> None:
    class OfThisStore(Jobs):
        def __init__(self) -> None:
            super().__init__(store)

    run_state_machine_as_test(
        OfThisStore,
        settings=settings(max_examples=15, stateful_step_count=40, deadline=None),
    )
