"""Errors as answers: RFC 9457 problem details, decided in one table.

``type`` is ``/problems/<name>``, stable; ``title`` says what kind, ``detail`` what
happened and what to do, ``field`` where. What was sent is never echoed: it may be
personal. No stack trace leaves the service.
"""

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from rightrep import errors
from serving.faults import faults_of

MEDIA_TYPE = "application/problem+json"

STATUS: Mapping[type[errors.RightRepError], tuple[int, str]] = {
    errors.InvalidInput: (422, "invalid-input"),
    errors.NotFound: (404, "not-found"),
    errors.Conflict: (409, "conflict"),
    errors.AlreadyOwned: (409, "already-owned"),
    errors.CapacityReached: (409, "capacity-reached"),
    errors.NotClaimable: (409, "not-claimable"),
    errors.KeyReused: (422, "key-reused"),
    errors.NotSignedIn: (401, "not-signed-in"),
    errors.NotAllowed: (403, "not-allowed"),
    errors.TooManyTries: (429, "too-many-tries"),
    errors.InfeasiblePlan: (422, "infeasible-plan"),
    errors.SolverStopped: (503, "solver-stopped"),
    errors.TooFewOutcomes: (409, "too-few-outcomes"),
    errors.ModelUnavailable: (409, "model-unavailable"),
    errors.StoreUnavailable: (503, "store-unavailable"),
    errors.ProviderUnavailable: (503, "provider-unavailable"),
    errors.RightRepError: (500, "internal-error"),
}
"""Status and stable name of every error; the nearest class in the tree counts."""

log = structlog.get_logger()


class Problem(BaseModel):
    """What went wrong, as RFC 9457 writes it."""

    type: str = Field(examples=["/problems/not-found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no lead '00Q5g00000A1b2c'."])
    field: str | None = Field(default=None, description="Field at fault, dotted.")
    remedy: str | None = Field(default=None, description="What to do instead.")
    errors: list[dict[str, str]] | None = Field(
        default=None, description="Every field at fault, when there are several."
    )


def may_raise(*kinds: type[errors.RightRepError]) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI ``responses`` of a route that may raise these."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        status, name = status_of(kind)
        said = by_status.get(status)
        names = f"{said['description']}, {name}" if said else name
        by_status[status] = {"description": names, **_content()}
    return by_status


def common_answers() -> dict[int | str, dict[str, Any]]:
    """The problems that any route behind a key may answer."""
    return {
        status: {"description": HTTPStatus(status).phrase, **_content()}
        for status in (400, 401, 403, 404, 405, 413, 422, 503)
    }


def status_of(kind: type[errors.RightRepError]) -> tuple[int, str]:
    """Status code and stable name of an error class."""
    return next(STATUS[c] for c in kind.__mro__ if c in STATUS)


def problem_of(error: errors.RightRepError) -> Response:
    """The answer to an error raised on purpose."""
    status, name = status_of(type(error))
    numbers = {
        key: value
        for key, value in vars(error).items()
        if not key.startswith("_") and isinstance(value, str | int | float | tuple)
    }
    headers: dict[str, str] = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    wait = getattr(error, "retry_after_seconds", None)
    if wait is not None or status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(wait if wait is not None else 1)
    return problem(status, name, str(error), headers=headers, **numbers)


def problem(
    status: int,
    name: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **members: object,
) -> Response:
    """One problem document.

    Args:
        status: HTTP status code.
        name: Stable name, the last part of ``type``.
        detail: What happened and what to do.
        headers: More headers, such as ``Allow``.
        **members: Extension members.
    """
    body = {
        "type": f"/problems/{name}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **{key: value for key, value in members.items() if value is not None},
    }
    return Response(orjson.dumps(body), status, headers=headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answer every error of the app with a problem document."""

    @app.exception_handler(errors.RightRepError)
    def on_purpose(request: Request, error: errors.RightRepError) -> Response:
        answer = problem_of(error)
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("failed", path=request.url.path, error=type(error).__name__)
        return answer

    @app.exception_handler(HTTPException)
    def by_starlette(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(_allowed(request))
        name = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        return problem(error.status_code, name, str(error.detail), headers=headers)

    @app.exception_handler(RequestValidationError)
    def by_pydantic(_: Request, error: RequestValidationError) -> Response:
        found = faults_of(error.errors(), error.body)
        first = found[0]
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        return problem(
            422,
            "invalid-input",
            f"{first['field']}: {first['message']}{more}.",
            field=first["field"],
            errors=found,
        )

    @app.exception_handler(Exception)
    def unforeseen(request: Request, error: Exception) -> Response:
        log.error("crashed", path=request.url.path, exc_info=error)
        return problem(500, "internal-error", "Something broke here; it is logged.")


def _content() -> dict[str, Any]:
    return {"content": {MEDIA_TYPE: {"schema": _schema()}}}


@cache
def _schema() -> dict[str, Any]:
    """Made once: hundreds of answers of the routes refer to it."""
    return Problem.model_json_schema()


def _allowed(request: Request) -> list[str]:
    """Methods of every route on this path; Starlette names the first one's only."""
    methods: set[str] = set()
    for path, operations in request.app.openapi()["paths"].items():
        if compile_path(path)[0].match(request.url.path):
            methods |= {name.upper() for name in operations}
    return sorted(methods)
