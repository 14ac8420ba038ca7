"""Times and dates as files write them, never guessed.

Year first is understood without being told (2026-03-01, 2026/3/1, 2026年3月1日, with a
time and an offset or without). 03/04/2026 is March to some and April to others: it is
refused until the mapping gives a format. A time without an offset is of the tenant's
zone (or the mapping's): of an hour that comes twice when clocks go back the first is
meant, one that clocks skip is moved forward by what they skip.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import permutations
from zoneinfo import ZoneInfo

from rightrep.errors import InvalidInput
from rightrep.intake.cells import Cell
from rightrep.intake.numbers import Refused

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
SKEW = timedelta(days=1)
"""How far ahead of our clock a time may be that cannot be in the future."""

NUMERIC_FORMATS = ("unix", "unix_ms", "excel")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXCEL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - serial days have no zone
_PROBE = datetime(2017, 3, 4, 5, 6, 7)  # noqa: DTZ001 - only formatted and parsed
_YEAR_FIRST = re.compile(
    r"(\d{4})([-/.年])(\d{1,2})(?:[-/.]|月)(\d{1,2})日?(?:[T ]*(\d{1,2})"
    r"[:时](\d{1,2})(?:[:分](\d{1,2})秒?)?分?)?",
    re.ASCII,
)
_SLASHED = re.compile(r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}\b.*", re.ASCII)


@dataclass(frozen=True, slots=True)
class DateStyle:
    """How a file writes times.

    Attributes:
        zone: Zone of times without an offset.
        formats: ``strptime`` formats, tried in order before year-first; or "unix",
            "unix_ms" (since 1970) or "excel" (serial days) for numbers.
        time_of_day: Time meant by a cell that has a date only.
    """

    zone: ZoneInfo
    formats: Sequence[str] = ()
    time_of_day: time = time()

    def __post_init__(self) -> None:
        for pattern in self.formats:
            _check_format(pattern)
        _check_clashes([f for f in self.formats if f not in NUMERIC_FORMATS])


def instant(cell: Cell, style: DateStyle) -> datetime:
    """The instant in a cell, in UTC.

    Raises:
        Refused: It is none, it is ambiguous, or it lies outside 1900 to 2200.
    """
    local = _local(cell, style)
    if isinstance(local, datetime):
        aware = local if local.tzinfo else local.replace(tzinfo=style.zone)
    else:
        aware = datetime.combine(local, style.time_of_day, style.zone)
    if not 1900 <= aware.year < LATEST.year:
        raise Refused(f"{cell!s} lies outside the years 1900 to 2199.")
    return aware.astimezone(UTC)


def day(cell: Cell, style: DateStyle) -> date:
    """The calendar day in a cell; of a time with an offset, its day in the zone.

    Raises:
        Refused: As for ``instant``.
    """
    local = _local(cell, style)
    if not isinstance(local, datetime):
        found = local
    elif local.tzinfo is None:
        found = local.date()
    else:
        found = local.astimezone(style.zone).date()
    if not 1900 <= found.year < LATEST.year:
        raise Refused(f"{cell!s} lies outside the years 1900 to 2199.")
    return found


def _local(cell: Cell, style: DateStyle) -> datetime | date:
    if isinstance(cell, datetime | date):
        return cell
    if isinstance(cell, str):
        return _from_text(cell, style)
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return _from_number(cell, style)
    raise Refused(f"{cell!s} is not a date.")


def _from_text(text: str, style: DateStyle) -> datetime | date:
    for pattern in style.formats:
        if pattern not in NUMERIC_FORMATS:
            try:
                return _by_format(text, pattern)
            except ValueError:
                continue
        elif text.replace(".", "", 1).isascii() and text.replace(".", "", 1).isdigit():
            return _from_number(float(text), style)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return _year_first(text)
    return found if len(text) > len("2026-03-01") else found.date()


def _by_format(text: str, pattern: str) -> datetime | date:
    found = datetime.strptime(text, pattern)  # noqa: DTZ007 - gets the file's zone later
    return found if "%H" in pattern or "%I" in pattern else found.date()


def _year_first(text: str) -> datetime | date:
    match = _YEAR_FIRST.fullmatch(unicodedata.normalize("NFKC", text))
    if match is None:
        raise Refused(_why_not(text))
    year, _, month, dom, *clock = match.groups()
    try:
        found = date(int(year), int(month), int(dom))
        if clock[0] is None:
            return found
        hour, minute, second = (int(part or 0) for part in clock)
        return datetime.combine(found, time(hour, minute, second))
    except ValueError as error:
        raise Refused(f"{text!r} is not a date: {error}.") from error


def _from_number(value: float, style: DateStyle) -> datetime:
    kind = next((name for name in style.formats if name in NUMERIC_FORMATS), None)
    try:
        if kind == "unix":
            return _EPOCH + timedelta(seconds=value)
        if kind == "unix_ms":
            return _EPOCH + timedelta(milliseconds=value)
        if kind == "excel":
            return _EXCEL_EPOCH + timedelta(days=value)
    except (OverflowError, ValueError) as error:
        raise Refused(f"{value!s} is not a date as {kind}.") from error
    raise Refused(
        f"{value!s} is a number, not a date. If it counts seconds since 1970 or "
        'Excel\'s days, say dates.formats = ["unix"] or ["excel"] in the mapping.'
    )


def _why_not(text: str) -> str:
    if _SLASHED.fullmatch(text):
        return (
            f"{text!r} can be read day first or month first. Say dates.formats = "
            '["%d/%m/%Y"] or ["%m/%d/%Y"] in the mapping.'
        )
    return (
        f"{text!r} is not a date. Write 2026-03-01 or 2026-03-01T09:30:00+08:00, or "
        "give dates.formats in the mapping."
    )


def _check_format(pattern: str) -> None:
    if pattern in NUMERIC_FORMATS:
        return
    try:
        text = _PROBE.strftime(pattern)
        whole = datetime.strptime(text, pattern).date() == _PROBE.date()  # noqa: DTZ007
    except ValueError:
        whole = False
    if not whole:
        raise InvalidInput(
            f"{pattern!r} does not say a whole date.",
            field="formats",
            remedy='Give year, month and day, such as "%d/%m/%Y" or "%m/%d/%y %H:%M".',
        )


def _check_clashes(formats: Sequence[str]) -> None:
    for one, other in permutations(formats, 2):
        text = _PROBE.strftime(one)
        try:
            read = datetime.strptime(text, other).date()  # noqa: DTZ007
        except ValueError:
            continue
        if read != _PROBE.date():
            raise InvalidInput(
                f"The formats {one!r} and {other!r} read {text!r} differently.",
                field="formats",
                remedy="Keep the one that the file uses.",
            )
