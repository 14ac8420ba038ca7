"""Who looks at the pages: a person who signed in, or somebody with an API key.

A person's browser keeps a token of a sign-in on the server. With a key it keeps a page
token, good for pages only, which ends after ``LASTS`` and with its key; the key itself
is sent once and kept nowhere.
"""

import hmac
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import Depends, Request, Response

from rightrep.domain.person import Person
from rightrep.domain.roles import Role
from rightrep.errors import NotAllowed, NotSignedIn
from rightrep.store.keys import ApiKey, find_key, find_page_token, page_token
from rightrep.store.sign_ins import (
    LASTS,
    PREFIX,
    TRIP_LASTS,
    end_sign_in,
    find_sign_in,
)
from serving.dependencies import Parts
from serving.security import Principal
from serving.usecases.context import Context

READERS = frozenset({Role.MANAGER, Role.ANALYST, Role.ADMIN})
WITH_NAMES = frozenset({Role.MANAGER, Role.ADMIN})
OWN_PAGE, REPS_PAGE = "/me", "/mine"
_COOKIE, _TRIP_COOKIE = "rightrep", "rightrep_trip"
NO_KEY = "Enter an API key."
NOT_FROM_HERE = "This form was not sent from a page of RightRep."
NOT_FOR_REPS = "This page is for managers. Your own leads are on the first page."
FOR_REPS = "This page is for reps who signed in with their name."
REFUSALS = {
    role: f"This is a key of role {role.value}. The pages are for keys of role "
    "manager, analyst or admin."
    for role in Role
    if role not in READERS
}


class NotFromHere(NotAllowed):
    """A form that another site sent."""


class Elsewhere(NotAllowed):
    """Another page comes first.

    Attributes:
        path: Which one.
    """

    def __init__(self, path: str) -> None:
        super().__init__("Another page comes first.")
        self.path = path


@dataclass(frozen=True, slots=True)
class Reader(Principal):
    """Who looks at a page.

    Attributes:
        name: What the page calls them.
        person: Who they are; None with a key.
        session_id: The sign-in; None with a key.
    """

    name: str
    person: Person | None = None
    session_id: str | None = None


def get_signed_in(request: Request, parts: Parts) -> Reader:
    """Who looks at a page that is for everybody who is signed in.

    Raises:
        NotSignedIn: Nobody yet, or not any more.
    """
    token, at = request.cookies.get(cookie_name(request), ""), parts.clock.now()
    with parts.store.system_read() as session:
        if not token.startswith(PREFIX):
            return _by_key(find_page_token(session, token, at=at))
        person, session_id = find_sign_in(session, token, at=at)
    return Reader(
        person.tenant_id,
        person.person_id,
        person.role,
        person.rep_id,
        person.display_name,
        person,
        session_id,
    )


SignedIn = Annotated[Reader, Depends(get_signed_in)]


def get_settled(reader: SignedIn) -> Reader:
    """Who looks at a page, once their first password is changed.

    Raises:
        Elsewhere: It is not.
    """
    if reader.person is not None and reader.person.must_change_password:
        raise Elsewhere(OWN_PAGE)
    return reader


Settled = Annotated[Reader, Depends(get_settled)]


def get_visitor(request: Request, reader: Settled) -> Reader:
    """Who looks at a page about everybody.

    Raises:
        Elsewhere: A rep, on the first page.
        NotAllowed: A rep, on another.
    """
    if reader.role not in READERS:
        if request.url.path == "/":
            raise Elsewhere(REPS_PAGE)
        raise NotAllowed(NOT_FOR_REPS)
    return reader


Visitor = Annotated[Reader, Depends(get_visitor)]


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


def is_sent_by_another(request: Request) -> bool:
    """Whether another site sent the browser here, as far as the browser says."""
    return request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}


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


def sign_out(request: Request, parts: Context) -> None:
    """End the sign-in that the browser's token is of, if it is one."""
    token, at = request.cookies.get(cookie_name(request), ""), parts.clock.now()
    try:
        with parts.store.system_read() as session:
            person, session_id = find_sign_in(session, token, at=at)
    except NotSignedIn:
        return
    with parts.store.write(person.tenant_id) as session:
        end_sign_in(session, session_id)


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


def remember_trip(request: Request, response: Response, state: str) -> None:
    """Let the browser keep who leaves for the provider.

    It comes back by a link of another site, which only a ``Lax`` cookie goes along
    with.
    """
    response.set_cookie(
        cookie_name(request, _TRIP_COOKIE),
        state,
        max_age=int(TRIP_LASTS.total_seconds()),
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )


def is_on_trip(request: Request, state: str) -> bool:
    """Whether this browser left with this state."""
    kept = request.cookies.get(cookie_name(request, _TRIP_COOKIE), "")
    return bool(state) and hmac.compare_digest(kept.encode(), state.encode())


def forget_trip(request: Request, response: Response) -> None:
    """Let the browser forget that it left."""
    response.delete_cookie(
        cookie_name(request, _TRIP_COOKIE),
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )


def cookie_name(request: Request, name: str = _COOKIE) -> str:
    """``__Host-`` where browsers take it: nobody else on the domain can set it."""
    return f"__Host-{name}" if is_secure(request) else name


def own_path(path: str) -> str:
    """Where to go after signing in: a path of ours, else the first page."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if is_ours and path.isprintable() else "/"


def sign_in_page(path: str) -> str:
    """Where people sign in to see a page."""
    return f"/sign-in?to={quote(path, safe='')}"


def is_secure(request: Request) -> bool:
    """Whether the page came over https."""
    return request.url.scheme == "https"


def address_of(request: Request) -> str:
    """Where a request comes from, on the network."""
    return "unknown" if request.client is None else request.client.host


def _by_key(key: ApiKey) -> Reader:
    return Reader(key.tenant_id, key.key_id, key.role, key.rep_id, key.name)
