"""Passwords: hashed with Argon2id, slowly for whoever guesses, never for the API.

One check takes a fifth of a second and 64 MiB (RFC 9106's second recommended choice),
so checks go through a turnstile. A name that nobody has is checked too, against a hash
that nothing matches: the time to an answer does not tell who is here.
"""

import secrets
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from rightrep.domain.person import password_text
from serving.turnstile import Turnstile

AT_ONCE, WAITING = 1, 7
_INITIAL_BYTES = 12


class Passwords:
    """Hashes and checks passwords in one process."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """Take the library's profile unless a hasher is given."""
        self._hasher = hasher or PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._turnstile = Turnstile(at_once=AT_ONCE, waiting=WAITING)

    def hash(self, password: str) -> str:
        """The hash to keep; it names its own parameters and salt.

        Raises:
            TooManyTries: Too many are being hashed or checked already.
        """
        with self._turnstile.passing():
            return self._hasher.hash(password_text(password))

    def match(self, kept: str | None, password: str) -> bool:
        """Whether a password is the one that was hashed; as slow where none was.

        Raises:
            TooManyTries: Too many are being hashed or checked already.
        """
        with self._turnstile.passing():
            nobodys = self._nobodys
            try:
                self._hasher.verify(kept or nobodys, password_text(password))
            except (VerificationError, InvalidHashError):
                return False
            return kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Whether a hash was made with other parameters than those in force."""
        return self._hasher.check_needs_rehash(kept)

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash(secrets.token_urlsafe())


def initial_password() -> str:
    """A password to begin with: 16 random characters, to be changed at once."""
    return secrets.token_urlsafe(_INITIAL_BYTES)
