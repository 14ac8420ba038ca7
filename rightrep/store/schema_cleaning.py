"""The tables of what cleaning found: impossible values, and where others came from.

As in ``schema``: ``tenant_id`` first in every key and index. Both hold personal data,
so nothing refers to them, and an erasure removes them.
"""

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table

from rightrep.store.columns import tenant_column
from rightrep.store.metadata import metadata
from rightrep.store.types import Json, Key, UtcDateTime, Words

marks = Table(
    "marks",
    metadata,
    tenant_column(),
    Column("record_id", Key(), nullable=False),
    Column("field", Key(), nullable=False),
    Column("value", Key(), nullable=False),
    Column("reason", Words(), nullable=False),
    Column("marked_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "record_id", "field", "value"),
    Index(None, "tenant_id", "field", "marked_at"),
)

provenance = Table(
    "provenance",
    metadata,
    tenant_column(),
    Column("record_id", Key(), nullable=False),
    Column("field", Key(), nullable=False),
    Column("filled_at", UtcDateTime(), nullable=False),
    Column("value", Json(), nullable=False),
    Column("source", Key(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "record_id", "field", "filled_at"),
)
