"""Texts, ids and words from closed lists."""

import difflib
import math
import re
import unicodedata
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import available_timezones

from babel.numbers import list_currencies

from rightrep.calendars import require_calendar
from rightrep.domain.lead import Scalar
from rightrep.domain.rep import Leave, Shift
from rightrep.errors import InvalidInput
from rightrep.intake.cells import Cell
from rightrep.intake.numbers import Refused

MOST_KEY = 128
MOST_TEXT = 255
MOST_REMARK = 10_000
MOST_TAGS = 200
_EXCEL_DIGITS = 1e15
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})((?:[-_][A-Za-z0-9]{2,8})*)")
_TAG_MARKS = re.compile(r"[;；]")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SHIFT = re.compile(
    rf"({'|'.join(_DAYS)})(?:-({'|'.join(_DAYS)}))?\s+"
    r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})",
    re.ASCII | re.IGNORECASE,
)
_TRUE = frozenset(("true", "yes", "y", "1", "是"))
_FALSE = frozenset(("false", "no", "n", "0", "否"))
_ERRORS = ("#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!")


def text(cell: Cell, longest: int = MOST_TEXT) -> str:
    """A cell as text: whole numbers without a point, times in ISO 8601.

    Raises:
        Refused: It is longer than ``longest``, or holds what text may not.
    """
    if not isinstance(cell, str):
        return _written(cell)
    if len(cell) > longest:
        raise Refused(f"The text has {len(cell):,} characters; {longest:,} may be.")
    if "\0" in cell:
        raise Refused("The text holds a null character.")
    if cell.isascii():
        if cell.startswith(_ERRORS):
            raise Refused(f"The spreadsheet shows the error {cell}.")
        return cell
    try:
        cell.encode()
    except UnicodeEncodeError:
        reason = "The text holds half a character. Save the file again as UTF-8."
        raise Refused(reason) from None
    return unicodedata.normalize("NFC", cell)


def key(cell: Cell) -> str:
    """An id of another system, as it is written there.

    Raises:
        Refused: It is longer than 128 characters, or Excel has rounded it.
    """
    return text(cell, MOST_KEY)


def remark(cell: Cell) -> str:
    """A longer text of at most 10,000 characters."""
    return text(cell, MOST_REMARK)


def word(cell: Cell, words: Sequence[str]) -> str:
    """One of a closed list, in any case.

    Raises:
        Refused: It is not one of them.
    """
    found = text(cell).lower()
    if found in words:
        return found
    raise Refused(
        f"{text(cell)!r} is not one of: {', '.join(words)}. Say in the mapping's "
        "values which it means."
    )


def currency(cell: Cell) -> str:
    """An ISO 4217 code.

    Raises:
        Refused: It is not a known one.
    """
    found = text(cell).upper()
    if found not in _currencies():
        raise Refused(
            f"{text(cell)!r} is not a currency code. Give one such as CNY or USD."
        )
    return found


def language(cell: Cell) -> str:
    """A BCP 47 tag: ``zh``, ``de-CH``.

    Raises:
        Refused: It has another form, such as a language's name.
    """
    match = _LANGUAGE.fullmatch(text(cell))
    if match is None:
        raise Refused(
            f"{text(cell)!r} is not a language tag such as zh or en. Say in the "
            "mapping's values which it means."
        )
    return match[1].lower() + match[2].replace("_", "-")


def zone(cell: Cell) -> str:
    """An IANA time zone.

    Raises:
        Refused: There is no such zone.
    """
    found = text(cell)
    if found not in _zones():
        near = difflib.get_close_matches(found, _zones(), 1)
        hint = f" Is {near[0]} meant?" if near else ""
        raise Refused(f"{found!r} is not a time zone such as Asia/Shanghai.{hint}")
    return found


def calendar(cell: Cell) -> str:
    """The code of a holiday calendar.

    Raises:
        Refused: There is no such calendar.
    """
    found = text(cell).upper()
    try:
        return require_calendar(found)
    except InvalidInput:
        raise Refused(
            f"{found!r} is no country with a holiday calendar, such as CN or DE-BY."
        ) from None


def tags(cell: Cell) -> frozenset[str]:
    """Words separated by semicolons.

    Raises:
        Refused: There are more than 200, or one is too long.
    """
    found = frozenset(
        text(part.strip()) for part in _TAG_MARKS.split(remark(cell)) if part.strip()
    )
    if len(found) > MOST_TAGS:
        raise Refused(f"The list has {len(found)} entries; {MOST_TAGS} may be.")
    return found


def scalar(cell: Cell) -> Scalar:
    """Any JSON scalar: numbers and truth values as they are, all else as text.

    Raises:
        Refused: The number is not finite, or the text cannot be kept.
    """
    if isinstance(cell, float) and not math.isfinite(cell):
        raise Refused(f"{cell!r} is not a number.")
    if isinstance(cell, bool | int | float):
        return cell
    return remark(cell)


def truth(cell: Cell) -> bool:
    """Yes or no: true, yes, 1, 是 or false, no, 0, 否.

    Raises:
        Refused: It is neither.
    """
    found = text(cell).lower()
    if found not in _TRUE | _FALSE:
        raise Refused(f"{text(cell)!r} is neither true nor false.")
    return found in _TRUE


def shifts(cell: Cell) -> tuple[Shift, ...]:
    """Working hours: ``mon-fri 09:00-18:00; sat 10:00-14:00``.

    Raises:
        Refused: A part has another form, or ends before it starts.
    """
    parts = [part.strip() for part in _TAG_MARKS.split(remark(cell)) if part.strip()]
    return tuple(
        sorted(
            (shift for part in parts for shift in _shifts_of(part)),
            key=lambda shift: (shift.weekday, shift.start),
        )
    )


def leave(cell: Cell) -> tuple[Leave, ...]:
    """Days away: ``2026-02-16/2026-02-22; 2026-05-01``.

    Raises:
        Refused: A part is not a date or two, or the last comes before the first.
    """
    if isinstance(cell, datetime):
        return (Leave(cell.date(), cell.date()),)
    if isinstance(cell, date):
        return (Leave(cell, cell),)
    parts = [part.strip() for part in _TAG_MARKS.split(remark(cell)) if part.strip()]
    return tuple(sorted((_leave_of(part) for part in parts), key=lambda x: x.first))


def _shifts_of(part: str) -> list[Shift]:
    match = _SHIFT.fullmatch(part)
    if match is None:
        raise _no_shift(part)
    first, last, *clock = match.groups()
    begin, stop = _DAYS.index(first.lower()), _DAYS.index((last or first).lower())
    try:
        start = time(int(clock[0]), int(clock[1]))
        end = time(int(clock[2]), int(clock[3]))
    except ValueError as error:
        raise _no_shift(part) from error
    if end <= start or stop < begin:
        raise _no_shift(part)
    return [Shift(weekday, start, end) for weekday in range(begin, stop + 1)]


def _no_shift(part: str) -> Refused:
    return Refused(f"{part!r} is not working hours such as mon-fri 09:00-18:00.")


def _leave_of(part: str) -> Leave:
    first, _, last = part.partition("/")
    try:
        begin = date.fromisoformat(first.strip())
        end = date.fromisoformat((last or first).strip())
    except ValueError as error:
        raise _no_leave(part) from error
    if end < begin:
        raise _no_leave(part)
    return Leave(begin, end)


def _no_leave(part: str) -> Refused:
    return Refused(f"{part!r} is not leave such as 2026-02-16/2026-02-22.")


def _written(cell: Cell) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        if abs(cell) >= _EXCEL_DIGITS or not math.isfinite(cell):
            raise Refused(
                f"The number {cell!r} has more than 15 digits and was rounded. Format "
                "the column as text before filling it."
            )
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta | int):
        return str(cell)
    return ""


@lru_cache
def _currencies() -> frozenset[str]:
    return frozenset(list_currencies())


@lru_cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
