"""Signing in through an OpenID provider: the authorization code flow with PKCE.

The protocol is Authlib's, keys and signatures are joserfc's; what is here puts them
together: discovery, where to send the browser, and what the provider's token says once
everything about it was checked (OpenID Connect Core 1.0, 3.1.3.7).
"""

import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import httpx
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from rightrep.clock import Clock
from rightrep.domain.person import DISPLAY_CHARS
from rightrep.domain.roles import Role
from rightrep.errors import InvalidInput, NotSignedIn, ProviderUnavailable
from rightrep.settings import Settings
from rightrep.store.sign_ins import Trip
from serving.turnstile import Turnstile

SCOPE = "openid email profile"
TIMEOUT_SECONDS = 5.0
KNOWN_FOR = timedelta(minutes=10)
LEEWAY_SECONDS = 30
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
"""Signatures by a key pair; ``none`` and shared secrets are none of them."""

AWAY = "The sign-in service of your organisation does not answer. Try again later."
NOT_AS_AGREED = "The sign-in service of your organisation did not confirm who you are."
RANKED = (Role.ADMIN, Role.MANAGER, Role.ANALYST)
"""Roles that claims may give, the first one that fits; a rep needs to be named."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What the provider says of a person, checked.

    Attributes:
        issuer: The provider.
        subject: The person's id there.
        email: Their address, where the provider verified it; else None.
        name: What the provider calls them, or None.
        role: By the table of claims; None where it says nothing.
    """

    issuer: str
    subject: str
    email: str | None
    name: str | None
    role: Role | None


@dataclass(frozen=True)
class Provider:
    """One OpenID provider, as it was set from outside.

    Attributes:
        issuer: Its address.
        client_id: Our id there.
        secret: Our secret there, or None.
        role_claim: The claim that ``roles`` looks at, or None.
        roles: Role by value of that claim.
        clock: The time.
    """

    issuer: str
    client_id: str
    secret: str | None = field(repr=False)
    role_claim: str | None
    roles: Mapping[str, Role]
    clock: Clock
    _known: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _turnstile: Turnstile = field(
        default_factory=lambda: Turnstile(at_once=2, waiting=6)
    )

    @classmethod
    def of(cls, settings: Settings, clock: Clock) -> "Provider | None":
        """The provider of the settings; None where none is set.

        Raises:
            InvalidInput: The settings do not go together.
        """
        if settings.oidc_issuer is None:
            return None
        if settings.oidc_client_id is None:
            raise InvalidInput(
                "RIGHTREP_OIDC_ISSUER is set and RIGHTREP_OIDC_CLIENT_ID is not.",
                field="oidc_client_id",
            )
        if bool(settings.oidc_roles) != (settings.oidc_role_claim is not None):
            raise InvalidInput(
                "RIGHTREP_OIDC_ROLE_CLAIM and RIGHTREP_OIDC_ROLES go together.",
                field="oidc_roles",
            )
        if not set(settings.oidc_roles.values()) <= set(RANKED):
            raise InvalidInput(
                "RIGHTREP_OIDC_ROLES gives the roles manager, analyst and admin only.",
                field="oidc_roles",
                remedy="Add reps one by one: `rightrep people add`.",
            )
        secret = settings.oidc_client_secret
        return cls(
            issuer=settings.oidc_issuer,
            client_id=settings.oidc_client_id,
            secret=None if secret is None else secret.get_secret_value(),
            role_claim=settings.oidc_role_claim,
            roles=settings.oidc_roles,
            clock=clock,
        )

    def address(self, trip: Trip, *, back: str) -> str:
        """Where to send the browser.

        Args:
            trip: Who leaves.
            back: Where the provider sends them afterwards.

        Raises:
            ProviderUnavailable: It does not answer.
            TooManyTries: Too many leave at once.
        """
        uri: str = prepare_grant_uri(
            self._metadata()["authorization_endpoint"],
            self.client_id,
            "code",
            redirect_uri=back,
            scope=SCOPE,
            state=trip.state,
            nonce=trip.nonce,
            code_challenge=create_s256_code_challenge(trip.verifier),
            code_challenge_method="S256",
        )
        return uri

    def claims(self, trip: Trip, code: str, *, back: str) -> Claims:
        """What the provider says of whoever came back.

        Args:
            trip: Who left.
            code: What they brought.
            back: The same address as before.

        Raises:
            NotSignedIn: The provider, or its token, does not confirm them.
            ProviderUnavailable: It does not answer.
            TooManyTries: Too many come back at once.
        """
        known = self._metadata()
        with self._turnstile.passing():
            given = self._exchange(known["token_endpoint"], trip, code, back)
            keys = self._ask("GET", known["jwks_uri"])
        try:
            return self._said(self._verified(given, keys, trip))
        except (JoseError, KeyError, TypeError, ValueError) as error:
            raise NotSignedIn(NOT_AS_AGREED) from error

    def _metadata(self) -> Mapping[str, Any]:
        """Addresses of the provider, asked for again after ``KNOWN_FOR``."""
        with self._turnstile.passing(), self._lock:
            now = self.clock.now()
            asked_at: datetime | None = self._known.get("asked_at")
            if asked_at is None or not asked_at <= now < asked_at + KNOWN_FOR:
                url = get_well_known_url(self.issuer, external=True)
                found = OpenIDProviderMetadata(self._ask("GET", url))
                self._require_own(found)
                self._known.update(found=found, asked_at=now)
            known: Mapping[str, Any] = self._known["found"]
            return known

    def _require_own(self, found: OpenIDProviderMetadata) -> None:
        try:
            found.validate()
        except ValueError as error:
            raise ProviderUnavailable(AWAY) from error
        needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        if found["issuer"] != self.issuer or not all(found.get(one) for one in needed):
            raise ProviderUnavailable(AWAY)

    def _exchange(
        self, url: str, trip: Trip, code: str, back: str
    ) -> Mapping[str, Any]:
        """Tokens for the code (RFC 6749, 4.1.3; RFC 7636, 4.5)."""
        how = "none" if self.secret is None else "client_secret_basic"
        body = prepare_token_request(
            "authorization_code",
            redirect_uri=back,
            code=code,
            code_verifier=trip.verifier,
        )
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        url, headers, body = ClientAuth(self.client_id, self.secret, how).prepare(
            "POST", url, headers, body
        )
        return self._ask("POST", url, headers=headers, content=body)

    def _ask(self, method: str, url: str, **sent: Any) -> dict[str, Any]:  # noqa: ANN401
        try:
            answer = httpx.request(
                method,
                url,
                timeout=TIMEOUT_SECONDS,
                follow_redirects=False,
                verify=_authorities(),
                **sent,
            )
            found = answer.json() if answer.content else None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise ProviderUnavailable(AWAY) from error
        if method == "POST" and answer.is_client_error:
            raise NotSignedIn(NOT_AS_AGREED)
        if not answer.is_success or not isinstance(found, dict):
            raise ProviderUnavailable(AWAY)
        return found

    def _verified(
        self, given: Mapping[str, Any], keys: Mapping[str, Any], trip: Trip
    ) -> Mapping[str, Any]:
        token = jwt.decode(
            given["id_token"],
            KeySet.import_key_set(keys),  # type: ignore[arg-type]
            algorithms=ALGORITHMS,
        )
        claims = CodeIDToken(
            token.claims,
            token.header,
            options={
                "iss": {"essential": True, "value": self.issuer},
                "aud": {"essential": True, "value": self.client_id},
            },
            params={
                "nonce": trip.nonce,
                "client_id": self.client_id,
                "access_token": given.get("access_token"),
            },
        )
        now = int(self.clock.now().timestamp())
        claims.validate(now=now, leeway=LEEWAY_SECONDS)
        return dict(claims)

    def _said(self, claims: Mapping[str, Any]) -> Claims:
        subject, email = claims["sub"], claims.get("email")
        if not isinstance(subject, str) or not 0 < len(subject) <= 255:
            raise ValueError("sub")
        is_verified = claims.get("email_verified") is True and isinstance(email, str)
        return Claims(
            issuer=self.issuer,
            subject=subject,
            email=email if is_verified else None,
            name=_printable(claims.get("name")),
            role=self._role(claims),
        )

    def _role(self, claims: Mapping[str, Any]) -> Role | None:
        said = claims.get(self.role_claim or "")
        values = said if isinstance(said, list) else [said]
        named = [one for one in values if isinstance(one, str)]
        given = {self.roles[one] for one in named if one in self.roles}
        return next((role for role in RANKED if role in given), None)


def _printable(name: object) -> str | None:
    """A name as a page can show it: directories keep unseen characters in names."""
    if not isinstance(name, str):
        return None
    seen = "".join(char if char.isprintable() else " " for char in name)
    return " ".join(seen.split())[:DISPLAY_CHARS] or None


@cache
def _authorities() -> ssl.SSLContext:
    """Whose certificates are believed; reading them takes longer than a request."""
    return httpx.create_ssl_context()
