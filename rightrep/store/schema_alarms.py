"""The tables of alarms about cheating, and of the leads each is seen on.

As in ``schema``: ``tenant_id`` first in every key and index.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Double,
    Index,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from rightrep.store.columns import tenant_column, tenants_own
from rightrep.store.metadata import metadata
from rightrep.store.types import Json, Key, UtcDateTime, Words

# "open_key" names kind and reps while the alarm is open, nothing once it is settled:
# what goes on is one alarm, however often it is seen.
alarms = Table(
    "alarms",
    metadata,
    tenant_column(),
    Column("alarm_id", Key(), nullable=False),
    Column("kind", Key(), nullable=False),
    Column("open_key", Words()),
    Column("reps", Json(), nullable=False),
    Column("first_at", UtcDateTime(), nullable=False),
    Column("last_at", UtcDateTime(), nullable=False),
    Column("severity", Key(), nullable=False),
    Column("chance", Double, nullable=False),
    Column("facts", Json(), nullable=False),
    Column("raised_at", UtcDateTime(), nullable=False),
    Column("seen_at", UtcDateTime(), nullable=False),
    Column("settled_at", UtcDateTime()),
    Column("settled_by", Key()),
    Column("settled_because", Words()),
    PrimaryKeyConstraint("tenant_id", "alarm_id"),
    UniqueConstraint("tenant_id", "open_key"),
    CheckConstraint("(settled_at IS NULL) = (open_key IS NOT NULL)", name="open"),
    CheckConstraint("chance >= 0 AND chance <= 1", name="chance"),
    Index(None, "tenant_id", "raised_at"),
)

alarm_leads = Table(
    "alarm_leads",
    metadata,
    tenant_column(),
    Column("lead_id", Key(), nullable=False),
    Column("alarm_id", Key(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "lead_id", "alarm_id"),
    tenants_own("alarms", "alarm_id"),
    tenants_own("leads", "lead_id"),
    Index(None, "tenant_id", "alarm_id"),
)
