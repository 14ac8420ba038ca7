"""The guide of customer health names every part and setting, with its default."""

from dataclasses import fields
from pathlib import Path

import pytest

from rightrep.domain.health import HealthPart, HealthRules

GUIDE = Path(__file__).parents[2] / "docs" / "customer-health.md"


@pytest.mark.parametrize("part", HealthPart)
def test_every_part_is_written_with_its_weight(part: HealthPart) -> None:
    weight = HealthRules().weights[part]

    assert f"| {part} | {weight:.0f} |" in GUIDE.read_text("utf-8")


@pytest.mark.parametrize("name", [one.name for one in fields(HealthRules)])
def test_every_setting_is_written_with_its_default(name: str) -> None:
    default = getattr(HealthRules(), name)
    written = "as above" if name == "weights" else f"{default:.0f}"

    assert f"| `{name}` | {written} |" in GUIDE.read_text("utf-8")
