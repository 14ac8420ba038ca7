"""Sessions: one connection, one transaction, one tenant.

A read session and a write session are different types, so that a function which only
reads can be given either, and one which writes cannot be given a read session.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import Connection, CursorResult, Executable, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite

from rightrep.domain.ids import TenantId
from rightrep.store.guard import TENANT, TenantMissing, require_tenant

Row = Mapping[str, Any]
Params = Row | Sequence[Row] | None


class ReadSession:
    """Reads of one tenant in one consistent snapshot.

    Attributes:
        tenant_id: Whose rows it sees.
        connection: The transaction; only the store's bulk readers look at it.
    """

    def __init__(self, connection: Connection, tenant_id: TenantId) -> None:
        self.connection = connection
        self.tenant_id = tenant_id

    @property
    def is_postgresql(self) -> bool:
        """Whether the database is PostgreSQL; else it is SQLite."""
        return self.connection.dialect.name == "postgresql"

    def execute(
        self, statement: Executable, params: Params = None
    ) -> CursorResult[Any]:
        """Run one statement for this tenant.

        Conditions name the tenant by ``guard.TENANT``; rows to insert get their
        ``tenant_id`` here.

        Args:
            statement: A Core statement, or text that uses ``:the_tenant``.
            params: Its parameters, or a list of them to run it once for each.

        Raises:
            TenantMissing: The statement is not bound to the tenant.
        """
        require_tenant(statement)
        return self.connection.execute(statement, self._with_tenant(statement, params))

    def _with_tenant(
        self, statement: Executable, params: Params
    ) -> dict[str, Any] | list[dict[str, Any]]:
        mine: dict[str, Any] = {TENANT.key: self.tenant_id}
        if isinstance(statement, Insert) and statement.select is None:
            mine = {"tenant_id": self.tenant_id}
        if isinstance(params, Sequence):
            return [self._row(row, mine) for row in params]
        return self._row(params or {}, mine)

    def _row(self, row: Row, mine: dict[str, Any]) -> dict[str, Any]:
        if row.get("tenant_id", self.tenant_id) != self.tenant_id:
            raise TenantMissing(f"A row of tenant {row['tenant_id']!r} came along.")
        return {**row, **mine}


class WriteSession(ReadSession):
    """Reads and writes of one tenant in one transaction; the caller commits."""

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What is written inside is undone by an exception; the rest stands."""
        with self.connection.begin_nested():
            yield

    def insert(self, table: Table) -> "sqlite.Insert | postgresql.Insert":
        """An insert that knows ``on_conflict_do_nothing`` and ``_do_update``."""
        return insert_of(table, is_postgresql=self.is_postgresql)

    def insert_unless_there(self, table: Table) -> Insert:
        """An insert that leaves rows whose key is there as they are.

        It returns the second column of the key (the first is the tenant) of new rows.
        """
        return _insert_unless_there(table, is_postgresql=self.is_postgresql)


class SystemReadSession:
    """Reads above all tenants, in one consistent snapshot.

    For the few functions that come before a tenant is known: finding a key by its
    hash, listing tenants.

    Attributes:
        connection: The transaction.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @property
    def is_postgresql(self) -> bool:
        """Whether the database is PostgreSQL; else it is SQLite."""
        return self.connection.dialect.name == "postgresql"

    def execute(
        self, statement: Executable, params: Params = None
    ) -> CursorResult[Any]:
        """Run one statement over all tenants."""
        return self.connection.execute(statement, params)


class SystemSession(SystemReadSession):
    """Reads and writes above all tenants, in one transaction: claiming a job."""


@cache
def insert_of(
    table: Table, *, is_postgresql: bool
) -> "sqlite.Insert | postgresql.Insert":
    """An insert of a dialect, made once per table.

    Its ``excluded`` columns take longer than a small insert.
    """
    return postgresql.insert(table) if is_postgresql else sqlite.insert(table)


@cache
def _insert_unless_there(table: Table, *, is_postgresql: bool) -> Insert:
    keys = list(table.primary_key)
    adding = insert_of(table, is_postgresql=is_postgresql)
    return adding.on_conflict_do_nothing(index_elements=keys).returning(keys[1])
