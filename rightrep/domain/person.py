"""People who sign in to the pages: who they are, and what a password has to be."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime

from rightrep.domain.ids import RepId, TenantId
from rightrep.domain.roles import Role
from rightrep.errors import InvalidInput

ROLES = frozenset({Role.REP, Role.MANAGER, Role.ANALYST, Role.ADMIN})
"""Roles of people; ``service`` is for programs."""

NAME_CHARS = 254
"""As long as an e-mail address may be (RFC 5321)."""

DISPLAY_CHARS = 200

PASSWORD_CHARS = (12, 200)
_DIFFERENT_CHARS = 5
_TELLING_CHARS = 4
SHORT = "A password has at least 12 characters. A short sentence is a good one."
LONG = "A password has at most 200 characters."
PLAIN = "This password is too easy to guess: it repeats itself or holds the name."


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """Somebody who may sign in to the pages of one tenant.

    Attributes:
        tenant_id: Whose pages.
        person_id: Our id, the actor that logs name; it says nothing of who it is.
        sign_in_name: What they type to sign in, normalised; perhaps an e-mail address.
        display_name: What the pages call them.
        role: What they may see.
        rep_id: Which rep they are, with the role rep; else None.
        has_password: Whether they may sign in with one.
        initial_until: Until when the password made for them is good, which they have
            to change; None once they did, or without one.
        issuer: The OpenID provider that vouches for them, or None.
        subject: Their id there, or None.
        from_claims: Whether their role follows from what the provider says each time.
        created_at: When they were added; aware UTC.
        disabled_at: Since when they may not sign in, or None.
    """

    tenant_id: TenantId
    person_id: str
    sign_in_name: str
    display_name: str
    role: Role
    rep_id: RepId | None
    has_password: bool
    initial_until: datetime | None
    issuer: str | None
    subject: str | None
    from_claims: bool
    created_at: datetime
    disabled_at: datetime | None

    @property
    def must_change_password(self) -> bool:
        """Whether nothing else is shown before the password is changed."""
        return self.initial_until is not None


def sign_in_name(text: str) -> str:
    """A sign-in name as it is kept: one spelling whatever keyboard it came from.

    Compatibility forms become plain ones (full-width letters), case is folded, and
    space around it goes.

    Raises:
        InvalidInput: Nothing is left, it is too long, or space or an unprintable
            character is inside.
    """
    name = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    name = name.strip()
    if not 0 < len(name) <= NAME_CHARS:
        raise InvalidInput(
            f"A sign-in name has 1 to {NAME_CHARS} characters.", field="sign_in_name"
        )
    if not name.isprintable() or any(char.isspace() for char in name):
        raise InvalidInput(
            "A sign-in name has no spaces and nothing unprintable in it.",
            field="sign_in_name",
            remedy="An e-mail address or a staff number is a good one.",
        )
    return name


def password_text(text: str) -> str:
    """A password as it is hashed: the same characters whatever keyboard typed them."""
    return unicodedata.normalize("NFKC", text)


def require_good_password(text: str, name: str) -> None:
    """Refuse a password that is soon guessed.

    Length counts and a few plain tricks are refused; rules about kinds of characters
    make passwords worse (NIST SP 800-63B, 3.1.1.2).

    Args:
        text: The password.
        name: The normalised sign-in name of whose it is.

    Raises:
        InvalidInput: It is too short, too long, or too plain.
    """
    password = password_text(text)
    least, most = PASSWORD_CHARS
    if len(password) < least:
        raise InvalidInput(SHORT, field="password")
    if len(password) > most:
        raise InvalidInput(LONG, field="password")
    bare = rest = password.casefold()
    for told in (name, name.partition("@")[0]):
        if len(told) >= _TELLING_CHARS:
            rest = rest.replace(told, "")
    if len(rest) < least - _TELLING_CHARS or len(set(bare)) < _DIFFERENT_CHARS:
        raise InvalidInput(PLAIN, field="password")
