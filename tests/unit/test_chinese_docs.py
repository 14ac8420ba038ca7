"""What the Chinese documents name exists, in the words that the pages use."""

import json
import re
from pathlib import Path

import pytest

from rightrep.domain.fairness import FairnessRules
from rightrep.domain.roles import Role
from rightrep.domain.routing import Routing
from rightrep.settings import Settings
from serving.cli import app
from serving.routes.pools import PoolIn
from serving.web import pages
from serving.web.language import catalogue_path
from serving.web.page_route import router
from tests.unit.test_documented import commands

ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs" / "zh"
PAGES = [ROOT / "README.zh-CN.md", *sorted(GUIDES.glob("*.md"))]
HAN = re.compile(r"[\u4e00-\u9fff]")


def names(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def links(path: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", text(path))


@pytest.mark.parametrize("path", PAGES, ids=names)
def test_every_link_leads_somewhere(path: Path) -> None:
    found = [link.partition("#")[0] for link in links(path)]

    assert found or path.name == "glossary.md"
    assert [link for link in found if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=names)
def test_every_command_is_one(path: Path) -> None:
    known = {command.removeprefix("rightrep ") for command in commands(app)}

    for words in re.findall(r"\brightrep ([a-z][a-z -]*)", text(path)):
        first = words.split(" -")[0].split()
        assert {" ".join(first[:2]), first[0]} & known, words


@pytest.mark.parametrize("path", PAGES, ids=names)
def test_every_variable_is_a_setting_and_every_address_a_page(path: Path) -> None:
    shown = text(path)
    settings = {f"RIGHTREP_{name.upper()}" for name in Settings.model_fields}
    addresses = {str(getattr(route, "path", "")) for route in router.routes}

    assert set(re.findall(r"RIGHTREP_[A-Z_]+", shown)) <= settings
    assert set(re.findall(r"`(/[a-z_{}/.]*)`", shown)) <= addresses
    assert len(pages.OTHERS) > 1


def test_the_pool_of_the_guide_is_one_and_says_every_setting() -> None:
    shown = text(GUIDES / "pools.md")
    example = json.loads(shown.partition("```json")[2].partition("```")[0])

    PoolIn.model_validate(example)

    missing = [name for name in example if f"`{name}`" not in shown]
    assert missing == ["position"] or missing == []


def test_the_settings_of_fairness_are_those_that_there_are() -> None:
    shown = text(GUIDES / "fairness.md")
    named = {
        name
        for row in re.findall(r"^\| (`.+?) \|", shown, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }

    assert named == set(FairnessRules.__dataclass_fields__)
    assert "settling_days" in Routing.__slots__


def test_every_role_of_people_is_told() -> None:
    shown = text(GUIDES / "signing-in.md")

    assert all(f"`{role}`" in shown for role in Role if role is not Role.SERVICE)


def test_every_guide_is_in_the_table_of_guides() -> None:
    listed = set(links(GUIDES / "README.md"))

    assert {path.name for path in PAGES[1:]} - listed == {"README.md"}
    assert "README.zh-CN.md" in links(ROOT / "README.md")
    assert "docs/zh/README.md" in links(ROOT / "README.md")


def terms() -> list[tuple[list[str], list[str]]]:
    """The glossary: words to use, and words not to."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text(GUIDES / "glossary.md").splitlines()
        if line.startswith("| ") and HAN.search(line) and "代码中" not in line
    ]
    return [(row[0].split("、"), row[3].split("、")) for row in rows]


def test_the_words_of_the_glossary_are_those_of_the_pages() -> None:
    shown = text(catalogue_path("zh"))
    told_elsewhere = {"私海", "回收"}  # no page has a private pool or the job itself

    used = {word for words, _ in terms() for word in words}

    assert len(used) > 25
    assert {word for word in used if word not in shown} <= told_elsewhere


@pytest.mark.parametrize("path", PAGES, ids=names)
def test_words_not_to_be_used_are_not(path: Path) -> None:
    if path.name == "glossary.md":
        return
    shown = text(path)

    assert [word for _, others in terms() for word in others if word in shown] == []


def test_the_readme_says_what_the_english_one_says_of_getting_started() -> None:
    english, chinese = text(ROOT / "README.md"), text(ROOT / "README.zh-CN.md")
    makefile = text(ROOT / "Makefile")

    for target in re.findall(r"^    make (\w+)", english, re.MULTILINE):
        assert f"    make {target}" in chinese
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
