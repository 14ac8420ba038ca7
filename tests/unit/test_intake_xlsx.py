"""Excel: both readers give the same, and no workbook can eat the machine."""

import struct
import zipfile
import zlib
from datetime import date, datetime
from pathlib import Path

import pytest
from openpyxl import Workbook

from rightrep.errors import InvalidInput
from rightrep.intake.cells import Cell
from rightrep.intake.readers import FileOptions
from rightrep.intake.xlsx_package import checked_package
from rightrep.intake.xlsx_reader import XlsxRows
from tests.intake_files import rows_of, workbook, zipped


def _naive(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A sheet's time has no zone."""
    return datetime(year, month, day, hour, minute)  # noqa: DTZ001


ROWS: list[list[object]] = [
    ["external_id", "created_at", "name", "budget", "ok"],
    ["L1", _naive(2026, 3, 1, 9, 30), "李雷", 12.5, True],
    [2, _naive(2026, 3, 2), "=1+1", 1000, None],
    [None, None, None, None, None],
    ["L4", None, "  spaced ", -3, False],
]


@pytest.mark.parametrize("fast_cells", [0, 1_000_000])
def test_both_readers_give_the_same_rows_with_the_sheets_numbers(
    tmp_path: Path, fast_cells: int
) -> None:
    rows = XlsxRows(workbook(tmp_path, ROWS), fast_cells=fast_cells)

    batches = list(rows.batches())

    assert rows.header == ROWS[0]
    assert [line for batch in batches for line in batch.lines] == [2, 3, 5]
    cells = [batch.row(i) for batch in batches for i in range(batch.n_rows)]
    assert cells[0][:4] == ["L1", _naive(2026, 3, 1, 9, 30), "李雷", 12.5]
    assert cells[0][4] is True
    assert _as_instant(cells[1][1]) == _naive(2026, 3, 2)
    assert cells[2] == ["L4", None, "spaced", -3, False]


@pytest.mark.parametrize("fast_cells", [0, 1_000_000])
def test_a_table_may_start_anywhere_and_rows_may_be_wider(
    tmp_path: Path, fast_cells: int
) -> None:
    book = Workbook()
    page = book.active
    assert page is not None
    page["C4"], page["D4"], page["C5"], page["D7"], page["G8"] = "a", "b", 1, 2, 3
    book.save(tmp_path / "a.xlsx")

    rows = XlsxRows(tmp_path / "a.xlsx", fast_cells=fast_cells)
    (batch,) = rows.batches()

    assert [name for name in rows.header if name] == ["a", "b"]
    assert batch.lines == [5, 7]
    assert [refusal.line for refusal in batch.refused] == [8]
    assert "to the right" in batch.refused[0].reason


def test_the_sheet_is_the_first_visible_one_or_the_one_named(tmp_path: Path) -> None:
    book = Workbook()
    first = book.active
    assert first is not None
    first.title, first.sheet_state = "Hidden", "hidden"
    first.append(["wrong"])
    for name in ("Seen", "Other"):
        page = book.create_sheet(name)
        page.append([f"header of {name}"])
        page.append(["x"])
    path = tmp_path / "a.xlsx"
    book.save(path)

    assert rows_of(path)[0] == ["header of Seen"]
    assert rows_of(path, FileOptions(sheet="Other"))[0] == ["header of Other"]
    with pytest.raises(InvalidInput, match="Hidden, Seen, Other"):
        rows_of(path, FileOptions(sheet="Nowhere"))


def test_rows_above_the_header_can_be_skipped(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["Report"], ["id", "name"], [1, "x"]])

    header, rows, _ = rows_of(path, FileOptions(skip_lines=1))

    assert (header, rows) == (["id", "name"], [(3, [1, "x"])])


def test_a_bomb_is_refused_by_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rightrep.intake.xlsx_package.BOMB_BYTES", 1 << 20)
    sheet = b"<worksheet>" + b" " * (1 << 22)
    parts = {"xl/workbook.xml": b"<workbook/>", "xl/worksheets/sheet1.xml": sheet}
    path = zipped(tmp_path, "a.xlsx", parts)

    with pytest.raises(InvalidInput, match=r"decompression bomb: .*sheet1"):
        rows_of(path)


def test_a_bomb_whose_directory_lies_is_refused_by_counting(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["id"], *([f"L{i}"] for i in range(20_000))])
    part = "xl/worksheets/sheet1.xml"
    _understate(path, part, to=1000)

    with pytest.raises(InvalidInput, match=r"larger than it says|damaged"):
        checked_package(path)


def test_a_sheet_with_one_far_cell_is_refused_not_spread_out(tmp_path: Path) -> None:
    book = Workbook()
    page = book.active
    assert page is not None
    page["A1"], page["A2"], page["XFD1048576"] = "id", "L1", "far"
    path = tmp_path / "a.xlsx"
    book.save(path)

    with pytest.raises(InvalidInput, match="reaches row 1,048,576"):
        rows_of(path)


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_truncated_workbook_is_refused(tmp_path: Path, keep: float) -> None:
    whole = workbook(tmp_path, ROWS).read_bytes()
    path = tmp_path / "cut.xlsx"
    path.write_bytes(whole[: int(len(whole) * keep)])

    with pytest.raises(InvalidInput, match="damaged or cut short"):
        rows_of(path)


@pytest.mark.parametrize("fast_cells", [0, 1_000_000])
def test_damaged_xml_is_refused_or_cut_with_its_row(
    tmp_path: Path, fast_cells: int
) -> None:
    whole = workbook(tmp_path, [["id"], *([f"L{i}"] for i in range(50))])
    with zipfile.ZipFile(whole) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    name = "xl/worksheets/sheet1.xml"
    parts[name] = parts[name][: len(parts[name]) // 2]
    path = zipped(tmp_path, "bad.xlsx", parts)

    try:
        batches = list(XlsxRows(path, fast_cells=fast_cells).batches())
    except InvalidInput as error:
        assert error.remedy is not None  # noqa: PT017 - either answer is right
    else:
        refused = [refusal for batch in batches for refusal in batch.refused]
        assert fast_cells or "damaged from here on" in refused[-1].reason


def test_a_zip_that_is_no_workbook_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path, "a.xlsx", {"leads.csv": b"id\n1\n"})

    with pytest.raises(InvalidInput, match="no \\.xlsx workbook"):
        rows_of(path)


def _as_instant(cell: Cell) -> datetime:
    if isinstance(cell, datetime):
        return cell
    assert isinstance(cell, date)
    return _naive(cell.year, cell.month, cell.day)


def _understate(path: Path, part: str, *, to: int) -> None:
    """Write a smaller size, and the checksum of so much, into the zip's directory."""
    with zipfile.ZipFile(path) as package:
        checksum = zlib.crc32(package.read(part)[:to])
        size = package.getinfo(part).file_size
    data = path.read_bytes()
    name = part.encode()
    entry = data.rindex(name) - 46
    assert struct.unpack_from("<L", data, entry + 24)[0] == size
    lied = bytearray(data)
    struct.pack_into("<L", lied, entry + 16, checksum)
    struct.pack_into("<L", lied, entry + 24, to)
    path.write_bytes(bytes(lied))
