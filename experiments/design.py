"""What an experiment promises before it starts, and how long it must run to keep it.

>>> design = Design.of({"metric": "conversions", "horizon_days": 30})
>>> design.horizon_days, design.alpha
(30, 0.05)
>>> plan = power_of(design, mean=0.08, sd=0.27, units_per_day=120, share=0.5)
>>> print(plan.in_words())  # doctest: +ELLIPSIS
An effect of 10% is found with a chance of 80% after 654 days of leads, ...
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from scipy.optimize import brentq
from scipy.stats import norm
from statsmodels.stats.power import NormalIndPower

from experiments.sequential import widening
from rightrep.errors import InvalidInput

LONGEST_DAYS = 3 * 365
"""An experiment that needs longer is not worth starting."""


class Metric(StrEnum):
    """What the arms are compared in, per lead."""

    CONVERSIONS = "conversions"
    """1 where the lead was won within the horizon."""
    VALUE = "value"
    """Money won within the horizon, cut off at ``value_cap``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """What is fixed before the first unit is drawn.

    Attributes:
        metric: The one that the conclusion is about.
        horizon_days: A lead counts once this many days have passed since its draw, with
            what was won by then; positive.
        alpha: One minus the coverage of every interval, in (0, 1).
        power: Wanted chance to find the smallest effect worth finding, in (0, 1).
        relative_effect: The smallest effect worth finding, over the control's mean.
        n_optimal: Independent units that the always-valid interval is tuned for.
        strata: Lead attributes that are compared within, at most two.
        adjust: Whether the lead-only p of the frozen model is adjusted for.
        model_version: The frozen model's version, or None until the start.
        value_cap: Deals count with at most this, in minor units; None without limit.
        slice_hours: Length of a slice of time, a divisor of 24.
        margins: How much worse each guardrail may get, by its name.
    """

    metric: Metric = Metric.CONVERSIONS
    horizon_days: int = 30
    alpha: float = 0.05
    power: float = 0.8
    relative_effect: float = 0.1
    n_optimal: float = 5_000.0
    strata: tuple[str, ...] = ()
    adjust: bool = True
    model_version: str | None = None
    value_cap: int | None = None
    slice_hours: int = 4
    margins: Mapping[str, float] = field(default_factory=dict)

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    def __post_init__(self) -> None:
        """Check every range.

        Raises:
            InvalidInput: A range above does not hold.
        """
        for name in ("alpha", "power"):
            if not 0 < getattr(self, name) < 1:
                raise InvalidInput(f"{name} is a share in (0, 1).", field=name)
        for name in ("horizon_days", "relative_effect", "n_optimal"):
            if not getattr(self, name) > 0:
                raise InvalidInput(f"{name} is positive.", field=name)
        if self.horizon_days > LONGEST_DAYS:
            raise InvalidInput(
                "A horizon is three years at most.", field="horizon_days"
            )
        if self.value_cap is not None and self.value_cap <= 0:
            raise InvalidInput("value_cap is positive.", field="value_cap")
        if self.slice_hours < 1 or 24 % self.slice_hours:
            raise InvalidInput(
                f"A day has no whole number of slices of {self.slice_hours} hours.",
                field="slice_hours",
                remedy="Give 1, 2, 3, 4, 6, 8, 12 or 24.",
            )
        if len(self.strata) > 2:
            raise InvalidInput("There are at most two strata.", field="strata")

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Design":
        """From JSON; what is not given takes its default.

        Raises:
            InvalidInput: A name is unknown or a value makes no sense.
        """
        try:
            return TypeAdapter(cls).validate_json(json.dumps(dict(given)))
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise InvalidInput(
                f"The design's {name} is refused: {first['msg']}.",
                field=name,
                remedy=f"A design has {', '.join(one.name for one in fields(cls))}.",
            ) from None

    def to_json(self) -> dict[str, Any]:
        """As ``of`` reads it."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        return found | {
            "metric": self.metric.value,
            "strata": list(self.strata),
            "margins": dict(self.margins),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class PowerPlan:
    """How much can be found in how long.

    Attributes:
        design: What is promised.
        mean: Metric per lead so far; positive.
        sd: Its standard deviation, what the covariate explains taken away.
        units_per_day: Independent units a day.
        share: The treatment's part of the units, in (0, 1).
    """

    design: Design
    mean: float
    sd: float
    units_per_day: float
    share: float

    def smallest(self, days: float) -> float:
        """Smallest relative effect found with the design's power at a planned end."""
        n = self.units_per_day * days
        solved = NormalIndPower().solve_power(
            nobs1=n * (1 - self.share),
            alpha=self.design.alpha,
            power=self.design.power,
            ratio=self.share / (1 - self.share),
        )
        return float(solved) * self.sd / self.mean

    def smallest_at_any_look(self, days: float) -> float:
        """The same where everybody may look every day; infinite in the first days."""
        n = self.units_per_day * days
        wide = widening(n, alpha=self.design.alpha, n_optimal=self.design.n_optimal)
        return float(wide + norm.ppf(self.design.power)) * self._se(n) / self.mean

    def days_to(self, relative: float) -> float:
        """Days until an effect of this size is found with the design's power.

        Looking every day is allowed. Infinite beyond ``LONGEST_DAYS``.
        """
        if self.smallest_at_any_look(LONGEST_DAYS) > relative:
            return math.inf

        def short(days: float) -> float:
            found = self.smallest_at_any_look(days)
            return (found if math.isfinite(found) else 1e9) - relative

        if short(1.0) <= 0:
            return 1.0
        return float(brentq(short, 1.0, LONGEST_DAYS, xtol=0.01))

    def in_words(self) -> str:
        """What can be promised, in a sentence."""
        wanted = self.design.relative_effect
        days = self.days_to(wanted)
        if math.isinf(days):
            least = self.smallest_at_any_look(LONGEST_DAYS)
            return (
                f"An effect of {wanted:.0%} is not found within three years at "
                f"{self.units_per_day:,.0f} units a day; {least:.0%} is the least."
            )
        whole = math.ceil(days) + self.design.horizon_days
        return (
            f"An effect of {wanted:.0%} is found with a chance of "
            f"{self.design.power:.0%} after {math.ceil(days):,} days of leads, "
            f"{whole:,} days with the horizon."
        )

    def _se(self, n: float) -> float:
        return self.sd * math.sqrt(1 / (n * self.share) + 1 / (n * (1 - self.share)))


def power_of(
    design: Design, *, mean: float, sd: float, units_per_day: float, share: float
) -> PowerPlan:
    """How much a design can find, from what the store's own history shows.

    Args:
        design: What is promised.
        mean: Metric per unit in history; positive.
        sd: Its standard deviation, adjusted as the design adjusts; positive.
        units_per_day: Independent units a day; positive.
        share: The treatment's part of the units, in (0, 1).

    Raises:
        InvalidInput: History holds no won lead, or a range above does not hold.
    """
    if not mean > 0 or not sd > 0:
        raise InvalidInput(
            "The history holds nothing to compare: no lead was won in it.",
            field="metric",
            remedy="Wait for outcomes, or import them.",
        )
    if not units_per_day > 0 or not 0 < share < 1:
        raise InvalidInput("There are units, and a share in (0, 1).", field="share")
    return PowerPlan(
        design=design, mean=mean, sd=sd, units_per_day=units_per_day, share=share
    )
