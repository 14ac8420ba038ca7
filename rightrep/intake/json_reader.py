"""JSON lines, or one JSON array of objects, streamed one object at a time."""

import codecs
import json
import re
from collections.abc import Iterator, Mapping

import orjson

from rightrep.errors import InvalidInput
from rightrep.intake.cells import (
    BATCH_CHARACTERS,
    BATCH_ROWS,
    Cell,
    RawBatch,
    Refusal,
)
from rightrep.intake.encodings import ERRORS, MARK
from rightrep.intake.lines import LINE_CHARACTERS, Lines
from rightrep.intake.source import FileCut, Source

Record = Mapping[str, Cell]
_SPACE = re.compile(r"[ \t\r\n]*")
_MOST_KEYS = 2_000


class JsonRows:
    """The objects of one JSON file.

    Attributes:
        header: Keys of the first objects, in the order they come.
    """

    def __init__(self, source: Source, encoding: str, *, is_array: bool) -> None:
        """Read the first objects.

        Args:
            source: The open file.
            encoding: Codec of its text.
            is_array: One array of objects; else one object per line.
        """
        self._source = source
        self._characters = 0
        read = self._of_array if is_array else self._of_lines
        self._batches = self._batched(read(source, encoding))
        self._first = next(self._batches)
        self.header = self._first.header

    def batches(self) -> Iterator[RawBatch]:
        """The objects, some thousands at a time; each batch with the keys it has."""
        yield self._first
        yield from self._batches

    def _batched(
        self, records: Iterator[tuple[int, Record] | Refusal]
    ) -> Iterator[RawBatch]:
        rows: list[Record] = []
        lines: list[int] = []
        refused: list[Refusal] = []
        begun = self._characters
        for record in records:
            if isinstance(record, Refusal):
                refused.append(record)
            else:
                lines.append(record[0])
                rows.append(record[1])
            if (
                len(lines) + len(refused) >= BATCH_ROWS
                or self._characters - begun > BATCH_CHARACTERS
            ):
                yield self._batch(rows, lines, refused)
                rows, lines, refused = [], [], []
                begun = self._characters
        yield self._batch(rows, lines, refused)

    def _batch(
        self, rows: list[Record], lines: list[int], refused: list[Refusal]
    ) -> RawBatch:
        header = list(dict.fromkeys(key for row in rows for key in row))
        columns = [[row.get(key) for row in rows] for key in header]
        return RawBatch(header, columns, lines, refused, self._source.consumed)

    def _of_lines(
        self, source: Source, encoding: str
    ) -> Iterator[tuple[int, Record] | Refusal]:
        lines = Lines(source, encoding)
        while True:
            number = lines.begin_record()
            line = next(lines, None)
            if line is None:
                break
            self._characters = lines.characters
            spoilt = lines.spoilt_since(number) or lines.cut_in_line()
            if spoilt is not None:
                yield Refusal(number, "", spoilt, [line.strip()])
            elif line.strip():
                yield _record(number, line)
        cut = lines.cut()
        if cut is not None:
            yield Refusal(lines.number + 1, "", cut, ())

    def _of_array(
        self, source: Source, encoding: str
    ) -> Iterator[tuple[int, Record] | Refusal]:
        text = _Text(source, encoding)
        text.open()
        while (value := text.element()) is not None:
            self._characters = text.characters
            if isinstance(value, Refusal):
                yield value
                return
            yield _row(*value)


class _Text:
    """A window on a JSON array's text, moved from element to element."""

    def __init__(self, source: Source, encoding: str) -> None:
        self._blocks = source.blocks()
        self._decoder = codecs.getincrementaldecoder(encoding)(errors=ERRORS)
        self._json = json.JSONDecoder()
        self._text = ""
        self._at = 0
        self._line = 1
        self._cut = "The array is never closed: the file is cut short."
        self._ended = False
        self._broken: Refusal | None = None
        self.characters = 0

    def open(self) -> None:
        """Step over the array's opening bracket."""
        self._skip()
        self._move(self._at + 1)

    def element(self) -> tuple[int, object] | Refusal | None:
        """The next element and its line, a refusal of the rest, or None at the end."""
        if self._broken is not None:
            return self._broken
        self._skip()
        if self._peek() == "]":
            return None
        line = self._line
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
            except (json.JSONDecodeError, RecursionError) as error:
                if not self._needs_more() or not self._more():
                    return self._refused(line, error)
                continue
            # A number at the window's end may go on after it.
            if end == len(self._text) and self._more():
                continue
            self._move(end)
            self._step_over_comma()
            return line, value

    def _step_over_comma(self) -> None:
        self._skip()
        if self._peek() == ",":
            self._move(self._at + 1)
        elif self._peek() != "]":
            self._broken = self._refused(self._line, None)

    def _refused(self, line: int, error: Exception | None) -> Refusal:
        begun = self._text[self._at : self._at + 200]
        if self._ended and (error is None or self._at >= len(self._text)):
            return Refusal(line, "", self._cut, [begun])
        reason = "The text from here on is not JSON; nothing after it can be read."
        if self._ended:
            reason = f"{reason} {self._cut}"
        return Refusal(line, "", reason, [begun])

    def _skip(self) -> None:
        while True:
            space = _SPACE.match(self._text, self._at)
            end = space.end() if space is not None else self._at
            self._move(end)
            if end < len(self._text) or not self._more():
                return

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _move(self, to: int) -> None:
        self._line += self._text.count("\n", self._at, to)
        self.characters += to - self._at
        self._at = to

    def _needs_more(self) -> bool:
        return len(self._text) - self._at <= LINE_CHARACTERS

    def _more(self) -> bool:
        """Widen the window by a block, and forget what was read."""
        if self._ended:
            return False
        try:
            block = next(self._blocks, None)
        except FileCut as cut:
            self._cut, block = cut.reason, None
        self._ended = block is None
        more = self._decoder.decode(block or b"", final=self._ended)
        self._text = self._text[self._at :] + more
        self._at = 0
        return True


def _record(line: int, text: str) -> tuple[int, Record] | Refusal:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        reason = f"The line is not JSON: {str(error).rsplit(':', 1)[0]}."
        return Refusal(line, "", reason, [text.strip()[:200]])
    return _row(line, value)


def _row(line: int, value: object) -> tuple[int, Record] | Refusal:
    if not isinstance(value, dict) or len(value) > _MOST_KEYS:
        reason = "Each element must be an object with at most 2,000 keys."
        return Refusal(line, "", reason, [str(value)[:200]])
    row: dict[str, Cell] = {}
    for key, part in value.items():
        if isinstance(part, dict):
            row.update({f"{key}.{inner}": _cell(x) for inner, x in part.items()})
        else:
            row[key] = _cell(part)
    if any(isinstance(cell, str) and MARK in cell for cell in row.values()):
        reason = "The object has bytes that cannot be decoded. Save it as UTF-8."
        shown = [str(cell).replace(MARK, "\ufffd") for cell in row.values()]
        return Refusal(line, "", reason, shown)
    return line, row


def _cell(part: object) -> Cell:
    if isinstance(part, str):
        return part.strip() or None
    if part is None or isinstance(part, bool | int | float):
        return part
    if isinstance(part, list) and all(isinstance(x, str | int | float) for x in part):
        return ";".join(str(x) for x in part)
    return orjson.dumps(part, default=str).decode()


def is_array(beginning: str) -> bool:
    """Whether JSON text begins as an array.

    Raises:
        InvalidInput: It begins as neither an array nor an object.
    """
    first = beginning.lstrip("\ufeff \t\r\n")[:1]
    if first not in {"[", "{"}:
        raise InvalidInput(
            "The file is neither a JSON array nor JSON lines.",
            field="path",
            remedy="Give one object per line, or one array of objects.",
        )
    return first == "["
