"""What the page on sharing a batch shows is what happens."""

import doctest
from pathlib import Path

from optimizer.policies import POLICIES

PAGE = Path(__file__).parents[2] / "docs" / "optimizer.md"


def test_the_page_is_executed() -> None:
    found = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")

    assert found.attempted > 20
    assert found.failed == 0


def test_every_policy_is_documented() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert [name for name in POLICIES if f"| `{name}` |" not in page] == []
