"""The guide of follow-up names every setting, with its default, and every event."""

from pathlib import Path

import pytest

from rightrep.domain.followup import DueCounting, FollowUpRules
from rightrep.domain.tier import Tier
from serving.usecases.followup import BREACHED, REMINDER
from serving.usecases.followup_weeks import WEEK
from serving.usecases.remarks import DUE

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = DOCS / "follow-up.md"


@pytest.mark.parametrize("tier", Tier)
def test_the_hours_of_every_tier_are_written(tier: Tier) -> None:
    hours = FollowUpRules().hours[tier]

    assert f"| `hours.{tier}` | {hours:.0f} |" in GUIDE.read_text("utf-8")


def test_the_other_settings_are_written_with_their_defaults() -> None:
    text, usual = GUIDE.read_text("utf-8"), FollowUpRules()

    assert f"| `counting` | `{usual.counting}` |" in text
    assert f"| `reminder_hours` | {usual.reminder_hours:.0f} |" in text
    assert [way for way in DueCounting if f"| `{way}` |" not in text] == []


@pytest.mark.parametrize("event", [REMINDER, BREACHED, WEEK, DUE])
def test_every_event_is_written(event: str) -> None:
    for page in (GUIDE, DOCS / "api.md"):
        assert f"`{event}`" in page.read_text("utf-8")
