"""What is inside an .xlsx file, looked at before anything reads it.

An .xlsx is a zip of XML. Its directory says how large each part is, and may lie; so the
parts that readers expand are inflated here once, in blocks, and counted.
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rightrep.errors import InvalidInput
from rightrep.intake.source import BLOCK_BYTES, BOMB_BYTES, BOMB_RATIO

UNPACKED_BYTES = 4 << 30
STRINGS_BYTES = 256 << 20
SPARSE_CELLS = 30_000_000
CELLS_PER_BYTE = 20
_LOCAL_HEADER = struct.Struct("<26xHH")
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
_STRINGS = "xl/sharedstrings.xml"
_ROW = re.compile(rb'<(?:\w+:)?row\b[^>]*?\br="(\d{1,9})"')
_WIDE = re.compile(rb'\br="([A-Z]{2,3})[0-9]')
_NARROW_COLUMNS = 26


@dataclass(frozen=True, slots=True)
class Extent:
    """How large a sheet is when every cell up to its last row and column is counted.

    Attributes:
        rows: Number of the last row.
        columns: Number of the last column; 26 when it is Z or before.
    """

    rows: int
    columns: int

    @property
    def cells(self) -> int:
        """Cells of the full rectangle."""
        return self.rows * self.columns


def checked_package(path: Path) -> Extent:
    """The extent of the largest sheet.

    Raises:
        InvalidInput: The file is damaged, no workbook, or expands like a bomb.
    """
    try:
        with zipfile.ZipFile(path) as package, path.open("rb") as raw:
            parts = {part.filename.lower(): part for part in package.infolist()}
            if "xl/workbook.xml" not in parts:
                raise _refused("is a zip archive but no .xlsx workbook", "Unpack it.")
            return _extent(raw, parts)
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError) as error:
        raise _refused("is damaged or cut short", "Save or copy it again.") from error


def _extent(raw: BinaryIO, parts: dict[str, zipfile.ZipInfo]) -> Extent:
    _refuse_bombs(parts)
    if _STRINGS in parts:
        for _ in _inflated(raw, parts[_STRINGS]):
            pass
    extent = Extent(1, 1)
    for name, part in parts.items():
        if _SHEET.fullmatch(name):
            sheet = _sheet_extent(_inflated(raw, part))
            _refuse_far_cells(sheet, part)
            extent = max(extent, sheet, key=lambda each: each.cells)
    return extent


def _refuse_far_cells(sheet: Extent, part: zipfile.ZipInfo) -> None:
    """A cell at XFD1048576 makes readers spread out 17 billion empty ones."""
    if sheet.cells > max(SPARSE_CELLS, CELLS_PER_BYTE * part.file_size):
        raise InvalidInput(
            f"A sheet has a cell far from the others: it reaches row {sheet.rows:,} "
            "and holds little.",
            field="path",
            remedy="Delete the empty rows and columns, or save the sheet as CSV.",
        )


def _refuse_bombs(parts: dict[str, zipfile.ZipInfo]) -> None:
    total = sum(part.file_size for part in parts.values())
    strings = parts.get(_STRINGS)
    for part in parts.values():
        too_dense = part.file_size > BOMB_RATIO * max(part.compress_size, 1)
        if part.file_size > BOMB_BYTES and too_dense:
            raise _bomb(f"{part.filename} expands more than {BOMB_RATIO} times")
    if total > UNPACKED_BYTES:
        raise _bomb(f"it expands to {total / 2**30:.1f} GiB")
    if strings is not None and strings.file_size > STRINGS_BYTES:
        raise _bomb(f"its texts expand to {strings.file_size / 2**20:.0f} MiB")


def _sheet_extent(blocks: Iterator[bytes]) -> Extent:
    rows, columns, rest = 1, _NARROW_COLUMNS, b""
    for block in blocks:
        text = rest + block
        rows = max([rows, *map(int, _ROW.findall(text))])
        wide = set(_WIDE.findall(text))
        columns = max([columns, *map(_column_number, wide)])
        rest = text[-256:]
    return Extent(rows, columns)


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _inflated(raw: BinaryIO, part: zipfile.ZipInfo) -> Iterator[bytes]:
    """The part's true bytes, refused when there are more than its directory says."""
    given = 0
    for block in _unpacked(_packed(raw, part), part.compress_type):
        given += len(block)
        if given > part.file_size:
            raise _bomb(f"{part.filename} is larger than it says")
        yield block


def _packed(raw: BinaryIO, part: zipfile.ZipInfo) -> Iterator[bytes]:
    raw.seek(part.header_offset)
    name, extra = _LOCAL_HEADER.unpack(raw.read(_LOCAL_HEADER.size))
    raw.seek(name + extra, 1)
    left = part.compress_size
    while left > 0 and (block := raw.read(min(left, BLOCK_BYTES))):
        left -= len(block)
        yield block


def _unpacked(blocks: Iterator[bytes], method: int) -> Iterator[bytes]:
    if method == zipfile.ZIP_STORED:
        yield from blocks
        return
    if method != zipfile.ZIP_DEFLATED:
        raise _refused("is packed in an unusual way", "Save it again as .xlsx.")
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    for block in blocks:
        waiting = block
        while waiting and not inflate.eof:
            yield inflate.decompress(waiting, BLOCK_BYTES)
            waiting = inflate.unconsumed_tail


def _bomb(how: str) -> InvalidInput:
    return InvalidInput(
        f"The workbook looks like a decompression bomb: {how}.",
        field="path",
        remedy="If it is real, save the sheet as CSV and import that.",
    )


def _refused(what: str, remedy: str) -> InvalidInput:
    return InvalidInput(f"The file {what}.", field="path", remedy=remedy)
