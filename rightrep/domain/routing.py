"""How a tenant wants its leads shared out, apart from rules on single leads."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from rightrep.domain.eligibility import EligibilityRules
from rightrep.domain.fairness import FairnessRules
from rightrep.domain.given import require_known, require_number, require_text
from rightrep.domain.lead import LeadKind
from rightrep.errors import InvalidInput

SETTING = "routing"
"""Name of these settings among ``Tenant.settings``."""

OF_ARMS = frozenset({"exploration_share", "objective", "min_candidates", "fairness"})
"""Settings that an arm of an experiment may have of its own."""

_NUMBERS = (
    ("exploration_share", 0.0, 1.0),
    ("holdout_share", 0.0, 0.5),
    ("price_hours", 1 / 60, 24.0 * 366),
    ("price_refresh_minutes", 0.0, 60.0 * 24 * 366),
    ("waiting_gain", 0.0, 1e3),
    ("settling_days", 0.0, 366.0),
)
"""Settings that are numbers, and from where to where."""


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
        holdout_share: Leads kept on the control for good; in [0, 0.5].
        min_candidates: Fewer eligible reps than this, and the fallback policy answers.
        price_hours: Hours of the window that a plan's prices are for; positive.
        price_refresh_minutes: Minutes after which the prices are solved again; three
            times that, and they have expired. 0 leaves them until the window ends.
        waiting_gain: What a day of waiting adds to a lead's value in the choice, as a
            share of it; at least 0. Values told are without it.
        settling_days: Days in which a rep who joined or came back goes from the load of
            the group to the own one; 0 takes the own load at once.
        calendar: Code of the holidays of reps that have none of their own, ``CN`` or
            ``DE-BY``; empty is none.
        runner_ups: Reps named beside the chosen one; at least 0.
        tickets_apart: Whether a rep's limits hold for leads and for work orders each;
            else for both together.
        eligibility: Hard rules in force.
        fairness: How evenly leads have to be shared.
    """

    policy: str = "optimal"
    objective: Objective = Objective.VALUE
    exploration_share: float = 0.0
    lottery_salt: str = ""
    holdout_share: float = 0.0
    min_candidates: int = 2
    price_hours: float = 24.0
    price_refresh_minutes: float = 60.0
    waiting_gain: float = 0.0
    settling_days: float = 30.0
    calendar: str = ""
    runner_ups: int = 3
    tickets_apart: bool = False
    eligibility: EligibilityRules = field(default_factory=EligibilityRules)
    fairness: FairnessRules = field(default_factory=FairnessRules)

    def __post_init__(self) -> None:
        """Check every range.

        Raises:
            InvalidInput: A range above does not hold.
        """
        for name, low, high in _NUMBERS:
            require_number(getattr(self, name), f"{SETTING}.{name}", low=low, high=high)
        for name in ("min_candidates", "runner_ups"):
            require_number(getattr(self, name), f"{SETTING}.{name}", low=0, whole=True)
        for name in ("policy", "lottery_salt", "calendar"):
            require_text(getattr(self, name), f"{SETTING}.{name}")
        if type(self.tickets_apart) is not bool:
            raise InvalidInput(
                "Work orders are counted apart, or they are not.",
                field=f"{SETTING}.tickets_apart",
                remedy="Give true or false.",
            )

    def counted(self, kind: LeadKind) -> LeadKind | None:
        """Kind of the leads that a rep's limits are about; None is any together."""
        return kind if self.tickets_apart else None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Routing":
        """From a tenant's settings; what is not set takes its default.

        Raises:
            InvalidInput: A name is unknown or a value makes no sense.
        """
        given = require_known(
            settings.get(SETTING, {}), {f.name for f in fields(cls)}, SETTING
        )
        rules = require_known(
            given.pop("eligibility", {}),
            {f.name for f in fields(EligibilityRules)},
            f"{SETTING}.eligibility",
        )
        _require_rules(rules)
        fairness = FairnessRules.of(given.pop("fairness", {}))
        if "objective" in given:
            given["objective"] = _objective(given["objective"])
        return cls(**given, eligibility=EligibilityRules(**rules), fairness=fairness)


def routing_of_arm(
    settings: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Routing:
    """How an arm of an experiment shares its leads out.

    Args:
        settings: The tenant's settings.
        parameters: The arm's own, in place of the tenant's.

    Raises:
        InvalidInput: An arm cannot have such a parameter, or its value makes no sense.
    """
    own = require_known(parameters, set(OF_ARMS), "parameters")
    return Routing.of({SETTING: {**settings.get(SETTING, {}), **own}})


def _require_rules(given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        where = f"{SETTING}.eligibility.{name}"
        if name != "within_hours":
            if not isinstance(value, bool):
                raise InvalidInput(f"{where} is true or false.", field=where)
        elif value is not None:
            require_number(value, where, low=0)


def _objective(word: object) -> Objective:
    try:
        return Objective(str(word))
    except ValueError:
        raise InvalidInput(
            f"{word!r} is no objective.",
            field="routing.objective",
            remedy=f"Give one of {', '.join(Objective)}.",
        ) from None
