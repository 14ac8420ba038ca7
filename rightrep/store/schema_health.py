"""The table of customer health: one row per customer who bought, as of the last look.

As in ``schema``: ``tenant_id`` first in every key and index.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Double,
    Index,
    PrimaryKeyConstraint,
    Table,
)

from rightrep.store.columns import tenant_column
from rightrep.store.metadata import metadata
from rightrep.store.types import Json, Key, UtcDateTime

# "alarmed_since" is when the churn alarm went off, nothing while it is off.
customer_health = Table(
    "customer_health",
    metadata,
    tenant_column(),
    Column("customer_id", Key(), nullable=False),
    Column("score", Double, nullable=False),
    Column("alarmed_since", UtcDateTime()),
    Column("looked_at", UtcDateTime(), nullable=False),
    Column("parts", Json(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "customer_id"),
    CheckConstraint("score >= 0 AND score <= 100", name="score"),
    Index(None, "tenant_id", "alarmed_since"),
)
