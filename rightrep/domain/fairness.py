"""What a tenant means by fair: bands, the dial, and leads promised to reps."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from rightrep.errors import InvalidInput

SETTING = "routing.fairness"
"""Where these settings are, dotted."""
MOST_DAYS = 366
MOST = 1e9
"""No number in a setting is larger."""
_MOST_LETTERS = 255


@dataclass(frozen=True, kw_only=True, slots=True)
class FairnessRules:
    """How evenly leads have to be shared, as a tenant sets it.

    A band of 0.2 lets every share be 20 % above or below its weight.

    Attributes:
        load_band: Width of each rep's band on leads, relative to its weight's share;
            at least 0. None for no band.
        group_band: The same over teams.
        quality_band: The same for each rep's share of the quality given.
        dial: From 0, no more than the bands, to 1, shares as near to the weights as
            eligibility allows.
        floor: Leads promised to every rep in the window; at least 0.
        floors: Leads promised to single reps instead, by our id or the CRM's own.
        window_days: Local days that loads and floors are counted over, today the last
            of them; 1 to 366.

    Raises:
        InvalidInput: A range above does not hold.
    """

    load_band: float | None = None
    group_band: float | None = None
    quality_band: float | None = None
    dial: float = 0.0
    floor: int = 0
    floors: Mapping[str, int] = field(default_factory=dict)
    window_days: int = 1

    def __post_init__(self) -> None:
        for name in ("load_band", "group_band", "quality_band"):
            if getattr(self, name) is not None:
                require_number(getattr(self, name), f"{SETTING}.{name}", low=0)
        require_number(self.dial, f"{SETTING}.dial", low=0, high=1)
        require_number(self.floor, f"{SETTING}.floor", low=0, whole=True)
        require_number(
            self.window_days,
            f"{SETTING}.window_days",
            low=1,
            high=MOST_DAYS,
            whole=True,
        )
        if not isinstance(self.floors, Mapping):
            raise InvalidInput(
                f"{SETTING}.floors is leads by rep, such as {{'R-7': 2}}.",
                field=f"{SETTING}.floors",
            )
        for rep, promised in self.floors.items():
            require_text(rep, f"{SETTING}.floors")
            require_number(promised, f"{SETTING}.floors", low=0, whole=True)

    @property
    def is_set(self) -> bool:
        """Whether anything is asked for."""
        bands = (self.load_band, self.group_band, self.quality_band)
        floors = self.floor or any(self.floors.values())
        return bool(self.dial or floors) or any(band is not None for band in bands)

    @classmethod
    def of(cls, given: object) -> "FairnessRules":
        """From a tenant's setting; what is not set takes its default.

        Raises:
            InvalidInput: A name is unknown or a value makes no sense.
        """
        known = {one.name for one in fields(cls)}
        return cls(**require_known(given, known, SETTING))


def require_known(given: object, known: set[str], where: str) -> dict[str, Any]:
    """The settings given, all of them known by name.

    Raises:
        InvalidInput: They are no settings by name, or one is unknown.
    """
    if not isinstance(given, Mapping):
        raise InvalidInput(
            f"{where} is settings by name.",
            field=where,
            remedy=f"It has {', '.join(sorted(known))}.",
        )
    for name in given:
        if name not in known:
            raise InvalidInput(
                f"{where} has no setting {name!r}.",
                field=f"{where}.{name}",
                remedy=f"It has {', '.join(sorted(known))}.",
            )
    return dict(given)


def require_number(
    value: object,
    name: str,
    *,
    low: float,
    high: float = MOST,
    whole: bool = False,
) -> None:
    """Refuse what is not a number in [low, high], or not a whole one.

    Raises:
        InvalidInput: It is not.
    """
    kinds = int if whole else (int, float)
    fits = isinstance(value, kinds) and not isinstance(value, bool)
    if fits and low <= value <= high:  # type: ignore[operator]
        return
    what = "a whole number" if whole else "a number"
    span = f"from {low:g} to {high:g}" if high < MOST else f"of at least {low:g}"
    raise InvalidInput(f"{name} is {what} {span}.", field=name)


def require_text(value: object, name: str) -> None:
    """Refuse what is no short text that can be stored.

    Raises:
        InvalidInput: It is not.
    """
    if isinstance(value, str) and len(value) <= _MOST_LETTERS and value.isprintable():
        return
    raise InvalidInput(
        f"{name} takes text of up to {_MOST_LETTERS} printable characters.", field=name
    )
