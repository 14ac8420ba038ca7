"""Pages for sales managers: read, never changed, in HTML even when they fail."""

from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

from rightrep.domain.decision import Decision
from rightrep.domain.ids import DecisionId
from rightrep.errors import NotFound
from rightrep.store.models import PublishedModel
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant
from serving.models import Key
from serving.usecases import board, board_story
from serving.usecases.explaining import Explanation, explain_decision
from serving.web import (
    charts,
    pages_boards,
    pages_channels,
    pages_fair,
    pages_own,
    pages_sign_in,
    signing,
)
from serving.web.language import LANGUAGES, choose
from serving.web.page_route import (
    GZIP_FROM_BYTES,
    Look,
    Looking,
    PageRoute,
    failed,
    router,
)
from serving.web.rendering import STATIC, Assets
from serving.web.wording import Say
from training.words import Language

PAGE = 50
OTHERS = (pages_boards, pages_channels, pages_fair, pages_own, pages_sign_in)
"""Modules whose pages are on the router once they are imported."""


def install(app: FastAPI) -> None:
    """Add the pages and their files; a browser that goes astray gets a page too."""
    app.include_router(router)
    files = GZipMiddleware(Assets(directory=STATIC), minimum_size=GZIP_FROM_BYTES)
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
def get_board(look: Looking, plan: Annotated[Key | None, Query()] = None) -> Response:
    """Today's plan, load per rep, unassigned leads, the last decisions."""
    with look.parts.store.read(look.tenant_id) as session:
        shown = board.read_board(session, at=look.at, named=look.named, plan_id=plan)
    shown = replace(shown, names=look.called(shown.names))
    say = look.say(shown.tenant)
    say_plan = _say_plan(look, shown.plan, say)
    return look.show(
        "board.html",
        board=shown,
        say=say,
        say_plan=say_plan,
        plan_chart=charts.of_plan(shown.plan, say_plan),
        load_chart=charts.of_loads(shown.loads, shown.names, say),
    )


@router.get("/unassigned")
def get_unassigned(
    look: Looking,
    plan: Annotated[Key | None, Query()] = None,
    after: Annotated[int, Query(ge=-1, lt=2**31)] = -1,
) -> Response:
    """The leads that a plan gives to nobody, page by page."""
    with look.parts.store.read(look.tenant_id) as session:
        shown = board_story.read_unassigned_page(
            session,
            plan_id=plan,
            after=after,
            limit=PAGE,
            at=look.at,
            named=look.named,
        )
    shown = replace(shown, names=look.called(shown.names))
    return look.show("unassigned.html", page=shown, say=look.say(shown.tenant))


@router.get("/leads/{lead_id}")
def get_lead(lead_id: Key, look: Looking) -> Response:
    """One lead: who has it, what the plan says, what was decided."""
    with look.parts.store.read(look.tenant_id) as session:
        say = _say(look, session)
        story = board_story.read_lead(session, lead_id, at=look.at, named=look.named)
    plan = story.line.plan if story.line else None
    return look.show(
        "lead.html",
        story=replace(story, names=look.called(story.names)),
        say=say,
        say_plan=_say_plan(look, plan, say),
        explanation=_explained(look, story.decisions[:1], story.model, say),
    )


@router.get("/decisions")
def get_decisions(
    look: Looking, cursor: Annotated[str | None, Query(max_length=200)] = None
) -> Response:
    """Decisions with their why, newest first."""
    with look.parts.store.read(look.tenant_id) as session:
        say = _say(look, session)
        page = board_story.read_decisions(
            session, at=look.at, named=look.named, limit=PAGE, cursor=cursor
        )
    page = replace(page, names=look.called(page.names))
    return look.show("decisions.html", page=page, say=say)


@router.get("/decisions/{decision_id}")
def get_decision(decision_id: Key, look: Looking) -> Response:
    """One decision with every reason."""
    with look.parts.store.read(look.tenant_id) as session:
        say = _say(look, session)
        story = board_story.read_decision(
            session, DecisionId(decision_id), at=look.at, named=look.named
        )
    story = replace(story, names=look.called(story.names))
    return look.show(
        "decision.html",
        story=story,
        say=say,
        explanation=_explained(look, [story.decision], story.model, say),
    )


@router.get("/language/{code}")
def get_language(
    request: Request,
    code: Key,
    to: Annotated[str, Query(max_length=500)] = "/",
) -> Response:
    """Read on in another language; the browser keeps the choice."""
    if code not in LANGUAGES:
        raise NotFound("language", code)
    response = RedirectResponse(signing.own_path(to), HTTPStatus.SEE_OTHER)
    choose(response, code, secure=signing.is_secure(request))
    return response


def _methods(path: str) -> list[str]:
    """What the pages with this path take."""
    routes = [route for route in router.routes if isinstance(route, PageRoute)]
    taken = [route.methods or () for route in routes if route.path_regex.match(path)]
    return sorted({method for methods in taken for method in methods})


def _say_plan(look: Look, plan: board.PlanView | None, other: Say) -> Say:
    """A plan's values are in the unit it was made with, whatever is set by now."""
    return other if plan is None else look.say(other.tenant, plan.objective)


def _explained(
    look: Look, made: Sequence[Decision], published: PublishedModel | None, say: Say
) -> Explanation | None:
    """What made the chance of a decision, in the page's language; None without one."""
    if not made:
        return None
    return explain_decision(
        made[0],
        published,
        language=Language(look.language),
        currency=say.tenant.currency,
    )


def _say(look: Look, session: ReadSession) -> Say:
    return look.say(get_tenant(session))
