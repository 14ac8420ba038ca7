"""Pages for sales managers: read, never changed, in HTML even when they fail."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

import structlog
from fastapi import APIRouter, Depends, FastAPI, Form, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Receive, Scope, Send

from rightrep.domain.ids import DecisionId
from rightrep.domain.routing import Routing
from rightrep.domain.tenant import Tenant
from rightrep.errors import NotAllowed, NotFound, NotSignedIn, RightRepError
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant
from serving.dependencies import Parts
from serving.errors import status_of
from serving.models import Key
from serving.security import Principal
from serving.usecases import board, board_story
from serving.web import charts, signing
from serving.web.rendering import STATIC, Assets, render
from serving.web.signing import Visitor
from serving.web.wording import Say

PAGE = 50
_GZIP_FROM_BYTES = 1024

log = structlog.get_logger()

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PageRoute(APIRoute):
    """A route whose every answer is a page; whoever is not signed in goes to do so."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, compressed where the browser takes it."""
        zipped = GZipMiddleware(super().handle, minimum_size=_GZIP_FROM_BYTES)
        await zipped(scope, receive, send)

    def get_route_handler(self) -> Handler:
        """The route's handler, with failures shown."""
        answer = super().get_route_handler()

        async def show(request: Request) -> Response:
            try:
                return await answer(request)
            except NotSignedIn:
                here = quote(str(request.url.replace(scheme="", netloc="")), safe="")
                return RedirectResponse(f"/sign-in?to={here}", HTTPStatus.SEE_OTHER)
            except Exception as error:  # noqa: BLE001 - shown, and logged where ours
                return failed(request, error)

        return show


router = APIRouter(
    route_class=PageRoute, include_in_schema=False, default_response_class=Response
)


def install(app: FastAPI) -> None:
    """Add the pages and their files; a browser that goes astray gets a page too."""
    app.include_router(router)
    files = GZipMiddleware(Assets(directory=STATIC), minimum_size=_GZIP_FROM_BYTES)
    app.mount("/static", files, name="static")
    as_problem: Any = app.exception_handlers[HTTPException]

    @app.exception_handler(HTTPException)
    def astray(request: Request, error: HTTPException) -> Response:
        wants_page = "text/html" in request.headers.get("accept", "")
        if wants_page and not request.url.path.startswith("/v1/"):
            answer = failed(request, error)
        else:
            answer = as_problem(request, error)
        methods = _methods(request.url.path)
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and methods:
            answer.headers["Allow"] = ", ".join(methods)
        return answer


@router.get("/")
def get_board(
    parts: Parts, visitor: Visitor, plan: Annotated[Key | None, Query()] = None
) -> Response:
    """Today's plan, load per rep, unassigned leads, the last decisions."""
    with parts.store.read(visitor.tenant_id) as session:
        shown = board.read_board(
            session, at=parts.clock.now(), named=_named(visitor), plan_id=plan
        )
        routing = Routing.of(shown.tenant.settings)
    say = Say(shown.tenant, objective=routing.objective)
    say_plan = _say_plan(shown.tenant, shown.plan, say)
    return render(
        "board.html",
        board=shown,
        say=say,
        say_plan=say_plan,
        plan_chart=charts.of_plan(shown.plan, say_plan),
        load_chart=charts.of_loads(shown.loads, shown.names),
        visitor=visitor,
    )


@router.get("/unassigned")
def get_unassigned(
    parts: Parts,
    visitor: Visitor,
    plan: Annotated[Key | None, Query()] = None,
    after: Annotated[int, Query(ge=-1, lt=2**31)] = -1,
) -> Response:
    """The leads that a plan gives to nobody, page by page."""
    with parts.store.read(visitor.tenant_id) as session:
        shown = board_story.read_unassigned_page(
            session,
            plan_id=plan,
            after=after,
            limit=PAGE,
            at=parts.clock.now(),
            named=_named(visitor),
        )
    return render("unassigned.html", page=shown, say=Say(shown.tenant), visitor=visitor)


@router.get("/leads/{lead_id}")
def get_lead(lead_id: Key, parts: Parts, visitor: Visitor) -> Response:
    """One lead: who has it, what the plan says, what was decided."""
    now = parts.clock.now()
    with parts.store.read(visitor.tenant_id) as session:
        say = _say(session)
        story = board_story.read_lead(session, lead_id, at=now, named=_named(visitor))
    plan = story.line.plan if story.line else None
    return render(
        "lead.html",
        story=story,
        say=say,
        say_plan=_say_plan(say.tenant, plan, say),
        visitor=visitor,
    )


@router.get("/decisions")
def get_decisions(
    parts: Parts,
    visitor: Visitor,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Decisions with their why, newest first."""
    with parts.store.read(visitor.tenant_id) as session:
        say = _say(session)
        page = board_story.read_decisions(
            session,
            at=parts.clock.now(),
            named=_named(visitor),
            limit=PAGE,
            cursor=cursor,
        )
    return render("decisions.html", page=page, say=say, visitor=visitor)


@router.get("/decisions/{decision_id}")
def get_decision(decision_id: Key, parts: Parts, visitor: Visitor) -> Response:
    """One decision with every reason."""
    with parts.store.read(visitor.tenant_id) as session:
        say = _say(session)
        story = board_story.read_decision(
            session,
            DecisionId(decision_id),
            at=parts.clock.now(),
            named=_named(visitor),
        )
    return render("decision.html", story=story, say=say, visitor=visitor)


@router.get("/sign-in")
def get_sign_in(to: Annotated[str, Query(max_length=500)] = "/") -> Response:
    """Where an API key is entered; one behind ``#`` is filled in by the page."""
    return render("sign_in.html", to=signing.own_path(to), problem=None, visitor=None)


@router.post("/sign-in", dependencies=[Depends(signing.require_own_form)])
def post_sign_in(
    request: Request,
    parts: Parts,
    key: Annotated[str, Form(max_length=500)] = "",
    to: Annotated[str, Form(max_length=500)] = "/",
) -> Response:
    """Check the key, and let the browser keep a page token."""
    path = signing.own_path(to)
    try:
        token = signing.sign_in_with(parts, key)
    except (NotSignedIn, NotAllowed) as error:
        status, _ = status_of(type(error))
        return render(
            "sign_in.html", status=status, to=path, problem=str(error), visitor=None
        )
    response = RedirectResponse(path, HTTPStatus.SEE_OTHER)
    signing.remember(request, response, token)
    return response


@router.post("/sign-out", dependencies=[Depends(signing.require_own_form)])
def post_sign_out(request: Request) -> Response:
    """Let the browser forget the page token."""
    response = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    signing.forget(request, response)
    return response


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
        "failure.html", status=status, code=status, detail=detail, visitor=None
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


def _methods(path: str) -> list[str]:
    """What the pages with this path take."""
    routes = [route for route in router.routes if isinstance(route, PageRoute)]
    taken = [route.methods or () for route in routes if route.path_regex.match(path)]
    return sorted({method for methods in taken for method in methods})


def _named(visitor: Principal) -> bool:
    return visitor.role in signing.WITH_NAMES


def _say_plan(tenant: Tenant, plan: board.PlanView | None, other: Say) -> Say:
    """A plan's values are in the unit it was made with, whatever is set by now."""
    return other if plan is None else Say(tenant, objective=plan.objective)


def _say(session: ReadSession) -> Say:
    tenant = get_tenant(session)
    return Say(tenant, objective=Routing.of(tenant.settings).objective)
