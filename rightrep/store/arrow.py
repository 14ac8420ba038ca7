"""Whole tables out of the database as Arrow, without one object per row.

SQLite's rows are fetched a block at a time and turned into columns; PostgreSQL sends
``COPY`` in CSV, which Arrow reads. Both keep one block in memory beside the result.
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import csv
from sqlalchemy import Select

from rightrep.store.guard import TENANT, require_tenant
from rightrep.store.session import ReadSession

TIME = pa.timestamp("us", tz="UTC")
TEXT = pa.string()
FLOAT = pa.float64()
INT = pa.int64()
DAY = pa.date32()
# Larger blocks cost more: the garbage collector walks every tuple that is still alive.
_BLOCK = 2_048
_CSV_BLOCK = 8 << 20


def read_table(
    session: ReadSession,
    statement: "Select[Any]",
    types: Mapping[str, pa.DataType],
    params: Mapping[str, Any] | None = None,
) -> pa.Table:
    """The rows of a query.

    Args:
        session: Whose rows.
        statement: Selects the columns of ``types``, in their order.
        types: Arrow type of each column: ``TIME``, ``TEXT``, ``FLOAT``, ``INT``,
            ``DAY``.
        params: Its parameters, the tenant left out.
    """
    schema = pa.schema(list(types.items()))
    if session.is_postgresql:
        return _copied(session, statement, schema, params or {})
    return pa.Table.from_batches(_fetched(session, statement, schema, params), schema)


def _fetched(
    session: ReadSession,
    statement: "Select[Any]",
    schema: pa.Schema,
    params: Mapping[str, Any] | None,
) -> Iterator[pa.RecordBatch]:
    """Blocks of SQLite's rows, taken from the driver before any value is converted."""
    cursor = session.execute(statement, params).cursor
    while rows := cursor.fetchmany(_BLOCK):
        columns = zip(*rows, strict=True)
        yield pa.record_batch(
            [
                _array(values, field.type)
                for values, field in zip(columns, schema, strict=True)
            ],
            schema=schema,
        )


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if kind == TIME:
        return pa.array(values, INT).cast(TIME)
    if kind == DAY:
        return pa.array(values, TEXT).cast(DAY)
    return pa.array(values, kind)


def _copied(
    session: ReadSession,
    statement: "Select[Any]",
    schema: pa.Schema,
    params: Mapping[str, Any],
) -> pa.Table:
    """PostgreSQL's rows as CSV, which says null by nothing and '' by quotes."""
    require_tenant(statement)
    compiled = statement.compile(dialect=session.connection.dialect)
    values = compiled.construct_params({**params, TENANT.key: session.tenant_id})
    # COPY goes past SQLAlchemy, which would have turned values into the driver's.
    for bind in compiled.binds.values():
        process = bind.type.dialect_impl(compiled.dialect).bind_processor(
            compiled.dialect
        )
        if process is not None:
            values[bind.key] = process(values[bind.key])
    session.connection.exec_driver_sql("SET LOCAL TimeZone = 'UTC'")
    session.connection.exec_driver_sql("SET LOCAL DateStyle = 'ISO'")
    driver: Any = session.connection.connection.driver_connection
    query = f"COPY ({compiled}) TO STDOUT (FORMAT csv)"
    with driver.cursor() as cursor, cursor.copy(query, values) as copy:
        try:
            return csv.open_csv(
                _Stream(copy),
                csv.ReadOptions(column_names=schema.names, block_size=_CSV_BLOCK),
                csv.ParseOptions(newlines_in_values=True),
                csv.ConvertOptions(
                    column_types=schema,
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            ).read_all()
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):
                return schema.empty_table()
            raise


class _Stream(io.RawIOBase):
    """What a COPY sends, as a file to read."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._rest = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """At least ``size`` bytes, as long as there are so many, or all of them."""
        parts, length = [self._rest], len(self._rest)
        for block in self._blocks:
            parts.append(bytes(block))
            length += len(block)
            if 0 <= size <= length:
                break
        whole = b"".join(parts)
        if size < 0:
            size = len(whole)
        self._rest = whole[size:]
        return whole[:size]
