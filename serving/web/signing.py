"""Who looks at the pages: signed in with an API key, remembered by a page token.

The browser keeps a token that is good for pages only, ends after ``LASTS`` and ends
with its key; the key itself is sent once and kept nowhere.
"""

from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response

from rightrep.domain.roles import Role
from rightrep.errors import NotAllowed, NotSignedIn
from rightrep.store.keys import ApiKey, find_key, find_page_token, page_token
from serving.dependencies import Parts
from serving.security import Principal
from serving.usecases.context import Context

LASTS = timedelta(hours=12)
READERS = frozenset({Role.MANAGER, Role.ANALYST, Role.ADMIN})
WITH_NAMES = frozenset({Role.MANAGER, Role.ADMIN})
_COOKIE = "rightrep"
NO_KEY = "Enter an API key."
NOT_FROM_HERE = "This form was not sent from a page of RightRep."
REFUSALS = {
    role: f"This is a key of role {role.value}. The pages are for keys of role "
    "manager, analyst or admin."
    for role in Role
    if role not in READERS
}


class NotFromHere(NotAllowed):
    """A form that another site sent."""


def get_visitor(request: Request, parts: Parts) -> Principal:
    """Who looks at a page.

    Raises:
        NotSignedIn: Nobody yet, or not any more.
    """
    token = request.cookies.get(cookie_name(request), "")
    with parts.store.system_read() as session:
        key = find_page_token(session, token, at=parts.clock.now())
    return _principal(key)


Visitor = Annotated[Principal, Depends(get_visitor)]


def require_own_form(request: Request) -> None:
    """Refuse a form that was not sent from one of our own pages.

    Browsers say where a form comes from: in ``Sec-Fetch-Site``, and where they do not
    send that (plain http that is not localhost), in ``Origin``. ``SameSite=Strict``
    keeps the cookie at home besides; this also covers signing in, which needs none.

    Raises:
        NotFromHere: It was not, or the browser does not say.
    """
    site = request.headers.get("sec-fetch-site")
    if site is None:
        origin = urlsplit(request.headers.get("origin", "")).netloc
        site = "same-origin" if origin == request.url.netloc else "unknown"
    if site != "same-origin":
        raise NotFromHere(NOT_FROM_HERE)


def sign_in_with(parts: Context, secret: str) -> str:
    """Check a key and make the token that the browser keeps.

    Raises:
        NotSignedIn: No key, or one that is unknown, expired or revoked.
        NotAllowed: It is the key of a program or a rep.
    """
    secret = secret.strip()
    if not secret:
        raise NotSignedIn(NO_KEY)
    now = parts.clock.now()
    with parts.store.system_read() as session:
        key = find_key(session, secret, at=now)
    if key.role not in READERS:
        raise NotAllowed(REFUSALS[key.role])
    return page_token(key, secret, until=now + LASTS)


def remember(request: Request, response: Response, token: str) -> None:
    """Let the browser keep the token."""
    response.set_cookie(
        cookie_name(request),
        token,
        max_age=int(LASTS.total_seconds()),
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="strict",
    )


def forget(request: Request, response: Response) -> None:
    """Let the browser forget the token."""
    response.delete_cookie(
        cookie_name(request),
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="strict",
    )


def cookie_name(request: Request) -> str:
    """``__Host-`` where browsers take it: nobody else on the domain can set it."""
    return f"__Host-{_COOKIE}" if is_secure(request) else _COOKIE


def own_path(path: str) -> str:
    """Where to go after signing in: a path of ours, else the first page."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if is_ours and path.isprintable() else "/"


def is_secure(request: Request) -> bool:
    """Whether the page came over https."""
    return request.url.scheme == "https"


def _principal(key: ApiKey) -> Principal:
    return Principal(key.tenant_id, key.key_id, key.role, key.rep_id)
