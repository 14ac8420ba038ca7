"""Conditions on leads: evaluated over columns, checked when they are written.

A field that is not known passes ``Empty`` and no other test; ``Not`` turns that around.
Texts are compared without case, full width and outer spaces.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from math import isfinite
from typing import TypeGuard

import numpy as np

from rightrep.domain.lead import LeadKind, Scalar
from rightrep.domain.lead_table import (
    FIXED_WORDS,
    BoolArray,
    FieldKind,
    LeadTable,
    folded,
    kind_of,
)
from rightrep.errors import InvalidInput

MAX_DEPTH = 10
"""Levels of and, or and not within one another."""


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; without parts it holds for every lead."""

    of: tuple["Condition", ...] = ()

    def holds(self, leads: LeadTable) -> BoolArray:
        """Leads for which it holds; bool (n_leads,)."""
        every = np.ones(leads.n_leads, dtype=np.bool_)
        return reduce(np.logical_and, (part.holds(leads) for part in self.of), every)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds."""

    of: tuple["Condition", ...]

    def holds(self, leads: LeadTable) -> BoolArray:
        """Leads for which it holds; bool (n_leads,)."""
        none = np.zeros(leads.n_leads, dtype=np.bool_)
        return reduce(np.logical_or, (part.holds(leads) for part in self.of), none)


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    of: "Condition"

    def holds(self, leads: LeadTable) -> BoolArray:
        """Leads for which it holds; bool (n_leads,)."""
        return np.logical_not(self.of.holds(leads))


@dataclass(frozen=True, slots=True)
class In:
    """The field has one of these values.

    Attributes:
        field: A lead's field.
        values: At least one; of the field's kind.

    Raises:
        InvalidInput: No such field, or a value it cannot have.
    """

    field: str
    values: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        """Check that the field can have the values."""
        kind = _require(self.field, FieldKind.TEXT, FieldKind.NUMBER, FieldKind.FLAG)
        if not self.values:
            raise InvalidInput("Name at least one value.", field="values")
        for value in self.values:
            _require_value(self.field, kind, value)

    def holds(self, leads: LeadTable) -> BoolArray:
        """Leads for which it holds; bool (n_leads,)."""
        if kind_of(self.field) is FieldKind.NUMBER:
            wanted = np.array(self.values, dtype=np.float64)
            return np.asarray(np.isin(leads.number(self.field), wanted))
        keys = {_key(value) for value in self.values}
        return leads.coded(self.field).where(lambda value: _key(value) in keys)


@dataclass(frozen=True, slots=True)
class Range:
    """The number is at least one bound and below the other.

    Attributes:
        field: A lead's field.
        at_least: Least number that passes; None is no bound.
        below: Least number too large to pass; None is no bound.

    Raises:
        InvalidInput: The field holds no numbers, or no number can pass.
    """

    field: str
    at_least: float | None = None
    below: float | None = None

    def __post_init__(self) -> None:
        """Check field and bounds."""
        _require(self.field, FieldKind.NUMBER)
        _require_bounds(self.at_least, self.below, "at_least", "below")

    def holds(self, leads: LeadTable) -> BoolArray:
        """Leads for which it holds; bool (n_leads,)."""
        low = -np.inf if self.at_least is None else self.at_least
        high = np.inf if self.below is None else self.below
        if kind_of(self.field) is FieldKind.NUMBER:
            number = leads.number(self.field)
            return np.asarray((number >= low) & (number < high))
        return leads.coded(self.field).where(
            lambda value: _is_number(value) and low <= value < high
        )


@dataclass(frozen=True, slots=True)
class Contains:
    """The text has this text in it.

    Attributes:
        field: A lead's field.
        text: Not blank.

    Raises:
        InvalidInput: The field holds no texts, or the text is blank.
    """

    field: str
    text: str

    def __post_init__(self) -> None:
        """Check field and text."""
        _require(self.field, FieldKind.TEXT)
        if not folded(self.text):
            raise InvalidInput("Every text contains nothing.", field="text")

    def holds(self, leads: LeadTable) -> BoolArray:
        """Leads for which it holds; bool (n_leads,)."""
        part = folded(self.text)
        return leads.coded(self.field).where(
            lambda value: isinstance(value, str) and part in folded(value)
        )


@dataclass(frozen=True, slots=True)
class Empty:
    """The field is not known.

    Attributes:
        field: A lead's field.

    Raises:
        InvalidInput: No such field.
    """

    field: str

    def __post_init__(self) -> None:
        """Check the field."""
        kind_of(self.field)

    def holds(self, leads: LeadTable) -> BoolArray:
        """Leads for which it holds; bool (n_leads,)."""
        return np.logical_not(leads.known(self.field))


@dataclass(frozen=True, slots=True)
class Dated:
    """The time lies within a span around now, in days of 24 hours.

    Attributes:
        field: A lead's field: a time, or a tenant's own field that holds a day.
        from_days: Days from now, negative before; passes from there; None is no bound.
        to_days: Days from now before which it passes; None is no bound.

    Raises:
        InvalidInput: The field holds no times, or no time can pass.
    """

    field: str
    from_days: float | None = None
    to_days: float | None = None

    def __post_init__(self) -> None:
        """Check field and bounds."""
        _require(self.field, FieldKind.INSTANT)
        _require_bounds(self.from_days, self.to_days, "from_days", "to_days")
        for name in ("from_days", "to_days"):
            if abs(getattr(self, name) or 0) > _MOST_DAYS:
                raise InvalidInput(f"{name} is within 100 years.", field=name)

    def holds(self, leads: LeadTable) -> BoolArray:
        """Leads for which it holds; bool (n_leads,)."""
        at = leads.instant(self.field)
        passed = ~np.isnat(at)
        if self.from_days is not None:
            passed &= at >= leads.now + _days(self.from_days)
        if self.to_days is not None:
            passed &= at < leads.now + _days(self.to_days)
        return np.asarray(passed)


Condition = All | AnyOf | Not | In | Range | Contains | Empty | Dated
"""What a rule asks of a lead."""

ALWAYS = All()
"""Holds for every lead."""


def depth_of(condition: Condition) -> int:
    """Levels of and, or and not within one another; 1 for a test of one field."""
    if isinstance(condition, All | AnyOf):
        return 1 + max(map(depth_of, condition.of), default=0)
    return 1 + depth_of(condition.of) if isinstance(condition, Not) else 1


def kinds_of(condition: Condition) -> frozenset[LeadKind]:
    """Kinds of the leads that a condition can hold for, as far as it says."""
    every = frozenset(LeadKind)
    match condition:
        case In("kind", values):
            named = {_key(value) for value in values}
            return frozenset(kind for kind in every if _key(kind.value) in named)
        case All(parts):
            return reduce(frozenset.__and__, map(kinds_of, parts), every)
        case AnyOf(parts):
            return reduce(frozenset.__or__, map(kinds_of, parts), frozenset())
        case _:
            return every


def fields_of(condition: Condition) -> set[str]:
    """Fields a condition asks about."""
    if isinstance(condition, All | AnyOf):
        return set().union(*map(fields_of, condition.of))
    if isinstance(condition, Not):
        return fields_of(condition.of)
    return {condition.field}


_MOST_DAYS = 36_525


def _days(count: float) -> np.timedelta64:
    return np.timedelta64(timedelta(days=count), "us")


def _require(name: str, *kinds: FieldKind) -> FieldKind:
    kind = kind_of(name)
    if kind not in (*kinds, FieldKind.SCALAR):
        fit = ", ".join(_FITS[kind])
        raise InvalidInput(
            f"The field holds a {kind.value}, which this test cannot ask about.",
            field="field",
            remedy=f"Ask it with one of {fit}.",
        )
    return kind


_FITS = {
    FieldKind.TEXT: ("equals", "in", "contains", "empty"),
    FieldKind.NUMBER: ("equals", "in", "range", "empty"),
    FieldKind.FLAG: ("equals", "empty"),
    FieldKind.INSTANT: ("date", "empty"),
}


def _require_value(name: str, kind: FieldKind, value: Scalar) -> None:
    right = {
        FieldKind.TEXT: isinstance(value, str),
        FieldKind.NUMBER: _is_number(value),
        FieldKind.FLAG: isinstance(value, bool),
        FieldKind.SCALAR: value is not None,
    }[kind]
    if not right:
        raise InvalidInput(f"The value must be a {kind.value}.", field="value")
    words: Sequence[str] = FIXED_WORDS.get(name, ())
    if words and value not in words:
        raise InvalidInput(
            f"{name} never has this value.",
            field="value",
            remedy=f"Give one of {', '.join(words)}.",
        )


def _require_bounds(
    low: float | None, high: float | None, low_name: str, high_name: str
) -> None:
    if low is None and high is None:
        raise InvalidInput(f"Give {low_name}, {high_name} or both.", field=low_name)
    for bound, name in ((low, low_name), (high, high_name)):
        if bound is not None and not isfinite(bound):
            raise InvalidInput(f"{name} is a finite number.", field=name)
    if low is not None and high is not None and low >= high:
        raise InvalidInput(
            f"No value is both: {low_name} must be less than {high_name}.",
            field=high_name,
        )


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _key(value: Scalar) -> tuple[str, Scalar]:
    """A value as it is compared: texts folded, 1 and 1.0 alike, 1 and true not."""
    if isinstance(value, str):
        return "text", folded(value)
    return ("flag", value) if isinstance(value, bool) else ("number", value)
