"""Jobs done outside requests: claimed with a lease, finished with their effect.

A handler does its long work without a transaction and returns the effect: a function
that writes. Effect and acknowledgement commit together, so that a job whose worker is
killed at any moment is done once in effect, by whoever takes it next.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from rightrep.clock import Clock
from rightrep.domain.ids import TenantId
from rightrep.domain.job import Lease
from rightrep.errors import Conflict, LeaseLost, RightRepError, StoreUnavailable
from rightrep.store import jobs
from rightrep.store.engine import Store
from rightrep.store.session import WriteSession

log = structlog.get_logger()

Effect = Callable[[WriteSession], object]
"""Writes what a job is for; gives the job's result, any JSON value."""


@dataclass(frozen=True, slots=True)
class Task:
    """A claimed job, as its handler sees it.

    Attributes:
        tenant_id: Whose job.
        job_id: Its id.
        args: What was asked.
        report: Tells how far it is: a share in [0, 1] and a sentence.
    """

    tenant_id: TenantId
    job_id: str
    args: Mapping[str, Any]
    report: Callable[[float, str], None]


Handler = Callable[[Task], Effect]


class Worker:
    """Does the jobs of every tenant, one at a time."""

    def __init__(
        self,
        store: Store,
        handlers: Mapping[str, Handler],
        *,
        clock: Clock,
        name: str,
        lease_for: timedelta = timedelta(seconds=60),
    ) -> None:
        """Prepare to work.

        Args:
            store: Where jobs and effects are.
            handlers: What to do, by kind of job; other kinds are left alone.
            clock: The time.
            name: This worker, unique among those alive.
            lease_for: How long a job is kept without a sign of life.
        """
        self._store = store
        self._handlers = handlers
        self._clock = clock
        self._name = name
        self._lease_for = lease_for

    def run(self, stop: threading.Event, *, idle_seconds: float = 0.5) -> None:
        """Work until told to stop; a database that is away is asked again."""
        while not stop.is_set():
            try:
                worked = self.work_once()
            except RightRepError as error:
                log.warning("worker waits", error=type(error).__name__)
                worked = False
            if not worked:
                stop.wait(idle_seconds)

    def work_once(self) -> bool:
        """Do the job that is due longest; False when there is none."""
        with self._store.system() as session:
            lease = jobs.claim_job(
                session,
                worker=self._name,
                at=self._clock.now(),
                lease_for=self._lease_for,
                kinds=list(self._handlers),
            )
        if lease is None:
            return False
        try:
            self._do(lease)
        except LeaseLost:
            log.warning("lease lost", job=lease.job_id)
        except RightRepError as error:
            again = isinstance(error, Conflict | StoreUnavailable)
            self._fail(lease, str(error), retry=again)
        except Exception as error:
            log.exception("job crashed", job=lease.job_id, kind=lease.kind)
            self._fail(lease, f"It broke here ({type(error).__name__}).", retry=True)
        return True

    def _do(self, lease: Lease) -> None:
        with self._alive(lease) as report:
            effect = self._handlers[lease.kind](
                Task(lease.tenant_id, lease.job_id, lease.args, report)
            )
        with self._store.write(lease.tenant_id) as session:
            result = effect(session)
            jobs.finish_job(session, lease, at=self._clock.now(), result=result)

    def _fail(self, lease: Lease, error: str, *, retry: bool) -> None:
        try:
            with self._store.write(lease.tenant_id) as session:
                jobs.fail_job(
                    session, lease, at=self._clock.now(), error=error, retry=retry
                )
        except LeaseLost:
            log.warning("lease lost", job=lease.job_id)

    @contextmanager
    def _alive(self, lease: Lease) -> Iterator[Callable[[float, str], None]]:
        """Keep the lease while the block runs; gives the way to report progress."""
        done = threading.Event()
        said: list[tuple[float, str]] = []

        def report(progress: float, message: str) -> None:
            said.append((progress, message))
            self._extend(lease, progress, message)

        def beat() -> None:
            while not done.wait(self._lease_for.total_seconds() / 3):
                try:
                    self._extend(lease, *(said[-1] if said else (None, None)))
                except RightRepError as error:
                    log.warning("no heartbeat", error=type(error).__name__)

        heart = threading.Thread(target=beat, daemon=True, name="heartbeat")
        heart.start()
        try:
            yield report
        finally:
            done.set()
            heart.join()

    def _extend(
        self, lease: Lease, progress: float | None, message: str | None
    ) -> None:
        with self._store.write(lease.tenant_id) as session:
            jobs.extend_lease(
                session,
                lease,
                until=self._clock.now() + self._lease_for,
                progress=progress,
                message=message,
            )
