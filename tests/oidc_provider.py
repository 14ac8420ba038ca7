"""A small OpenID provider on a real socket: right by default, wrong where told."""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "rightrep", "s3cret of ours"
_KEY = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})
_STRANGERS = RSAKey.generate_key(2048, {"kid": "k1"})


class FakeProvider:
    """What it says, and what is wrong with it.

    Attributes:
        issuer: Its address.
        claims: Claims of whoever signs in there, besides those of the protocol.
        wrong: Claims of the protocol that its tokens hold instead of the right ones.
        now: Its clock, in seconds since 1970.
        signed_by: ``key``, ``stranger`` (another key of the same id), ``public key``
            (as a shared secret) or ``none``.
        discovery: What its discovery document says instead.
        silent: Whether it answers nothing but errors.
        asked: Paths that were asked for.
    """

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.claims: dict[str, Any] = {
            "sub": "u-1",
            "email": "wang@acme.example",
            "email_verified": True,
            "name": "王伟",
        }
        self.wrong: dict[str, Any] = {}
        self.now: float = time.time()
        self.signed_by = "key"
        self.discovery: dict[str, Any] = {}
        self.silent = False
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}

    def authorize(self, address: str) -> str:
        """Sign in there and consent; gives the address to come back to."""
        asked = {name: values[0] for name, values in _query(address).items()}
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        assert set(asked["scope"].split()) == {"openid", "email", "profile"}
        code = secrets.token_urlsafe()
        self._codes[code] = asked
        back = {"code": code, "state": asked["state"]}
        return f"{asked['redirect_uri']}?{urlencode(back)}"

    def answer(
        self, path: str, headers: Mapping[str, str], body: str
    ) -> tuple[int, object]:
        """Status and JSON of an answer."""
        self.asked.append(path)
        if self.silent:
            return 500, {}
        if path == "/.well-known/openid-configuration":
            return 200, self._metadata()
        if path == "/jwks":
            return 200, {"keys": [_KEY.as_dict(private=False)]}
        if path == "/token":
            return self._token(headers, {k: v[0] for k, v in parse_qs(body).items()})
        return 404, {}

    def _metadata(self) -> dict[str, Any]:
        right = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return right | self.discovery

    def _token(
        self, headers: Mapping[str, str], form: Mapping[str, str]
    ) -> tuple[int, object]:
        asked = self._codes.pop(form["code"], None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or headers.get("authorization") != f"Basic {basic}"
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form["redirect_uri"]
        ):
            return 400, {"error": "invalid_grant"}
        return 200, {
            "access_token": "unused",
            "token_type": "Bearer",
            "id_token": self._id_token(asked["nonce"]),
        }

    def _id_token(self, nonce: str) -> str:
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": int(self.now),
            "exp": int(self.now) + 300,
            "nonce": nonce,
            **self.claims,
            **self.wrong,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.signed_by == "none":
            parts = ({"alg": "none", "typ": "JWT"}, claims)
            coded = [_coded(json.dumps(part).encode()) for part in parts]
            return ".".join([*coded, ""])
        if self.signed_by == "public key":
            # A key that everybody knows, used as if it were a shared secret.
            return _as_secret(claims)
        key = _KEY if self.signed_by == "key" else _STRANGERS
        return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, key)


@contextmanager
def openid_provider() -> Iterator[FakeProvider]:
    """A provider that listens."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if urlsplit(self.path).path == "/authorize":
                self.send_response(302)
                self.send_header("Location", fake.authorize(self.path))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self._answer("")

        def do_POST(self) -> None:
            size = int(self.headers.get("content-length", 0))
            self._answer(self.rfile.read(size).decode())

        def _answer(self, body: str) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, found = fake.answer(urlsplit(self.path).path, headers, body)
            said = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake = FakeProvider(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _query(address: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(address).query)


def _coded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def _as_secret(claims: Mapping[str, Any]) -> str:
    head = _coded(json.dumps({"alg": "HS256", "kid": "k1"}).encode())
    signed = f"{head}.{_coded(json.dumps(claims).encode())}"
    secret = _KEY.as_pem(private=False)
    mac = hmac.new(secret, signed.encode(), "sha256").digest()
    return f"{signed}.{_coded(mac)}"
