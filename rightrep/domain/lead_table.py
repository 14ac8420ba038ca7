"""Leads as columns, for rules that look at many at once; one lead is one row."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from rightrep.domain.days import day_bounds
from rightrep.domain.lead import LeadKind, Scalar, Stage
from rightrep.domain.tier import Tier
from rightrep.errors import InvalidInput

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
InstantArray = NDArray[np.datetime64]

OWN = "attributes."
"""Prefix of a tenant's own fields: ``attributes.NAME``."""


class FieldKind(StrEnum):
    """What a lead's field holds."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "yes or no"
    INSTANT = "time"
    SCALAR = "any value"
    """A tenant's own field; each lead's value says what it is."""


LEAD_FIELDS: Mapping[str, FieldKind] = {
    "industry": FieldKind.TEXT,
    "company_size": FieldKind.NUMBER,
    "region": FieldKind.TEXT,
    "language": FieldKind.TEXT,
    "product": FieldKind.TEXT,
    "budget": FieldKind.NUMBER,
    "deal_value": FieldKind.NUMBER,
    "channel": FieldKind.TEXT,
    "campaign": FieldKind.TEXT,
    "stage": FieldKind.TEXT,
    "kind": FieldKind.TEXT,
    "grade": FieldKind.TEXT,
    "created_at": FieldKind.INSTANT,
    "satisfaction": FieldKind.NUMBER,
    "returning": FieldKind.FLAG,
    "health": FieldKind.NUMBER,
    "churn_alarm": FieldKind.FLAG,
    "lead_score": FieldKind.NUMBER,
    "tier": FieldKind.TEXT,
}
"""Fields that rules may ask about; money in major units of the tenant's currency.

``satisfaction`` is the score of the customer's last survey, ``returning`` whether a rep
has served the customer before. ``health`` (0 to 100, not known of who never bought) and
``churn_alarm`` are the customer's as of the last look (``rightrep.domain.health``).
``lead_score`` and ``tier`` are the published model's of now; without a model, and of a
work order, they are not known.
"""

FIXED_WORDS: Mapping[str, Sequence[str]] = {
    "stage": [stage.value for stage in Stage],
    "kind": [kind.value for kind in LeadKind],
    "tier": [tier.value for tier in Tier],
}
"""Fields that hold one of a few words."""


def kind_of(name: str) -> FieldKind:
    """What a field holds.

    Raises:
        InvalidInput: There is no such field.
    """
    if name.startswith(OWN) and len(name) > len(OWN):
        return FieldKind.SCALAR
    if name not in LEAD_FIELDS:
        raise InvalidInput(
            "Leads have no such field.",
            field="field",
            remedy=f"Give one of {', '.join(LEAD_FIELDS)}, or {OWN}NAME.",
        )
    return LEAD_FIELDS[name]


def folded(text: str) -> str:
    """A text as rules compare it: without case, full width and outer spaces."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


@dataclass(frozen=True, eq=False)
class Coded:
    """A column of few distinct values.

    Attributes:
        values: The distinct values.
        code: Place of each lead's value, -1 where it is not known; int64 (n_leads,).
    """

    values: Sequence[Scalar]
    code: IntArray

    @classmethod
    def of(cls, given: Iterable[Scalar]) -> "Coded":
        """From one value per lead; None and blank text are not known."""
        place: dict[tuple[type, Scalar], int] = {}
        code = [
            -1
            if value is None or (isinstance(value, str) and not value.strip())
            else place.setdefault((type(value), value), len(place))
            for value in given
        ]
        return cls([value for _, value in place], np.array(code, dtype=np.int64))

    def where(self, holds: Callable[[Scalar], bool]) -> BoolArray:
        """Leads whose value is known and passes; asked once per distinct value."""
        passed = np.array([*map(holds, self.values), False], dtype=np.bool_)
        return np.asarray(passed[self.code])

    def rows(self, chosen: IntArray) -> "Coded":
        """The column of some leads."""
        return Coded(self.values, self.code[chosen])


@dataclass(frozen=True, eq=False, kw_only=True)
class LeadTable:
    """Leads as the rules see them.

    Attributes:
        n_leads: How many.
        at: Now; aware.
        zone: IANA zone of days that a tenant's own fields name.
        words: Texts and flags by field, and the tenant's own fields.
        numbers: float64 (n_leads,) by field, NaN where not known.
        instants: datetime64[us] in UTC (n_leads,) by field, NaT where not known.
        each_at: Now of each lead, where a day is gone through again; datetime64[us] in
            UTC (n_leads,); None takes ``at`` for all.
    """

    n_leads: int
    at: datetime
    zone: str = "UTC"
    words: Mapping[str, Coded] = field(default_factory=dict)
    numbers: Mapping[str, FloatArray] = field(default_factory=dict)
    instants: Mapping[str, InstantArray] = field(default_factory=dict)
    each_at: InstantArray | None = None

    @property
    def now(self) -> InstantArray:
        """Now of each lead; datetime64[us] in UTC (n_leads,)."""
        if self.each_at is not None:
            return self.each_at
        return np.full(self.n_leads, naive_utc(self.at), dtype="datetime64[us]")

    def coded(self, name: str) -> Coded:
        """A field of texts, flags or any values; not known where nobody gave it."""
        nothing = np.full(self.n_leads, -1, dtype=np.int64)
        return self.words.get(name) or Coded((), nothing)

    def number(self, name: str) -> FloatArray:
        """A field of numbers."""
        found = self.numbers.get(name)
        return np.full(self.n_leads, np.nan) if found is None else found

    def instant(self, name: str) -> InstantArray:
        """A field of times; a tenant's own field is read as a day or a time."""
        if name in LEAD_FIELDS:
            found = self.instants.get(name)
            nothing = np.full(self.n_leads, "NaT", dtype="datetime64[us]")
            return nothing if found is None else found
        column = self.coded(name)
        known = [instant_of(value, self.zone) for value in column.values]
        times = np.array([*known, None], dtype="datetime64[us]")
        return np.asarray(times[column.code])

    @property
    def is_ticket(self) -> BoolArray:
        """Which leads are work orders; bool (n_leads,)."""
        return self.coded("kind").where(lambda kind: kind == LeadKind.TICKET)

    def known(self, name: str) -> BoolArray:
        """Leads of which the field is known."""
        match kind_of(name):
            case FieldKind.NUMBER:
                return np.asarray(~np.isnan(self.number(name)))
            case FieldKind.INSTANT:
                return np.asarray(~np.isnat(self.instant(name)))
            case _:
                return np.asarray(self.coded(name).code >= 0)


def naive_utc(at: datetime) -> datetime:
    """An aware instant as NumPy keeps it: in UTC, without saying so."""
    offset = at.utcoffset()
    return at if offset is None else (at - offset).replace(tzinfo=None)


def instant_of(value: Scalar, zone: str) -> datetime | None:
    """A day (its first moment) or an ISO 8601 time in a tenant's own field.

    Args:
        value: As the CRM wrote it.
        zone: IANA zone of days and of times that name none.

    Returns:
        Naive UTC, or None when it is neither.
    """
    if not isinstance(value, str):
        return None
    try:
        written = datetime.fromisoformat(value)
        start = day_bounds(written.date(), zone)[0]
    except (ValueError, OverflowError):
        return None
    if written.tzinfo is not None:
        return naive_utc(written)
    midnight = datetime.combine(written.date(), datetime.min.time())
    return naive_utc(start) + (written - midnight)
