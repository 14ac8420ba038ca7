"""Tiers: bands of the lead score, each with its own way on."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from rightrep.domain.given import require_known
from rightrep.errors import InvalidInput

SETTING = "tiers"
"""Name of these settings among ``Tenant.settings``."""

_TOP_SCORE = 100


class Tier(StrEnum):
    """What to do with a lead of this score."""

    OPPORTUNITY = "opportunity"
    FOLLOW_UP = "follow_up"
    NURTURE = "nurture"


@dataclass(frozen=True, kw_only=True, slots=True)
class Tiers:
    """From which lead score on a lead is in which tier; below all, it is nurtured.

    Attributes:
        opportunity: Lead score from which a lead becomes an opportunity; 1 to 100.
        follow_up: Lead score from which a lead is followed up; 1 to ``opportunity``.
    """

    opportunity: int = 80
    follow_up: int = 40

    def __post_init__(self) -> None:
        """Check the thresholds.

        Raises:
            InvalidInput: One is no whole number from 1 to 100, or they do not ascend.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not whole or not 1 <= value <= _TOP_SCORE:
                raise InvalidInput(
                    f"{value!r} is no lead score.",
                    field=f"{SETTING}.{field.name}",
                    remedy="Give a whole number from 1 to 100.",
                )
        if self.follow_up > self.opportunity:
            raise InvalidInput(
                "Follow-up begins above the opportunity's threshold.",
                field=f"{SETTING}.follow_up",
                remedy="Give a score up to the opportunity's.",
            )

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Tiers":
        """From a tenant's settings; what is not set takes its default.

        Raises:
            InvalidInput: A name is unknown or a value makes no sense.
        """
        names = {one.name for one in fields(cls)}
        return cls(**require_known(settings.get(SETTING, {}), names, SETTING))

    def tier_of(self, lead_score: int) -> Tier:
        """The tier of a lead.

        Args:
            lead_score: 0 to 100.
        """
        if lead_score >= self.opportunity:
            return Tier.OPPORTUNITY
        return Tier.FOLLOW_UP if lead_score >= self.follow_up else Tier.NURTURE
