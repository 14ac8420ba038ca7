"""One sheet of an Excel workbook, row by row.

calamine reads 75,000 rows of 15 columns per second but keeps the whole sheet (about 90
bytes per cell), openpyxl streams at 4,500 in constant memory (measured side by side on
100,000 rows, two cores). So calamine reads sheets up to ``FAST_CELLS``, openpyxl those
beyond.
"""

import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException
from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

from rightrep.errors import InvalidInput
from rightrep.intake.cells import BATCH_ROWS, Cell, RawBatch, Refusal
from rightrep.intake.csv_reader import MOST_COLUMNS, checked_header
from rightrep.intake.formulas import restored
from rightrep.intake.source import FileCut
from rightrep.intake.xlsx_package import checked_package

FAST_CELLS = 6_000_000
_BATCH_CELLS = 1_000_000
_TOO_WIDE = "The row has cells to the right of the header's last column."
_XML_ERRORS = (ParseError, KeyError, ValueError, TypeError, AttributeError, IndexError)

NumberedRow = tuple[int, Sequence[Cell]]


class XlsxRows:
    """The rows of one sheet.

    Attributes:
        header: Column names, from the first row that has any.
    """

    def __init__(
        self,
        path: Path,
        *,
        sheet: str | None = None,
        skip_lines: int = 0,
        fast_cells: int = FAST_CELLS,
    ) -> None:
        """Open the sheet and read its header.

        Args:
            path: The workbook.
            sheet: Name of the sheet; the first visible one when None.
            skip_lines: Rows above the header to leave out.
            fast_cells: Cells up to which the whole sheet is kept in memory.

        Raises:
            InvalidInput: The workbook is damaged, a bomb, or has no such sheet; or
                there is no header.
        """
        extent = checked_package(path)
        self._size = path.stat().st_size
        self._last = max(extent.rows, 1)
        read = _fast_rows if extent.cells <= fast_cells else _streamed_rows
        self._rows = _filled(read(path, sheet), skip_lines)
        self._last_read, names = next(self._rows, (1, ()))
        self.header = checked_header([_name(cell) for cell in _cut(names)])
        self._width = len(self.header)

    def batches(self) -> Iterator[RawBatch]:
        """The rows after the header, some thousands at a time."""
        rows: list[list[Cell]] = []
        lines: list[int] = []
        refused: list[Refusal] = []
        most = max(1, min(BATCH_ROWS, _BATCH_CELLS // self._width))
        try:
            for number, row in self._rows:
                self._last_read = number
                if any(cell is not None for cell in row[self._width :]):
                    refused.append(Refusal(number, "", _TOO_WIDE, row))
                else:
                    rows.append(_padded(row, self._width))
                    lines.append(number)
                if len(lines) + len(refused) >= most:
                    yield self._batch(rows, lines, refused)
                    rows, lines, refused = [], [], []
        except FileCut as cut:
            refused.append(Refusal(self._last_read + 1, "", cut.reason, ()))
        yield self._batch(rows, lines, refused)

    def _batch(
        self, rows: list[list[Cell]], lines: list[int], refused: list[Refusal]
    ) -> RawBatch:
        consumed = self._size * min(self._last_read, self._last) // self._last
        columns = [list(column) for column in zip(*rows, strict=True)]
        if not rows:
            columns = [[] for _ in self.header]
        return RawBatch(self.header, columns, lines, refused, consumed)


def _fast_rows(path: Path, sheet: str | None) -> Iterator[NumberedRow]:
    try:
        book = CalamineWorkbook.from_path(path)
        visible = [
            about.name
            for about in book.sheets_metadata
            if about.visible == SheetVisibleEnum.Visible
        ]
        name = _chosen_sheet(visible or book.sheet_names, book.sheet_names, sheet)
        page = book.get_sheet_by_name(name)
    except CalamineError as error:
        raise _unreadable(error) from error
    yield from enumerate(page.iter_rows(), start=1)


def _streamed_rows(path: Path, sheet: str | None) -> Iterator[NumberedRow]:
    try:
        # openpyxl warns of styles and extensions that have no bearing on values.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = load_workbook(path, read_only=True, data_only=True, keep_links=False)
        shown = [
            page.title for page in book.worksheets if page.sheet_state == "visible"
        ]
        name = _chosen_sheet(shown or book.sheetnames, book.sheetnames, sheet)
    except (InvalidFileException, zipfile.BadZipFile, *_XML_ERRORS) as error:
        raise _unreadable(error) from error
    try:
        yield from enumerate(book[name].iter_rows(values_only=True), start=1)
    except (zipfile.BadZipFile, *_XML_ERRORS) as error:
        raise FileCut("The sheet is damaged from here on. Save it again.") from error
    finally:
        book.close()


def _chosen_sheet(
    shown: Sequence[str], names: Sequence[str], wanted: str | None
) -> str:
    if wanted is None:
        wanted = next(iter(shown), "")
    if wanted in names:
        return wanted
    raise InvalidInput(
        f"The workbook has no sheet {wanted!r}.",
        field="sheet",
        remedy=f"Its sheets are: {', '.join(names) or 'none'}.",
    )


def _filled(rows: Iterator[NumberedRow], skip: int) -> Iterator[NumberedRow]:
    """Rows with at least one value, below the skipped ones."""
    for number, row in rows:
        if number <= skip:
            continue
        cells = [_cell(cell) for cell in row]
        if any(cell is not None for cell in cells):
            yield number, cells


def _cell(cell: Cell) -> Cell:
    if isinstance(cell, str):
        return restored(cell.strip()) or None
    return cell


def _name(cell: Cell) -> str:
    return "" if cell is None else str(cell)


def _cut(row: Sequence[Cell]) -> Sequence[Cell]:
    return row[: MOST_COLUMNS + 1]


def _padded(row: Sequence[Cell], width: int) -> list[Cell]:
    cut = list(row[:width])
    return cut + [None] * (width - len(cut))


def _unreadable(error: Exception) -> InvalidInput:
    return InvalidInput(
        f"The workbook cannot be read: {str(error).splitlines()[0][:200]}.",
        field="path",
        remedy="Open it in Excel, save it as .xlsx without a password, and try again.",
    )
