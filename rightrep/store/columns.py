"""Columns and constraints that many tables have."""

from sqlalchemy import Column, ForeignKeyConstraint

from rightrep.store.types import Key


def tenant_column() -> "Column[str]":
    """Whose row it is."""
    return Column("tenant_id", Key(), nullable=False)


def tenants_own(table: str, *columns: str) -> ForeignKeyConstraint:
    """A row of the same tenant in another table, by columns of the same name there."""
    names = ["tenant_id", *columns]
    return ForeignKeyConstraint(names, [f"{table}.{name}" for name in names])
