"""Which language a page is in, and its words: read from the catalogues beside this."""

import io
from collections.abc import Mapping
from functools import cache
from gettext import NullTranslations
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from babel.core import negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from fastapi import Depends, Request, Response

ENGLISH = "en"
LANGUAGES: Mapping[str, str] = MappingProxyType({ENGLISH: "English", "zh": "中文"})
"""What each language calls itself, by code; the words in the code are English."""

CATALOGUES = Path(__file__).parent / "locale"
COOKIE = "rightrep_language"
_YEAR_SECONDS = 365 * 24 * 3600


def language_of(request: Request) -> str:
    """The language chosen in the page, else the browser's, else English."""
    chosen = request.cookies.get(COOKIE)
    if chosen is not None and chosen in LANGUAGES:
        return chosen
    wanted = _wanted(request.headers.get("accept-language", ""))
    return negotiate_locale(wanted, [*LANGUAGES], sep="-") or ENGLISH


Language = Annotated[str, Depends(language_of)]


def choose(response: Response, language: str, *, secure: bool) -> None:
    """Let the browser keep the choice; it says nothing of who chose."""
    response.set_cookie(
        COOKIE,
        language,
        max_age=_YEAR_SECONDS,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


@cache
def translations(language: str) -> NullTranslations:
    """The words of a language, compiled from its catalogue; English needs none."""
    path = catalogue_path(language)
    if not path.exists():
        return NullTranslations()
    compiled = io.BytesIO()
    with path.open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    return Translations(compiled)


def catalogue_path(language: str) -> Path:
    """Where the translations into a language are written down."""
    return CATALOGUES / f"{language}.po"


def _wanted(header: str) -> list[str]:
    """Languages that a browser asks for, the dearest first (RFC 9110, 12.5.4)."""
    found: list[tuple[float, str]] = []
    for part in header.split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            found.append((-float(weight or 1.0), tag.strip()))
        except ValueError:
            continue
    tags = [tag for weight, tag in sorted(found, key=lambda one: one[0]) if weight < 0]
    # A browser that asks for zh-CN or zh-TW is better served by zh than by English.
    return [one for tag in tags for one in (tag, tag.partition("-")[0])]
