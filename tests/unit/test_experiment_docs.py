"""The guide of experiments names every promise with its default and every guardrail."""

from dataclasses import fields
from pathlib import Path

import pytest

from experiments.design import Design
from experiments.drawn import GUARDED_HOURS, GUARDRAILS
from serving.usecases.experiment_power import FEWEST_SLOTS, TUNED_DAYS
from serving.usecases.experiment_watch import GUARDRAIL, SRM

GUIDE = (Path(__file__).parents[2] / "docs" / "experiments.md").read_text("utf-8")
SAID = {
    "n_optimal": f"those of {TUNED_DAYS} days",
    "strata": "none",
    "value_cap": "none",
    "margins": "0 each",
    "adjust": "true",
}


@pytest.mark.parametrize("name", [one.name for one in fields(Design)])
def test_every_promise_is_written_with_its_default(name: str) -> None:
    if name == "model_version":
        assert "The start freezes the champion" in GUIDE
        return
    default = SAID.get(name, getattr(Design(), name))
    written = f"`{default}`" if name == "metric" else default

    assert f"| `{name}` | {written} |" in GUIDE


@pytest.mark.parametrize("name", GUARDRAILS)
def test_every_guardrail_is_written(name: str) -> None:
    assert f"| `{name}` |" in GUIDE


def test_what_is_told_and_when_is_written() -> None:
    assert f"`{SRM}`" in GUIDE
    assert f"`{GUARDRAIL}`" in GUIDE
    assert f"first {GUARDED_HOURS} hours" in GUIDE
    assert f"fewer than {FEWEST_SLOTS} slots per rep and day" in GUIDE
