"""Decoded physical lines with their numbers, bounded in length, that can be re-read."""

import codecs
import io
from collections import deque
from collections.abc import Iterator
from itertools import islice

from rightrep.intake.encodings import ERRORS, MARK
from rightrep.intake.source import FileCut, Source

LINE_CHARACTERS = 1 << 20
RECORD_CHARACTERS = 1 << 22
RECORD_LINES = 10_000
_FREE_REREADING = 1 << 23
_KEPT_OF_LONG = 80


class RecordTooLong(Exception):
    """One record goes on over more lines than any real one does."""


class Lines(Iterator[str]):
    """The lines of a source, line ends kept.

    A line with undecodable bytes, or longer than ``LINE_CHARACTERS``, comes as a
    shortened or repaired text and with an entry in ``spoilt``, so that the record it
    belongs to can be refused and the rest of the file read.

    Attributes:
        number: Number of the line given last; the first is 1.
        taken: Lines given since the record began.
        spoilt: Reasons against lines by number.
        characters: Characters given so far.
    """

    def __init__(self, source: Source, encoding: str) -> None:
        self.number = 0
        self.taken: list[str] = []
        self.spoilt: dict[int, str] = {}
        self._cut: str | None = None
        self.characters = 0
        self._encoding = encoding
        self._again: deque[str] = deque()
        self._record_begun = 0
        self._reread = 0
        self._lines = _physical_lines(self._texts(source))

    def __next__(self) -> str:
        """The next line.

        Raises:
            StopIteration: The file has ended.
            RecordTooLong: The record has too many lines or characters.
        """
        line = self._line()
        self.taken.append(line)
        if (
            len(self.taken) > RECORD_LINES
            or self.characters - self._record_begun > RECORD_CHARACTERS
        ):
            raise RecordTooLong
        return line

    def peek(self, count: int) -> list[str]:
        """The next lines, at most ``count``, which stay the next."""
        lines = list(islice(iter(self._line_or_none, None), count))
        self.give_back(lines)
        return lines

    def skip(self, count: int) -> None:
        """Step over lines."""
        for _ in range(count):
            self._line_or_none()

    def _line_or_none(self) -> str | None:
        try:
            return self._line()
        except StopIteration:
            return None

    def _line(self) -> str:
        if self._again:
            line = self._again.popleft()
            self.number += 1
        else:
            line = next(self._lines)
            self.number += 1
            if MARK in line or len(line) > LINE_CHARACTERS:
                line = self._spoil(line)
        self.characters += len(line)
        return line

    def begin_record(self) -> int:
        """Number of the line that comes next; reasons against earlier ones go."""
        self.taken.clear()
        self._record_begun = self.characters
        if self.spoilt:
            self.spoilt = {n: r for n, r in self.spoilt.items() if n > self.number}
        return self.number + 1

    def give_back(self, lines: list[str]) -> bool:
        """Let the last lines taken be read again, and say whether that may be.

        In all no more is read again than was read once, so that a file made to be read
        over and over takes no longer than two good ones.
        """
        self._reread += sum(map(len, lines))
        if self._reread > self.characters + _FREE_REREADING:
            return False
        self._again.extendleft(reversed(lines))
        self.number -= len(lines)
        return True

    def spoilt_since(self, first: int) -> str | None:
        """The reason against any line from ``first`` to the last one, or None."""
        if not self.spoilt:
            return None
        span = range(first, self.number + 1)
        return next((self.spoilt[n] for n in span if n in self.spoilt), None)

    def cut_in_line(self) -> str | None:
        """Why the line given last breaks off, told once; None when it is whole."""
        if self._cut is None or self.taken[-1].endswith(("\n", "\r")):
            return None
        return self.cut()

    def cut(self) -> str | None:
        """Why the file ended before its end, told once; None when it did not."""
        reason, self._cut = self._cut, None
        return reason

    def _spoil(self, line: str) -> str:
        if len(line) > LINE_CHARACTERS:
            self.spoilt[self.number] = (
                f"The line is longer than {LINE_CHARACTERS:,} characters. Is a quote "
                "or a line end missing?"
            )
            return line[:_KEPT_OF_LONG].replace(MARK, "\ufffd") + "\n"
        self.spoilt[self.number] = (
            f"The line has bytes that are not {self._encoding.removesuffix('-sig')}. "
            "Save the file in one encoding, best UTF-8."
        )
        return line.replace(MARK, "\ufffd")

    def _texts(self, source: Source) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder(self._encoding)(errors=ERRORS)
        try:
            for block in source.blocks():
                yield decoder.decode(block)
        except FileCut as cut:
            self._cut = cut.reason
        yield decoder.decode(b"", final=True)


def _physical_lines(texts: Iterator[str]) -> Iterator[str]:
    """Lines ending in LF, CR LF or CR; of an over-long one only the beginning."""
    rest = ""
    for text in texts:
        # A CR at the end may be half of a CR LF: it waits for what follows.
        joined = rest + text
        lines = list(io.StringIO(joined, newline=""))
        rest = lines.pop() if lines else ""
        if len(rest) > 2 * LINE_CHARACTERS and not rest.endswith(("\n", "\r")):
            rest = rest[: LINE_CHARACTERS + 1]
        yield from lines
    if rest:
        yield rest
