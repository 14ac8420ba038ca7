"""Experiments: a comparison of policies, its arms, and the units given to them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from rightrep.domain.routing import routing_of_arm
from rightrep.errors import InvalidInput

AS_RULED = "rules"
"""Policy of an arm whose leads are shared out as if there were no experiment."""
CONTROL, TREATMENT = "control", "treatment"
LOT = "round_robin_lot"
"""Policy of every control."""


class UnitKind(StrEnum):
    """What is randomised."""

    LEAD = "lead"
    TEAM_DAY = "team_day"
    TIME_SLICE = "time_slice"


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """One of the policies compared.

    Attributes:
        arm: Its name: "control", "treatment".
        policy: Name of the policy; ``AS_RULED`` for whatever the rules say.
        parameters: Routing settings of its own, of ``routing.OF_ARMS``; JSON.
        share: Part of the units it gets, in (0, 1].
    """

    arm: str
    policy: str
    share: float
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Experiment:
    """A comparison of policies, fixed before it starts.

    Attributes:
        experiment: Its name, unique in the tenant.
        unit_kind: What is randomised.
        salt: Text that the units' hashes begin with; another experiment has another.
        arms: At least two; their shares add up to 1.
        design: Horizon, metrics, guardrails, strata; JSON.
        actor: Who designed it.
        created_at: When; aware UTC.
        started_at: From when units are given to arms, or None.
        stopped_at: From when they are not, or None.
        stopped_because: Why, in a sentence, or None.
        standing: Whether it runs beside any other: a holdout.

    Raises:
        InvalidInput: Fewer than two arms, two of one name, or shares that do not add
            up to 1.
    """

    experiment: str
    unit_kind: UnitKind
    salt: str
    arms: Sequence[Arm]
    design: Mapping[str, Any]
    actor: str
    created_at: datetime
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    stopped_because: str | None = None
    standing: bool = False

    def __post_init__(self) -> None:
        if len({arm.arm for arm in self.arms}) != len(self.arms) or len(self.arms) < 2:
            raise InvalidInput("An experiment has two arms or more.", field="arms")
        shares = [arm.share for arm in self.arms]
        if min(shares) <= 0 or not math.isclose(sum(shares), 1, abs_tol=1e-9):
            raise InvalidInput(
                "The arms' shares are not positive or do not add up to 1.",
                field="arms",
            )

    def require_runnable(self) -> None:
        """Refuse what could not be run.

        Raises:
            InvalidInput: A parameter that no arm can have, slices of time that do not
                flip between two equal arms, or a holdout of anything but leads.
        """
        shares = [arm.share for arm in self.arms]
        if self.unit_kind is UnitKind.TIME_SLICE and shares != [0.5, 0.5]:
            raise InvalidInput(
                "Slices of time flip between two arms of equal shares.",
                field="arms",
                remedy="Give two arms a share of 0.5 each.",
            )
        if self.standing and not self._keeps_leads():
            raise InvalidInput(
                "A holdout keeps leads, one by one, on an arm called control, and has "
                "one arm beside it.",
                field="standing",
            )
        for arm in self.arms:
            routing_of_arm({}, arm.parameters)

    def _keeps_leads(self) -> bool:
        names = {arm.arm for arm in self.arms}
        return self.unit_kind is UnitKind.LEAD and CONTROL in names and len(names) == 2


@dataclass(frozen=True, kw_only=True, slots=True)
class ArmOfUnit:
    """One lead and the arm it belongs to, logged before its outcome exists.

    Attributes:
        unit: The lead's id.
        arm: Its arm.
        stratum: The stratum it was drawn in; empty without strata.
        covariate: What is adjusted for, fixed before the draw (the lead-only p), or
            None.
        cluster: The team's day or the slice of time that was drawn as one; empty where
            each lead is drawn alone.
    """

    unit: str
    arm: str
    stratum: str = ""
    covariate: float | None = None
    cluster: str = ""
