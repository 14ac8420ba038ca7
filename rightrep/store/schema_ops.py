"""The tables of the work around the records: jobs, events, keys, erasure.

As in ``schema``: ``tenant_id`` first in every key and constraint. Three indexes do
without: those on ``due_at`` serve the worker, which looks for work before it knows
whose, and a key's hash is looked up before the tenant is known.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

import rightrep.store.schema_alarms
import rightrep.store.schema_arms
import rightrep.store.schema_duplicates
import rightrep.store.schema_followup
import rightrep.store.schema_handover
import rightrep.store.schema_health
import rightrep.store.schema_learning
import rightrep.store.schema_people
import rightrep.store.schema_plans
import rightrep.store.schema_pools
import rightrep.store.schema_service
import rightrep.store.schema_shares  # noqa: F401 - these put tables into the metadata
from rightrep.store.columns import tenant_column, tenants_own
from rightrep.store.metadata import metadata
from rightrep.store.triggers import append_only
from rightrep.store.types import Json, Key, UtcDateTime, Words

# "due_at" is when a worker may take the job: run_at while it waits, the lease's end
# while it runs, nothing once it is closed. "once_key" is held for good, "open_key"
# until the job is closed.
jobs = Table(
    "jobs",
    metadata,
    tenant_column(),
    Column("job_id", Key(), nullable=False),
    Column("kind", Key(), nullable=False),
    Column("args", Json(), nullable=False),
    Column("state", Key(), nullable=False),
    Column("run_at", UtcDateTime(), nullable=False),
    Column("due_at", UtcDateTime()),
    Column("worker", Key()),
    Column("attempts", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("once_key", Key()),
    Column("open_key", Key()),
    Column("progress", Double, nullable=False),
    Column("message", Words()),
    Column("result", Json()),
    Column("error", Words()),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("started_at", UtcDateTime()),
    Column("finished_at", UtcDateTime()),
    PrimaryKeyConstraint("tenant_id", "job_id"),
    UniqueConstraint("tenant_id", "kind", "once_key"),
    UniqueConstraint("tenant_id", "kind", "open_key"),
    CheckConstraint(
        "state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name="state"
    ),
    CheckConstraint("(due_at IS NULL) = (finished_at IS NOT NULL)", name="due_at"),
    CheckConstraint("(state = 'running') = (worker IS NOT NULL)", name="worker"),
    CheckConstraint("progress >= 0 AND progress <= 1", name="progress"),
    CheckConstraint("attempts <= max_attempts", name="attempts"),
    Index(None, "due_at"),
    Index(None, "tenant_id", "created_at"),
)

events = Table(
    "events",
    metadata,
    tenant_column(),
    Column("event_id", Key(), nullable=False),
    Column("type", Key(), nullable=False),
    Column("subject", Key()),
    Column("time", UtcDateTime(), nullable=False),
    Column("data", Json(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "event_id"),
    Index(None, "tenant_id", "time"),
)

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    tenant_column(),
    Column("endpoint_id", Key(), nullable=False),
    Column("url", Words(), nullable=False),
    Column("types", Json(), nullable=False),
    Column("secret", Key(), nullable=False),
    Column("previous_secret", Key()),
    Column("previous_secret_until", UtcDateTime()),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("disabled_at", UtcDateTime()),
    Column("disabled_because", Words()),
    PrimaryKeyConstraint("tenant_id", "endpoint_id"),
    CheckConstraint(
        "(previous_secret IS NULL) = (previous_secret_until IS NULL)",
        name="previous_secret",
    ),
    CheckConstraint(
        "(disabled_at IS NULL) = (disabled_because IS NULL)", name="disabled"
    ),
)

# "due_at" is the next try while the delivery is open, and the claim's end while it is
# being sent.
deliveries = Table(
    "deliveries",
    metadata,
    tenant_column(),
    Column("endpoint_id", Key(), nullable=False),
    Column("event_id", Key(), nullable=False),
    Column("state", Key(), nullable=False),
    Column("due_at", UtcDateTime()),
    Column("attempts", Integer, nullable=False),
    Column("answer", Integer),
    Column("error", Words()),
    Column("delivered_at", UtcDateTime()),
    PrimaryKeyConstraint("tenant_id", "endpoint_id", "event_id"),
    tenants_own("webhook_endpoints", "endpoint_id"),
    tenants_own("events", "event_id"),
    CheckConstraint("state IN ('open', 'delivered', 'dead')", name="state"),
    CheckConstraint("(state = 'open') = (due_at IS NOT NULL)", name="due_at"),
    Index(None, "due_at"),
    Index(None, "tenant_id", "event_id"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    tenant_column(),
    Column("key", Key(), nullable=False),
    Column("body_hash", Key(), nullable=False),
    Column("status", Integer),
    Column("body", LargeBinary),
    Column("headers", Json()),
    Column("expires_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "key"),
    CheckConstraint("(status IS NULL) = (body IS NULL)", name="answer"),
    Index(None, "tenant_id", "expires_at"),
)

# SHA-256 of 32 random bytes is unique without being told so.
api_keys = Table(
    "api_keys",
    metadata,
    tenant_column(),
    Column("key_id", Key(), nullable=False),
    Column("hash", Key(), nullable=False),
    Column("hint", Key(), nullable=False),
    Column("role", Key(), nullable=False),
    Column("name", Words(), nullable=False),
    Column("rep_id", Key()),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("expires_at", UtcDateTime()),
    Column("revoked_at", UtcDateTime()),
    PrimaryKeyConstraint("tenant_id", "key_id"),
    CheckConstraint(
        "role IN ('service', 'rep', 'manager', 'analyst', 'admin')", name="role"
    ),
    CheckConstraint("(role = 'rep') = (rep_id IS NOT NULL)", name="rep"),
    tenants_own("reps", "rep_id"),
    Index(None, "hash"),
)

import_originals = Table(
    "import_originals",
    metadata,
    tenant_column(),
    Column("import_id", Key(), nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("kind", Key(), nullable=False),
    Column("entity_id", Key(), nullable=False),
    Column("raw", Words(), nullable=False),
    Column("kept_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "import_id", "line"),
    Index(None, "tenant_id", "entity_id"),
    Index(None, "tenant_id", "kept_at"),
)

erasures = Table(
    "erasures",
    metadata,
    tenant_column(),
    Column("erasure_id", Key(), nullable=False),
    Column("cause", Key(), nullable=False),
    Column("subject_id", Key()),
    Column("actor", Key(), nullable=False),
    Column("erased_at", UtcDateTime(), nullable=False),
    Column("counts", Json(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "erasure_id"),
    CheckConstraint("cause IN ('request', 'retention')", name="cause"),
    CheckConstraint("(cause = 'request') = (subject_id IS NOT NULL)", name="subject"),
)

append_only(erasures)
