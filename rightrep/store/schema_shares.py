"""The table of leads that an owner shares with another rep for a time.

As in ``schema``: ``tenant_id`` first in every key and index.
"""

from sqlalchemy import CheckConstraint, Column, Index, PrimaryKeyConstraint, Table

from rightrep.store.columns import tenant_column, tenants_own
from rightrep.store.metadata import metadata
from rightrep.store.types import Key, UtcDateTime, Words

lead_shares = Table(
    "lead_shares",
    metadata,
    tenant_column(),
    Column("share_id", Key(), nullable=False),
    Column("lead_id", Key(), nullable=False),
    Column("owner", Key(), nullable=False),
    Column("rep_id", Key(), nullable=False),
    Column("shared_at", UtcDateTime(), nullable=False),
    Column("ends_at", UtcDateTime(), nullable=False),
    Column("reason", Words(), nullable=False),
    Column("actor", Key(), nullable=False),
    Column("revoked_at", UtcDateTime()),
    Column("revoked_by", Key()),
    PrimaryKeyConstraint("tenant_id", "share_id"),
    tenants_own("leads", "lead_id"),
    tenants_own("reps", "rep_id"),
    CheckConstraint("ends_at > shared_at", name="ends_at"),
    CheckConstraint("owner <> rep_id", name="other"),
    Index(None, "tenant_id", "lead_id"),
    Index(None, "tenant_id", "rep_id", "ends_at"),
)
