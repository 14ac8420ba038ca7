"""The rejects file: rows that did not land, each with line, column and reason.

It is a CSV with the columns of the file it came from, so that its rows can be put right
and imported again; ``rejected_...`` columns are passed over then. Cells that a
spreadsheet would run are written harmless.
"""

import contextlib
import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from rightrep.errors import InvalidInput
from rightrep.intake.cells import Cell, Refusal
from rightrep.intake.formulas import neutralised
from rightrep.intake.numbers import Refused
from rightrep.intake.words import remark

REJECTED = "rejected_"
COLUMNS = ("rejected_line", "rejected_column", "rejected_reason")


class Rejects:
    """Writes a rejects file when the first row is refused; none, no file.

    It is written beside its place and moved there at the end, so that a killed import
    leaves the last whole one.

    Attributes:
        path: Where it will be.
        count: Rows refused so far.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        self._file: TextIO | None = None
        self._header: list[str] = []

    def __enter__(self) -> Self:
        """Begin without a file."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put the file in its place; an older one goes when nothing was refused."""
        if self._file is not None:
            self._file.close()
            self._partial.replace(self.path)
        elif kind is None:
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)

    def write(self, header: Sequence[str], refusals: Iterable[Refusal]) -> None:
        """Add refused rows.

        Args:
            header: Columns of their cells; the first one written is the file's.
            refusals: The rows.

        Raises:
            InvalidInput: The file cannot be written.
        """
        for refusal in refusals:
            if self._file is None:
                self._header = [n for n in header if not n.startswith(REJECTED)]
                self._file = self._open()
            self.count += 1
            self._row(
                [str(refusal.line), refusal.column, refusal.reason],
                self._aligned(header, [_written(cell) for cell in refusal.row]),
            )

    def _aligned(self, header: Sequence[str], cells: list[str]) -> list[str]:
        """Cells under the file's header; those it has no column for go behind."""
        if header == self._header or len(cells) != len(header):
            return cells
        named = dict(zip(header, cells, strict=True))
        known = [named.pop(name, "") for name in self._header]
        return known + [
            f"{name}={cell}"
            for name, cell in named.items()
            if cell and not name.startswith(REJECTED)
        ]

    def _open(self) -> TextIO:
        try:
            # The mark lets Excel see that it is UTF-8.
            file = self._partial.open("w", encoding="utf-8-sig", newline="")
        except OSError as error:
            raise InvalidInput(
                f"The rejects file {self.path} cannot be written: {error.strerror}.",
                field="rejects",
                remedy="Say with --rejects where it may be.",
            ) from error
        csv.writer(file).writerow([*COLUMNS, *map(neutralised, self._header)])
        return file

    def _row(self, about: list[str], cells: list[str]) -> None:
        if self._file is not None:
            csv.writer(self._file).writerow(map(neutralised, [*about, *cells]))


def _written(cell: Cell) -> str:
    try:
        return "" if cell is None else remark(cell)
    except Refused:
        shown = str(cell).encode("utf-8", "replace").decode()
        return shown.replace("\0", "\ufffd")
