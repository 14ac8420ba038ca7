"""Adding many rows, keeping those whose key is there already as they are."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    Insert,
    Table,
    Text,
    bindparam,
    cast,
    column,
    func,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from rightrep.store.copying import add_rows
from rightrep.store.guard import TENANT
from rightrep.store.session import WriteSession
from rightrep.store.sets import batches
from rightrep.store.types import to_json

MANY = 64
"""From so many rows on PostgreSQL takes them by COPY."""


def insert_new(
    session: WriteSession, table: Table, rows: Sequence[Mapping[str, Any]]
) -> set[str]:
    """Add the rows whose primary key is new.

    Args:
        session: Where to write.
        table: Its primary key is the tenant, an id, and perhaps more.
        rows: The same columns in every row.

    Returns:
        Ids of the rows that were new.
    """
    added: set[str] = set()
    for batch in batches(rows):
        if session.is_postgresql:
            statement = _from_arrays(table, tuple(batch[0]))
            found = session.execute(statement, _columns(table, batch))
        else:
            found = session.execute(session.insert_unless_there(table), batch)
        added |= set(found.scalars())
    return added


def add_made(
    session: WriteSession, table: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Add rows whose keys were made in this transaction, past SQLAlchemy where it pays.

    Args:
        session: Where to write.
        table: Where to.
        rows: The same columns in every row.
    """
    if not rows:
        return
    if session.is_postgresql and len(rows) < MANY:
        insert_new(session, table, rows)
        return
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    add_rows(session, table, columns)


def _columns(table: Table, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The rows by column; JSON as text, since a list of lists is one array to SQL."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return {
        name: [to_json(value) for value in values]
        if isinstance(table.c[name].type, JSON)
        else values
        for name, values in columns.items()
    }


@cache
def _from_arrays(table: Table, names: tuple[str, ...]) -> Insert:
    """One statement with one parameter per column."""
    types: dict[str, TypeEngine[Any]] = {
        name: Text() if isinstance(table.c[name].type, JSON) else table.c[name].type
        for name in names
    }
    arrays = [
        bindparam(name, type_=ARRAY(types[name], dimensions=1), required=True)
        for name in names
    ]
    given = func.unnest(*arrays).table_valued(
        *(column(name, types[name]) for name in names), name="given"
    )
    given = given.render_derived()
    chosen = select(
        TENANT,
        *(
            cast(given.c[name], table.c[name].type)
            if isinstance(table.c[name].type, JSON)
            else given.c[name]
            for name in names
        ),
    )
    statement = postgresql.insert(table).from_select(["tenant_id", *names], chosen)
    keys = list(table.primary_key)
    return statement.on_conflict_do_nothing(index_elements=keys).returning(keys[1])
