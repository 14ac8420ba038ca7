"""One recycling run over 1,000,000 owned leads: how long, and how long anyone waits.

    python -m benchmarks.recycle [--quick]

Leads, owners and follow-ups are written by the database driver, from a fixed seed; one
lead in fifty is due, one in fifty drops within the next days. While the clock strikes,
a rep of another process would wait for the longest of its transactions at most.
"""

import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.common import Figure, Row, options, publish
from rightrep.clock import FixedClock
from rightrep.domain.ids import LeadId, RepId, TenantId, new_ids
from rightrep.domain.pools import Pool
from rightrep.domain.rep import Rep
from rightrep.domain.tenant import Tenant
from rightrep.settings import Settings
from rightrep.store.engine import Store
from rightrep.store.pools import save_pool
from rightrep.store.reps import upsert_reps
from rightrep.store.session import WriteSession
from rightrep.store.tenants import create_tenant
from rightrep.store.types import to_micros
from serving.usecases.context import Context
from serving.usecases.pool_recycling import Recycled, recycle

FULL_LEADS, QUICK_LEADS = 1_000_000, 20_000
N_REPS = 1_000
TENANT = TenantId("bench")
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAYS = 30
ROWS_AT_ONCE = 50_000


Values = tuple[str | int, ...]


class Timed(Store):
    """A store that notes how long its write transactions last."""

    seconds: list[float]

    @contextmanager
    def write(self, tenant_id: TenantId) -> Iterator[WriteSession]:
        """One transaction, timed."""
        with super().write(tenant_id) as session:
            start = time.perf_counter()
            yield session
        self.seconds.append(time.perf_counter() - start)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the JSON."""
    asked = options(__doc__ or "", argv, repetitions=1, quick_repetitions=1)
    n_leads = QUICK_LEADS if asked.quick else FULL_LEADS
    with tempfile.TemporaryDirectory() as name:
        context = prepare(Path(name), n_leads)
        rows = [_timed("first", context), _timed("again", context)]
    seconds = float(str(rows[0]["seconds"]))
    return publish(
        Figure(
            name="recycle",
            value=seconds,
            bar=None,
            holds=None,
            rows=rows,
            title=f"Recycling {n_leads:,} owned leads of {N_REPS:,} reps, SQLite",
            notes=[
                "value: seconds of the first run; the second finds what is due gone",
                "longest transaction: so long another writer waits at most",
            ],
            extra={"unit": "s", "leads_per_second": n_leads / seconds},
        ),
        quick=asked.quick,
    )


def prepare(home: Path, n_leads: int) -> Context:
    """A tenant whose leads all have owners.

    Args:
        home: An empty folder.
        n_leads: How many leads.
    """
    url = f"sqlite:///{home / 'store.db'}"
    store = Timed(url)
    store.seconds = []
    store.migrate()
    tenant = Tenant(tenant_id=TENANT, created_at=NOW, name="b", time_zone="Asia/Tokyo")
    create_tenant(store, tenant)
    pool = Pool.of("common", {"protection": {"follow_up_days": DAYS}})
    long_ago = NOW - timedelta(days=400)
    reps = [RepId(one) for one in sorted(new_ids(long_ago, N_REPS))]
    told = [Rep(rep_id=rep, name="r", created_at=long_ago) for rep in reps]
    with store.write(TENANT) as session:
        save_pool(session, pool, actor="bench", reason="", at=long_ago)
        upsert_reps(session, told, at=long_ago)
    _fill(home / "store.db", n_leads, reps)
    parts = Settings(home=home, tenant=str(TENANT))
    return Context(parts, store, FixedClock(NOW))


def _fill(path: Path, n_leads: int, reps: Sequence[RepId]) -> None:
    """Leads, versions, owners, their events, and a follow-up of most of them."""
    rng = np.random.default_rng(0)
    ids = [LeadId(one) for one in new_ids(NOW - timedelta(days=400), n_leads)]
    owner = rng.integers(len(reps), size=n_leads)
    # Follow-ups are younger than the protection, but for one lead in fifty.
    age = rng.uniform(0.0, DAYS - 5.0, n_leads)
    kind = rng.integers(50, size=n_leads)
    age[kind == 0] = DAYS + 2.0
    age[kind == 1] = DAYS - 1.0
    born, received = to_micros(NOW - timedelta(days=400)), NOW - timedelta(days=200)
    since = to_micros(received)
    database = sqlite3.connect(path)
    database.execute("pragma synchronous=off")
    for start in range(0, n_leads, ROWS_AT_ONCE):
        some = range(start, min(start + ROWS_AT_ONCE, n_leads))
        at = [to_micros(NOW - timedelta(days=float(age[k]))) for k in some]
        mine = [(ids[k], reps[owner[k]]) for k in some]
        _insert(database, "leads", "lead_id created_at", [(ids[k], born) for k in some])
        _insert(
            database,
            "lead_versions",
            "lead_id valid_from recorded_at digest stage grade attributes",
            [(ids[k], born, born, "", "new", "ABC"[k % 3], "{}") for k in some],
        )
        _insert(
            database,
            "ownership",
            "lead_id owner holding since revision",
            [(lead, rep, 1, since, 1) for lead, rep in mine],
        )
        _insert(
            database,
            "ownership_events",
            "event_id lead_id revision kind owner holding cause actor happened_at",
            [
                (lead, lead, 1, "assigned", rep, 1, "request", "bench", since)
                for lead, rep in mine
            ],
        )
        _insert(
            database,
            "activities",
            "event_id digest kind lead_id rep_id happened_at recorded_at",
            [
                (lead, "", "call", lead, rep, when, when)
                for (lead, rep), when in zip(mine, at, strict=True)
            ],
        )
        database.commit()
    held = np.bincount(owner, minlength=len(reps))
    database.executemany(
        "update rep_load set held = ? where tenant_id = ? and rep_id = ?",
        [(int(n), TENANT, rep) for n, rep in zip(held, reps, strict=True)],
    )
    database.commit()
    database.close()


def _insert(
    database: sqlite3.Connection, table: str, columns: str, rows: Sequence[Values]
) -> None:
    names = ["tenant_id", *columns.split()]
    marks = ", ".join("?" * len(names))
    statement = f"insert into {table} ({', '.join(names)}) values ({marks})"
    database.executemany(statement, [(TENANT, *row) for row in rows])


def _timed(which: str, context: Context) -> Row:
    store = context.store
    assert isinstance(store, Timed)
    store.seconds = []
    start = time.perf_counter()
    done: Recycled = recycle(context, TENANT, actor="bench")
    seconds = time.perf_counter() - start
    return {
        "run": which,
        "looked at": done.looked_at,
        "dropped": done.dropped,
        "warned": done.warned,
        "seconds": seconds,
        "leads per second": done.looked_at / seconds,
        "transactions": len(store.seconds),
        "longest transaction, s": max(store.seconds, default=0.0),
    }


if __name__ == "__main__":
    sys.exit(main())
