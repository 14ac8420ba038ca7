"""Workers that are killed -9 in a loop, and an account of what became of their jobs.

Each job's effect is one row. A lost job has no row, a doubled one has two: nothing in
the effects' table keeps the second row out.
"""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess

from sqlalchemy import Column, Integer, MetaData, Table, func, insert, select

from rightrep.clock import SystemClock
from rightrep.domain.ids import TenantId
from rightrep.domain.job import Lease
from rightrep.errors import LeaseLost
from rightrep.store.engine import Store
from rightrep.store.guard import of_tenant
from rightrep.store.jobs import claim_job, enqueue, extend_lease, finish_job
from rightrep.store.schema_ops import jobs
from rightrep.store.types import Key

TENANT = TenantId("acme")
LEASE = timedelta(milliseconds=300)
POLL_SECONDS = 0.005
SLOW_SHARE = 0.03
PATIENCE_SECONDS = 120.0

effects = Table(
    "killed_job_effects",
    MetaData(),
    Column("tenant_id", Key(), nullable=False),
    Column("job_id", Key(), nullable=False),
    Column("attempt", Integer, nullable=False),
)


@dataclass(frozen=True, kw_only=True)
class Account:
    """What became of the jobs.

    Attributes:
        acknowledged: Jobs whose transaction committed.
        lost: Of these, how many left no effect.
        doubled: How many left more than one.
        unasked: Effects of jobs that nobody acknowledged.
        retried: Jobs that took more than one attempt.
        kills: Workers killed.
    """

    acknowledged: int
    lost: int
    doubled: int
    unasked: int
    retried: int
    kills: int


def kill_workers(
    url: str, *, n_jobs: int, kills: int, workers: int = 2, seed: int = 0
) -> Account:
    """Have workers do jobs, kill them at random moments, and count.

    Args:
        url: A migrated, empty database.
        n_jobs: Jobs to ask for, some before each kill.
        kills: How many workers to kill.
        workers: Workers alive at once.
        seed: Of the moments and of whom.
    """
    chance = random.Random(seed)
    store = Store(url)
    with store.connection() as connection:
        effects.metadata.create_all(connection)
    with _crew(url, workers) as crew:
        asked = _ask(store, n_jobs - n_jobs // 2)
        for kill in range(kills):
            asked |= _ask(store, _part(n_jobs // 2, kill, kills))
            time.sleep(chance.uniform(0.0, 0.2))
            victim = chance.randrange(workers)
            crew[victim].kill()
            crew[victim].join()
            crew[victim] = _start(url, f"worker {kill}")
        _wait_until_done(store)
    account = _count(store, asked, kills)
    store.close()
    return account


def work(url: str, name: str) -> None:
    """Do jobs for ever, as a worker process does; now and then too slowly."""
    store, chance = Store(url), random.Random(name)
    while True:
        now = SystemClock().now()
        with store.system() as session:
            lease = claim_job(session, worker=name, at=now, lease_for=LEASE)
        if lease is None:
            time.sleep(POLL_SECONDS)
            continue
        is_slow = chance.random() < SLOW_SHARE
        with suppress(LeaseLost):
            _do(store, lease, seconds=1.5 * LEASE.total_seconds() if is_slow else 0.0)


def _do(store: Store, lease: Lease, *, seconds: float) -> None:
    with store.write(lease.tenant_id) as session:
        until = SystemClock().now() + LEASE
        extend_lease(session, lease, until=until, progress=0.5)
    time.sleep(seconds)
    with store.write(lease.tenant_id) as session:
        row = {"job_id": lease.job_id, "attempt": lease.attempt}
        session.execute(insert(effects), row)
        time.sleep(POLL_SECONDS)
        finish_job(session, lease, at=SystemClock().now())


@contextmanager
def _crew(url: str, workers: int) -> Iterator[list[ForkServerProcess]]:
    crew = [_start(url, f"first {k}") for k in range(workers)]
    try:
        yield crew
    finally:
        for process in crew:
            process.kill()
            process.join()


def _start(url: str, name: str) -> ForkServerProcess:
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=work, args=(url, name), daemon=True)
    process.start()
    return process


def _part(total: int, k: int, parts: int) -> int:
    return total * (k + 1) // parts - total * k // parts


def _ask(store: Store, count: int) -> set[str]:
    asked = set()
    for _ in range(count):
        now = SystemClock().now()
        with store.write(TENANT) as session:
            job_id = enqueue(session, "effect", {}, at=now, max_attempts=1000).job_id
        asked.add(job_id)
    return asked


def _wait_until_done(store: Store) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    still_open = select(func.count()).where(of_tenant(jobs), jobs.c.due_at.is_not(None))
    while time.monotonic() < deadline:
        with store.read(TENANT) as session:
            if session.execute(still_open).scalar_one() == 0:
                return
        time.sleep(0.05)


def _count(store: Store, asked: set[str], kills: int) -> Account:
    with store.read(TENANT) as session:
        found = (
            session.execute(select(effects.c.job_id).where(of_tenant(effects)))
            .scalars()
            .all()
        )
        more = select(func.count()).where(of_tenant(jobs), jobs.c.attempts > 1)
        retried = session.execute(more).scalar_one()
    return Account(
        acknowledged=len(asked),
        lost=len(asked - set(found)),
        doubled=len(found) - len(set(found)),
        unasked=len(set(found) - asked),
        retried=retried,
        kills=kills,
    )
