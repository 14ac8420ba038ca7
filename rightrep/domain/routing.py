"""How a tenant wants its leads shared out, apart from rules on single leads."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from rightrep.domain.eligibility import EligibilityRules
from rightrep.errors import InvalidInput

SETTING = "routing"
"""Name of these settings among ``Tenant.settings``."""


class Objective(StrEnum):
    """What a plan adds up."""

    VALUE = "value"
    """Chance to win times deal value."""
    CONVERSIONS = "conversions"
    """Chance to win."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Routing:
    """How leads are shared out.

    Attributes:
        policy: Policy of batch plans where the request names none.
        objective: What a plan adds up.
        exploration_share: Leads given by a logged lottery; in [0, 1].
        lottery_salt: Salt of the hash that picks them.
        min_candidates: Fewer eligible reps than this, and the fallback policy answers.
        price_hours: Hours for which a plan's prices hold; positive.
        runner_ups: Reps named beside the chosen one; at least 0.
        eligibility: Hard rules in force.
    """

    policy: str = "optimal"
    objective: Objective = Objective.VALUE
    exploration_share: float = 0.0
    lottery_salt: str = ""
    min_candidates: int = 2
    price_hours: float = 24.0
    runner_ups: int = 3
    eligibility: EligibilityRules = field(default_factory=EligibilityRules)

    def __post_init__(self) -> None:
        """Check every range.

        Raises:
            InvalidInput: A range above does not hold.
        """
        if not 0 <= self.exploration_share <= 1:
            raise InvalidInput(
                "exploration_share is a share in [0, 1].", field="exploration_share"
            )
        if self.price_hours <= 0:
            raise InvalidInput("price_hours is positive.", field="price_hours")
        if self.min_candidates < 0 or self.runner_ups < 0:
            raise InvalidInput("Counts are at least 0.", field="min_candidates")

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Routing":
        """From a tenant's settings; what is not set takes its default.

        Raises:
            InvalidInput: A name is unknown or a value makes no sense.
        """
        given = dict(settings.get(SETTING, {}))
        _require_known(given, {f.name for f in fields(cls)}, SETTING)
        rules = dict(given.pop("eligibility", {}))
        _require_known(
            rules, {f.name for f in fields(EligibilityRules)}, f"{SETTING}.eligibility"
        )
        if "objective" in given:
            given["objective"] = _objective(given["objective"])
        return cls(**given, eligibility=EligibilityRules(**rules))


def _objective(word: str) -> Objective:
    try:
        return Objective(word)
    except ValueError:
        raise InvalidInput(
            f"{word!r} is no objective.",
            field="routing.objective",
            remedy=f"Give one of {', '.join(Objective)}.",
        ) from None


def _require_known(given: Mapping[str, Any], known: set[str], where: str) -> None:
    for name in given:
        if name not in known:
            raise InvalidInput(
                f"{where} has no setting {name!r}.",
                field=f"{where}.{name}",
                remedy=f"It has {', '.join(sorted(known))}.",
            )
