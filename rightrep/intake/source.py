"""A file on disk as bytes: plain or gzipped, never more than it says, never a bomb."""

import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rightrep.errors import InvalidInput

BLOCK_BYTES = 1 << 20
BOMB_BYTES = 1 << 26
BOMB_RATIO = 200
"""Real exports expand 5 to 50 times; only repeated bytes expand further than this."""

_GZIP = b"\x1f\x8b"
_GZIP_BITS = 16 + zlib.MAX_WBITS


class FileCut(Exception):
    """The file ends early or stops making sense; what came before is good.

    Attributes:
        reason: A sentence for the rejects file.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Source:
    """The bytes of an open file, unpacked, in blocks."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._gzipped = raw.read(2) == _GZIP
        raw.seek(0)

    @property
    def consumed(self) -> int:
        """Bytes of the file on disk that were read."""
        return self._raw.tell()

    def blocks(self) -> Iterator[bytes]:
        """The unpacked bytes, from the start.

        Raises:
            FileCut: The compressed stream is cut, damaged or a bomb; what came before
                was given.
        """
        packed = iter(lambda: self._raw.read(BLOCK_BYTES), b"")
        if not self._gzipped:
            yield from packed
            return
        given = 0
        for block in _unpacked(packed):
            given += len(block)
            if given > max(BOMB_BYTES, BOMB_RATIO * self.consumed):
                raise FileCut(
                    f"The file expands more than {BOMB_RATIO} times, as only a "
                    "decompression bomb does. Import it unpacked if it is real."
                )
            yield block


def _unpacked(packed: Iterator[bytes]) -> Iterator[bytes]:
    """Gzip members one after the other; ``gzip`` would lose the block before a cut."""
    inflate = zlib.decompressobj(_GZIP_BITS)
    try:
        for block in packed:
            waiting = block
            while waiting:
                if inflate.eof:
                    inflate = zlib.decompressobj(_GZIP_BITS)
                unpacked = inflate.decompress(waiting, BLOCK_BYTES)
                if unpacked:
                    yield unpacked
                waiting = inflate.unconsumed_tail or inflate.unused_data.lstrip(b"\0")
    except zlib.error:
        raise FileCut("The compressed file is damaged. Copy it again.") from None
    if not inflate.eof:
        raise FileCut("The compressed file ends early. Copy it again.")


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """A file's bytes.

    Raises:
        InvalidInput: There is no such file, or it may not be read, or is empty.
    """
    with _handle(path) as raw:
        yield Source(raw)


def beginning(path: Path, size: int = 4096) -> bytes:
    """The first bytes of a file, unpacked; fewer when it is short or cut."""
    with opened(path) as source:
        try:
            return next(source.blocks(), b"")[:size]
        except FileCut:
            return b""


def _handle(path: Path) -> BinaryIO:
    if path.is_dir():
        raise InvalidInput(f"{path} is a folder, not a file.", field="path")
    try:
        raw = path.open("rb", buffering=io.DEFAULT_BUFFER_SIZE)
    except FileNotFoundError as error:
        raise InvalidInput(
            f"There is no file {path}.", field="path", remedy="Check the path."
        ) from error
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be read: {error.strerror}.", field="path"
        ) from error
    if path.stat().st_size == 0:
        raw.close()
        raise InvalidInput(f"{path} is empty.", field="path")
    return raw
