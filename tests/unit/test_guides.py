"""What the guides show is what happens."""

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(
    "page", ["experiments.md", "features.md", "model.md", "optimizer.md"]
)
def test_the_examples_of_a_guide_are_executed(page: str) -> None:
    found = doctest.testfile(str(DOCS / page), module_relative=False, encoding="utf-8")

    assert found.attempted > 5
    assert found.failed == 0


def test_every_link_of_the_readme_leads_somewhere() -> None:
    text = (DOCS.parent / "README.md").read_text(encoding="utf-8")

    targets = [part.partition(")")[0] for part in text.split("](")[1:]]

    assert targets
    assert [name for name in targets if not (DOCS.parent / name).exists()] == []
