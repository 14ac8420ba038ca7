"""Tries to sign in, counted where every process sees them.

A try is counted before the password is looked at, so that no number of processes and
no haste gets more of them than the limit; one that goes well is forgiven.
"""

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import case, delete, select, update

from rightrep.store.guard import of_tenant
from rightrep.store.schema_people import sign_in_tries as tries
from rightrep.store.session import ReadSession, WriteSession

WINDOW = timedelta(minutes=15)


class TryOf(StrEnum):
    """What tries are counted by."""

    NAME = "name"
    ADDRESS = "address"


LIMITS = {TryOf.NAME: 10, TryOf.ADDRESS: 100}
"""Failed tries in ``WINDOW``. Behind one address there may be a whole office."""


def barred_until(
    session: ReadSession, kind: TryOf, who: str, *, at: datetime
) -> datetime | None:
    """Until when no try is looked at, or None."""
    query = select(tries.c.since).where(
        of_tenant(tries),
        tries.c.kind == kind.value,
        tries.c.who_hash == _hash(kind, who),
        tries.c.tries >= LIMITS[kind],
        tries.c.since > at - WINDOW,
    )
    since = session.execute(query).scalar_one_or_none()
    return None if since is None else since + WINDOW


def count_try(
    session: WriteSession, kind: TryOf, who: str, *, at: datetime
) -> datetime | None:
    """Count a try.

    Args:
        session: Its own short transaction.
        kind: What it is counted by.
        who: The sign-in name or the network address; only a hash is kept.
        at: Now.

    Returns:
        None where it may be looked at; else until when no try is.
    """
    over = tries.c.since <= at - WINDOW
    adding = session.insert(tries)
    adding = adding.on_conflict_do_update(
        index_elements=["tenant_id", "kind", "who_hash"],
        set_={
            "tries": case((over, adding.excluded.tries), else_=tries.c.tries + 1),
            "since": case((over, adding.excluded.since), else_=tries.c.since),
        },
    )
    row = session.execute(
        adding.returning(tries.c.tries, tries.c.since),
        {
            "kind": kind.value,
            "who_hash": _hash(kind, who),
            "tries": 1,
            "since": at,
        },
    ).one()
    return row.since + WINDOW if row.tries > LIMITS[kind] else None


def take_back_try(session: WriteSession, kind: TryOf, who: str) -> None:
    """A try went well: it does not count."""
    mine = of_tenant(tries), tries.c.who_hash == _hash(kind, who), tries.c.tries > 0
    session.execute(update(tries).where(*mine).values(tries=tries.c.tries - 1))


def forgive(session: WriteSession, kind: TryOf, who: str) -> None:
    """Forget every try."""
    mine = of_tenant(tries), tries.c.who_hash == _hash(kind, who)
    session.execute(delete(tries).where(*mine))


def purge_tries(session: WriteSession, *, at: datetime) -> int:
    """Remove tries that count no more; returns how many."""
    over = delete(tries).where(of_tenant(tries), tries.c.since <= at - WINDOW)
    return session.execute(over).rowcount


def _hash(kind: TryOf, who: str) -> str:
    return hashlib.sha256(f"{kind.value} {who}".encode()).hexdigest()
