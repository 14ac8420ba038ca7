"""The tables of finding duplicates: keys of customers, pairs found and what became.

No personal data: keys are hashes, and a pair says how alike its fields are, not what
stands in them. Keys of phone numbers can be guessed, so an erasure removes them too.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    Index,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from rightrep.store.columns import tenant_column
from rightrep.store.metadata import metadata
from rightrep.store.types import Json, Key, UtcDateTime

identities = Table(
    "identities",
    metadata,
    tenant_column(),
    Column("customer_id", Key(), nullable=False),
    Column("digest", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "customer_id"),
)

identity_keys = Table(
    "identity_keys",
    metadata,
    tenant_column(),
    Column("key", BigInteger, nullable=False),
    Column("customer_id", Key(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "key", "customer_id"),
    Index(None, "tenant_id", "customer_id"),
)

# left_id comes before right_id, so that two records are one pair.
duplicates = Table(
    "duplicates",
    metadata,
    tenant_column(),
    Column("duplicate_id", Key(), nullable=False),
    Column("kind", Key(), nullable=False),
    Column("left_id", Key(), nullable=False),
    Column("right_id", Key(), nullable=False),
    Column("levels", Json(), nullable=False),
    Column("bits", Double),
    Column("reason", Key(), nullable=False),
    Column("state", Key(), nullable=False),
    Column("found_at", UtcDateTime(), nullable=False),
    Column("decided_at", UtcDateTime()),
    Column("decided_by", Key()),
    Column("merge_id", Key()),
    PrimaryKeyConstraint("tenant_id", "duplicate_id"),
    UniqueConstraint("tenant_id", "kind", "left_id", "right_id"),
    CheckConstraint("left_id < right_id", name="ordered"),
    CheckConstraint("kind IN ('customer', 'lead')", name="kind"),
    CheckConstraint("state IN ('waiting', 'merged', 'refused')", name="state"),
    CheckConstraint("(decided_at IS NULL) = (state = 'waiting')", name="decided"),
    Index(None, "tenant_id", "state", "found_at"),
    Index(None, "tenant_id", "kind", "right_id"),
    Index(None, "tenant_id", "merge_id"),
)
