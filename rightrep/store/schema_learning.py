"""The table of what watching a model found: one row per look, added to, never changed.

As in ``schema``: ``tenant_id`` first in every key and index.
"""

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    PrimaryKeyConstraint,
    Table,
)

from rightrep.store.columns import tenant_column, tenants_own
from rightrep.store.metadata import metadata
from rightrep.store.triggers import append_only
from rightrep.store.types import Json, Key, UtcDateTime

drift_reports = Table(
    "drift_reports",
    metadata,
    tenant_column(),
    Column("report_id", Key(), nullable=False),
    Column("version", Key(), nullable=False),
    Column("as_of", UtcDateTime(), nullable=False),
    Column("alarmed", Boolean, nullable=False),
    Column("report", Json(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "report_id"),
    tenants_own("models", "version"),
    Index(None, "tenant_id", "version", "as_of"),
)

append_only(drift_reports)
