"""A file of any known format as batches of rows; the format is found from its bytes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rightrep.errors import InvalidInput
from rightrep.intake.cells import RawBatch
from rightrep.intake.csv_reader import CsvRows
from rightrep.intake.encodings import ERRORS, found_encoding, known_encoding
from rightrep.intake.json_reader import JsonRows, is_array
from rightrep.intake.source import FileCut, beginning, opened
from rightrep.intake.xlsx_reader import XlsxRows

_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0"
_PARQUET = b"PAR1"
_JSON_ENDINGS = {".json", ".jsonl", ".ndjson"}


class Rows(Protocol):
    """An open file's rows."""

    @property
    def header(self) -> Sequence[str]:
        """Column names."""
        ...

    def batches(self) -> Iterator[RawBatch]:
        """The rows, some thousands at a time; to be read once."""
        ...


@dataclass(frozen=True, slots=True)
class FileOptions:
    """What a person may say about a file instead of letting it be found.

    Attributes:
        encoding: Its encoding, or None to find it.
        delimiter: What separates a CSV's cells, or None to find it.
        sheet: The workbook's sheet, or None for the first visible one.
        skip_lines: Lines above the header to leave out.
    """

    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    skip_lines: int = 0


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file being read.

    Attributes:
        rows: Its rows.
        size: Its bytes on disk.
        encoding: How its text was read; "" for Excel.
        keys_vary: Whether rows may have other keys than the header (JSON).
    """

    rows: Rows
    size: int
    encoding: str
    keys_vary: bool = False


@contextmanager
def reading(path: Path, options: FileOptions | None = None) -> Iterator[OpenFile]:
    """A file's rows: CSV, JSON lines, a JSON array or .xlsx; text may be gzipped.

    Raises:
        InvalidInput: The file is missing, empty, of another format, a bomb, or has no
            usable header or no known encoding.
    """
    options = options or FileOptions()
    head = beginning(path)
    size = path.stat().st_size
    if head.startswith(_ZIP):
        rows = XlsxRows(path, sheet=options.sheet, skip_lines=options.skip_lines)
        yield OpenFile(rows, size, "")
        return
    _refuse_binary(head)
    encoding = (
        found_encoding(lambda: _blocks(path))
        if options.encoding is None
        else known_encoding(options.encoding)
    )
    text = head.decode(encoding, errors=ERRORS)
    with opened(path) as source:
        if _is_json(path, text):
            json_rows = JsonRows(source, encoding, is_array=is_array(text))
            yield OpenFile(json_rows, size, encoding, keys_vary=True)
            return
        csv_rows = CsvRows(
            source,
            encoding,
            delimiter=options.delimiter,
            skip_lines=options.skip_lines,
        )
        yield OpenFile(csv_rows, size, encoding)


def _blocks(path: Path) -> Iterator[bytes]:
    with opened(path) as source:
        try:
            yield from source.blocks()
        except FileCut:
            return


def _is_json(path: Path, text: str) -> bool:
    endings = {ending.lower() for ending in path.suffixes}
    if endings & _JSON_ENDINGS:
        return True
    return ".csv" not in endings and text.lstrip("\ufeff \t\r\n")[:1] in {"{", "["}


def _refuse_binary(head: bytes) -> None:
    if head.startswith(_OLE):
        raise InvalidInput(
            "This is an old Excel file (.xls) or one with a password.",
            field="path",
            remedy="Save it as .xlsx without a password, or as CSV.",
        )
    if head.startswith((_PARQUET, b"%PDF", b"\x89PNG", b"7z\xbc\xaf", b"Rar!")):
        raise InvalidInput(
            "The file is not CSV, JSON or Excel.",
            field="path",
            remedy="Export the rows as CSV, JSON lines or .xlsx.",
        )
