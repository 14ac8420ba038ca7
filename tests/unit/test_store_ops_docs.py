"""What the store can do around the records is written down."""

import importlib
import inspect
from dataclasses import fields
from pathlib import Path

import pytest

from rightrep.domain.erasure import Retention

DOCS = Path(__file__).parents[2] / "docs" / "store-ops.md"
MODULES = (
    "jobs",
    "outbox",
    "endpoints",
    "idempotency",
    "keys",
    "people",
    "sign_ins",
    "tries",
    "plans",
    "prices",
    "models",
    "rules",
    "experiments",
    "evidence",
    "erasure",
    "subjects",
    "retention",
)


@pytest.mark.parametrize("name", MODULES)
def test_every_function_has_its_line(name: str) -> None:
    module = importlib.import_module(f"rightrep.store.{name}")
    written = DOCS.read_text(encoding="utf-8")

    missing = [
        function
        for function, value in inspect.getmembers(module, inspect.isfunction)
        if value.__module__ == module.__name__
        and not function.startswith("_")
        and f"`{function}(" not in written
    ]

    assert missing == []


def test_every_retention_is_written_with_its_default() -> None:
    written = DOCS.read_text(encoding="utf-8")

    for field in fields(Retention):
        default = "null" if field.default is None else field.default
        assert f"| `{field.name}` | {default} |" in written
