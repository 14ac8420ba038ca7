"""The tables of handovers and of the leads each moves.

As in ``schema``: ``tenant_id`` first in every key and index.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from rightrep.store.columns import tenant_column, tenants_own
from rightrep.store.metadata import metadata
from rightrep.store.types import Json, Key, UtcDateTime, Words

handovers = Table(
    "handovers",
    metadata,
    tenant_column(),
    Column("handover_id", Key(), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("actor", Key(), nullable=False),
    Column("reason", Words(), nullable=False),
    Column("policy", Key(), nullable=False),
    Column("from_reps", Json(), nullable=False),
    Column("to_reps", Json(), nullable=False),
    Column("leads", Json(), nullable=False),
    Column("leaves", Boolean, nullable=False),
    Column("rule_set", Integer),
    Column("model_version", Key()),
    Column("fallback", Words()),
    Column("status_before", Json(), nullable=False),
    Column("committed_at", UtcDateTime()),
    Column("committed_by", Key()),
    Column("undo_until", UtcDateTime()),
    Column("finished_at", UtcDateTime()),
    Column("undone_at", UtcDateTime()),
    Column("undone_by", Key()),
    PrimaryKeyConstraint("tenant_id", "handover_id"),
    CheckConstraint("(committed_at IS NULL) = (undo_until IS NULL)", name="undo_until"),
    CheckConstraint("undone_at IS NULL OR committed_at IS NOT NULL", name="undone"),
)

handover_leads = Table(
    "handover_leads",
    metadata,
    tenant_column(),
    Column("handover_id", Key(), nullable=False),
    Column("line", Integer, nullable=False),
    Column("lead_id", Key(), nullable=False),
    Column("from_rep", Key(), nullable=False),
    Column("to_rep", Key()),
    Column("state", Key(), nullable=False),
    Column("why", Json(), nullable=False),
    Column("policy", Key(), nullable=False),
    Column("p_convert", Double),
    Column("value", Double),
    Column("decision_id", Key()),
    Column("decision_before", Key()),
    PrimaryKeyConstraint("tenant_id", "handover_id", "line"),
    UniqueConstraint("tenant_id", "handover_id", "lead_id"),
    tenants_own("handovers", "handover_id"),
    tenants_own("leads", "lead_id"),
    CheckConstraint("(to_rep IS NULL) = (state = 'unassigned')", name="to_rep"),
    Index(None, "tenant_id", "handover_id", "state", "line"),
)
