"""The store: one database, opened by URL, handing out sessions.

SQLite needs two repairs. Python's driver opens transactions when it thinks fit, so that
a savepoint can outlive its rollback: here it opens none, and ``BEGIN`` is said by us,
``BEGIN IMMEDIATE`` for writers, since a reader that turns writer cannot wait for the
lock. And it keeps no time zones: see ``types.UtcDateTime``.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import SQLITE_ERROR

import orjson
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from rightrep.domain.ids import TenantId
from rightrep.errors import InvalidInput, StoreUnavailable
from rightrep.store.session import (
    ReadSession,
    SystemReadSession,
    SystemSession,
    WriteSession,
)
from rightrep.store.types import to_json

_SQLITE_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "busy_timeout=30000",
    "foreign_keys=ON",
    "cache_size=-65536",
)


_UNDEFINED_TABLE = "42P01"


class Store:
    """One database; connects when first used, safe to share between threads."""

    def __init__(self, url: str) -> None:
        """Prepare to use a database; nothing connects yet.

        Args:
            url: ``sqlite:///path`` or ``postgresql+psycopg://...``.

        Raises:
            InvalidInput: The URL is not one of a database we know.
        """
        self.url = _parsed(url)
        self._is_sqlite = self.url.get_backend_name() == "sqlite"
        self._writer = self._engine("BEGIN IMMEDIATE", _SQLITE_PRAGMAS)
        self._reader = self._writer
        if self._is_sqlite:
            self._reader = self._engine("BEGIN", (*_SQLITE_PRAGMAS, "query_only=ON"))

    @contextmanager
    def read(self, tenant_id: TenantId) -> Iterator[ReadSession]:
        """One snapshot of a tenant's rows.

        Raises:
            StoreUnavailable: The database does not answer.
        """
        with self._snapshot() as connection:
            yield ReadSession(connection, tenant_id)

    @contextmanager
    def system_read(self) -> Iterator[SystemReadSession]:
        """One snapshot above all tenants; see ``SystemReadSession``.

        Raises:
            StoreUnavailable: The database does not answer.
        """
        with self._snapshot() as connection:
            yield SystemReadSession(connection)

    @contextmanager
    def write(self, tenant_id: TenantId) -> Iterator[WriteSession]:
        """One transaction on a tenant's rows: kept when the block ends, else undone.

        Raises:
            StoreUnavailable: The database does not answer.
        """
        with _answering(), self._writer.begin() as connection:
            yield WriteSession(connection, tenant_id)

    @contextmanager
    def system(self) -> Iterator[SystemSession]:
        """One transaction above all tenants; see ``SystemSession``.

        Raises:
            StoreUnavailable: The database does not answer.
        """
        with _answering(), self._writer.begin() as connection:
            yield SystemSession(connection)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """One transaction for migrations, which belong to no tenant.

        Raises:
            StoreUnavailable: The database does not answer.
        """
        self._make_folder()
        with _answering(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def _snapshot(self) -> Iterator[Connection]:
        with _answering(), self._reader.connect() as connection:
            if not self._is_sqlite:
                connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            with connection.begin():
                yield connection

    def migrate(self) -> None:
        """Bring the database to the tables this version needs; make it if need be.

        Raises:
            StoreUnavailable: The database does not answer.
        """
        from rightrep.store.migrate import upgrade

        with self.connection() as connection:
            upgrade(connection)

    def ping(self) -> None:
        """Ask the database for one row.

        Raises:
            StoreUnavailable: It does not answer.
        """
        with _answering(), self._reader.connect() as connection:
            connection.execute(text("select 1"))

    def close(self) -> None:
        """Give every connection back to the database."""
        self._writer.dispose()
        self._reader.dispose()

    def _make_folder(self) -> None:
        if self._is_sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)

    def _engine(self, begin: str, pragmas: Sequence[str]) -> Engine:
        engine = create_engine(
            self.url,
            pool_size=10,
            max_overflow=30,
            pool_timeout=10,
            pool_pre_ping=not self._is_sqlite,
            # Parameters hold names and notes: they have no place in an error message.
            hide_parameters=True,
            json_serializer=to_json,
            json_deserializer=orjson.loads,
        )
        if self._is_sqlite:
            event.listen(engine, "connect", _repairing(pragmas))
            event.listen(engine, "begin", lambda c: c.exec_driver_sql(begin))
        return engine


def _parsed(text_url: str) -> URL:
    try:
        url = make_url(text_url)
    except Exception as error:
        raise InvalidInput(
            "The database URL cannot be read.", field="database_url"
        ) from error
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database == ":memory:":
            raise InvalidInput("SQLite needs a file.", field="database_url")
        return url
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    raise InvalidInput(
        f"{url.get_backend_name()!r} is not a database RightRep knows.",
        field="database_url",
        remedy="Give sqlite:///path or postgresql+psycopg://host/name.",
    )


def _repairing(pragmas: Sequence[str]) -> Callable[[DBAPIConnection, object], None]:
    def repair(connection: DBAPIConnection, _: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"pragma {pragma}")
        cursor.close()

    return repair


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise StoreUnavailable("Every connection to the database is busy.") from error
    except DBAPIError as error:
        if _lacks_tables(error):
            raise StoreUnavailable(
                "The database has no tables, or those of another version: it was not "
                "migrated. Every `rightrep` command that writes does that first."
            ) from error
        if not _is_away(error):
            raise
        raise StoreUnavailable(f"The database does not answer: {error.orig}") from error


def _lacks_tables(error: DBAPIError) -> bool:
    sqlstate = getattr(error.orig, "sqlstate", None)
    return sqlstate == _UNDEFINED_TABLE or str(error.orig).startswith("no such table")


def _is_away(error: DBAPIError) -> bool:
    if error.connection_invalidated or isinstance(error, InterfaceError):
        return True
    # SQLite says "operational" of a missing column too: that is a mistake of ours.
    code = getattr(error.orig, "sqlite_errorcode", None)
    return isinstance(error, OperationalError) and code != SQLITE_ERROR
