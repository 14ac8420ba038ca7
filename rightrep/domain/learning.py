"""How a tenant wants its models judged and watched."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from rightrep.domain.given import require_known
from rightrep.errors import InvalidInput

SETTING = "learning"
"""Name of these settings among ``Tenant.settings``."""

MOST_TRIALS = 200
"""More sets of parameters than that are not tried."""

_POSITIVE = (
    "value_margin",
    "drift_days",
    "drift_psi",
    "drift_missing",
    "drift_calibration",
    "drift_outcomes",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Learning:
    """How a challenger is made, when it is good enough, and what counts as drift.

    Attributes:
        value_margin: Share of the champion's value on randomised decisions that a
            challenger may lose at most; in (0, 1].
        drift_days: Days of decisions that are compared with the training's own; 1 to
            366.
        drift_psi: Population stability index from which a column has drifted; positive.
        drift_missing: Change of a column's share of missing values that is drift; in
            (0, 1].
        drift_calibration: Distance of mean prediction and share won that is drift; in
            (0, 1].
        drift_outcomes: Change of the share of outcomes known in the usual time that is
            drift; in (0, 1].
        tuning_trials: Sets of parameters that a scheduled training tries; 0 takes the
            usual ones, else 2 to 200.
        refuse_leaks: Whether columns that may know the outcome stop a scheduled
            training.
    """

    value_margin: float = 0.1
    drift_days: int = 28
    drift_psi: float = 0.25
    drift_missing: float = 0.1
    drift_calibration: float = 0.03
    drift_outcomes: float = 0.15
    tuning_trials: int = 0
    refuse_leaks: bool = False

    def __post_init__(self) -> None:
        """Check every range.

        Raises:
            InvalidInput: A range above does not hold.
        """
        if not isinstance(self.refuse_leaks, bool):
            raise InvalidInput("It is true or false.", field=f"{SETTING}.refuse_leaks")
        trials = self.tuning_trials
        if type(trials) is not int or not (trials == 0 or 2 <= trials <= MOST_TRIALS):
            raise InvalidInput(
                f"Trials are 0, or a whole number from 2 to {MOST_TRIALS}.",
                field=f"{SETTING}.tuning_trials",
            )
        for name in _POSITIVE:
            value = getattr(self, name)
            where = f"{SETTING}.{name}"
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise InvalidInput("It must be a number.", field=where)
            if not value > 0:
                raise InvalidInput("It must be positive.", field=where)
            if name not in ("drift_days", "drift_psi") and value > 1:
                raise InvalidInput("It is a share, at most 1.", field=where)
        if not isinstance(self.drift_days, int) or self.drift_days > 366:
            raise InvalidInput(
                "Days are a whole number up to 366.", field=f"{SETTING}.drift_days"
            )

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Learning":
        """From a tenant's settings; what is not set takes its default.

        Raises:
            InvalidInput: A name is unknown or a value makes no sense.
        """
        names = {one.name for one in fields(cls)}
        return cls(**require_known(settings.get(SETTING, {}), names, SETTING))
