"""A lead score opens an opportunity, asks for follow-up, or is nurtured."""

import pytest

from rightrep.domain.tier import Tier, Tiers
from rightrep.errors import InvalidInput


@pytest.mark.parametrize(
    ("score", "tier"),
    [
        (100, Tier.OPPORTUNITY),
        (80, Tier.OPPORTUNITY),
        (79, Tier.FOLLOW_UP),
        (40, Tier.FOLLOW_UP),
        (39, Tier.NURTURE),
        (0, Tier.NURTURE),
    ],
)
def test_eighty_opens_an_opportunity(score: int, tier: Tier) -> None:
    assert Tiers().tier_of(score) is tier


def test_a_tenant_sets_its_own_thresholds() -> None:
    tiers = Tiers.of({"tiers": {"opportunity": 90, "follow_up": 90}})

    assert tiers.tier_of(89) is Tier.NURTURE
    assert Tiers.of({}) == Tiers()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"opportunity": 101}, "tiers.opportunity"),
        ({"opportunity": True}, "tiers.opportunity"),
        ({"follow_up": 0}, "tiers.follow_up"),
        ({"follow_up": "40"}, "tiers.follow_up"),
        ({"follow_up": 81}, "tiers.follow_up"),
        ({"hot": 90}, "tiers.hot"),
    ],
)
def test_thresholds_that_make_no_sense_are_refused_by_name(
    given: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        Tiers.of({"tiers": given})

    assert refused.value.field == field
