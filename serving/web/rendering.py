"""Templates into answers, with the headers that keep a page to itself."""

import hashlib
import math
import re
from functools import cache, partial
from pathlib import Path
from urllib.parse import quote

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from rightrep.domain.eligibility import SENTENCES, Exclusion
from rightrep.domain.plan import LineState
from rightrep.domain.protection import DropReason
from serving.web.language import LANGUAGES, language_of, translations
from serving.web.spoken import recorded

HERE = Path(__file__).parent
STATIC = HERE / "static"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere and nothing inline: charts find their data in JSON blocks."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}
_BLANK_LINES = re.compile(r"\n\s*\n")
_YEAR_SECONDS = 365 * 24 * 3600


class Assets(StaticFiles):
    """Our own files; one that is asked for by its version may be kept for good."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """One file."""
        response = await super().get_response(path, scope)
        keep = "no-cache"
        if scope["query_string"].startswith(b"v="):
            keep = f"public, max-age={_YEAR_SECONDS}, immutable"
        response.headers["Cache-Control"] = keep
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def render(
    request: Request, template: str, *, status: int = 200, **context: object
) -> HTMLResponse:
    """One page, in the reader's language.

    Args:
        request: Who asked, and for which address.
        template: File among the templates.
        status: HTTP status code.
        **context: What the template shows.
    """
    language = language_of(request)
    found = _environment(language).get_template(template)
    text = found.render(context, here_now=quote(path_of(request), safe=""))
    headers = HEADERS | {"Content-Language": language}
    return HTMLResponse(_BLANK_LINES.sub("\n", text), status, headers=headers)


def path_of(request: Request) -> str:
    """The address asked for, as a path of ours."""
    return str(request.url.replace(scheme="", netloc=""))


@cache
def asset(name: str) -> str:
    """The address of one of our files, different when its content is."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()
    return f"/static/{name}?v={digest[:12]}"


@cache
def _environment(language: str) -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
    )
    made.filters["exp"] = math.exp
    words = translations(language)
    made.install_gettext_translations(words, newstyle=True)  # type: ignore[attr-defined]
    made.globals.update(
        asset=asset,
        sentences=SENTENCES,
        Exclusion=Exclusion,
        LineState=LineState,
        DropReason=DropReason,
        language=language,
        languages=LANGUAGES,
        spoken=words.gettext,
        recorded=partial(recorded, translate=words.gettext),
    )
    return made
