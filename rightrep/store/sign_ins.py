"""Where people are signed in: server-side rows, so that an end is an end at once.

The browser holds 32 random bytes, the row their SHA-256. A sign-in that is over is a
row that is gone.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import and_, delete, insert, select

from rightrep.domain.ids import new_id
from rightrep.domain.person import Person
from rightrep.errors import NotFound, NotSignedIn
from rightrep.store.guard import of_tenant
from rightrep.store.people import person_of
from rightrep.store.schema_people import people, person_sessions, sign_in_trips
from rightrep.store.session import ReadSession, SystemReadSession, WriteSession

LASTS = timedelta(hours=12)
TRIP_LASTS = timedelta(minutes=10)
PREFIX = "rs_"
_TOKEN_BYTES = 32
ENDED = "This sign-in has ended. Sign in again."


class SignIn(NamedTuple):
    """One browser of one person."""

    session_id: str
    person_id: str
    started_at: datetime
    ends_at: datetime


class SignedIn(NamedTuple):
    """Who holds a token."""

    person: Person
    session_id: str


@dataclass(frozen=True, slots=True)
class Trip:
    """Somebody is at the OpenID provider and is expected back.

    Attributes:
        state: What the provider sends back unchanged; 32 random bytes.
        nonce: What its token has to hold.
        verifier: What proves that who comes back is who left (RFC 7636).
        path: Where to go then.
    """

    state: str
    nonce: str
    verifier: str
    path: str

    @classmethod
    def to(cls, path: str) -> "Trip":
        """A fresh one."""
        return cls(_secret(), _secret(), _secret(), path)


def start_sign_in(
    session: WriteSession,
    person_id: str,
    *,
    at: datetime,
    password_hash: str | None = None,
) -> str:
    """Sign a person in, on one browser.

    Args:
        session: Whose.
        person_id: Who.
        at: Now.
        password_hash: The one that the password was checked against; None where a
            provider vouched for the person.

    Returns:
        The token that the browser keeps; it cannot be had again.

    Raises:
        NotSignedIn: Meanwhile the person was disabled, or the password changed.
    """
    query = select(people.c.disabled_at, people.c.password_hash).where(
        of_tenant(people), people.c.person_id == person_id
    )
    row = session.execute(query.with_for_update()).first()
    is_stale = row is None or row.disabled_at is not None
    if is_stale or password_hash not in {None, row and row.password_hash}:
        raise NotSignedIn(ENDED)
    token = PREFIX + _secret()
    values = {
        "session_id": new_id(at),
        "person_id": person_id,
        "token_hash": _hash(token),
        "started_at": at,
        "ends_at": at + LASTS,
    }
    session.execute(insert(person_sessions), values)
    return token


def find_sign_in(session: SystemReadSession, token: str, *, at: datetime) -> SignedIn:
    """Who holds this token: a read that comes before the tenant is known.

    Raises:
        NotSignedIn: Nobody, or not any more.
    """
    theirs = and_(
        people.c.tenant_id == person_sessions.c.tenant_id,
        people.c.person_id == person_sessions.c.person_id,
    )
    query = (
        select(people, person_sessions.c.session_id)
        .join_from(person_sessions, people, theirs)
        .where(
            person_sessions.c.token_hash == _hash(token),
            person_sessions.c.ends_at > at,
            people.c.disabled_at.is_(None),
        )
    )
    row = session.execute(query).mappings().first()
    if row is None:
        raise NotSignedIn(ENDED)
    return SignedIn(person_of(row), row["session_id"])


def list_sign_ins(
    session: ReadSession, *, at: datetime, person_id: str | None = None
) -> list[SignIn]:
    """Where people are signed in now, the latest first; everybody, or one person."""
    columns = (person_sessions.c[name] for name in SignIn._fields)
    query = (
        select(*columns)
        .where(of_tenant(person_sessions), person_sessions.c.ends_at > at)
        .order_by(
            person_sessions.c.started_at.desc(), person_sessions.c.session_id.desc()
        )
    )
    if person_id is not None:
        query = query.where(person_sessions.c.person_id == person_id)
    return [SignIn(**row) for row in session.execute(query).mappings()]


def end_sign_in(session: WriteSession, session_id: str) -> None:
    """End one sign-in now.

    Raises:
        NotFound: There is none of this id, or it has ended.
    """
    mine = of_tenant(person_sessions), person_sessions.c.session_id == session_id
    if not session.execute(delete(person_sessions).where(*mine)).rowcount:
        raise NotFound("sign-in", session_id)


def keep_trip(session: WriteSession, trip: Trip, *, at: datetime) -> None:
    """Expect somebody back from the provider, for ``TRIP_LASTS``."""
    row = {
        "state_hash": _hash(trip.state),
        "nonce": trip.nonce,
        "verifier": trip.verifier,
        "path": trip.path,
        "ends_at": at + TRIP_LASTS,
    }
    session.execute(insert(sign_in_trips), row)


def end_trip(session: WriteSession, state: str, *, at: datetime) -> Trip | None:
    """Who comes back with this state; once, and in time, else None."""
    mine = of_tenant(sign_in_trips), sign_in_trips.c.state_hash == _hash(state)
    ending = delete(sign_in_trips).where(*mine).returning(sign_in_trips)
    row = session.execute(ending).first()
    if row is None or row.ends_at <= at:
        return None
    return Trip(state, row.nonce, row.verifier, row.path)


def purge_sign_ins(session: WriteSession, *, at: datetime) -> int:
    """Remove sign-ins and trips whose time is over; returns how many."""
    return sum(
        session.execute(
            delete(table).where(of_tenant(table), table.c.ends_at <= at)
        ).rowcount
        for table in (person_sessions, sign_in_trips)
    )


def _secret() -> str:
    return secrets.token_urlsafe(_TOKEN_BYTES)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
