"""API keys: who is asking, for which tenant, in which role.

A key is 32 random bytes; only its SHA-256 is stored. (Random keys need no slow hash:
there is nothing to guess, and a slow hash on every request would be a way to stall us.)
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import RowMapping, Select, bindparam, insert, or_, select, update

from rightrep.domain.ids import RepId, TenantId, is_id, new_id
from rightrep.domain.roles import Role
from rightrep.errors import Conflict, InvalidInput, NotFound, NotSignedIn
from rightrep.store.guard import of_tenant
from rightrep.store.schema import reps
from rightrep.store.schema_ops import api_keys
from rightrep.store.session import ReadSession, SystemReadSession, WriteSession

PREFIX = "rr_"
_SECRET_BYTES = 32
_HINT_CHARS = len(PREFIX) + 6
_NOT_SIGNED_IN = "This sign-in has ended. Sign in again."


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKey:
    """A key, without its secret.

    Attributes:
        key_id: Our id; the actor that logs name.
        tenant_id: Whose data it opens.
        role: What its holder may do.
        name: What the tenant calls it.
        rep_id: Whose key it is, for the role rep; else None.
        hint: How the secret begins, to tell keys apart.
        created_at: When it was made.
        expires_at: From when it is refused, or None.
        revoked_at: When it was withdrawn, or None.
    """

    key_id: str
    tenant_id: TenantId
    role: Role
    name: str
    rep_id: RepId | None
    hint: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewKey(NamedTuple):
    """A key just made."""

    key: ApiKey
    secret: str
    """What the holder sends; shown now and never again."""


def create_key(
    session: WriteSession,
    role: Role,
    name: str,
    *,
    at: datetime,
    rep_id: RepId | None = None,
    expires_at: datetime | None = None,
) -> NewKey:
    """Make a key of the session's tenant.

    Args:
        session: Whose.
        role: What its holder may do.
        name: What the tenant calls it.
        at: Now.
        rep_id: Whose key it is; with the role rep, and only then.
        expires_at: From when it is refused; never when not given.

    Raises:
        InvalidInput: A rep's key without its rep, or another's with one.
        NotFound: No such rep.
    """
    if (role is Role.REP) != (rep_id is not None):
        raise InvalidInput(
            "A key of the role rep names its rep, and no other key does.",
            field="rep_id",
        )
    if rep_id is not None:
        _require_rep(session, rep_id)
    secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    key = ApiKey(
        key_id=new_id(at),
        tenant_id=session.tenant_id,
        role=role,
        name=name,
        rep_id=rep_id,
        hint=secret[:_HINT_CHARS],
        created_at=at,
        expires_at=expires_at,
        revoked_at=None,
    )
    row = {column: getattr(key, column) for column in ApiKey.__slots__}
    session.execute(insert(api_keys), row | {"hash": _hash(secret)})
    return NewKey(key, secret)


def find_key(session: SystemReadSession, secret: str, *, at: datetime) -> ApiKey:
    """The key with this secret: the one read that comes before the tenant is known.

    Raises:
        NotSignedIn: No such key, or it is expired or revoked.
    """
    wanted = _hash(secret)
    for row in session.execute(_BY_HASH, {"hash": wanted}).mappings():
        if hmac.compare_digest(row["hash"], wanted) and _is_live(row, at):
            return _key(row)
    raise NotSignedIn("This API key is unknown, expired or revoked.")


def page_token(key: ApiKey, secret: str, *, until: datetime) -> str:
    """What a browser keeps instead of the key: good for pages, and only for a while.

    It ends with its key too, and the key cannot be worked out from it.

    Args:
        key: Who signed in.
        secret: The key's secret.
        until: From when it is refused.
    """
    body = f"{key.key_id}.{int(until.timestamp())}"
    return f"{body}.{_page_mac(_hash(secret), body)}"


def find_page_token(session: SystemReadSession, token: str, *, at: datetime) -> ApiKey:
    """The key that a page token was made with.

    Raises:
        NotSignedIn: It was not made here, it is over, or its key is.
    """
    body, _, mac = token.rpartition(".")
    key_id, _, until = body.partition(".")
    if not is_id(key_id) or not _is_later(until, at):
        raise NotSignedIn(_NOT_SIGNED_IN)
    query = select(api_keys).where(api_keys.c.key_id == key_id)
    for row in session.execute(query).mappings():
        wanted = _page_mac(row["hash"], body)
        if hmac.compare_digest(wanted.encode(), mac.encode()) and _is_live(row, at):
            return _key(row)
    raise NotSignedIn(_NOT_SIGNED_IN)


def rotate_key(
    session: WriteSession, key_id: str, *, at: datetime, overlap: timedelta
) -> NewKey:
    """Make the successor of a key; both are good for a while, so nothing stops.

    Args:
        session: Whose.
        key_id: The key to replace.
        at: Now.
        overlap: How long the old one stays good, unless it expires earlier anyway.

    Raises:
        NotFound: No such key.
        Conflict: It is expired or revoked, so there is nobody to hand over.
    """
    rows = session.execute(_own().where(api_keys.c.key_id == key_id)).mappings().all()
    if not rows:
        raise NotFound("key", key_id)
    old = _key(rows[0])
    if not _is_live(rows[0], at):
        raise Conflict("This key is expired or revoked already; make a new one.")
    until = min(filter(None, (old.expires_at, at + overlap)))
    mine = of_tenant(api_keys), api_keys.c.key_id == key_id
    session.execute(update(api_keys).where(*mine).values(expires_at=until))
    return create_key(session, old.role, old.name, at=at, rep_id=old.rep_id)


def revoke_key(session: WriteSession, key_id: str, *, at: datetime) -> None:
    """Refuse a key from now on; doing it twice changes nothing.

    Raises:
        NotFound: No such key.
    """
    mine = of_tenant(api_keys), api_keys.c.key_id == key_id
    if session.execute(select(api_keys.c.key_id).where(*mine)).first() is None:
        raise NotFound("key", key_id)
    live = update(api_keys).where(*mine, api_keys.c.revoked_at.is_(None))
    session.execute(live.values(revoked_at=at))


def list_keys(session: ReadSession, *, live_at: datetime | None = None) -> list[ApiKey]:
    """The tenant's keys, oldest first.

    Args:
        session: Whose.
        live_at: Only those good at this instant.
    """
    query = _own().order_by(api_keys.c.created_at, api_keys.c.key_id)
    if live_at is not None:
        query = query.where(
            or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > live_at),
            or_(api_keys.c.revoked_at.is_(None), api_keys.c.revoked_at > live_at),
        )
    return [_key(row) for row in session.execute(query).mappings()]


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _page_mac(key_hash: str, body: str) -> str:
    return hmac.new(key_hash.encode(), f"page {body}".encode(), "sha256").hexdigest()


def _is_later(epoch_seconds: str, at: datetime) -> bool:
    try:
        return datetime.fromtimestamp(int(epoch_seconds), UTC) > at
    except (ValueError, OverflowError, OSError):
        return False


def _own() -> "Select[Any]":
    return select(api_keys).where(of_tenant(api_keys))


def _key(row: RowMapping) -> ApiKey:
    values = {column: row[column] for column in ApiKey.__slots__}
    return ApiKey(**values | {"role": Role(row["role"])})


def _is_live(row: RowMapping, at: datetime) -> bool:
    ends = (row["expires_at"], row["revoked_at"])
    return all(end is None or end > at for end in ends)


def _require_rep(session: WriteSession, rep_id: RepId) -> None:
    query = select(reps.c.rep_id).where(of_tenant(reps), reps.c.rep_id == rep_id)
    if session.execute(query).first() is None:
        raise NotFound("rep", rep_id)


_BY_HASH = select(api_keys).where(api_keys.c.hash == bindparam("hash"))
