"""The tables of records: ``tenant_id`` first in every key, constraint and index.

What is personal (names, phones, addresses, free text) is in ``customers``,
``contacts``, ``contact_points``, ``notes`` and ``reps.name``, and nowhere else. Nothing
refers to those rows by a foreign key, so that they can be erased while the pseudonymous
record stands.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Double,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)

from rightrep.store.columns import tenant_column, tenants_own
from rightrep.store.metadata import metadata
from rightrep.store.triggers import append_only
from rightrep.store.types import Json, Key, UtcDateTime, Words

tenants = Table(
    "tenants",
    metadata,
    tenant_column(),
    Column("name", Words(), nullable=False),
    Column("time_zone", Key(), nullable=False),
    Column("currency", Key(), nullable=False),
    Column("label_window_days", Integer),
    Column("settings", Json(), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id"),
    CheckConstraint("label_window_days > 0", name="label_window_days"),
)

# external_id comes before source, so that an id without its source finds its row too.
aliases = Table(
    "aliases",
    metadata,
    tenant_column(),
    Column("kind", Key(), nullable=False),
    Column("external_id", Key(), nullable=False),
    Column("source", Key(), nullable=False),
    Column("id", Key(), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "kind", "external_id", "source"),
    Index(None, "tenant_id", "kind", "id"),
)

merges = Table(
    "merges",
    metadata,
    tenant_column(),
    Column("merge_id", Key(), nullable=False),
    Column("kind", Key(), nullable=False),
    Column("merged_id", Key(), nullable=False),
    Column("survivor_id", Key(), nullable=False),
    Column("merged_at", UtcDateTime(), nullable=False),
    Column("cause", Words(), nullable=False),
    Column("actor", Key(), nullable=False),
    Column("undone_at", UtcDateTime()),
    Column("undone_by", Key()),
    PrimaryKeyConstraint("tenant_id", "merge_id"),
    CheckConstraint("merged_id <> survivor_id", name="two_records"),
    CheckConstraint("undone_at >= merged_at", name="undone_later"),
    Index("ix_merges_survivor", "tenant_id", "kind", "survivor_id"),
    Index(
        "uq_merges_standing",
        "tenant_id",
        "kind",
        "merged_id",
        unique=True,
        sqlite_where=text("undone_at IS NULL"),
        postgresql_where=text("undone_at IS NULL"),
    ),
)

customers = Table(
    "customers",
    metadata,
    tenant_column(),
    Column("customer_id", Key(), nullable=False),
    Column("name", Words()),
    Column("name_key", Key()),
    Column("tax_number", Key()),
    Column("address", Words()),
    Column("grade", Key()),
    Column("created_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "customer_id"),
    Index(None, "tenant_id", "name_key"),
    Index(None, "tenant_id", "tax_number"),
)

contacts = Table(
    "contacts",
    metadata,
    tenant_column(),
    Column("contact_id", Key(), nullable=False),
    Column("customer_id", Key()),
    Column("name", Words()),
    Column("created_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "contact_id"),
    Index(None, "tenant_id", "customer_id"),
)

contact_points = Table(
    "contact_points",
    metadata,
    tenant_column(),
    Column("contact_id", Key(), nullable=False),
    Column("kind", Key(), nullable=False),
    Column("value", Key(), nullable=False),
    Column("possible", Boolean, nullable=False),
    PrimaryKeyConstraint("tenant_id", "contact_id", "kind", "value"),
    CheckConstraint("kind IN ('phone', 'email')", name="kind"),
    Index(None, "tenant_id", "kind", "value"),
)

leads = Table(
    "leads",
    metadata,
    tenant_column(),
    Column("lead_id", Key(), nullable=False),
    Column("customer_id", Key()),
    Column("contact_id", Key()),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("kind", Key(), nullable=False, server_default=text("'lead'")),
    PrimaryKeyConstraint("tenant_id", "lead_id"),
    Index(None, "tenant_id", "customer_id"),
    Index(None, "tenant_id", "created_at"),
    # Tickets are few among leads: who leaves them out looks through these alone.
    Index(
        "ix_leads_tickets",
        "tenant_id",
        "lead_id",
        sqlite_where=text("kind = 'ticket'"),
        postgresql_where=text("kind = 'ticket'"),
    ),
)

lead_versions = Table(
    "lead_versions",
    metadata,
    tenant_column(),
    Column("lead_id", Key(), nullable=False),
    Column("valid_from", UtcDateTime(), nullable=False),
    Column("recorded_at", UtcDateTime(), nullable=False),
    Column("digest", Key(), nullable=False),
    Column("industry", Key()),
    Column("company_size", Double),
    Column("region", Key()),
    Column("language", Key()),
    Column("product", Key()),
    Column("budget_minor", BigInteger),
    Column("budget_currency", Key()),
    Column("deal_value_minor", BigInteger),
    Column("deal_value_currency", Key()),
    Column("channel", Key()),
    Column("campaign", Key()),
    Column("stage", Key(), nullable=False),
    Column("grade", Key()),
    Column("attributes", Json(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "lead_id", "valid_from", "recorded_at"),
    CheckConstraint(
        "(budget_minor IS NULL) = (budget_currency IS NULL)", name="budget"
    ),
    CheckConstraint(
        "(deal_value_minor IS NULL) = (deal_value_currency IS NULL)", name="deal_value"
    ),
    tenants_own("leads", "lead_id"),
)

reps = Table(
    "reps",
    metadata,
    tenant_column(),
    Column("rep_id", Key(), nullable=False),
    Column("name", Words(), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "rep_id"),
)

rep_versions = Table(
    "rep_versions",
    metadata,
    tenant_column(),
    Column("rep_id", Key(), nullable=False),
    Column("valid_from", UtcDateTime(), nullable=False),
    Column("recorded_at", UtcDateTime(), nullable=False),
    Column("digest", Key(), nullable=False),
    Column("team", Key()),
    Column("manager", Key()),
    Column("region", Key()),
    Column("languages", Json(), nullable=False),
    Column("products", Json(), nullable=False),
    Column("industries", Json(), nullable=False),
    Column("hired_on", Date),
    Column("holding_limit", Integer),
    Column("intake_per_day", Integer),
    Column("intake_per_month", Integer),
    Column("weight", Double, nullable=False),
    Column("time_zone", Key()),
    Column("calendar", Key()),
    Column("shifts", Json(), nullable=False),
    Column("leave", Json(), nullable=False),
    Column("status", Key(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "rep_id", "valid_from", "recorded_at"),
    CheckConstraint("weight > 0", name="weight"),
    CheckConstraint("holding_limit >= 0", name="holding_limit"),
    CheckConstraint("intake_per_day >= 0", name="intake_per_day"),
    CheckConstraint("status IN ('active', 'paused', 'left')", name="status"),
    tenants_own("reps", "rep_id"),
)

rosters = Table(
    "rosters",
    metadata,
    tenant_column(),
    Column("roster", Key(), nullable=False),
    Column("rep_ids", Json(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "roster"),
)

decisions = Table(
    "decisions",
    metadata,
    tenant_column(),
    Column("decision_id", Key(), nullable=False),
    Column("lead_id", Key(), nullable=False),
    Column("rep_id", Key(), nullable=False),
    Column("decided_at", UtcDateTime(), nullable=False),
    Column("recorded_at", UtcDateTime(), nullable=False),
    Column("cause", Key(), nullable=False),
    Column("actor", Key(), nullable=False),
    Column("policy", Key(), nullable=False),
    Column("rule_set", Integer),
    Column("rule", Key()),
    Column("experiment", Key()),
    Column("arm", Key()),
    Column("propensity", Double),
    Column("p_convert", Double),
    Column("value", Double),
    Column("shadow_price", Double),
    Column("model_version", Key()),
    Column("fallback", Words()),
    Column("columns_version", Key()),
    Column("feature_row", LargeBinary),
    Column("runner_ups", Json(), nullable=False),
    Column("roster", Key()),
    Column("exclusions", LargeBinary),
    PrimaryKeyConstraint("tenant_id", "decision_id"),
    CheckConstraint("propensity > 0 AND propensity <= 1", name="propensity"),
    CheckConstraint("p_convert >= 0 AND p_convert <= 1", name="p_convert"),
    CheckConstraint("recorded_at >= decided_at", name="recorded_later"),
    tenants_own("leads", "lead_id"),
    tenants_own("reps", "rep_id"),
    Index(None, "tenant_id", "lead_id", "decided_at"),
    Index(None, "tenant_id", "rep_id", "decided_at"),
    Index(None, "tenant_id", "decided_at", "decision_id"),
)

# "revision" counts the events of one lead in the order they were written.
ownership_events = Table(
    "ownership_events",
    metadata,
    tenant_column(),
    Column("event_id", Key(), nullable=False),
    Column("lead_id", Key(), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("kind", Key(), nullable=False),
    Column("owner", Key()),
    Column("previous_owner", Key()),
    Column("holding", Boolean, nullable=False),
    Column("decision_id", Key()),
    Column("cause", Words(), nullable=False),
    Column("actor", Key(), nullable=False),
    Column("happened_at", UtcDateTime(), nullable=False),
    Column("local_day", Date),
    PrimaryKeyConstraint("tenant_id", "event_id"),
    UniqueConstraint("tenant_id", "lead_id", "revision"),
    CheckConstraint("revision > 0", name="revision"),
    tenants_own("leads", "lead_id"),
    Index(None, "tenant_id", "lead_id", "happened_at"),
)

# A lead that was dropped keeps its row, without owner, so that revisions go on.
ownership = Table(
    "ownership",
    metadata,
    tenant_column(),
    Column("lead_id", Key(), nullable=False),
    Column("owner", Key()),
    Column("holding", Boolean, nullable=False),
    Column("since", UtcDateTime(), nullable=False),
    Column("taken_on", Date),
    Column("decision_id", Key()),
    Column("revision", Integer, nullable=False),
    PrimaryKeyConstraint("tenant_id", "lead_id"),
    CheckConstraint("owner IS NOT NULL OR NOT holding", name="holding"),
    tenants_own("leads", "lead_id"),
    Index(None, "tenant_id", "owner"),
)

# "held" and "taken" count leads of every kind, "tickets" those of them that are ones.
rep_load = Table(
    "rep_load",
    metadata,
    tenant_column(),
    Column("rep_id", Key(), nullable=False),
    Column("held", Integer, nullable=False),
    Column("last_given_at", UtcDateTime()),
    Column("tickets", Integer, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("tenant_id", "rep_id"),
    CheckConstraint("held >= 0", name="held"),
    tenants_own("reps", "rep_id"),
)

rep_day = Table(
    "rep_day",
    metadata,
    tenant_column(),
    Column("rep_id", Key(), nullable=False),
    Column("local_day", Date, nullable=False),
    Column("taken", Integer, nullable=False),
    Column("tickets", Integer, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("tenant_id", "rep_id", "local_day"),
    Index(None, "tenant_id", "local_day"),
    CheckConstraint("taken >= 0", name="taken"),
    tenants_own("reps", "rep_id"),
)

activities = Table(
    "activities",
    metadata,
    tenant_column(),
    Column("event_id", Key(), nullable=False),
    Column("digest", Key(), nullable=False),
    Column("kind", Key(), nullable=False),
    Column("lead_id", Key(), nullable=False),
    Column("rep_id", Key()),
    Column("happened_at", UtcDateTime(), nullable=False),
    Column("recorded_at", UtcDateTime(), nullable=False),
    Column("result", Key()),
    Column("score", Double),
    Column("latitude", Double),
    Column("longitude", Double),
    PrimaryKeyConstraint("tenant_id", "event_id"),
    CheckConstraint("latitude >= -90 AND latitude <= 90", name="latitude"),
    CheckConstraint("longitude >= -180 AND longitude <= 180", name="longitude"),
    tenants_own("leads", "lead_id"),
    Index(None, "tenant_id", "lead_id", "happened_at"),
)

notes = Table(
    "notes",
    metadata,
    tenant_column(),
    Column("event_id", Key(), nullable=False),
    Column("lead_id", Key(), nullable=False),
    Column("note", Words(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "event_id"),
    Index(None, "tenant_id", "lead_id"),
)

outcomes = Table(
    "outcomes",
    metadata,
    tenant_column(),
    Column("event_id", Key(), nullable=False),
    Column("digest", Key(), nullable=False),
    Column("lead_id", Key(), nullable=False),
    Column("decision_id", Key()),
    Column("result", Key(), nullable=False),
    Column("closed_at", UtcDateTime(), nullable=False),
    Column("recorded_at", UtcDateTime(), nullable=False),
    Column("value_minor", BigInteger),
    Column("value_currency", Key()),
    Column("reason", Words()),
    Column("replaces", Key()),
    PrimaryKeyConstraint("tenant_id", "event_id"),
    UniqueConstraint("tenant_id", "replaces"),
    CheckConstraint(
        "result IN ('won', 'lost', 'resolved', 'unresolved')", name="result"
    ),
    CheckConstraint("(value_minor IS NULL) = (value_currency IS NULL)", name="value"),
    CheckConstraint("replaces <> event_id", name="replaces_another"),
    tenants_own("leads", "lead_id"),
    Index(None, "tenant_id", "lead_id", "closed_at"),
)

channel_costs = Table(
    "channel_costs",
    metadata,
    tenant_column(),
    Column("channel", Key(), nullable=False),
    Column("day", Date, nullable=False),
    Column("cost_minor", BigInteger, nullable=False),
    Column("cost_currency", Key(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "channel", "day"),
    CheckConstraint("cost_minor >= 0", name="cost"),
)

# A rate is kept as decimal text: SQLite has no exact decimals.
rates = Table(
    "rates",
    metadata,
    tenant_column(),
    Column("from_currency", Key(), nullable=False),
    Column("to_currency", Key(), nullable=False),
    Column("day", Date, nullable=False),
    Column("rate", Key(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "from_currency", "to_currency", "day"),
)

APPEND_ONLY = (decisions, ownership_events, activities, outcomes)

for table in APPEND_ONLY:
    append_only(table)
