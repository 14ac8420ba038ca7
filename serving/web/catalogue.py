"""Brings the catalogues up to date with the pages: ``python -m serving.web.catalogue``.

Messages come from the templates, from calls of ``translate`` in Python, and from
``spoken``: words that are not written in a template but shown by one.
"""

from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po, write_po

from serving.web.language import ENGLISH, LANGUAGES, catalogue_path
from serving.web.spoken import SPOKEN

SERVING = Path(__file__).parents[1]
_METHODS = [
    ("web/templates/**.html", "jinja2"),
    ("web/**.py", "python"),
    ("usecases/board*.py", "python"),
    ("usecases/cheating.py", "python"),
]
_TEMPLATES = {"silent": "false", "newstyle_gettext": "true"}
_KEYWORDS = {**DEFAULT_KEYWORDS, "translate": None, "_translate": None}


def messages() -> Catalog:
    """Every message of the pages, in English."""
    found = Catalog()
    for path, _, message, _, _ in extract_from_dir(
        SERVING,
        _METHODS,
        {"web/templates/**.html": _TEMPLATES},
        keywords=_KEYWORDS,
    ):
        found.add(message, locations=[(path, 1)])
    for message in SPOKEN:
        found.add(message, locations=[("web/spoken.py", 1)])
    return found


def updated(language: str) -> Catalog:
    """A language's catalogue with exactly the messages that there are now."""
    path = catalogue_path(language)
    present = Catalog(locale=language)
    if path.exists():
        with path.open("rb") as source:
            present = read_po(source, locale=language)
    present.update(messages(), no_fuzzy_matching=True)
    present.obsolete.clear()
    return present


def write(catalogue: Catalog, path: Path) -> None:
    """Write a catalogue down, in the order of its messages."""
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as target:
        write_po(
            target,
            catalogue,
            width=88,
            omit_header=True,
            sort_output=True,
            include_lineno=False,
        )


if __name__ == "__main__":
    for code in LANGUAGES:
        if code != ENGLISH:
            write(updated(code), catalogue_path(code))
