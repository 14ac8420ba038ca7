"""Customer health: how a tenant weighs it, and when it raises a churn alarm."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from rightrep.domain.given import require_known, require_number
from rightrep.errors import InvalidInput

SETTING = "health"
"""Name of these settings among ``Tenant.settings``."""

MOST_DAYS = 3660


class HealthPart(StrEnum):
    """What health is made of."""

    RECENCY = "recency"
    """How long ago the customer last bought."""
    FREQUENCY = "frequency"
    """How often the customer bought."""
    MONETARY = "monetary"
    """How much the customer spent, among those who bought."""
    ACTIVITY = "activity"
    """Contacts with reps and page views of late."""
    SATISFACTION = "satisfaction"
    """Survey scores, NPS among them."""


_USUAL = {
    HealthPart.RECENCY: 30.0,
    HealthPart.FREQUENCY: 15.0,
    HealthPart.MONETARY: 10.0,
    HealthPart.ACTIVITY: 25.0,
    HealthPart.SATISFACTION: 20.0,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthRules:
    """How parts make a score from 0 to 100, and which scores alarm.

    Attributes:
        alarm_below: Score below which a customer's churn alarm goes off; 0 to 100.
        clear_at: Score from which it is all clear again; ``alarm_below`` to 100.
        purchase_days: Days after a purchase until its recency counts half; 1 to 3660.
        contact_days: Days after a contact, page view or survey until it counts half;
            1 to 3660.
        top_score: Best answer of the tenant's surveys; positive.
        weights: Weight of each part, at least 0 and not all 0.
    """

    alarm_below: float = 35.0
    clear_at: float = 45.0
    purchase_days: float = 180.0
    contact_days: float = 90.0
    top_score: float = 10.0
    weights: Mapping[HealthPart, float] = field(default_factory=lambda: dict(_USUAL))

    def __post_init__(self) -> None:
        """Check every range.

        Raises:
            InvalidInput: A range above does not hold.
        """
        ranges = (
            ("alarm_below", 0.0, 100.0),
            ("clear_at", self.alarm_below, 100.0),
            ("purchase_days", 1.0, MOST_DAYS),
            ("contact_days", 1.0, MOST_DAYS),
            ("top_score", 1e-6, 1e6),
        )
        for name, low, high in ranges:
            require_number(getattr(self, name), f"{SETTING}.{name}", low=low, high=high)
        for part, weight in self.weights.items():
            require_number(weight, f"{SETTING}.weights.{part}", low=0.0, high=1e6)
        if not sum(self.weights.values()) > 0:
            raise InvalidInput(
                "At least one part has a weight.", field=f"{SETTING}.weights"
            )

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "HealthRules":
        """From a tenant's settings; what is not set takes its default.

        Raises:
            InvalidInput: A name is unknown or a value makes no sense.
        """
        given = require_known(
            settings.get(SETTING, {}), {one.name for one in fields(cls)}, SETTING
        )
        weights = require_known(
            given.pop("weights", {}), set(HealthPart), f"{SETTING}.weights"
        )
        own = {HealthPart(name): weight for name, weight in weights.items()}
        return cls(**given, weights={**_USUAL, **own})

    def alarms(self, score: float, *, alarmed: bool) -> bool:
        """Whether the alarm is on after a look, given whether it was on before.

        Between the two thresholds it stays as it is, so that a customer who hovers
        about one of them is told of once.
        """
        return score < (self.clear_at if alarmed else self.alarm_below)
