"""The tables of records: ``tenant_id`` first in every key, constraint and index."""

from sqlalchemy import Column, PrimaryKeyConstraint, Table

from rightrep.store.metadata import metadata
from rightrep.store.types import Json, Key, UtcDateTime, Words

tenants = Table(
    "tenants",
    metadata,
    Column("tenant_id", Key(), nullable=False),
    Column("name", Words(), nullable=False),
    Column("time_zone", Key(), nullable=False),
    Column("currency", Key(), nullable=False),
    Column("settings", Json(), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id"),
)
