"""Cells of canonical fields as values: read, checked, refused with their reasons."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from rightrep.errors import InvalidInput
from rightrep.intake import words
from rightrep.intake.cells import Cell, RawBatch, Refusal
from rightrep.intake.emails import email_points
from rightrep.intake.fields import Field, Form, Kind, field_of
from rightrep.intake.instants import SKEW, DateStyle, day, instant
from rightrep.intake.mapped import Canonical
from rightrep.intake.numbers import MOST_MAJOR, NumberStyle, Refused, number
from rightrep.intake.phones import phone_points

_SAFE_WHOLE = 2**53
_TEXT_OR_NOTHING = {str, type(None)}

Read = Callable[[Cell], Any]


@dataclass(frozen=True, slots=True)
class Style:
    """How a file's cells are to be read.

    Attributes:
        now: The present; what cannot lie in the future is held to it. Aware.
        currency: Of amounts without one; ISO 4217.
        dates: How times are written.
        numbers: How numbers are written.
        phone_region: Country of phone numbers without a country code.
        types: "number" or "boolean" for a tenant's own fields that are texts in the
            file.
    """

    now: datetime
    currency: str
    dates: DateStyle
    numbers: NumberStyle
    phone_region: str
    types: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TypedBatch:
    """Rows whose every cell could be read.

    Attributes:
        batch: The rows as they were read from the file.
        rows: Index in ``batch`` of each row here.
        columns: Values by field; fields the file lacks are all None.
        refused: Rows that could not be read.
        skipped: Rows that a ``where`` left out.
    """

    batch: RawBatch
    rows: Sequence[int]
    columns: Mapping[str, Sequence[Any]]
    refused: Sequence[Refusal]
    skipped: int

    def column(self, name: str) -> Sequence[Any]:
        """Values of a field, one per row; None where empty."""
        return self.columns.get(name) or [None] * len(self.rows)

    def own(self, prefix: str) -> dict[str, Sequence[Any]]:
        """Columns whose names start with ``prefix``, under the rest of their names."""
        return {
            name.removeprefix(prefix): values
            for name, values in self.columns.items()
            if name.startswith(prefix)
        }


def typed(kind: Kind, canonical: Canonical, style: Style) -> TypedBatch:
    """Read every cell; a row with one that cannot be read is refused with all reasons.

    Args:
        kind: What the rows are.
        canonical: The rows under their canonical fields.
        style: How their cells are written.
    """
    problems: dict[int, dict[str, str]] = {}
    columns: dict[str, Sequence[Any]] = {}
    for name, cells in canonical.columns.items():
        label = canonical.labels.get(name, name)
        field = field_of(kind, name)
        if field is None:
            _refuse_filled(cells, label, problems)
            continue
        columns[name] = _values(field, cells, style, label, problems)
    refused = [
        canonical.batch.refuse(canonical.rows[k], why)
        for k, why in sorted(problems.items())
    ]
    keep = [k for k in range(len(canonical.rows)) if k not in problems]
    if problems:
        columns = {name: [v[k] for k in keep] for name, v in columns.items()}
    return TypedBatch(
        canonical.batch,
        [canonical.rows[k] for k in keep],
        columns,
        [*canonical.refused, *refused],
        canonical.skipped,
    )


def check_constants(
    kind: Kind, values: Mapping[str, Cell], style: Style, place: str
) -> None:
    """Read the mapping's own values once, before any row.

    Raises:
        InvalidInput: One cannot be read; ``field`` is its TOML key.
    """
    for name, value in values.items():
        field = field_of(kind, name)
        problems: dict[int, dict[str, str]] = {}
        if field is not None:
            _values(field, [value], style, name, problems)
        for why in problems.values():
            raise InvalidInput(
                f"{kind}.{place}.{name}: {' '.join(why.values())}",
                field=f"{kind}.{place}.{name}",
            )


def _values(
    field: Field,
    cells: Sequence[Cell],
    style: Style,
    label: str,
    problems: dict[int, dict[str, str]],
) -> list[Any]:
    read = _READERS[field.form](field, style)
    values: dict[object, Any] = {None: None}
    reasons: dict[object, str] = {}
    keys = _distinct(cells)
    for key in dict.fromkeys(keys):
        try:
            if key is not None:
                values[key] = read(
                    key[1] if isinstance(key, tuple) else cast("str", key)
                )
            elif field.required:
                reasons[None] = f"{field.name} is empty."
        except Refused as refused:
            values[key], reasons[key] = None, str(refused)
    if reasons:
        for k, name in enumerate(keys):
            if name in reasons:
                problems.setdefault(k, {})[label] = reasons[name]
    return [values[key] for key in keys]


def _distinct(cells: Sequence[Cell]) -> Sequence[object]:
    """Keys under which equal texts are read once; other types may equal: True is 1."""
    if set(map(type, cells)) <= _TEXT_OR_NOTHING:
        return cells
    return [
        cell if cell is None or isinstance(cell, str) else (k, cell)
        for k, cell in enumerate(cells)
    ]


def _refuse_filled(
    cells: Sequence[Cell], label: str, problems: dict[int, dict[str, str]]
) -> None:
    for k, cell in enumerate(cells):
        if cell is not None:
            problems.setdefault(k, {})[label] = f"{label} is not a known field."


def _instant(field: Field, style: Style) -> Read:
    latest = style.now + SKEW

    def read(cell: Cell) -> datetime:
        found = instant(cell, style.dates)
        if found > latest and not field.may_be_future:
            raise Refused(
                f"{field.name} {cell!s} lies in the future. Check the format and the "
                "time zone."
            )
        return found

    return read


def _number(field: Field, style: Style) -> Read:
    def read(cell: Cell) -> float:
        found = float(number(cell, style.numbers))
        if not math.isfinite(found):
            raise Refused(f"{cell!s} is too large.")
        _check_range(field, found)
        return found

    return read


def _count(field: Field, style: Style) -> Read:
    def read(cell: Cell) -> int:
        found = number(cell, style.numbers)
        if found != found.to_integral_value():
            raise Refused(f"{field.name} must be a whole number, not {cell!s}.")
        _check_range(field, float(found))
        return int(found)

    return read


def _amount(field: Field, style: Style) -> Read:
    def read(cell: Cell) -> object:
        found = number(cell, style.numbers)
        if abs(found) > MOST_MAJOR:
            raise Refused(f"{field.name} {cell!s} is too large to be meant.")
        _check_range(field, float(found))
        return found

    return read


def _scalar(field: Field, style: Style) -> Read:
    match style.types.get(field.name):
        case "number":
            return lambda cell: _plain_number(number(cell, style.numbers))
        case "boolean":
            return words.truth
        case _:
            return words.scalar


def _plain_number(value: Decimal) -> float | int:
    whole = int(value) if value == value.to_integral_value() else None
    return whole if whole is not None and abs(whole) < _SAFE_WHOLE else float(value)


def _check_range(field: Field, value: float) -> None:
    if field.lowest is not None and value < field.lowest:
        raise Refused(f"{field.name} must be {_said(field.lowest)} or more.")
    if field.highest is not None and value > field.highest:
        raise Refused(f"{field.name} must be {_said(field.highest)} or less.")


def _said(bound: float) -> str:
    return f"{int(bound):,}" if float(bound).is_integer() else f"{bound:g}"


_READERS: Mapping[Form, Callable[[Field, Style], Read]] = {
    Form.KEY: lambda _, __: words.key,
    Form.TEXT: lambda _, __: words.text,
    Form.REMARK: lambda _, __: words.remark,
    Form.INSTANT: _instant,
    Form.DATE: lambda _, style: lambda cell: day(cell, style.dates),
    Form.NUMBER: _number,
    Form.COUNT: _count,
    Form.AMOUNT: _amount,
    Form.CURRENCY: lambda _, __: words.currency,
    Form.WORD: lambda field, _: lambda cell: words.word(cell, field.words),
    Form.TAGS: lambda _, __: words.tags,
    Form.LANGUAGE: lambda _, __: words.language,
    Form.ZONE: lambda _, __: words.zone,
    Form.CALENDAR: lambda _, __: words.calendar,
    Form.PHONE: lambda _, style: (
        lambda cell: phone_points(words.text(cell), style.phone_region)
    ),
    Form.EMAIL: lambda _, __: lambda cell: email_points(words.text(cell)),
    Form.SHIFTS: lambda _, __: words.shifts,
    Form.LEAVE: lambda _, __: words.leave,
    Form.SCALAR: _scalar,
}
