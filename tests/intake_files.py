"""Small files for intake tests, and what readers make of them."""

import gzip
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from openpyxl import Workbook

from rightrep.intake.cells import Cell, Refusal
from rightrep.intake.fields import Kind
from rightrep.intake.importing import importing
from rightrep.intake.mapping import LoadedMapping, canonical, load_mapping
from rightrep.intake.readers import FileOptions, reading
from rightrep.intake.records import Record

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def written(folder: Path, name: str, content: str | bytes) -> Path:
    """A file with this content; text as UTF-8."""
    path = folder / name
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def workbook(
    folder: Path,
    rows: Sequence[Sequence[object]],
    name: str = "book.xlsx",
    sheet: str = "Leads",
) -> Path:
    """A workbook of one sheet."""
    book = Workbook(write_only=True)
    page = book.create_sheet(sheet)
    for row in rows:
        page.append(list(row))
    path = folder / name
    book.save(path)
    return path


def zipped(folder: Path, name: str, parts: Mapping[str, bytes]) -> Path:
    """A zip archive of these parts."""
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for part, data in parts.items():
            package.writestr(part, data)
    return path


def rows_of(
    path: Path, options: FileOptions | None = None
) -> tuple[list[str], list[tuple[int, list[Cell]]], list[Refusal]]:
    """Header, (line, cells) of every row, and the rows refused."""
    rows: list[tuple[int, list[Cell]]] = []
    refused: list[Refusal] = []
    with reading(path, options) as file:
        header = list(file.rows.header)
        for batch in file.rows.batches():
            rows += [(batch.lines[i], batch.row(i)) for i in range(batch.n_rows)]
            refused += batch.refused
    return header, rows, refused


def records_of(
    path: Path,
    mapping: LoadedMapping,
    *,
    time_zone: str = "UTC",
    currency: str = "CNY",
) -> tuple[list[Record], list[Refusal]]:
    """Every record of a file, and the rows refused."""
    records: list[Record] = []
    refused: list[Refusal] = []
    with importing(
        path, mapping, now=NOW, time_zone=time_zone, currency=currency
    ) as file:
        for batch in file.batches():
            records += batch.records
            refused += batch.refused
    return records, refused


def mapped(folder: Path, kind: Kind, toml: str) -> LoadedMapping:
    """A mapping from TOML text, in a file of this folder."""
    return load_mapping(written(folder, "mapping.toml", toml), kind)


def plain(kind: Kind = Kind.LEADS) -> LoadedMapping:
    """Headers are fields."""
    return canonical(kind)
