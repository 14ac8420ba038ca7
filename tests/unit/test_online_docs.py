"""What the pages on looking ahead and on visits show is what happens."""

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", ["online.md", "visits.md"])
def test_the_page_is_executed(name: str) -> None:
    found = doctest.testfile(str(DOCS / name), module_relative=False, encoding="utf-8")

    assert found.attempted > 8
    assert found.failed == 0
