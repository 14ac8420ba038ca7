"""The tables of follow-up: tasks, dated remarks, weeks that were told.

As in ``schema``: ``tenant_id`` first in every key and index. What became of a task is
not here: it follows from ownership events, activities and outcomes.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
)

from rightrep.store.columns import tenant_column, tenants_own
from rightrep.store.metadata import metadata
from rightrep.store.types import Key, UtcDateTime

# "settled_at" is when nothing is left to tell of a task.
follow_up_tasks = Table(
    "follow_up_tasks",
    metadata,
    tenant_column(),
    Column("task_id", Key(), nullable=False),
    Column("lead_id", Key(), nullable=False),
    Column("rep_id", Key(), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("opened_at", UtcDateTime(), nullable=False),
    Column("tier", Key(), nullable=False),
    Column("lead_score", Integer),
    Column("due_at", UtcDateTime(), nullable=False),
    Column("remind_at", UtcDateTime()),
    Column("reminded_at", UtcDateTime()),
    Column("breached_at", UtcDateTime()),
    Column("settled_at", UtcDateTime()),
    PrimaryKeyConstraint("tenant_id", "task_id"),
    CheckConstraint("due_at >= opened_at", name="due_later"),
    tenants_own("leads", "lead_id"),
    tenants_own("reps", "rep_id"),
    Index(None, "tenant_id", "rep_id", "opened_at"),
    Index(None, "tenant_id", "settled_at"),
)

# The text of a remark is a note of the activity of the same id.
remarks = Table(
    "remarks",
    metadata,
    tenant_column(),
    Column("event_id", Key(), nullable=False),
    Column("lead_id", Key(), nullable=False),
    Column("remind_on", Date, nullable=False),
    Column("actor", Key(), nullable=False),
    Column("made_at", UtcDateTime(), nullable=False),
    Column("told_at", UtcDateTime()),
    Column("told_to", Key()),
    PrimaryKeyConstraint("tenant_id", "event_id"),
    CheckConstraint("(told_at IS NULL) = (told_to IS NULL)", name="told"),
    tenants_own("leads", "lead_id"),
    tenants_own("activities", "event_id"),
    Index(None, "tenant_id", "lead_id"),
    Index(None, "tenant_id", "told_at", "remind_on"),
)

told_weeks = Table(
    "told_weeks",
    metadata,
    tenant_column(),
    Column("rep_id", Key(), nullable=False),
    Column("week", Date, nullable=False),
    Column("told_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "rep_id", "week"),
    tenants_own("reps", "rep_id"),
)
