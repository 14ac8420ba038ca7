"""The tables of what was worked out: plans, prices, models, rule sets, experiments.

As in ``schema``: ``tenant_id`` first in every key, constraint and index.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    false,
    text,
)

from rightrep.store.columns import tenant_column, tenants_own
from rightrep.store.metadata import metadata
from rightrep.store.triggers import append_only
from rightrep.store.types import Json, Key, UtcDateTime, Words

plans = Table(
    "plans",
    metadata,
    tenant_column(),
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
    Column("kind", Key(), nullable=False, server_default=text("'lead'")),
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
    tenant_column(),
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
    tenants_own("plans", "plan_id"),
)

# "runner_ups" is JSON in text: whole plans go through untouched, as Arrow.
plan_lines = Table(
    "plan_lines",
    metadata,
    tenant_column(),
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
    Column("policy", Key()),
    Column("experiment", Key()),
    Column("arm", Key()),
    Column("runner_ups", Words(), nullable=False),
    Column("exclusions", LargeBinary),
    Column("feature_row", LargeBinary),
    Column("decision_id", Key()),
    PrimaryKeyConstraint("tenant_id", "plan_id", "line"),
    UniqueConstraint("tenant_id", "plan_id", "lead_id"),
    tenants_own("plans", "plan_id"),
    CheckConstraint(
        "state IN "
        "('previewed', 'unassigned', 'committed', 'owned', 'full', 'excluded')",
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
    tenant_column(),
    Column("list_id", Key(), nullable=False),
    Column("plan_id", Key(), nullable=False),
    Column("arm", Key(), nullable=False),
    Column("window_start", UtcDateTime(), nullable=False),
    Column("window_end", UtcDateTime(), nullable=False),
    Column("published_at", UtcDateTime(), nullable=False),
    Column("expires_at", UtcDateTime(), nullable=False),
    Column("step", Double, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("tenant_id", "list_id"),
    CheckConstraint("window_end > window_start", name="window"),
    CheckConstraint("expires_at > published_at", name="expires_later"),
    tenants_own("plans", "plan_id"),
    Index(None, "tenant_id", "arm", "published_at"),
)

prices = Table(
    "prices",
    metadata,
    tenant_column(),
    Column("list_id", Key(), nullable=False),
    Column("rep_id", Key(), nullable=False),
    Column("shadow_price", Double, nullable=False),
    Column("planned", Double, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("tenant_id", "list_id", "rep_id"),
    tenants_own("price_lists", "list_id"),
)

models = Table(
    "models",
    metadata,
    tenant_column(),
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
    tenant_column(),
    Column("alias", Key(), nullable=False),
    Column("move", Integer, nullable=False),
    Column("version", Key(), nullable=False),
    Column("actor", Key(), nullable=False),
    Column("reason", Words(), nullable=False),
    Column("moved_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "alias", "move"),
    tenants_own("models", "version"),
)

rule_sets = Table(
    "rule_sets",
    metadata,
    tenant_column(),
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
    tenant_column(),
    Column("move", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("actor", Key(), nullable=False),
    Column("reason", Words(), nullable=False),
    Column("moved_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "move"),
    tenants_own("rule_sets", "version"),
)

_RUNNING = text("started_at IS NOT NULL AND stopped_at IS NULL")

experiments = Table(
    "experiments",
    metadata,
    tenant_column(),
    Column("experiment", Key(), nullable=False),
    Column("unit_kind", Key(), nullable=False),
    Column("salt", Key(), nullable=False),
    Column("design", Json(), nullable=False),
    Column("actor", Key(), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("started_at", UtcDateTime()),
    Column("stopped_at", UtcDateTime()),
    Column("stopped_because", Words()),
    Column("standing", Boolean, nullable=False, server_default=false()),
    PrimaryKeyConstraint("tenant_id", "experiment"),
    CheckConstraint(
        "unit_kind IN ('lead', 'team_day', 'time_slice')", name="unit_kind"
    ),
    CheckConstraint("(stopped_at IS NULL) = (stopped_because IS NULL)", name="stopped"),
    CheckConstraint("stopped_at >= started_at", name="stopped_later"),
    Index(
        "uq_experiments_running",
        "tenant_id",
        "standing",
        unique=True,
        sqlite_where=_RUNNING,
        postgresql_where=_RUNNING,
    ),
)

arms = Table(
    "arms",
    metadata,
    tenant_column(),
    Column("experiment", Key(), nullable=False),
    Column("arm", Key(), nullable=False),
    Column("policy", Key(), nullable=False),
    Column("parameters", Json(), nullable=False),
    Column("share", Double, nullable=False),
    PrimaryKeyConstraint("tenant_id", "experiment", "arm"),
    CheckConstraint("share > 0 AND share <= 1", name="share"),
    tenants_own("experiments", "experiment"),
)

experiment_units = Table(
    "experiment_units",
    metadata,
    tenant_column(),
    Column("experiment", Key(), nullable=False),
    Column("unit", Key(), nullable=False),
    Column("arm", Key(), nullable=False),
    Column("stratum", Key(), nullable=False),
    Column("cluster", Key(), nullable=False, server_default=""),
    Column("covariate", Double),
    Column("logged_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "experiment", "unit"),
    tenants_own("arms", "experiment", "arm"),
)

for table in (promotions, rule_sets, rule_set_moves, experiment_units):
    append_only(table)
