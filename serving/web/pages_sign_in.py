"""Pages where people sign in: by name and password, by their provider, by a key."""

from http import HTTPStatus
from typing import Annotated

import structlog
from fastapi import Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from rightrep.domain.ids import TenantId
from rightrep.errors import (
    NotAllowed,
    NotFound,
    NotSignedIn,
    ProviderUnavailable,
    RightRepError,
    TooManyTries,
)
from rightrep.store.tenants import list_tenants
from serving.dependencies import Parts
from serving.errors import status_of
from serving.oidc import NOT_AS_AGREED, Provider
from serving.usecases import people, people_oidc
from serving.usecases.context import Context
from serving.web import signing
from serving.web.page_route import router
from serving.web.rendering import render

OWN_FORM = [Depends(signing.require_own_form)]
BACK = "/sign-in/return"
log = structlog.get_logger()

Path = Annotated[str, Query(max_length=500)]
Typed = Annotated[str, Form(max_length=500)]


@router.get("/sign-in")
def get_sign_in(
    request: Request,
    parts: Parts,
    to: Path = "/",
    organisation: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Where people sign in; a key behind ``#`` is filled in by the page."""
    return _page(request, parts, to, organisation=organisation)


@router.post("/sign-in", dependencies=OWN_FORM)
def post_sign_in(
    request: Request,
    parts: Parts,
    name: Typed = "",
    password: Typed = "",
    organisation: Typed = "",
    key: Typed = "",
    to: Typed = "/",
) -> Response:
    """Check name and password, or the key, and let the browser keep a token."""
    by_key = bool(key) or not (name or password)
    try:
        if by_key:
            token = signing.sign_in_with(parts, key)
        else:
            tenant_id, known = _organisation(parts, organisation)
            token = people.sign_in(
                parts,
                tenant_id,
                name if known else "",
                password,
                address=signing.address_of(request),
            )
    except (NotSignedIn, NotAllowed, TooManyTries) as error:
        return _page(
            request,
            parts,
            to,
            organisation=organisation,
            name=name,
            by_key=by_key,
            error=error,
        )
    signing.sign_out(request, parts)
    response = RedirectResponse(signing.own_path(to), HTTPStatus.SEE_OTHER)
    signing.remember(request, response, token)
    return response


@router.post("/sign-out", dependencies=OWN_FORM)
def post_sign_out(request: Request, parts: Parts) -> Response:
    """End the sign-in, and let the browser forget its token."""
    signing.sign_out(request, parts)
    response = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    signing.forget(request, response)
    return response


@router.get("/sign-in/provider")
def get_provider(request: Request, parts: Parts, to: Path = "/") -> Response:
    """Leave for the organisation's OpenID provider.

    Another site sends people no further than to our own page: each departure counts as
    a try, and pictures of that address would bar a whole office.
    """
    if signing.is_sent_by_another(request):
        return RedirectResponse(signing.sign_in_page(to), HTTPStatus.SEE_OTHER)
    try:
        trip, address = people_oidc.leave(
            parts,
            _own_tenant(parts),
            _provider(parts),
            path=signing.own_path(to),
            back=_back(request),
            address=signing.address_of(request),
        )
    except (TooManyTries, ProviderUnavailable) as error:
        return _page(request, parts, to, error=error)
    response = RedirectResponse(address, HTTPStatus.SEE_OTHER)
    signing.remember_trip(request, response, trip.state)
    return response


@router.get("/sign-in/return")
def get_return(
    request: Request,
    parts: Parts,
    state: Annotated[str, Query(max_length=500)] = "",
    code: Annotated[str, Query(max_length=4_000)] = "",
) -> Response:
    """Come back from the provider, and go on to the page that was asked for.

    It goes on by a page of ours: a redirect would still count as coming from the
    provider's site, and the browser would keep its token to itself.
    """
    try:
        token, path = _came_back(request, parts, state, code)
    except (NotSignedIn, NotAllowed, TooManyTries, ProviderUnavailable) as error:
        log.warning("sign-in by the provider refused", error=type(error).__name__)
        response = _page(request, parts, "/", error=error)
    else:
        signing.sign_out(request, parts)
        response = render(request, "signed_in.html", to=path, visitor=None)
        signing.remember(request, response, token)
    signing.forget_trip(request, response)
    return response


def _came_back(
    request: Request, parts: Context, state: str, code: str
) -> tuple[str, str]:
    if not signing.is_on_trip(request, state):
        raise NotSignedIn(people_oidc.LOST)
    if not code:
        raise NotSignedIn(NOT_AS_AGREED)
    return people_oidc.come_back(
        parts,
        _own_tenant(parts),
        _provider(parts),
        state=state,
        code=code,
        back=_back(request),
        address=signing.address_of(request),
    )


def _page(
    request: Request,
    parts: Context,
    to: str,
    *,
    organisation: str | None = None,
    name: str = "",
    by_key: bool = False,
    error: RightRepError | None = None,
) -> Response:
    several = len(list_tenants(parts.store)) > 1
    response = render(
        request,
        "sign_in.html",
        status=200 if error is None else status_of(type(error))[0],
        to=signing.own_path(to),
        organisation=(organisation or parts.settings.tenant) if several else None,
        name=name,
        by_key=by_key,
        by_provider=parts.provider is not None,
        problem=None if error is None else str(error),
        visitor=None,
    )
    wait = getattr(error, "retry_after_seconds", None)
    if wait is not None:
        response.headers["Retry-After"] = str(wait)
    return response


def _organisation(parts: Context, asked: str) -> tuple[TenantId, bool]:
    """Whose pages, and whether there is such a tenant; if not, our own keeps count."""
    wanted = asked.strip() or parts.settings.tenant
    is_known = wanted in list_tenants(parts.store)
    return TenantId(wanted) if is_known else _own_tenant(parts), is_known


def _own_tenant(parts: Context) -> TenantId:
    return TenantId(parts.settings.tenant)


def _provider(parts: Context) -> Provider:
    if parts.provider is None:
        raise NotFound("page", "provider")
    return parts.provider


def _back(request: Request) -> str:
    return str(request.url.replace(path=BACK, query="", fragment=""))
