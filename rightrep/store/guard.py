"""The tenant guard: no statement reaches the database without its tenant.

A statement names the tenant by the one bind parameter ``TENANT``. Its value is not the
caller's to give: the session fills it in. So a statement either is bound to the
session's tenant, or has no tenant and is refused here.
"""

from collections.abc import Iterator
from typing import Any, cast
from weakref import WeakSet

from sqlalchemy import (
    BinaryExpression,
    BindParameter,
    ColumnElement,
    Executable,
    FromClause,
    Insert,
    SelectBase,
    TableClause,
    TextClause,
    UnaryExpression,
    and_,
    bindparam,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import operators
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BooleanClauseList, ClauseElement
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import AliasedReturnsRows

from rightrep.store.types import Key

TENANT: BindParameter[str] = bindparam("the_tenant", type_=Key(), required=True)
"""The session's tenant; write ``table.c.tenant_id == TENANT``."""


_BOUND: "WeakSet[Executable]" = WeakSet()
"""Statements that were found bound; they cannot change, and are often run again."""


class _scanned(FunctionElement[str]):  # noqa: N801 - reads as a function
    """A column that SQLite uses no index for."""

    type = Key()
    inherit_cache = True


@compiles(_scanned, "sqlite")
def _with_plus(element: _scanned, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return f"+{compiler.process(element.clauses, **options)}"


class TenantMissing(RuntimeError):
    """A statement that does not say whose rows it means: a mistake in the program."""


def of_tenant(*tables: FromClause) -> ColumnElement[bool]:
    """That rows of all these tables (or their aliases) are the session's tenant's."""
    return and_(*(table.c.tenant_id == TENANT for table in tables))


def of_tenant_by_scan(table: FromClause) -> ColumnElement[bool]:
    """The same on SQLite, where the plus keeps it from looking every row up by index.

    For whole tables: 1,000,000 decisions took half the time.
    """
    return _scanned(table.c.tenant_id) == TENANT


def require_tenant(statement: Executable) -> None:
    """Refuse a statement in which some table is not bound to the session's tenant.

    A table is bound when its ``tenant_id`` equals ``TENANT``, or equals the
    ``tenant_id`` of a table that is, in a condition that is not inside an OR or a NOT.

    Raises:
        TenantMissing: One is not.
    """
    if statement in _BOUND:
        return
    if isinstance(statement, TextClause):
        if TENANT.key not in statement._bindparams:  # noqa: SLF001 - has no public name
            raise TenantMissing(f"This text does not use :{TENANT.key}: {statement}")
        return
    seen = list(_elements(cast("ClauseElement", statement)))
    tables = {id(table): table for table in seen if _has_tenant(table)}
    if isinstance(statement, Insert):
        _require_tenant_of_insert(statement, seen)
        tables.pop(id(statement.table), None)
    bound = _bound(seen)
    for table in tables.values():
        if id(table) not in bound:
            raise TenantMissing(f"{table} is not bound to the session's tenant.")
    _BOUND.add(statement)


def _elements(
    element: ClauseElement, *, doubtful: bool = False
) -> Iterator[ClauseElement]:
    """Every part of a statement, without conditions that need not hold.

    Below an OR or a NOT only the conditions of a subquery hold, within the subquery.
    """
    if isinstance(element, SelectBase):
        doubtful = False
    elif isinstance(element, UnaryExpression):
        doubtful = True
    elif isinstance(element, BooleanClauseList):
        doubtful = doubtful or element.operator is operators.or_
    if not (doubtful and isinstance(element, BinaryExpression)):
        yield element
    if not _is_alias_of_table(element):
        for child in element.get_children():
            yield from _elements(child, doubtful=doubtful)


def _is_alias_of_table(element: ClauseElement) -> bool:
    return isinstance(element, AliasedReturnsRows) and isinstance(
        element.element, TableClause
    )


def _has_tenant(element: ClauseElement) -> bool:
    table = element.element if isinstance(element, AliasedReturnsRows) else element
    return isinstance(table, TableClause) and "tenant_id" in table.c


def _bound(seen: list[ClauseElement]) -> set[int]:
    """Ids of the tables bound to ``TENANT``, over chains of equal ``tenant_id``s."""
    pairs = [_tenant_ends(part) for part in seen if isinstance(part, BinaryExpression)]
    bound = {id(TENANT)}
    while True:
        more = {
            end
            for left, right in pairs
            for end in (left, right)
            if end is not None and not bound.isdisjoint((left, right))
        }
        if more <= bound:
            return bound
        bound |= more


def _tenant_ends(condition: BinaryExpression[Any]) -> tuple[int | None, int | None]:
    if condition.operator is not operators.eq:
        return None, None
    left, right = _end(condition.left), _end(condition.right)
    return (left, right) if left is not None and right is not None else (None, None)


def _end(side: ClauseElement) -> int | None:
    if isinstance(side, _scanned):
        (side,) = side.clauses
    if isinstance(side, BindParameter) and side.key == TENANT.key:
        return id(TENANT)
    if getattr(side, "name", None) == "tenant_id":
        return id(getattr(side, "table", None))
    return None


def _require_tenant_of_insert(statement: Insert, seen: list[ClauseElement]) -> None:
    if statement._multi_values:  # noqa: SLF001 - has no public name
        raise TenantMissing("Give rows as parameters, so that they get their tenant.")
    if statement.select is None:
        return
    names = list(statement._select_names or ())  # noqa: SLF001 - has no public name
    if "tenant_id" not in names:
        raise TenantMissing("The selected rows have no tenant_id.")
    chosen = list(statement.select.selected_columns)[names.index("tenant_id")]
    if _end(chosen) not in _bound(seen):
        raise TenantMissing("The selected tenant_id may be another's.")
