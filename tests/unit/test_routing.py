"""How a tenant wants its leads shared out."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rightrep.domain.eligibility import EligibilityRules
from rightrep.domain.lottery import enters_lottery, lottery_draw
from rightrep.domain.routing import Objective, Routing
from rightrep.errors import InvalidInput


def test_settings_that_are_not_given_take_their_defaults() -> None:
    assert Routing.of({}) == Routing()


def test_settings_are_read_by_name() -> None:
    found = Routing.of(
        {
            "routing": {
                "objective": "conversions",
                "exploration_share": 0.1,
                "eligibility": {"territory": True, "within_hours": 4},
            }
        }
    )

    assert found.objective is Objective.CONVERSIONS
    assert found.exploration_share == 0.1
    assert found.eligibility == EligibilityRules(territory=True, within_hours=4)


@pytest.mark.parametrize(
    "settings",
    [
        {"explore": 0.1},
        {"eligibility": {"colour": True}},
        {"objective": "fame"},
        {"exploration_share": 1.5},
        {"price_hours": 0},
        {"runner_ups": -1},
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_name(
    settings: dict[str, Any],
) -> None:
    with pytest.raises(InvalidInput) as refused:
        Routing.of({"routing": settings})

    assert refused.value.field is not None


@given(
    leads=st.lists(st.uuids().map(str), min_size=1, max_size=20),
    low=st.floats(0, 1),
    high=st.floats(0, 1),
)
def test_more_exploration_keeps_every_lead_that_was_in(
    leads: list[str], low: float, high: float
) -> None:
    low, high = sorted((low, high))

    few = enters_lottery(leads, salt="s", share=low)
    many = enters_lottery(leads, salt="s", share=high)

    assert not bool((few & ~many).any())


def test_the_lottery_takes_its_share_and_another_salt_takes_others() -> None:
    leads = [f"lead {i}" for i in range(20_000)]

    one = enters_lottery(leads, salt="one", share=0.1)
    two = enters_lottery(leads, salt="two", share=0.1)

    assert abs(one.mean() - 0.1) < 0.01
    assert abs(np.mean(one & two) - 0.01) < 0.005
    assert 0.0 <= lottery_draw("x", "") < 1.0
