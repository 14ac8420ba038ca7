"""The table of service reps: who looks after a customer once a deal is won.

As in ``schema``: ``tenant_id`` first in every key and index.
"""

from sqlalchemy import CheckConstraint, Column, Integer, PrimaryKeyConstraint, Table

from rightrep.store.columns import tenant_column, tenants_own
from rightrep.store.metadata import metadata
from rightrep.store.triggers import append_only
from rightrep.store.types import Key, UtcDateTime

# The last row of a customer counts.
service_reps = Table(
    "service_reps",
    metadata,
    tenant_column(),
    Column("customer_id", Key(), nullable=False),
    Column("number", Integer, nullable=False),
    Column("rep_id", Key(), nullable=False),
    Column("lead_id", Key(), nullable=False),
    Column("policy", Key(), nullable=False),
    Column("since", UtcDateTime(), nullable=False),
    Column("actor", Key(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "customer_id", "number"),
    tenants_own("customers", "customer_id"),
    tenants_own("reps", "rep_id"),
    tenants_own("leads", "lead_id"),
    CheckConstraint("number > 0", name="number"),
)

append_only(service_reps)
