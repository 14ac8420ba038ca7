"""What readers hand on: batches of cells by column, and rows that were refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

Cell = str | int | float | bool | datetime | date | time | timedelta | None
"""One cell: text from CSV, native values from Excel and JSON, None where empty."""

BATCH_ROWS = 10_000
BATCH_CHARACTERS = 1 << 24


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that did not land.

    Attributes:
        line: Line of the file where the row starts; the sheet's row for Excel.
        column: The file's column at fault, or "" when it is the whole row.
        reason: What is wrong and what to do.
        row: The cells as they were read; shorter than the header when cut.
    """

    line: int
    column: str
    reason: str
    row: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Some rows of a file, by column.

    Attributes:
        header: Column names; unique, "" for a column without a name.
        columns: Cells of each column; all of length ``n_rows``.
        lines: Line of the file where each row starts.
        refused: Rows that could not be read at all.
        consumed: Bytes of the file read so far (compressed bytes for gz and xlsx).
    """

    header: Sequence[str]
    columns: Sequence[Sequence[Cell]]
    lines: Sequence[int]
    refused: Sequence[Refusal]
    consumed: int

    @property
    def n_rows(self) -> int:
        """Rows that could be read."""
        return len(self.lines)

    def row(self, i: int) -> list[Cell]:
        """The cells of row ``i`` in the header's order."""
        return [column[i] for column in self.columns]

    def refuse(self, i: int, problems: Mapping[str, str]) -> Refusal:
        """Row ``i`` refused for its problems, reasons by the file's column."""
        return Refusal(
            self.lines[i],
            "; ".join(column for column in problems if column),
            " ".join(problems.values()),
            self.row(i),
        )
