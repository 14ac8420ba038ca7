"""Cells as values: what is understood, and what is refused with which words."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from rightrep.domain.rep import Leave, Shift
from rightrep.errors import InvalidInput
from rightrep.intake import words
from rightrep.intake.cells import Cell
from rightrep.intake.instants import DateStyle, day, instant
from rightrep.intake.numbers import NumberStyle, Refused, number

SHANGHAI = DateStyle(ZoneInfo("Asia/Shanghai"))
NEW_YORK = DateStyle(ZoneInfo("America/New_York"))
GERMAN = NumberStyle(decimal=",", group=".", ignore=("€", "EUR"))


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("0", "0"),
        ("1234.56", "1234.56"),
        ("1,234,567.5", "1234567.5"),
        ("-12", "-12"),
        ("+3", "3"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1.5e3", "1500"),
        ("12.5万", "125000"),
        ("3亿", "300000000"),
        ("１２．５", "12.5"),
        (12, "12"),
        (12.5, "12.5"),
        (0.1, "0.1"),
    ],
)
def test_numbers_are_understood(cell: Cell, value: str) -> None:
    assert number(cell, NumberStyle()) == Decimal(value)


@pytest.mark.parametrize(
    "cell",
    [
        "abc", "1 234", "1,23", "12,34,567", "1.2.3", "nan", "inf", "1_000", "--1",
        "0x10", "¥800", "", True, float("nan"), float("inf"), "1e999", "9" * 60,
    ],
)  # fmt: skip
def test_what_is_no_number_is_refused(cell: Cell) -> None:
    with pytest.raises(Refused):
        number(cell, NumberStyle())


def test_a_german_file_writes_the_decimal_comma() -> None:
    assert number("1.234,56 €", GERMAN) == Decimal("1234.56")
    assert number("1234,5", GERMAN) == Decimal("1234.5")
    assert number(1234.5, GERMAN) == Decimal("1234.5")
    with pytest.raises(Refused, match=r'decimal = "\."'):
        number("1,234.56", GERMAN)
    with pytest.raises(Refused, match='decimal = ","'):
        number("1.234,56", NumberStyle())


@pytest.mark.parametrize(
    ("decimal", "group"), [(".", "."), (",", ","), (";", ","), (".", "x")]
)
def test_a_number_style_that_makes_no_sense_is_refused(
    decimal: str, group: str
) -> None:
    with pytest.raises(InvalidInput):
        NumberStyle(decimal=decimal, group=group)


@pytest.mark.parametrize(
    ("cell", "utc"),
    [
        ("2026-03-01", "2026-02-28T16:00"),
        ("2026-03-01 09:30", "2026-03-01T01:30"),
        ("2026-03-01T09:30:15", "2026-03-01T01:30:15"),
        ("2026-03-01T09:30:15.25Z", "2026-03-01T09:30:15.250"),
        ("2026-03-01T09:30:00+02:00", "2026-03-01T07:30"),
        ("2026-03-01T09:30:00-0500", "2026-03-01T14:30"),
        ("20260301", "2026-02-28T16:00"),
        ("2026/3/1", "2026-02-28T16:00"),
        ("2026.3.1 9:05", "2026-03-01T01:05"),
        ("2026年3月1日", "2026-02-28T16:00"),
        ("2026年3月1日 9时05分", "2026-03-01T01:05"),
        ("２０２６-０３-０１", "2026-02-28T16:00"),
        (date(2026, 3, 1), "2026-02-28T16:00"),
        (datetime(2026, 3, 1, 9, 30, tzinfo=UTC), "2026-03-01T09:30"),
    ],
)
def test_times_with_the_year_first_are_understood(cell: Cell, utc: str) -> None:
    assert instant(cell, SHANGHAI) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


@pytest.mark.parametrize("cell", ["03/04/2026", "3.4.26", "25/12/2026", "12-25-2026"])
def test_a_date_that_can_be_read_two_ways_is_never_guessed(cell: str) -> None:
    with pytest.raises(Refused, match="day first or month first"):
        instant(cell, SHANGHAI)


@pytest.mark.parametrize(
    "cell",
    [
        "yesterday", "2026-02-30", "2026-13-01", "2026/2/30", "1899-12-31",
        "2200-01-01", "9999-12-31", 46082, 46082.5, True, timedelta(1), "0001-01-01",
    ],
)  # fmt: skip
def test_what_is_no_date_is_refused(cell: Cell) -> None:
    with pytest.raises(Refused):
        instant(cell, SHANGHAI)


def test_formats_are_tried_first_and_then_the_year_first() -> None:
    style = DateStyle(ZoneInfo("UTC"), formats=("%d/%m/%Y", "%d/%m/%Y %H:%M"))

    assert instant("03/04/2026", style).date() == date(2026, 4, 3)
    assert instant("03/04/2026 10:30", style).hour == 10
    assert instant("2026-04-03", style).date() == date(2026, 4, 3)
    with pytest.raises(Refused):
        instant("04/13/2026", style)


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        ("unix", 1772323200),
        ("unix", "1772323200"),
        ("unix_ms", 1772323200000),
        ("excel", 46082),
        ("excel", "46082"),
    ],
)
def test_numbers_are_times_only_when_the_mapping_says_so(kind: str, cell: Cell) -> None:
    style = DateStyle(ZoneInfo("UTC"), formats=(kind,))

    assert instant(cell, style) == datetime(2026, 3, 1, tzinfo=UTC)


def test_a_number_beyond_all_dates_is_refused() -> None:
    with pytest.raises(Refused):
        instant(1e18, DateStyle(ZoneInfo("UTC"), formats=("unix",)))


def test_a_cell_with_a_date_only_means_the_mappings_time_of_day() -> None:
    style = DateStyle(ZoneInfo("UTC"), time_of_day=time(18))

    assert instant("2026-03-01", style).hour == 18
    assert instant("2026-03-01 00:00", style).hour == 0


def test_an_hour_that_comes_twice_means_the_first_and_a_skipped_one_moves_on() -> None:
    assert instant("2026-11-01 01:30", NEW_YORK) == datetime(
        2026, 11, 1, 5, 30, tzinfo=UTC
    )
    assert instant("2026-03-08 02:30", NEW_YORK) == datetime(
        2026, 3, 8, 7, 30, tzinfo=UTC
    )


def test_a_day_is_a_day_of_the_files_zone() -> None:
    assert day("2026-03-01", SHANGHAI) == date(2026, 3, 1)
    assert day("2026-03-01T20:00:00Z", SHANGHAI) == date(2026, 3, 2)
    assert day("2026-03-01 20:00", SHANGHAI) == date(2026, 3, 1)
    with pytest.raises(Refused):
        day("1800-01-01", SHANGHAI)


@pytest.mark.parametrize("pattern", ["%d/%m", "%H:%M", "day", "%Q", ""])
def test_a_format_must_say_a_whole_date(pattern: str) -> None:
    with pytest.raises(InvalidInput, match="whole date"):
        DateStyle(ZoneInfo("UTC"), formats=(pattern,))


def test_two_formats_that_read_a_date_differently_are_refused() -> None:
    with pytest.raises(InvalidInput, match="differently"):
        DateStyle(ZoneInfo("UTC"), formats=("%d/%m/%Y", "%m/%d/%Y"))


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("  x", "  x"),
        ("e\u0301", "é"),
        (1054.0, "1054"),
        (10.5, "10.5"),
        (True, "true"),
        (13800138000, "13800138000"),
        (date(2026, 3, 1), "2026-03-01"),
    ],
)
def test_cells_of_all_kinds_are_texts(cell: Cell, text: str) -> None:
    assert words.text(cell) == text


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("x" * 256, "255 may be"),
        ("a\0b", "null character"),
        ("北\ud800", "half a character"),
        ("#N/A", "shows the error"),
        (1.2345678901234567e19, "15 digits"),
    ],
)
def test_texts_that_cannot_be_kept_are_refused(cell: Cell, says: str) -> None:
    with pytest.raises(Refused, match=says):
        words.text(cell)


def test_words_are_from_their_list_in_any_case() -> None:
    assert words.word("Won", ["won", "lost"]) == "won"
    with pytest.raises(Refused, match="'gewonnen' is not one of: won, lost"):
        words.word("gewonnen", ["won", "lost"])


def test_currencies_languages_and_zones_are_known_ones() -> None:
    assert words.currency("cny") == "CNY"
    assert words.language("zh_CN") == "zh-CN"
    assert words.language("EN") == "en"
    assert words.zone("Asia/Shanghai") == "Asia/Shanghai"
    with pytest.raises(Refused, match="currency code"):
        words.currency("RMB")
    with pytest.raises(Refused, match="language tag"):
        words.language("中文")
    with pytest.raises(Refused, match="Is Europe/Berlin meant"):
        words.zone("Europe/Berlim")


def test_lists_are_separated_by_semicolons_of_either_width() -> None:
    assert words.tags(" zh ;en；; de ") == {"zh", "en", "de"}
    with pytest.raises(Refused, match="201 entries"):
        words.tags(";".join(f"t{i}" for i in range(201)))


def test_own_fields_are_any_scalar() -> None:
    assert [words.scalar(cell) for cell in (1, 2.5, True, "x")] == [1, 2.5, True, "x"]
    with pytest.raises(Refused):
        words.scalar(float("inf"))


def test_truth_values_are_said_in_two_languages() -> None:
    assert [words.truth(cell) for cell in ("Yes", "是", 1, True)] == [True] * 4
    assert [words.truth(cell) for cell in ("no", "否", 0, False)] == [False] * 4
    with pytest.raises(Refused, match="neither true nor false"):
        words.truth("maybe")


def test_working_hours_are_days_and_hours() -> None:
    assert words.shifts("sat 10:00-14:00; Mon-Tue 9:00-18:30") == (
        Shift(0, time(9), time(18, 30)),
        Shift(1, time(9), time(18, 30)),
        Shift(5, time(10), time(14)),
    )


@pytest.mark.parametrize(
    "cell", ["9-18", "mon 18:00-9:00", "fri-mon 9:00-18:00", "mon 9:00-25:00"]
)
def test_working_hours_that_make_no_sense_are_refused(cell: str) -> None:
    with pytest.raises(Refused, match="working hours such as"):
        words.shifts(cell)


def test_leave_is_days_or_spans_of_days() -> None:
    spring = Leave(date(2026, 2, 16), date(2026, 2, 22))

    assert words.leave("2026-05-01; 2026-02-16/2026-02-22") == (
        spring,
        Leave(date(2026, 5, 1), date(2026, 5, 1)),
    )
    assert words.leave(date(2026, 5, 1))[0].first == date(2026, 5, 1)
    assert words.leave(datetime(2026, 5, 1, tzinfo=UTC))[0].last == date(2026, 5, 1)
    for cell in ("soon", "2026-05-02/2026-05-01"):
        with pytest.raises(Refused, match="leave such as"):
            words.leave(cell)
