"""CSV, streamed: quoted newlines, right line numbers, and bad rows that spoil no other.

A quote that is never closed would swallow the file. Here only the line it opens in is
refused; reading starts again at the next line.
"""

import csv
from collections.abc import Iterator

from rightrep.errors import InvalidInput
from rightrep.intake.cells import (
    BATCH_CHARACTERS,
    BATCH_ROWS,
    Cell,
    RawBatch,
    Refusal,
)
from rightrep.intake.formulas import restored
from rightrep.intake.lines import RECORD_LINES, Lines, RecordTooLong
from rightrep.intake.source import Source

MOST_COLUMNS = 2_000
_DELIMITERS = (",", ";", "\t", "|")
_SNIFFED_LINES = 20
_AGREEING = 0.8
_TOO_LONG = (
    f"The row goes on for more than {RECORD_LINES:,} lines or 4 million characters, "
    "which are left out with it. Is a quote missing?"
)

csv.field_size_limit(1 << 20)


class CsvRows:
    """The rows of one CSV file.

    Attributes:
        header: Column names.
    """

    def __init__(
        self,
        source: Source,
        encoding: str,
        *,
        delimiter: str | None = None,
        skip_lines: int = 0,
    ) -> None:
        """Read the header.

        Args:
            source: The open file.
            encoding: Codec of its text.
            delimiter: What separates cells; found from the first lines when None.
            skip_lines: Lines above the header to leave out.

        Raises:
            InvalidInput: There is no header, or two columns share a name.
        """
        self._source = source
        self._lines = Lines(source, encoding)
        self._lines.skip(skip_lines)
        self._delimiter = delimiter or self._sniffed()
        self._records = self._read()
        self.header = self._header()

    def batches(self) -> Iterator[RawBatch]:
        """The rows after the header, some thousands at a time."""
        rows: list[list[str]] = []
        lines: list[int] = []
        refused: list[Refusal] = []
        begun = self._lines.characters
        for record in self._records:
            if isinstance(record, Refusal):
                refused.append(record)
            else:
                self._sort(*record, rows, lines, refused)
            if (
                len(rows) + len(refused) >= BATCH_ROWS
                or self._lines.characters - begun > BATCH_CHARACTERS
            ):
                yield self._batch(rows, lines, refused)
                rows, lines, refused = [], [], []
                begun = self._lines.characters
        yield self._batch(rows, lines, refused)

    def _sort(
        self,
        line: int,
        row: list[str],
        rows: list[list[str]],
        lines: list[int],
        refused: list[Refusal],
    ) -> None:
        width = len(self.header)
        if len(row) > width and not any(cell.strip() for cell in row[width:]):
            row = row[:width]
        if len(row) == width:
            rows.append(row)
            lines.append(line)
            return
        refused.append(
            Refusal(
                line,
                "",
                f"The row has {len(row)} cells and the header {width}. A separator "
                "or a quote is missing, or the line is cut short.",
                row,
            )
        )

    def _batch(
        self, rows: list[list[str]], lines: list[int], refused: list[Refusal]
    ) -> RawBatch:
        columns = [_cleaned(column) for column in zip(*rows, strict=True)]
        if not rows:
            columns = [[] for _ in self.header]
        return RawBatch(self.header, columns, lines, refused, self._source.consumed)

    def _read(self) -> Iterator[tuple[int, list[str]] | Refusal]:
        """Records with the line they start in; blank lines left out."""
        lines = self._lines
        while True:
            reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
            try:
                while True:
                    first = lines.begin_record()
                    row = next(reader)
                    spoilt = lines.spoilt_since(first) or lines.cut_in_line()
                    if spoilt is not None:
                        yield self._spoilt(first, spoilt, row)
                        continue
                    if row:
                        yield first, row
            except StopIteration:
                break
            except csv.Error as error:
                yield self._broken(first, _explained(str(error)))
            except RecordTooLong:
                yield Refusal(first, "", _TOO_LONG, [lines.taken[0].rstrip("\r\n")])
        cut = lines.cut()
        if cut is not None:
            yield Refusal(lines.number + 1, "", cut, ())

    def _spoilt(self, first: int, reason: str, row: list[str]) -> Refusal:
        """Refuse the record; lines that a spoilt first line swallowed come again."""
        lines = self._lines
        swallowed = lines.taken[1:]
        if first in lines.spoilt and swallowed and lines.give_back(swallowed):
            row = [lines.taken[0].rstrip("\r\n")]
        return Refusal(first, "", reason, row)

    def _broken(self, first: int, reason: str) -> Refusal:
        lines = self._lines
        reason = lines.spoilt.get(first, reason)
        last = lines.number
        if not lines.give_back(lines.taken[1:]):
            reason = f"{reason} The lines to {last} are left out with it."
        return Refusal(first, "", reason, [lines.taken[0].rstrip("\r\n")])

    def _sniffed(self) -> str:
        """The delimiter under which the first lines agree on the most columns."""
        sample = self._lines.peek(_SNIFFED_LINES)
        hint = sample[0].strip().lower() if sample else ""
        if hint.startswith("sep=") and len(hint) == len("sep=,"):
            self._lines.skip(1)
            return hint[-1]
        widths = {mark: _width(sample, mark) for mark in _DELIMITERS}
        return max(_DELIMITERS, key=lambda mark: widths[mark])

    def _header(self) -> list[str]:
        record = next(self._records, None)
        if record is None:
            raise InvalidInput(
                "The file has no header: its first line must name the columns.",
                field="header",
            )
        if isinstance(record, Refusal):
            raise InvalidInput(
                f"Line {record.line} should name the columns. {record.reason}",
                field="header",
            )
        return checked_header([name.strip() for name in record[1]])


def checked_header(names: list[str]) -> list[str]:
    """The column names, if they can serve.

    Raises:
        InvalidInput: Two columns share a name, or there are none or far too many.
    """
    while names and not names[-1]:
        names.pop()
    named = [name for name in names if name]
    if not named or len(names) > MOST_COLUMNS:
        raise InvalidInput(
            f"The header names {len(named)} columns; it may name 1 to {MOST_COLUMNS}.",
            field="header",
            remedy="Check the delimiter and the first line.",
        )
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput(
            f"Two columns are called {twice!r}.",
            field="header",
            remedy="Give each column its own name.",
        )
    return names


def _cleaned(column: tuple[str, ...]) -> list[Cell]:
    cells: list[Cell] = [cell.strip() or None for cell in column]
    if "'" in "".join(column):
        return [restored(cell) if isinstance(cell, str) else None for cell in cells]
    return cells


def _width(sample: list[str], delimiter: str) -> int:
    """Columns of the header, or 0 where most rows have another number."""
    try:
        rows = [row for row in csv.reader(sample, delimiter=delimiter) if row]
    except csv.Error:
        return 0
    if not rows:
        return 0
    # The last line may be cut by the end of the sample.
    agreeing = sum(len(row) == len(rows[0]) for row in rows)
    return len(rows[0]) if agreeing >= _AGREEING * (len(rows) - 1) else 0


def _explained(error: str) -> str:
    if "unexpected end" in error or "field larger" in error:
        return (
            "A quoted cell is never closed. Close the quote, or double it to keep it."
        )
    if "expected after" in error:
        return "Text follows a closing quote. Double the quotes inside a quoted cell."
    return f"The line is not CSV: {error}."
