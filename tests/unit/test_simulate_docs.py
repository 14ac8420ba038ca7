"""What the demo market's page and docstrings show is what happens."""

import doctest
import importlib
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "demo-market.md"


def test_the_page_about_the_demo_market_is_executed() -> None:
    found = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")

    assert found.attempted > 10
    assert found.failed == 0


@pytest.mark.parametrize(
    "name",
    [
        "experiments.simulate",
        "experiments.market_calendar",
        "experiments.market_copies",
    ],
)
def test_examples_in_docstrings_are_executed(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))

    assert found.attempted > 0
    assert found.failed == 0
