"""People who sign in: added, changed, disabled, erased.

A name and a password hash are personal data: they live in this table alone, and what
refers to a person elsewhere is the ``person_id``.
"""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    and_,
    bindparam,
    delete,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from rightrep.domain.erasure import Erasure, ErasureCause
from rightrep.domain.ids import new_id
from rightrep.domain.person import DISPLAY_CHARS, ROLES, Person, sign_in_name
from rightrep.domain.roles import Role
from rightrep.errors import Conflict, InvalidInput, NotFound
from rightrep.store.erasure import log_erasure
from rightrep.store.guard import of_tenant
from rightrep.store.schema import reps
from rightrep.store.schema_people import people, person_sessions
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.tries import TryOf, forgive

CHANGED = "The password was changed meanwhile. Sign in again."


class Credential(NamedTuple):
    """What a sign-in is checked against."""

    person: Person
    password_hash: str | None


def add_person(
    session: WriteSession,
    name: str,
    *,
    role: Role,
    at: datetime,
    display_name: str | None = None,
    rep_id: str | None = None,
    from_claims: bool = False,
) -> Person:
    """Add somebody, who cannot sign in before there is a password or a provider.

    Args:
        session: Whose.
        name: What they type to sign in.
        role: What they may see.
        at: Now.
        display_name: What pages call them; the sign-in name when not given.
        rep_id: Which rep they are; with the role rep, and only then.
        from_claims: Whether their role follows from what their provider says.

    Raises:
        InvalidInput: A name that cannot be one, the role of programs, or a rep and a
            role that do not go together.
        NotFound: No such rep.
        Conflict: Somebody has this sign-in name.
    """
    _require_role(session, role, rep_id)
    person_id = new_id(at)
    row = {
        "person_id": person_id,
        "sign_in_name": sign_in_name(name),
        "display_name": _display_name(display_name or name[:DISPLAY_CHARS]),
        "role": role.value,
        "rep_id": rep_id,
        "from_claims": from_claims,
        "created_at": at,
    }
    try:
        with session.savepoint():
            session.execute(insert(people), row)
    except IntegrityError as error:
        raise Conflict("Somebody with this sign-in name is here already.") from error
    return get_person(session, person_id)


def get_person(session: ReadSession, key: str) -> Person:
    """One person, by our id or by sign-in name.

    Raises:
        NotFound: There is none.
    """
    found = session.execute(_ONE, {"key": key, "name": _as_name(key)}).mappings()
    row = found.first()
    if row is None:
        raise NotFound("person", key)
    return person_of(row)


def list_people(session: ReadSession) -> list[Person]:
    """Everybody of the tenant, by sign-in name."""
    query = _EVERY.order_by(people.c.sign_in_name)
    return [person_of(row) for row in session.execute(query).mappings()]


def find_credential(session: ReadSession, name: str) -> Credential | None:
    """Who has this normalised sign-in name, and what their password is checked by."""
    query = _EVERY.where(people.c.sign_in_name == name)
    row = session.execute(query).mappings().first()
    return None if row is None else Credential(person_of(row), row["password_hash"])


def find_subject(session: ReadSession, issuer: str, subject: str) -> Person | None:
    """Whom an OpenID provider means by this subject."""
    query = _EVERY.where(people.c.issuer == issuer, people.c.subject == subject)
    row = session.execute(query).mappings().first()
    return None if row is None else person_of(row)


def set_password(
    session: WriteSession,
    person_id: str,
    password_hash: str,
    *,
    initial_until: datetime | None = None,
    instead_of: str | None = None,
) -> None:
    """Give a person another password; every sign-in by the one before ends.

    Args:
        session: Whose.
        person_id: The person.
        password_hash: Of the new password.
        initial_until: Until when it is good, where the person has to change it; None
            where they chose it themselves.
        instead_of: The hash that it replaces, where no other may be replaced.

    Raises:
        NotFound: No such person.
        Conflict: The password was changed meanwhile.
    """
    values = {"password_hash": password_hash, "initial_until": initial_until}
    if instead_of is None:
        _change(session, person_id, **values)
    else:
        mine = _mine(person_id), people.c.password_hash == instead_of
        if not session.execute(update(people).where(*mine).values(values)).rowcount:
            raise Conflict(CHANGED)
    _end_sessions(session, person_id)
    _forgive(session, person_id)


def end_first_password(session: WriteSession, person_id: str) -> None:
    """Take away a password that its person has yet to change, and sign-ins by it."""
    first = _mine(person_id), people.c.initial_until.is_not(None)
    none = {"password_hash": None, "initial_until": None}
    if session.execute(update(people).where(*first).values(none)).rowcount:
        _end_sessions(session, person_id)


def renew_hash(session: WriteSession, person_id: str, old: str, new: str) -> None:
    """Keep the same password under another hash, unless it was changed meanwhile."""
    mine = _mine(person_id), people.c.password_hash == old
    session.execute(update(people).where(*mine).values(password_hash=new))


def disable_person(session: WriteSession, person_id: str, *, at: datetime) -> None:
    """Let a person in no more, and end every sign-in; twice is once.

    Raises:
        NotFound: No such person.
    """
    person = get_person(session, person_id)
    _change(session, person_id, disabled_at=person.disabled_at or at)
    _end_sessions(session, person_id)


def enable_person(session: WriteSession, person_id: str) -> None:
    """Let a person in again, and forget failed tries.

    Raises:
        NotFound: No such person.
    """
    _change(session, person_id, disabled_at=None)
    _forgive(session, person_id)


def set_role(session: WriteSession, person_id: str, role: Role) -> None:
    """Let a person see what another role sees; roles with a rep stay with theirs.

    Raises:
        InvalidInput: The role is one of a rep or a program.
        NotFound: No such person.
    """
    _require_role(session, role, None)
    _change(session, person_id, role=role.value)


def link_subject(
    session: WriteSession, person_id: str, issuer: str, subject: str
) -> None:
    """Keep whom the OpenID provider means by this subject.

    Raises:
        Conflict: Somebody else is meant, or this person by another subject.
    """
    free = people.c.subject.is_(None)
    values = {"issuer": issuer, "subject": subject}
    try:
        with session.savepoint():
            linking = update(people).where(_mine(person_id), free).values(values)
            linked = session.execute(linking).rowcount
    except IntegrityError:
        linked = 0
    if not linked:
        raise Conflict("This person is linked to another account at the provider.")


def erase_person(
    session: WriteSession, person_id: str, *, actor: str, at: datetime
) -> Erasure:
    """Remove a person: names, password and sign-ins; what they did stays, by id.

    Returns:
        What was removed, as it was logged.

    Raises:
        NotFound: No such person.
    """
    _forgive(session, person_id)
    counts = {
        "sign_ins": _end_sessions(session, person_id),
        "people": session.execute(delete(people).where(_mine(person_id))).rowcount,
    }
    erased = Erasure(
        erasure_id=new_id(at),
        cause=ErasureCause.REQUEST,
        subject_id=person_id,
        actor=actor,
        erased_at=at,
        counts=counts,
    )
    log_erasure(session, erased)
    return erased


def person_of(row: RowMapping) -> Person:
    """The person that a row of ``people`` tells of."""
    taken = {name: row[name] for name in Person.__slots__ if name != "has_password"}
    taken |= {"role": Role(row["role"])}
    return Person(**taken, has_password=row["password_hash"] is not None)


def _require_role(session: ReadSession, role: Role, rep_id: str | None) -> None:
    if role not in ROLES:
        raise InvalidInput(
            "The role service is for programs.",
            field="role",
            remedy="Make a key: `rightrep keys create --role service`.",
        )
    if (role is Role.REP) != (rep_id is not None):
        raise InvalidInput(
            "A person of the role rep names their rep, and nobody else does.",
            field="rep_id",
        )
    query = select(reps.c.rep_id).where(of_tenant(reps), reps.c.rep_id == rep_id)
    if rep_id is not None and session.execute(query).first() is None:
        raise NotFound("rep", rep_id)


def _display_name(text: str) -> str:
    name = " ".join(text.split())
    if not name.isprintable() or not 0 < len(name) <= DISPLAY_CHARS:
        raise InvalidInput(
            f"A name has 1 to {DISPLAY_CHARS} printable characters.", field="name"
        )
    return name


def _as_name(key: str) -> str:
    try:
        return sign_in_name(key)
    except InvalidInput:
        return ""


def _change(session: WriteSession, person_id: str, **values: object) -> None:
    changing = update(people).where(_mine(person_id)).values(**values)
    if not session.execute(changing).rowcount:
        raise NotFound("person", person_id)


def _forgive(session: WriteSession, person_id: str) -> None:
    forgive(session, TryOf.NAME, get_person(session, person_id).sign_in_name)


def _mine(person_id: str) -> "ColumnElement[bool]":
    return and_(of_tenant(people), people.c.person_id == person_id)


def _end_sessions(session: WriteSession, person_id: str) -> int:
    ending = delete(person_sessions).where(
        of_tenant(person_sessions), person_sessions.c.person_id == person_id
    )
    return session.execute(ending).rowcount


_EVERY = select(people).where(of_tenant(people))
_ONE = _EVERY.where(
    or_(
        people.c.person_id == bindparam("key"),
        people.c.sign_in_name == bindparam("name"),
    )
)
