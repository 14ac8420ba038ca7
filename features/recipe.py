"""What training fixes about the columns, so that serving computes the same ones."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rightrep.errors import InvalidInput


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything about the columns that is not in the history itself.

    Attributes:
        label_window_days: Days after a decision in which a win counts; positive.
        zone: IANA zone of the tenant, for hours, weekdays and label windows.
        half_life_days: Age at which a judgement counts half in shares won; positive.
        rating_half_life_days: The same in rep ratings; positive.
        prior_leads: Judged decisions at which a share or a rating counts as much as
            what it is shrunk toward; positive.
        categories: Categories with a code of their own, by lead text, in code order.
        own_numbers: Names of the tenant's own fields that are numbers.
        own_categories: Categories of the tenant's own fields that are texts, by name.
        deal_bands: Deal values between the bands, ascending; tenant's currency.
        size_bands: Company sizes between the bands, ascending; employees.
    """

    label_window_days: int
    zone: str = "UTC"
    half_life_days: float = 365.0
    rating_half_life_days: float = 365.0
    prior_leads: float = 20.0
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    own_numbers: tuple[str, ...] = ()
    own_categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    deal_bands: tuple[float, ...] = ()
    size_bands: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in (
            "label_window_days",
            "half_life_days",
            "rating_half_life_days",
            "prior_leads",
        ):
            if not getattr(self, name) > 0:
                raise InvalidInput(f"{name} must be positive.", field=name)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Recipe":
        """From what ``to_json`` gave, read back from a file."""
        return cls(
            **{
                **values,
                "categories": _tuples(values["categories"]),
                "own_numbers": tuple(values["own_numbers"]),
                "own_categories": _tuples(values["own_categories"]),
                "deal_bands": tuple(values["deal_bands"]),
                "size_bands": tuple(values["size_bands"]),
            }
        )

    @property
    def fingerprint(self) -> str:
        """Hash of everything here; 8 hex digits."""
        text = json.dumps(self.to_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def _tuples(lists: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(values) for name, values in lists.items()}
