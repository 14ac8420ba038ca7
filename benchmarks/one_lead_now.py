"""One lead now over HTTP: a decision written durably, against a constant.

A market of 500 reps behind one server process, a champion of 500 trees, prices in
force. 1, 8 and 32 clients ask for the next best rep of leads that nobody has, each with
its own connection; the same app answering a constant (``/healthz``, which looks at
nothing) is asked in turns with it. SQLite with ``synchronous=FULL``, PostgreSQL with
its defaults: what was answered is on disk.
"""

import http.client
import json
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
from sqlalchemy import create_engine, insert, select

from benchmarks.common import Figure, Row, options, publish
from benchmarks.served_market import TENANT, ServedMarket, served_market
from experiments.simulate import ZONE, MarketSettings
from features.history import History
from rightrep.clock import SystemClock
from rightrep.domain.ids import TenantId
from rightrep.domain.roles import Role
from rightrep.store import bulk, models
from rightrep.store.engine import Store
from rightrep.store.metadata import metadata
from serving.usecases.context import Context
from serving.usecases.keeping import keep_plan
from serving.usecases.planning import PlanRequest, make_plan
from serving.usecases.tenancy import new_key
from tests.postgres import running_postgres
from tests.servers import running
from training.boosting import Rows, Trees, fit_booster
from training.model_file import load_model, save_model
from training.rows import training_rows

BAR = 1 / 3
CLIENTS = (1, 8, 32)
WARMING = 20
"""Requests before the clock runs: caches fill, connections open."""
SLICES = 4
"""Turns that decisions and constants take within one measurement."""


@dataclass(frozen=True)
class Size:
    """How much work a run is.

    Attributes:
        n_leads: Leads of the market.
        n_reps: Reps.
        n_trees: Trees of the champion.
        requests: Decisions per line of the table.
    """

    n_leads: int
    n_reps: int
    n_trees: int
    requests: int


FULL = Size(n_leads=16_000, n_reps=500, n_trees=500, requests=480)
QUICK = Size(n_leads=2_000, n_reps=60, n_trees=200, requests=40)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the market from both databases and ask."""
    asked = options(__doc__ or "", argv, repetitions=1, quick_repetitions=1)
    size = QUICK if asked.quick else FULL
    rows: list[Row] = []
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    settings = MarketSettings(
        n_leads=size.n_leads, n_reps=size.n_reps, end=end, backlog_share=0.3
    )
    with served_market(settings) as served:
        _grow(served, size.n_trees)
        context = Context(served.context.settings, served.context.store, SystemClock())
        _price(context)
        key = new_key(context, TENANT, Role.SERVICE, "benchmark").secret
        url = context.store.url.render_as_string(hide_password=False)
        with _postgres_copy(url) as copy:
            for name, database in (("SQLite", url), ("PostgreSQL", copy)):
                rows += _ask(name, database, served, key, size)
    worst = min(float(str(row["of constant"])) for row in rows)
    figure = Figure(
        name="one_lead_now",
        value=round(worst, 4),
        bar=BAR,
        holds=worst >= BAR,
        rows=rows,
        title=(
            f"One lead now over HTTP: {size.n_reps} reps, {size.n_trees} trees, "
            "decision on disk"
        ),
        notes=(
            "one server process; clients in another, one connection each",
            "the constant is the same app's /healthz, asked in turns",
            "every decision was answered 200 and names a rep",
            "who waits is answered together, so more clients wait for fewer commits",
            "a lone lead takes 24 statements and a wait for the disk; its facts made "
            "into columns and scored are two fifths of its processor time, statements "
            "a third",
        ),
        extra={"unit": "decisions per second over constants per second, worst line"},
    )
    return publish(figure, quick=asked.quick)


def _grow(served: ServedMarket, n_trees: int) -> None:
    """Put a champion with so many trees over leads and reps in the trained one's place.

    Trees are not stopped where they no longer help: this is about time, not chances.
    """
    context, at = served.context, served.context.clock.now()
    with context.store.read(TENANT) as session:
        champion = models.champion(session)
        history = History.of(bulk.read_history(session, recorded_until=at))
    assert champion is not None
    model = load_model(context.settings.models / TENANT / f"{champion.sha256[:16]}.zip")
    rows = training_rows(history, pd.Timestamp(at), label_window_days=None, zone=ZONE)
    labels = rows.labels
    booster = fit_booster(
        Rows(columns=rows.columns, won=labels.won, weight=labels.weight),
        rows.contract.columns,
        Trees(n_trees=n_trees, n_leaves=31, min_rows=20, column_share=0.5),
    )
    model.set_parts(model.lead_, replace(model.pair_, booster=booster))
    path = context.settings.models / TENANT / "grown.zip"
    sha256 = save_model(model, path)
    grown = replace(champion, version="grown", path=str(path), sha256=sha256)
    with context.store.write(TENANT) as session:
        models.publish_model(session, grown)
        models.promote(session, "grown", actor="benchmark", reason="figure", at=at)


def _price(context: Context) -> None:
    """A preview, so that prices are in force."""
    made = make_plan(context, TENANT, PlanRequest(policy="optimal", actor="benchmark"))
    with context.store.write(TENANT) as session:
        keep_plan(session, made)


@contextmanager
def _postgres_copy(url: str) -> Iterator[str]:
    """The same rows in a PostgreSQL of its own."""
    with running_postgres(durable=True) as server:
        server.create_database("market")
        copy = server.url("market")
        store = Store(copy)
        store.migrate()
        source, target = create_engine(url), create_engine(copy)
        with source.connect() as old, target.begin() as new:
            for table in metadata.sorted_tables:
                found = old.execute(select(table)).mappings()
                while rows := found.fetchmany(5_000):
                    new.execute(insert(table), [dict(row) for row in rows])
            # As its autovacuum does within minutes of so many rows.
            new.exec_driver_sql("analyze")
        source.dispose()
        target.dispose()
        store.close()
        yield copy


def _ask(
    name: str, url: str, served: ServedMarket, key: str, size: Size
) -> Iterator[Row]:
    """One line per number of clients."""
    leads = _open_leads(url)
    with running(url, served.home, tenant=TENANT) as servers:
        where = servers[0].url
        _load(where, key, [leads.pop() for _ in range(WARMING)], 1)
        for clients in CLIENTS:
            ours, constant = _Tally(), _Tally()
            for _ in range(SLICES):
                some = [leads.pop() for _ in range(size.requests // SLICES)]
                ours.add(_load(where, key, some, clients))
                constant.add(_load(where, key, [None] * len(some), clients))
            yield {
                "database": name,
                "clients": clients,
                "p50 ms": ours.quantile(0.5),
                "p99 ms": ours.quantile(0.99),
                "per second": ours.per_second,
                "constant p50": constant.quantile(0.5),
                "constant p99": constant.quantile(0.99),
                "constant per s": constant.per_second,
                "p50 over": ours.quantile(0.5) / constant.quantile(0.5),
                "p99 over": ours.quantile(0.99) / constant.quantile(0.99),
                "of constant": ours.per_second / constant.per_second,
            }


class _Tally:
    """Times of requests, over slices."""

    def __init__(self) -> None:
        self._milliseconds: list[float] = []
        self._seconds = 0.0

    def add(self, measured: tuple[list[float], float]) -> None:
        """One slice: milliseconds of each request, and its length in seconds."""
        self._milliseconds += measured[0]
        self._seconds += measured[1]

    def quantile(self, share: float) -> float:
        """Milliseconds that this share of the requests stayed below."""
        return float(np.quantile(self._milliseconds, share))

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return len(self._milliseconds) / self._seconds


def _load(
    url: str, key: str, leads: Sequence[str | None], clients: int
) -> tuple[list[float], float]:
    """Send requests from several clients at once, each when its last was answered.

    Args:
        url: Where the server listens.
        key: The API key.
        leads: A lead for each request; None asks for the constant.
        clients: Connections.

    Returns:
        Milliseconds of each request, and seconds of all.
    """
    waiting, took = list(leads), []
    failed: list[BaseException] = []
    lock = threading.Lock()

    def client() -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
        try:
            while True:
                with lock:
                    if not waiting or failed:
                        return
                    lead = waiting.pop()
                begun = time.perf_counter()
                _request(connection, key, lead)
                took.append(1e3 * (time.perf_counter() - begun))
        except (OSError, AssertionError, http.client.HTTPException) as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return took, time.perf_counter() - begun


def _request(
    connection: http.client.HTTPConnection, key: str, lead: str | None
) -> None:
    if lead is None:
        connection.request("GET", "/healthz")
    else:
        connection.request(
            "POST",
            "/v1/assignments/next",
            json.dumps({"lead": lead}),
            {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != http.client.OK:
        raise AssertionError(body.decode())
    if lead is not None and json.loads(body)["decision_id"] is None:
        raise AssertionError(f"Nobody got the lead: {body.decode()[:400]}")


def _open_leads(url: str) -> list[str]:
    store = Store(url)
    with store.read(TenantId(TENANT)) as session:
        leads = bulk.open_leads(session, as_of=datetime.now(UTC))
    store.close()
    return [str(lead) for lead in leads]


if __name__ == "__main__":
    sys.exit(main())
