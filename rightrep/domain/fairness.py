"""What a tenant means by fair: bands, the dial, and leads promised to reps."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from rightrep.domain.given import require_known, require_number, require_text
from rightrep.errors import InvalidInput

SETTING = "routing.fairness"
"""Where these settings are, dotted."""
MOST_DAYS = 366


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
