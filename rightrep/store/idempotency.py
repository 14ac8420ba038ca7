"""Idempotency keys: a request sent twice has one effect and one answer.

The key's row commits with the effect. A twin that comes meanwhile waits for it, and
then gets the stored answer; if the first is undone, the twin takes its place.

On PostgreSQL the twin waits at the unique key, for as long as it was told. On SQLite
writers come one after another, so it waits before its transaction begins, as every
writer does (``engine``: 30 s, then ``StoreUnavailable``).
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from psycopg.errors import LockNotAvailable
from sqlalchemy import RowMapping, bindparam, delete, func, select, update
from sqlalchemy.exc import OperationalError

from rightrep.errors import KeyInUse, KeyReused
from rightrep.store.guard import of_tenant
from rightrep.store.schema_ops import idempotency_keys as keys
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of

KEPT_FOR = timedelta(hours=24)
PATIENCE = timedelta(seconds=5)
_MILLI = timedelta(milliseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What was answered to a request; pseudonymous ids only, no personal data.

    Attributes:
        status: HTTP status code.
        body: The exact bytes.
        headers: Headers worth repeating.
        is_replayed: Whether it is the stored answer to an earlier request.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    is_replayed: bool = False


def answer_once(
    session: WriteSession,
    key: str,
    body_hash: str,
    effect: Callable[[], Answer],
    *,
    at: datetime,
    patience: timedelta = PATIENCE,
) -> Answer:
    """Answer a request that carries a key: by its effect, or as it was answered before.

    An answer that ``effect`` returns is stored, a refusal too (it must have undone its
    own writes: ``session.savepoint``). An error that it raises leaves the transaction,
    which undoes the key with everything else, so that the request can be tried again.

    Args:
        session: The transaction of the effect.
        key: The sender's key.
        body_hash: Hash of method, path and body.
        effect: Does the work in ``session``.
        at: Now.
        patience: How long to wait for a twin; PostgreSQL only.

    Raises:
        KeyReused: The key was used with another body.
        KeyInUse: The twin is not done yet.
    """
    stored = reserve_key(session, key, body_hash, at=at, patience=patience)
    if stored is not None:
        return stored
    answer = effect()
    keep_answer(session, key, answer)
    return answer


def reserve_key(
    session: WriteSession,
    key: str,
    body_hash: str,
    *,
    at: datetime,
    patience: timedelta = PATIENCE,
) -> Answer | None:
    """Take the key for this transaction, or give the answer stored under it.

    Who gets None must end with ``keep_answer`` or undo the transaction.

    Raises:
        KeyReused: The key was used with another body.
        KeyInUse: The twin is not done yet.
    """
    with _waiting(session, key, patience):
        if _is_taken(session, key, body_hash, at):
            return None
    query = select(keys).where(of_tenant(keys), keys.c.key == key)
    return _replayed(session.execute(query).mappings().one(), key, body_hash)


def stored_answer(
    session: ReadSession, key: str, body_hash: str, *, at: datetime
) -> Answer | None:
    """The answer stored under a key, before any work is done; None when there is none.

    Raises:
        KeyReused: The key was used with another body.
    """
    query = select(keys).where(
        of_tenant(keys),
        keys.c.key == key,
        keys.c.expires_at > at,
        keys.c.status.is_not(None),
    )
    row = session.execute(query).mappings().one_or_none()
    return None if row is None else _replayed(row, key, body_hash)


def answered_keys(
    session: ReadSession, wanted: Iterable[str], *, at: datetime
) -> set[str]:
    """Those of these keys that were used before."""
    names = sorted(set(wanted))
    if not names:
        return set()
    found = session.execute(_USED, {"names": names, "at": at})
    return set(found.scalars())


def keep_answers(
    session: WriteSession,
    answers: Mapping[str, tuple[str, Answer]],
    *,
    at: datetime,
    patience: timedelta = PATIENCE,
) -> None:
    """Store the answers of several requests, in the transaction of their effects.

    Args:
        session: The transaction of the effects.
        answers: Hash of method, path and body, and the answer, by key.
        at: Now.
        patience: How long to wait for twins together; PostgreSQL only.

    Raises:
        KeyInUse: One of the keys was used meanwhile: undo the transaction.
    """
    if not answers:
        return
    # In one order, so that who stores several never waits in a ring.
    rows = [
        {
            "key": key,
            "body_hash": body_hash,
            "expires_at": at + KEPT_FOR,
            **_columns(answer),
        }
        for key, (body_hash, answer) in sorted(answers.items())
    ]
    adding = session.insert(keys)
    names = [name for name in rows[0] if name != "key"]
    adding = adding.on_conflict_do_update(
        index_elements=["tenant_id", "key"],
        set_={name: adding.excluded[name] for name in names},
        where=keys.c.expires_at <= at,
    )
    with _waiting(session, rows[0]["key"], patience):
        taken = set(session.execute(adding.returning(keys.c.key), rows).scalars())
    for key in answers:
        if key not in taken:
            raise KeyInUse(key, retry_after_seconds=1)


def keep_answer(session: WriteSession, key: str, answer: Answer) -> None:
    """Store the answer under the key that this transaction took."""
    mine = update(keys).where(of_tenant(keys), keys.c.key == key)
    session.execute(mine.values(_columns(answer)))


def purge_answers(session: WriteSession, *, at: datetime) -> int:
    """Remove answers whose time is over; returns how many."""
    expired = delete(keys).where(of_tenant(keys), keys.c.expires_at <= at)
    return session.execute(expired).rowcount


def _columns(answer: Answer) -> dict[str, Any]:
    return {
        "status": answer.status,
        "body": answer.body,
        "headers": dict(answer.headers),
    }


def _replayed(row: RowMapping, key: str, body_hash: str) -> Answer:
    if row["body_hash"] != body_hash:
        raise KeyReused(key)
    return Answer(
        status=row["status"],
        body=bytes(row["body"]),
        headers=row["headers"],
        is_replayed=True,
    )


def _is_taken(session: WriteSession, key: str, body_hash: str, at: datetime) -> bool:
    """Whether the key was free, or its time over, and is now this transaction's."""
    mine = {"body_hash": body_hash, "expires_at": at + KEPT_FOR}
    empty = {"status": None, "body": None, "headers": None}
    taking = session.insert(keys).on_conflict_do_update(
        index_elements=["tenant_id", "key"],
        set_=mine | empty,
        where=keys.c.expires_at <= at,
    )
    row = session.execute(taking.returning(keys.c.key), mine | {"key": key}).first()
    return row is not None


@contextmanager
def _waiting(session: WriteSession, key: str, patience: timedelta) -> Iterator[None]:
    """Bound the wait for a twin's transaction inside the block."""
    if not session.is_postgresql:
        yield
        return
    limit = select(func.set_config("lock_timeout", f"{patience / _MILLI:.0f}", True))
    try:
        with session.savepoint():
            before = session.execute(select(func.current_setting("lock_timeout")))
            previous = before.scalar_one()
            session.execute(limit)
            yield
            session.execute(select(func.set_config("lock_timeout", previous, True)))
    except OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise
        seconds = max(1, math.ceil(patience.total_seconds()))
        raise KeyInUse(key, retry_after_seconds=seconds) from error


_USED = select(keys.c.key).where(
    of_tenant(keys),
    keys.c.key.in_(any_of("names")),
    keys.c.expires_at > bindparam("at", type_=keys.c.expires_at.type),
)
