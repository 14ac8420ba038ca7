"""The tables of pools: their settings by version, locked leads, drops told ahead.

As in ``schema``: ``tenant_id`` first in every key and index.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
)

from rightrep.store.columns import tenant_column, tenants_own
from rightrep.store.metadata import metadata
from rightrep.store.triggers import append_only
from rightrep.store.types import Json, Key, UtcDateTime, Words

# A version without settings takes the pool away.
pool_versions = Table(
    "pool_versions",
    metadata,
    tenant_column(),
    Column("pool", Key(), nullable=False),
    Column("version", Integer, nullable=False),
    Column("settings", Json()),
    Column("actor", Key(), nullable=False),
    Column("reason", Words(), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "pool", "version"),
    CheckConstraint("version > 0", name="version"),
)

lead_locks = Table(
    "lead_locks",
    metadata,
    tenant_column(),
    Column("lead_id", Key(), nullable=False),
    Column("actor", Key(), nullable=False),
    Column("reason", Words(), nullable=False),
    Column("locked_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "lead_id"),
    tenants_own("leads", "lead_id"),
)

pool_warnings = Table(
    "pool_warnings",
    metadata,
    tenant_column(),
    Column("lead_id", Key(), nullable=False),
    Column("drops_at", UtcDateTime(), nullable=False),
    Column("warned_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "lead_id", "drops_at"),
    tenants_own("leads", "lead_id"),
    Index(None, "tenant_id", "drops_at"),
)

append_only(pool_versions)
