"""Settings of pools: versions are only added, the last one of each pool is in force."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, bindparam, func, select

from rightrep.domain.pools import COMMON, Pool, in_order
from rightrep.errors import NotFound
from rightrep.store.guard import of_tenant
from rightrep.store.moves import append_numbered
from rightrep.store.schema_pools import pool_versions
from rightrep.store.session import ReadSession, WriteSession


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolVersion:
    """One version of a pool's settings.

    Attributes:
        version: Which one, from 1.
        pool: The settings; None took the pool away.
        actor: Who wrote it.
        reason: Why, in a sentence.
        created_at: From when on it holds.
    """

    version: int
    pool: Pool | None
    actor: str
    reason: str
    created_at: datetime


def pools_in_force(session: ReadSession) -> list[Pool]:
    """Every public pool in the order in which they are asked, the common one last."""
    rows = session.execute(_IN_FORCE)
    return in_order(
        [Pool.of(row.pool, row.settings) for row in rows if row.settings is not None]
    )


def get_pool(session: ReadSession, name: str) -> Pool:
    """One pool.

    Raises:
        NotFound: There is no such pool.
    """
    for pool in pools_in_force(session):
        if pool.pool == name:
            return pool
    raise NotFound("pool", name)


def save_pool(
    session: WriteSession, pool: Pool, *, actor: str, reason: str, at: datetime
) -> int:
    """Put settings in force; a pool that was not there is made.

    Returns:
        Their version.

    Raises:
        Conflict: Somebody else changed the pool at the same moment.
    """
    return _append(session, pool.pool, pool.to_json(), actor, reason, at)


def remove_pool(
    session: WriteSession, name: str, *, actor: str, reason: str, at: datetime
) -> int:
    """Take a pool away: its leads are in the next pool whose conditions hold.

    The common pool is never away: it goes back to its first settings.

    Returns:
        The version that says so.

    Raises:
        NotFound: There is no such pool.
        Conflict: Somebody else changed the pool at the same moment.
    """
    if name != COMMON:
        get_pool(session, name)
    return _append(session, name, None, actor, reason, at)


def pool_history(session: ReadSession, name: str) -> list[PoolVersion]:
    """Every version of a pool's settings, the newest first."""
    return [
        PoolVersion(
            version=row.version,
            pool=None if row.settings is None else Pool.of(name, row.settings),
            actor=row.actor,
            reason=row.reason,
            created_at=row.created_at,
        )
        for row in session.execute(_HISTORY, {"pool": name})
    ]


def _append(
    session: WriteSession,
    name: str,
    settings: dict[str, Any] | None,
    actor: str,
    reason: str,
    at: datetime,
) -> int:
    values = {
        "settings": settings,
        "actor": actor,
        "reason": reason,
        "created_at": at,
    }
    return append_numbered(
        session, pool_versions, "version", values, within={"pool": name}
    )


def _in_force() -> "Select[Any]":
    last = (
        select(pool_versions.c.pool, func.max(pool_versions.c.version).label("version"))
        .where(of_tenant(pool_versions))
        .group_by(pool_versions.c.pool)
        .subquery()
    )
    same = and_(
        pool_versions.c.pool == last.c.pool, pool_versions.c.version == last.c.version
    )
    return (
        select(pool_versions.c.pool, pool_versions.c.settings)
        .join_from(pool_versions, last, same)
        .where(of_tenant(pool_versions))
    )


_IN_FORCE = _in_force()
_HISTORY = (
    select(pool_versions)
    .where(of_tenant(pool_versions), pool_versions.c.pool == bindparam("pool"))
    .order_by(pool_versions.c.version.desc())
)
