"""What every page has in common: a route, a reader, and how failures are shown."""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Receive, Scope, Send

from rightrep.domain.routing import Objective, Routing
from rightrep.domain.tenant import Tenant
from rightrep.errors import NotFound, NotSignedIn, RightRepError
from serving.dependencies import Parts
from serving.errors import status_of
from serving.usecases.board_names import Names
from serving.web import signing
from serving.web.language import language_of, translations
from serving.web.rendering import path_of, render
from serving.web.signing import Elsewhere, Reader, Settled, SignedIn, Visitor
from serving.web.wording import Say

GZIP_FROM_BYTES = 1024

log = structlog.get_logger()

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Look:
    """One look at a page: who looks, at what, when, in which language.

    Attributes:
        parts: The parts of this process.
        visitor: Who looks.
        tenant_id: At whose records.
        at: When; aware UTC.
        named: Whether names may be seen.
    """

    visitor: Reader

    def __init__(self, request: Request, parts: Parts, visitor: Visitor) -> None:
        """Take note of the request."""
        self.parts = parts
        self.visitor = visitor
        self.tenant_id = visitor.tenant_id
        self.at: datetime = parts.clock.now()
        self.named = visitor.role in signing.WITH_NAMES
        self.language = language_of(request)
        self._request = request
        self.translate = translations(self.language).gettext

    def say(self, tenant: Tenant, objective: Objective | None = None) -> Say:
        """The page's figures in words, values in the tenant's unit unless told."""
        return Say(
            tenant,
            objective=objective or Routing.of(tenant.settings).objective,
            locale=self.language,
            translate=self.translate,
        )

    def called(self, names: Names) -> Names:
        """The same names in the page's language."""
        return replace(names, translate=self.translate)

    def show(self, template: str, *, status: int = 200, **context: object) -> Response:
        """One page."""
        return render(
            self._request, template, status=status, visitor=self.visitor, **context
        )


Looking = Annotated[Look, Depends()]


class OwnLook(Look):
    """One look at a page of one's own, whatever the role."""

    def __init__(self, request: Request, parts: Parts, visitor: Settled) -> None:
        """Take note of the request."""
        super().__init__(request, parts, visitor)


class FirstLook(Look):
    """One look at the page where a password is changed, the first one too."""

    def __init__(self, request: Request, parts: Parts, visitor: SignedIn) -> None:
        """Take note of the request."""
        super().__init__(request, parts, visitor)


class PageRoute(APIRoute):
    """A route whose every answer is a page; whoever is not signed in goes to do so."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, compressed where the browser takes it."""
        zipped = GZipMiddleware(super().handle, minimum_size=GZIP_FROM_BYTES)
        await zipped(scope, receive, send)

    def get_route_handler(self) -> Handler:
        """The route's handler, with failures shown."""
        answer = super().get_route_handler()

        async def show(request: Request) -> Response:
            try:
                return await answer(request)
            except NotSignedIn:
                # What a form was sent to is no page to come back to.
                here = path_of(request) if request.method == "GET" else "/"
                return RedirectResponse(
                    signing.sign_in_page(here), HTTPStatus.SEE_OTHER
                )
            except Elsewhere as error:
                return RedirectResponse(error.path, HTTPStatus.SEE_OTHER)
            except Exception as error:  # noqa: BLE001 - shown, and logged where ours
                return failed(request, error)

        return show


router = APIRouter(
    route_class=PageRoute, include_in_schema=False, default_response_class=Response
)


def failed(request: Request, error: Exception) -> Response:
    """A page that says what went wrong and what to do."""
    status, detail = _status_and_words(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error(
            "page failed",
            route=getattr(request.scope.get("route"), "path", "(none)"),
            error=type(error).__name__,
            exc_info=None if isinstance(error, RightRepError) else error,
        )
    response = render(
        request,
        "failure.html",
        status=status,
        code=status,
        detail=detail,
        visitor=None,
    )
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = "5"
    return response


def _status_and_words(error: Exception) -> tuple[int, str | None]:
    """Status code and what may be told; of our own failures nothing may."""
    if isinstance(error, HTTPException):
        return error.status_code, None
    if isinstance(error, RequestValidationError):
        return HTTPStatus.UNPROCESSABLE_ENTITY, None
    if isinstance(error, NotFound):
        # What was asked for is not echoed: it may be personal.
        return HTTPStatus.NOT_FOUND, f"There is no such {error.kind}."
    if not isinstance(error, RightRepError):
        return HTTPStatus.INTERNAL_SERVER_ERROR, None
    status, _ = status_of(type(error))
    return status, None if status >= HTTPStatus.INTERNAL_SERVER_ERROR else str(error)
