"""What a user can do is written down: every command, setting and route."""

import re
from pathlib import Path

import pytest
import typer

from rightrep.domain.learning import Learning
from rightrep.domain.routing import Routing
from rightrep.domain.schedule import DEFAULTS
from rightrep.settings import Settings
from serving.app import create_app
from serving.cli import app
from serving.usecases.context import Context

DOCS = Path(__file__).parents[2] / "docs"


def commands(group: typer.Typer, prefix: str = "rightrep") -> list[str]:
    """Every command of a group, in full."""
    found = []
    for command in group.registered_commands:
        callback = command.callback
        assert callback is not None
        name = command.name or callback.__name__.strip("_").replace("_", "-")
        found.append(f"{prefix} {name}")
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        found += commands(inner.typer_instance, f"{prefix} {inner.name}")
    return found


def routes(home: Path) -> list[str]:
    """Every route of the OpenAPI document."""
    document = create_app(Context.of(Settings(home=home))).openapi()
    return [
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        for method in operations
    ]


@pytest.mark.parametrize("command", commands(app))
def test_every_command_is_documented(command: str) -> None:
    assert f"`{command}" in (DOCS / "cli.md").read_text(encoding="utf-8")


def test_every_command_that_a_page_names_is_one() -> None:
    pages = (DOCS.parent / "serving" / "web" / "templates").glob("*.html")
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    named = re.findall(r"^(?:.*<code>)?(rightrep [^<{\n]+)", text, re.MULTILINE)
    known = tuple(f"{command} " for command in commands(app))

    assert len(named) > 15
    assert [one for one in named if not f"{one} ".startswith(known)] == []


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    assert f"`RIGHTREP_{name.upper()}`" in (DOCS / "settings.md").read_text("utf-8")


@pytest.mark.parametrize("name", Routing.__slots__)
def test_every_routing_setting_is_documented(name: str) -> None:
    assert f"`{name}`" in (DOCS / "settings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*Learning.__slots__, *DEFAULTS])
def test_every_setting_of_learning_is_documented(name: str) -> None:
    assert f"`{name}`" in (DOCS / "settings.md").read_text(encoding="utf-8")


def test_every_route_is_documented(tmp_path: Path) -> None:
    text = (DOCS / "api.md").read_text(encoding="utf-8")

    assert [route for route in routes(tmp_path) if f"`{route}`" not in text] == []
