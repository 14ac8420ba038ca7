"""Many values in one statement: a JSON list as a table, batches, digests of bodies."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

import orjson
from sqlalchemy import JSON, BindParameter, Select, Text, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from rightrep.store.types import to_micros

Item = TypeVar("Item")

_TEXTS: TypeEngine[Any] = JSON().with_variant(ARRAY(Text()), "postgresql")
BATCH = 5_000
"""Rows written or looked up at once."""


class _each(FunctionElement[str]):  # noqa: N801 - reads as a function
    """The elements of a list as rows of one column, ``value``."""

    name = "each"
    inherit_cache = True


@compiles(_each, "sqlite")
def _sqlite_each(element: _each, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_each, "postgresql")
def _postgresql_each(element: _each, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    # Of an array the planner knows how many rows there are; of JSON it takes 100 for
    # granted, and reads a whole table for one.
    return f"(SELECT unnest({compiler.process(element.clauses, **options)}) AS value)"


def any_of(name: str) -> "Select[str]":
    """The texts of the parameter ``name``, a list: ``column.in_(any_of("ids"))``.

    The statement is the same for one text and for thousands, and needs one parameter.
    """
    texts: BindParameter[list[str]] = bindparam(name, type_=_TEXTS, required=True)
    return select(_each(texts).table_valued("value", name=f"given_{name}").c.value)


def batches(items: Sequence[Item], size: int = BATCH) -> Iterator[Sequence[Item]]:
    """Runs of at most ``size`` items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def digest(body: Mapping[str, object]) -> str:
    """A hash of a body, the same for equal bodies; 24 hex digits."""
    # Passed through, since an instant is the same in every zone, and its text is not.
    option = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME
    text = orjson.dumps(body, default=_plain, option=option)
    return hashlib.blake2b(text, digest_size=12).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return to_micros(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a body.")
