"""Column types that mean the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import JSON, BigInteger, Dialect, String, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(at: datetime) -> int:
    """Whole microseconds since 1970 of an aware instant.

    Raises:
        ValueError: The instant has no time zone.
    """
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no time zone.")
    return (at - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The instant, aware and in UTC."""
    return _EPOCH + micros * _MICROSECOND


def to_json(value: object) -> str:
    """JSON text; NumPy numbers and arrays are numbers and lists."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: refuses naive times, comes back aware and in UTC.

    SQLite keeps whole microseconds since 1970, so that order, equality and bulk reads
    need no parsing; PostgreSQL keeps ``timestamptz``.
    """

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """``timestamptz`` on PostgreSQL, a 64-bit integer elsewhere."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | int | None:
        """Refuse a naive time, then write it as the database keeps it."""
        if value is None:
            return None
        micros = to_micros(value)
        return value if dialect.name == "postgresql" else micros

    def process_result_value(
        self, value: datetime | int | None, dialect: Dialect
    ) -> datetime | None:
        """Aware and in UTC, whatever the database keeps."""
        del dialect
        if isinstance(value, int):
            return from_micros(value)
        return value if value is None else value.astimezone(UTC)


class in_micros(FunctionElement[int]):  # noqa: N801 - reads as a function
    """An instant as whole microseconds since 1970, for columns read as numbers."""

    type = BigInteger()
    inherit_cache = True


@compiles(in_micros, "sqlite")
def _sqlite_micros(element: in_micros, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return compiler.process(element.clauses, **options)


@compiles(in_micros, "postgresql")
def _postgresql_micros(
    element: in_micros,
    compiler: SQLCompiler,
    **options: Any,  # noqa: ANN401
) -> str:
    at = compiler.process(element.clauses, **options)
    return f"(extract(epoch FROM {at}) * 1000000)::bigint"


def Key() -> TypeEngine[str]:  # noqa: N802 - reads as a type in a column
    """Ids and codes: compared byte by byte, whatever the server's locale."""
    return String().with_variant(String(collation="C"), "postgresql")


def Words() -> TypeEngine[str]:  # noqa: N802 - reads as a type in a column
    """Text that people wrote."""
    return Text()


def Json() -> TypeEngine[Any]:  # noqa: N802 - reads as a type in a column
    """A JSON value; ``None`` is SQL's null."""
    return JSON(none_as_null=True).with_variant(
        postgresql.JSONB(none_as_null=True), "postgresql"
    )
