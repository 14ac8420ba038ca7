"""The tables of people who sign in: who they are, where they are signed in, tries.

As in ``schema``: ``tenant_id`` first in every key and constraint. One index does
without: a session's token is looked up before the tenant is known.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from rightrep.store.columns import tenant_column, tenants_own
from rightrep.store.metadata import metadata
from rightrep.store.types import Key, UtcDateTime, Words

people = Table(
    "people",
    metadata,
    tenant_column(),
    Column("person_id", Key(), nullable=False),
    Column("sign_in_name", Key(), nullable=False),
    Column("display_name", Words(), nullable=False),
    Column("role", Key(), nullable=False),
    Column("rep_id", Key()),
    Column("password_hash", Key()),
    Column("initial_until", UtcDateTime()),
    Column("issuer", Key()),
    Column("subject", Key()),
    Column("from_claims", Boolean, nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("disabled_at", UtcDateTime()),
    PrimaryKeyConstraint("tenant_id", "person_id"),
    UniqueConstraint("tenant_id", "sign_in_name"),
    UniqueConstraint("tenant_id", "issuer", "subject"),
    CheckConstraint("role IN ('rep', 'manager', 'analyst', 'admin')", name="role"),
    CheckConstraint("(role = 'rep') = (rep_id IS NOT NULL)", name="rep"),
    CheckConstraint("(issuer IS NULL) = (subject IS NULL)", name="subject"),
    CheckConstraint(
        "initial_until IS NULL OR password_hash IS NOT NULL", name="initial"
    ),
    tenants_own("reps", "rep_id"),
)

# SHA-256 of 32 random bytes is unique without being told so.
person_sessions = Table(
    "person_sessions",
    metadata,
    tenant_column(),
    Column("session_id", Key(), nullable=False),
    Column("person_id", Key(), nullable=False),
    Column("token_hash", Key(), nullable=False),
    Column("started_at", UtcDateTime(), nullable=False),
    Column("ends_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "session_id"),
    tenants_own("people", "person_id"),
    Index(None, "token_hash"),
    Index(None, "tenant_id", "person_id"),
)

# "who_hash" is of a sign-in name or a network address: neither is kept in clear, for
# what is typed into the field of a name may be anything.
sign_in_tries = Table(
    "sign_in_tries",
    metadata,
    tenant_column(),
    Column("kind", Key(), nullable=False),
    Column("who_hash", Key(), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("since", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "kind", "who_hash"),
    CheckConstraint("tries >= 0", name="tries"),
)

# Somebody is at the OpenID provider and is expected back.
sign_in_trips = Table(
    "sign_in_trips",
    metadata,
    tenant_column(),
    Column("state_hash", Key(), nullable=False),
    Column("nonce", Key(), nullable=False),
    Column("verifier", Key(), nullable=False),
    Column("path", Words(), nullable=False),
    Column("ends_at", UtcDateTime(), nullable=False),
    PrimaryKeyConstraint("tenant_id", "state_hash"),
)
