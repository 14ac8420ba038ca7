"""The tables of what each arm gave: what its slots, its queue and its turns go by.

Both are projections of the logged decisions: the decisions stay the evidence.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Integer,
    PrimaryKeyConstraint,
    Table,
)

from rightrep.store.columns import tenant_column, tenants_own
from rightrep.store.metadata import metadata
from rightrep.store.types import Key, UtcDateTime

arm_reps = Table(
    "arm_reps",
    metadata,
    tenant_column(),
    Column("experiment", Key(), nullable=False),
    Column("arm", Key(), nullable=False),
    Column("rep_id", Key(), nullable=False),
    Column("given", Integer, nullable=False),
    Column("had_turn", Boolean, nullable=False),
    Column("last_given_at", UtcDateTime()),
    PrimaryKeyConstraint("tenant_id", "experiment", "arm", "rep_id"),
    CheckConstraint("given >= 0", name="given"),
    tenants_own("arms", "experiment", "arm"),
    tenants_own("reps", "rep_id"),
)

# The day comes before the arm: what all arms gave today is one run of the key.
arm_days = Table(
    "arm_days",
    metadata,
    tenant_column(),
    Column("experiment", Key(), nullable=False),
    Column("local_day", Date, nullable=False),
    Column("arm", Key(), nullable=False),
    Column("rep_id", Key(), nullable=False),
    Column("given", Integer, nullable=False),
    PrimaryKeyConstraint("tenant_id", "experiment", "local_day", "arm", "rep_id"),
    CheckConstraint("given > 0", name="given"),
    tenants_own("arms", "experiment", "arm"),
    tenants_own("reps", "rep_id"),
)
