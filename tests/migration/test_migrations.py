"""Migrations: however a database came to be, it is the same database."""

import gzip
import re
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from rightrep.store.engine import Store
from rightrep.store.metadata import metadata
from rightrep.store.migrate import config
from tests.migration.write_golden import told
from tests.postgres import Postgres
from tests.store_records import ACME

GOLDEN = Path(__file__).parents[1] / "golden"
SQLITE_OBJECTS = "select type, name, tbl_name, sql from sqlite_master order by 1, 2"
POSTGRESQL_OBJECTS = (
    """select table_name, column_name, data_type, is_nullable, collation_name
       from information_schema.columns where table_schema = 'public' order by 1, 2""",
    """select conname, pg_get_constraintdef(oid) from pg_constraint
       where connamespace = 'public'::regnamespace order by 1""",
    "select indexname, indexdef from pg_indexes where schemaname = 'public' order by 1",
    """select pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
       order by 1""",
    """select pg_get_functiondef(oid) from pg_proc
       where pronamespace = 'public'::regnamespace order by 1""",
)


@dataclass(frozen=True)
class Released:
    """A database as a released version left it, and what that version said of it."""

    store: Store
    told: Any


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store whose database has no tables; the test runs once on each backend."""
    if request.param == "sqlite":
        store = Store(f"sqlite:///{tmp_path / 'folder' / 'empty.db'}")
        yield store
        store.close()
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = f"t{uuid.uuid4().hex}"
    server.create_database(name)
    store = Store(server.url(name))
    yield store
    store.close()
    server.drop_database(name)


def objects(store: Store) -> list[Any]:
    """Everything the database says about its tables, Alembic's own left out."""
    with store.connection() as connection:
        if connection.dialect.name == "sqlite":
            rows = [tuple(row) for row in connection.execute(text(SQLITE_OBJECTS))]
            rows = [(*row[:3], _sorted_lines(row[3])) for row in rows]
        else:
            rows = [
                tuple(row)
                for query in POSTGRESQL_OBJECTS
                for row in connection.execute(text(query))
            ]
    return [row for row in rows if "alembic_version" not in str(row)]


def _sorted_lines(sql: str | None) -> list[str]:
    """What a statement says line by line; a column added later stands in the last."""
    whole, _, tail = (sql or "").rpartition(")")
    head, _, body = whole.partition("(")
    outside = re.compile(r",(?![^(]*\))|\n")
    parts = [part.strip() for part in outside.split(body)]
    return sorted([head.strip(), tail.strip(), *filter(None, parts)])


def differences(connection: Connection) -> list[Any]:
    found: list[Any] = compare_metadata(
        MigrationContext.configure(connection), metadata
    )
    return found


def test_migrations_make_the_database_that_the_tables_describe(empty: Store) -> None:
    empty.migrate()
    migrated = objects(empty)
    with empty.connection() as connection:
        assert differences(connection) == []
        command.downgrade(config(connection), "base")
    assert not [row for row in objects(empty) if "refuse_change" not in str(row)]

    with empty.connection() as connection:
        metadata.create_all(connection)

    assert migrated
    assert objects(empty) == migrated


def test_migrating_again_changes_nothing(empty: Store) -> None:
    empty.migrate()
    before = objects(empty)

    empty.migrate()

    assert objects(empty) == before


def test_processes_that_start_together_migrate_once(empty: Store) -> None:
    url = empty.url.render_as_string(hide_password=False)
    failures: list[BaseException] = []

    def migrate() -> None:
        store = Store(url)
        try:
            store.migrate()
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)
        finally:
            store.close()

    threads = [threading.Thread(target=migrate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    with empty.connection() as connection:
        assert differences(connection) == []


def test_every_constraint_has_a_name_that_starts_with_the_tenant() -> None:
    for table in metadata.tables.values():
        keys = [tuple(table.primary_key.columns)]
        keys += [tuple(index.columns) for index in table.indexes if index.unique]
        assert all(constraint.name for constraint in table.constraints), table.name
        assert all(key[0].name == "tenant_id" for key in keys), table.name


def test_closed_leads_outlive_the_new_words_for_how_work_orders_close(
    empty: Store,
) -> None:
    at = "2026-05-04 10:00:00.000000"
    outcome = (
        "insert into outcomes (tenant_id, event_id, digest, lead_id, result, "
        "closed_at, recorded_at) values ('t', :id, 'd', 'l', :result, :at, :at)"
    )
    with empty.connection() as connection:
        command.upgrade(config(connection), "0014")
        connection.execute(
            text(
                "insert into leads (tenant_id, lead_id, created_at) "
                "values ('t', 'l', :at)"
            ),
            {"at": at},
        )
        connection.execute(text(outcome), {"id": "o", "result": "won", "at": at})
        command.upgrade(config(connection), "0015")
        connection.execute(text(outcome), {"id": "p", "result": "resolved", "at": at})
        seen = connection.execute(text("select kind from leads")).scalars().all()
        told = connection.execute(text("select result from outcomes order by event_id"))

        assert (seen, told.scalars().all()) == (["lead"], ["won", "resolved"])
        command.downgrade(config(connection), "0014")
        left = connection.execute(text("select event_id from outcomes"))

        assert left.scalars().all() == ["o"]
        with (
            pytest.raises(DBAPIError, match="never changed"),
            connection.begin_nested(),
        ):
            connection.execute(text("delete from outcomes"))


RELEASED = sorted(GOLDEN.glob("store-*.db.gz")) + sorted(GOLDEN.glob("store-*.sql.gz"))


@pytest.fixture(params=RELEASED, ids=lambda path: path.stem)
def released(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Released]:
    """A database as a released version left it."""
    path: Path = request.param
    content = gzip.decompress(path.read_bytes())
    told = gzip.decompress(path.with_suffix(".json.gz").read_bytes())
    if path.stem.endswith(".db"):
        (tmp_path / "old.db").write_bytes(content)
        store = Store(f"sqlite:///{tmp_path / 'old.db'}")
        yield Released(store, orjson.loads(told))
        store.close()
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = f"t{uuid.uuid4().hex}"
    server.create_database(name)
    server.run(name, content)
    store = Store(server.url(name))
    yield Released(store, orjson.loads(told))
    store.close()
    server.drop_database(name)


def missing(now: Any, then: Any, where: str = "") -> list[str]:
    """What is not said any more as it was said then; more may be said."""
    if isinstance(then, dict) and isinstance(now, dict):
        return [
            difference
            for key, value in then.items()
            for difference in missing(now.get(key), value, f"{where}.{key}")
        ]
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        return [
            difference
            for k, (new, old) in enumerate(zip(_in_order(now, then), then, strict=True))
            for difference in missing(new, old, f"{where}[{k}]")
        ]
    return [] if now == then else [f"{where} is {now!r}, was {then!r}"]


def _in_order(now: list[Any], then: list[Any]) -> list[Any]:
    """Rows of today in the order of those of then; databases do not promise one."""
    if not all(isinstance(row, dict) for row in now + then):
        return now

    def known(row: dict[str, Any]) -> bytes:
        return orjson.dumps([row.get(name) for name in then[0]])

    places = {known(row): k for k, row in enumerate(then)}
    return sorted(now, key=lambda row: places.get(known(row), len(then)))


def test_the_first_version_is_among_those_that_still_open() -> None:
    names = {path.name for path in RELEASED}

    assert {"store-0.1.db.gz", "store-0.1.sql.gz"} <= names


def test_a_database_of_every_released_version_still_says_what_it_said(
    released: Released,
) -> None:
    store = released.store
    store.migrate()

    with store.connection() as connection:
        assert differences(connection) == []
    with store.read(ACME) as session:
        assert missing(told(session), released.told) == []
