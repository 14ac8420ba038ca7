"""The tables of the work around the records: jobs, events, keys, plans, models.

As in ``schema``: ``tenant_id`` first in every key and constraint. The two indexes
without it, on ``due_at``, serve the worker, which looks for work before it knows whose.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from rightrep.store.metadata import metadata
from rightrep.store.triggers import append_only
from rightrep.store.types import Json, Key, UtcDateTime, Words


def _tenant() -> "Column[str]":
    return Column("tenant_id", Key(), nullable=False)


def _of(table: str, *columns: str) -> ForeignKeyConstraint:
    """A row of this tenant in another table, by columns of the same name there."""
    names = ["tenant_id", *columns]
    return ForeignKeyConstraint(names, [f"{table}.{name}" for name in names])


# "due_at" is when a worker may take the job: run_at while it waits, the lease's end
# while it runs, nothing once it is closed. "once_key" is held for good, "open_key"
# until the job is closed.
jobs = Table(
    "jobs",
    metadata,
    _tenant(),
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
    _tenant(),
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
    _tenant(),
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
    _tenant(),
    Column("endpoint_id", Key(), nullable=False),
    Column("event_id", Key(), nullable=False),
    Column("state", Key(), nullable=False),
    Column("due_at", UtcDateTime()),
    Column("attempts", Integer, nullable=False),
    Column("answer", Integer),
    Column("error", Words()),
    Column("delivered_at", UtcDateTime()),
    PrimaryKeyConstraint("tenant_id", "endpoint_id", "event_id"),
    _of("webhook_endpoints", "endpoint_id"),
    _of("events", "event_id"),
    CheckConstraint("state IN ('open', 'delivered', 'dead')", name="state"),
    CheckConstraint("(state = 'open') = (due_at IS NOT NULL)", name="due_at"),
    Index(None, "due_at"),
    Index(None, "tenant_id", "event_id"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    _tenant(),
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

# The hash is looked up before the tenant is known; SHA-256 of 32 random bytes is unique
# without being told so.
api_keys = Table(
    "api_keys",
    metadata,
    _tenant(),
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
    _of("reps", "rep_id"),
    Index(None, "hash"),
)

plans = Table(
    "plans",
    metadata,
    _tenant(),
    Column("plan_id", Key(), nullable=False),
    Column("job_id", Key()),
    Column("policy", Key(), nullable=False),
    Column("actor", Key(), nullable=False),
    Column("as_of", UtcDateTime(), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("committed_at", UtcDateTime()),
    Column("committed_by", Key()),
    Column("value", Double),
    Column("bound", Double),
    Column("gap", Double),
    Column("model_version", Key()),
    Column("columns_version", Key()),
    Column("rule_set", Integer),
    Column("roster", Key()),
    Column("fallback", Words()),
    Column("problem", Json(), nullable=False),
    Column("baselines", Json(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "plan_id"),
    CheckConstraint(
        "(committed_at IS NULL) = (committed_by IS NULL)", name="committed"
    ),
    CheckConstraint("gap >= 0", name="gap"),
    Index(None, "tenant_id", "created_at"),
)

plan_reps = Table(
    "plan_reps",
    metadata,
    _tenant(),
    Column("plan_id", Key(), nullable=False),
    Column("rep_id", Key(), nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("floor", Integer, nullable=False),
    Column("load", Integer, nullable=False),
    Column("given", Integer, nullable=False),
    Column("shortfall", Integer, nullable=False),
    Column("shadow_price", Double),
    Column("binding", Boolean, nullable=False),
    PrimaryKeyConstraint("tenant_id", "plan_id", "rep_id"),
    _of("plans", "plan_id"),
)

plan_lines = Table(
    "plan_lines",
    metadata,
    _tenant(),
    Column("plan_id", Key(), nullable=False),
    Column("line", Integer, nullable=False),
    Column("lead_id", Key(), nullable=False),
    Column("rep_id", Key()),
    Column("state", Key(), nullable=False),
    Column("propensity", Double),
    Column("p_convert", Double),
    Column("value", Double),
    Column("shadow_price", Double),
    Column("rule", Key()),
    Column("experiment", Key()),
    Column("arm", Key()),
    Column("runner_ups", Json(), nullable=False),
    Column("exclusions", LargeBinary),
    Column("feature_row", LargeBinary),
    Column("decision_id", Key()),
    PrimaryKeyConstraint("tenant_id", "plan_id", "line"),
    UniqueConstraint("tenant_id", "plan_id", "lead_id"),
    _of("plans", "plan_id"),
    CheckConstraint(
        "state IN ('previewed', 'unassigned', 'committed', 'owned', 'full', 'refused')",
        name="state",
    ),
    CheckConstraint("(state = 'unassigned') = (rep_id IS NULL)", name="unassigned"),
    CheckConstraint(
        "(state = 'committed') = (decision_id IS NOT NULL)", name="committed"
    ),
    CheckConstraint("propensity > 0 AND propensity <= 1", name="propensity"),
    CheckConstraint("p_convert >= 0 AND p_convert <= 1", name="p_convert"),
)

price_lists = Table(
    "price_lists",
    metadata,
    _tenant(),
    Column("list_id", Key(), nullable=False),
    Column("plan_id", Key(), nullable=False),
    Column("arm", Key(), nullable=False),
    Column("window_start", UtcDateTime(), nullable=False),
    Column("window_end", UtcDateTime(), nullable=False),
    Column("published_at", UtcDateTime(), nullable=False),
    Column("expires_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "list_id"),
    CheckConstraint("window_end > window_start", name="window"),
    CheckConstraint("expires_at > published_at", name="expires_later"),
    _of("plans", "plan_id"),
    Index(None, "tenant_id", "arm", "published_at"),
)

prices = Table(
    "prices",
    metadata,
    _tenant(),
    Column("list_id", Key(), nullable=False),
    Column("rep_id", Key(), nullable=False),
    Column("shadow_price", Double, nullable=False),
    PrimaryKeyConstraint("tenant_id", "list_id", "rep_id"),
    _of("price_lists", "list_id"),
)

models = Table(
    "models",
    metadata,
    _tenant(),
    Column("version", Key(), nullable=False),
    Column("path", Words(), nullable=False),
    Column("sha256", Key(), nullable=False),
    Column("columns_version", Key(), nullable=False),
    Column("label_window_days", Integer, nullable=False),
    Column("metrics", Json(), nullable=False),
    Column("data_hash", Key(), nullable=False),
    Column("trained_as_of", UtcDateTime(), nullable=False),
    Column("published_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "version"),
    CheckConstraint("label_window_days > 0", name="label_window_days"),
)

promotions = Table(
    "promotions",
    metadata,
    _tenant(),
    Column("alias", Key(), nullable=False),
    Column("move", Integer, nullable=False),
    Column("version", Key(), nullable=False),
    Column("actor", Key(), nullable=False),
    Column("reason", Words(), nullable=False),
    Column("moved_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "alias", "move"),
    _of("models", "version"),
)

rule_sets = Table(
    "rule_sets",
    metadata,
    _tenant(),
    Column("version", Integer, nullable=False),
    Column("rules", Json(), nullable=False),
    Column("actor", Key(), nullable=False),
    Column("reason", Words(), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "version"),
)

rule_set_moves = Table(
    "rule_set_moves",
    metadata,
    _tenant(),
    Column("move", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("actor", Key(), nullable=False),
    Column("reason", Words(), nullable=False),
    Column("moved_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "move"),
    _of("rule_sets", "version"),
)

experiments = Table(
    "experiments",
    metadata,
    _tenant(),
    Column("experiment", Key(), nullable=False),
    Column("unit_kind", Key(), nullable=False),
    Column("salt", Key(), nullable=False),
    Column("design", Json(), nullable=False),
    Column("actor", Key(), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("started_at", UtcDateTime()),
    Column("stopped_at", UtcDateTime()),
    Column("stopped_because", Words()),
    PrimaryKeyConstraint("tenant_id", "experiment"),
    CheckConstraint(
        "unit_kind IN ('lead', 'team_day', 'time_slice')", name="unit_kind"
    ),
    CheckConstraint("(stopped_at IS NULL) = (stopped_because IS NULL)", name="stopped"),
    CheckConstraint("stopped_at >= started_at", name="stopped_later"),
)

arms = Table(
    "arms",
    metadata,
    _tenant(),
    Column("experiment", Key(), nullable=False),
    Column("arm", Key(), nullable=False),
    Column("policy", Key(), nullable=False),
    Column("parameters", Json(), nullable=False),
    Column("share", Double, nullable=False),
    PrimaryKeyConstraint("tenant_id", "experiment", "arm"),
    CheckConstraint("share > 0 AND share <= 1", name="share"),
    _of("experiments", "experiment"),
)

experiment_units = Table(
    "experiment_units",
    metadata,
    _tenant(),
    Column("experiment", Key(), nullable=False),
    Column("unit", Key(), nullable=False),
    Column("arm", Key(), nullable=False),
    Column("stratum", Key(), nullable=False),
    Column("covariate", Double),
    Column("logged_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "experiment", "unit"),
    _of("arms", "experiment", "arm"),
)

import_originals = Table(
    "import_originals",
    metadata,
    _tenant(),
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
    _tenant(),
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

APPEND_ONLY = (promotions, rule_sets, rule_set_moves, experiment_units, erasures)
"""Tables whose rows the database refuses to change or remove."""

for table in APPEND_ONLY:
    append_only(table)
