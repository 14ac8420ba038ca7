"""Processes killed at random moments under load: is what was acknowledged there, once?

    python -m benchmarks.kills [--quick]

Servers are killed while clients have leads assigned through them; a client that got no
answer asks again with the same key, as a CRM would. Workers are killed while they do
jobs. Afterwards what was acknowledged is compared with what is stored. SQLite and
PostgreSQL; a kill is SIGKILL.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.common import Figure, Row, options, publish
from rightrep.store.engine import Store
from tests.crash.job_kills import kill_workers
from tests.crash.server_kills import kill_servers
from tests.postgres import Postgres, running_postgres
from tests.serving_parts import serve

KILLS, QUICK_KILLS = (20, 80), (2, 6)
"""Of servers and of workers, on each database."""
LEADS, REPS, LIMIT = 2_000, 40, 40
JOBS_PER_KILL = 12


def main(argv: Sequence[str] | None = None) -> int:
    """Kill, print the table, write the JSON."""
    asked = options(__doc__ or "", argv, repetitions=1, quick_repetitions=1)
    servers, workers = QUICK_KILLS if asked.quick else KILLS
    rows: list[Row] = []
    with running_postgres() as postgres:
        for database in ("SQLite", "PostgreSQL"):
            rows.append(_servers(database, postgres, servers))
            rows.append(_workers(database, postgres, workers))
    bad = sum(int(row[name] or 0) for row in rows for name in ("lost", "doubled"))
    bad += sum(int(row["over capacity"] or 0) for row in rows)
    killed = sum(int(row["kills"] or 0) for row in rows)
    return publish(
        Figure(
            name="kills",
            value=bad,
            bar=0,
            holds=bad == 0 and killed >= 2 * (servers + workers),
            rows=rows,
            title=f"{killed} processes killed under load",
            notes=[
                "value: acknowledged and lost, done twice, or over a rep's limit",
                "servers: two, four clients, each lead asked for until it is answered; "
                "a new database when no lead is left",
                "workers: two, jobs whose effect nothing keeps from being there twice",
            ],
        ),
        quick=asked.quick,
    )


def _servers(database: str, postgres: Postgres, kills: int) -> Row:
    total = dict.fromkeys(("acknowledged", "lost", "doubled", "over"), 0)
    killed = rounds = 0
    while killed < kills:
        rounds += 1
        with _store(database, postgres, f"servers{rounds}") as (store, home):
            tally = kill_servers(
                serve(store, home),
                home,
                n_leads=LEADS,
                n_reps=REPS,
                holding_limit=LIMIT,
                kills=kills - killed,
                seed=rounds,
                finish=False,
            )
        killed += tally.kills
        total = {name: total[name] + getattr(tally, name) for name in total}
    over = total.pop("over")
    return {
        "database": database,
        "killed": "servers",
        "kills": killed,
        **total,
        "over capacity": over,
        "done again": None,
    }


def _workers(database: str, postgres: Postgres, kills: int) -> Row:
    with _store(database, postgres, "workers") as (store, _):
        url = store.url.render_as_string(hide_password=False)
        account = kill_workers(url, n_jobs=JOBS_PER_KILL * kills, kills=kills)
    return {
        "database": database,
        "killed": "workers",
        "kills": account.kills,
        "acknowledged": account.acknowledged,
        "lost": account.lost,
        "doubled": account.doubled + account.unasked,
        "over capacity": None,
        "done again": account.retried,
    }


@contextmanager
def _store(
    database: str, postgres: Postgres, name: str
) -> Iterator[tuple[Store, Path]]:
    """An empty database, and a folder for everything else."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        url = f"sqlite:///{home / 'store.db'}"
        if database == "PostgreSQL":
            postgres.create_database(name)
            url = postgres.url(name)
        store = Store(url)
        store.migrate()
        yield store, home
        store.close()


if __name__ == "__main__":
    sys.exit(main())
