"""What the page on cleaning shows is what happens."""

import doctest
from pathlib import Path

from rightrep.intake.fields import Kind
from rightrep.intake.mapping import load_mapping
from tests.intake_files import written

PAGE = Path(__file__).parents[2] / "docs" / "cleaning.md"


def test_the_page_is_executed() -> None:
    found = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")

    assert found.attempted > 8
    assert found.failed == 0


def test_the_example_of_a_register_is_a_mapping(tmp_path: Path) -> None:
    example = PAGE.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]

    loaded = load_mapping(written(tmp_path, "m.toml", example), Kind.COMPANIES)

    assert loaded.rules.source == "qcc"
