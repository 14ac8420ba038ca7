"""People who sign in: by name and password, with every limit; and their passwords."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog

from rightrep.domain.ids import TenantId
from rightrep.domain.person import Person, require_good_password, sign_in_name
from rightrep.errors import InvalidInput, NotSignedIn, TooManyTries
from rightrep.store import people
from rightrep.store.people import Credential
from rightrep.store.session import WriteSession
from rightrep.store.sign_ins import start_sign_in
from rightrep.store.tries import (
    TryOf,
    barred_until,
    count_try,
    forgive,
    take_back_try,
)
from serving.passwords import initial_password
from serving.usecases.context import Context

INITIAL_LASTS = timedelta(days=7)
WRONG = "This name and password do not go together."
TOO_MANY = "Too many sign-ins failed. Try again in a quarter of an hour."
SAME = "The new password is the one you have."

log = structlog.get_logger()


class Secret(NamedTuple):
    """A password to be given to a person."""

    text: str
    kept: str
    """Its hash."""
    initial_until: datetime | None
    """Until when it is good; None where the person chose it."""


def sign_in(
    context: Context, tenant_id: TenantId, name: str, password: str, *, address: str
) -> str:
    """Check name and password, and sign the person in.

    Whatever is wrong, the same work is done and the same is answered.

    Args:
        context: The parts of this process.
        tenant_id: Whose pages.
        name: As typed.
        password: As typed.
        address: Where it comes from, on the network.

    Returns:
        The token that the browser keeps.

    Raises:
        NotSignedIn: The two do not go together, or the person is disabled.
        TooManyTries: Too many tries failed, by this name or from this address.
    """
    name = _normalised(name)
    with _tried(context, tenant_id, name, address):
        found = _checked(context, tenant_id, name, password)
        token = _let_in(context, tenant_id, found, password)
    log.info("signed in", person=found.person.person_id, by="password")
    return token


def change_password(
    context: Context, person: Person, old: str, new: str, *, address: str
) -> str:
    """Change one's own password; every other sign-in of the person ends.

    Returns:
        The token of a fresh sign-in.

    Raises:
        NotSignedIn: The old password is another.
        TooManyTries: Too many tries failed.
        InvalidInput: The new one is soon guessed, or the same.
    """
    require_good_password(new, person.sign_in_name)
    if new == old:
        raise InvalidInput(SAME, field="password")
    with _tried(context, person.tenant_id, person.sign_in_name, address):
        found = _checked(context, person.tenant_id, person.sign_in_name, old)
        kept = context.passwords.hash(new)
        with context.store.write(person.tenant_id) as session:
            people.set_password(
                session, person.person_id, kept, instead_of=found.password_hash
            )
            return start_sign_in(session, person.person_id, at=context.clock.now())


def chosen(context: Context, name: str, password: str) -> Secret:
    """A password that its person chose.

    Raises:
        InvalidInput: It is soon guessed.
    """
    require_good_password(password, sign_in_name(name))
    return Secret(password, context.passwords.hash(password), None)


def made(context: Context) -> Secret:
    """A password that opens one page only: the one where it is changed."""
    password = initial_password()
    until = context.clock.now() + INITIAL_LASTS
    return Secret(password, context.passwords.hash(password), until)


def give(session: WriteSession, person_id: str, secret: Secret) -> None:
    """Let a person sign in with this password and no other.

    Raises:
        NotFound: No such person.
    """
    people.set_password(
        session, person_id, secret.kept, initial_until=secret.initial_until
    )


def too_many(until: datetime, at: datetime) -> TooManyTries:
    """The answer to a try that is not looked at."""
    log.warning("sign-in not looked at")
    seconds = max(1, round((until - at).total_seconds()))
    return TooManyTries(TOO_MANY, retry_after_seconds=seconds)


@contextmanager
def _tried(
    context: Context, tenant_id: TenantId, name: str, address: str
) -> Iterator[None]:
    """Count a try before it is looked at; take it back when the block ends well.

    It is taken back too where the crowd at the turnstile kept it from being looked at.

    Raises:
        TooManyTries: It is not to be looked at.
    """
    asked = ((TryOf.NAME, name), (TryOf.ADDRESS, address))
    at = context.clock.now()
    with context.store.read(tenant_id) as session:
        barred = [barred_until(session, kind, who, at=at) for kind, who in asked]
    if not any(barred):
        with context.store.write(tenant_id) as session:
            barred = [count_try(session, kind, who, at=at) for kind, who in asked]
    until = max(filter(None, barred), default=None)
    if until is not None:
        raise too_many(until, at)
    try:
        yield
    except TooManyTries:
        with context.store.write(tenant_id) as session:
            for kind, who in asked:
                take_back_try(session, kind, who)
        raise
    with context.store.write(tenant_id) as session:
        forgive(session, TryOf.NAME, name)
        take_back_try(session, TryOf.ADDRESS, address)


def _checked(
    context: Context, tenant_id: TenantId, name: str, password: str
) -> Credential:
    with context.store.read(tenant_id) as session:
        found = people.find_credential(session, name)
    good = found is not None and _may_try(found.person, context)
    kept = found.password_hash if found is not None and good else None
    fits = context.passwords.match(kept, password)
    if found is None or not fits:
        log.warning("sign-in refused", tenant=tenant_id)
        raise NotSignedIn(WRONG)
    return found


def _may_try(person: Person, context: Context) -> bool:
    until = person.initial_until
    is_over = until is not None and until <= context.clock.now()
    return person.disabled_at is None and not is_over


def _let_in(
    context: Context, tenant_id: TenantId, found: Credential, password: str
) -> str:
    """Start a sign-in; a hash of earlier parameters is made anew on the way."""
    own, kept = found.person.person_id, found.password_hash or ""
    stronger = None
    if context.passwords.is_outdated(kept):
        stronger = context.passwords.hash(password)
    with context.store.write(tenant_id) as session:
        token = start_sign_in(session, own, at=context.clock.now(), password_hash=kept)
        if stronger is not None:
            people.renew_hash(session, own, kept, stronger)
    return token


def _normalised(name: str) -> str:
    try:
        return sign_in_name(name)
    except InvalidInput:
        # Nobody has it; it is counted and checked as any other wrong name.
        return ""
