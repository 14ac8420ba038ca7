"""Numbers as people write them: 1,234.56 and 1.234,56, 12.5万 and 3亿, ¥800."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from rightrep.errors import InvalidInput
from rightrep.intake.cells import Cell

MOST_MAJOR = Decimal(10) ** 13
"""Amounts beyond this are mistakes, and their minor units would not fit."""

_LONGEST_WHOLE = 40
_UNITS = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}


class Refused(Exception):
    """A cell cannot be read; the message is the reason a person gets."""


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """How a file writes numbers.

    Attributes:
        decimal: Mark before the fraction: "." or ",".
        group: Mark between thousands: ",", ".", " ", "'" or "" for none.
        ignore: Texts around a number that mean nothing, such as "¥" or "元".
    """

    decimal: str = "."
    group: str = ","
    ignore: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.decimal not in {".", ","}:
            raise InvalidInput('decimal must be "." or ",".', field="decimal")
        if self.group not in {",", ".", " ", "'", ""} or self.group == self.decimal:
            raise InvalidInput(
                'group must be ",", ".", " ", "\'" or "", and not the decimal mark.',
                field="group",
            )


def number(cell: Cell, style: NumberStyle) -> Decimal:
    """The number in a cell.

    Args:
        cell: Text in the file's style, or a number (Excel, JSON).
        style: How the file writes numbers; numbers proper need none.

    Raises:
        Refused: It is not one, or not finite.
    """
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        raise Refused(f"{cell!s} is not a number.")
    if not isinstance(cell, str):
        found = Decimal(repr(cell))
        if not found.is_finite():
            raise Refused(f"{cell!r} is not a number.")
        return found
    return _parsed(cell, style)


def _parsed(text: str, style: NumberStyle) -> Decimal:
    if text.isascii() and text.isdigit() and len(text) <= _LONGEST_WHOLE:
        return Decimal(text)
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    for mark in style.ignore:
        plain = plain.replace(unicodedata.normalize("NFKC", mark), "")
    match = _pattern(style.decimal, style.group).fullmatch(plain.strip())
    if match is None:
        raise Refused(_why_not(text, style))
    sign, whole, fraction, exponent, unit = match.groups("")
    if style.group:
        whole = whole.replace(style.group, "")
    value = Decimal(f"{sign}{whole or 0}.{fraction or 0}{exponent}")
    return value * _UNITS.get(unit, 1)


@lru_cache
def _pattern(decimal: str, group: str) -> re.Pattern[str]:
    point, mark = re.escape(decimal), re.escape(group)
    grouped = rf"\d{{1,3}}(?:{mark}\d{{3}})+|" if group else ""
    return re.compile(
        rf"([-+]?)({grouped}\d{{1,{_LONGEST_WHOLE}}}|(?={point}\d))(?:{point}(\d{{0,40}}))?"
        rf"([eE][-+]?\d{{1,2}})?\s*([{''.join(_UNITS)}])?",
        re.ASCII,
    )


def _why_not(text: str, style: NumberStyle) -> str:
    other = "," if style.decimal == "." else "."
    swapped = _pattern(other, style.decimal).fullmatch(text.strip())
    if swapped is not None:
        return (
            f"{text!r} is not a number here, where {style.decimal!r} is the decimal "
            f'mark. If the file writes {other!r}, say numbers.decimal = "{other}" in '
            "the mapping."
        )
    return (
        f"{text!r} is not a number. Marks such as ¥ or 元 are named in the mapping's "
        "numbers.ignore."
    )
