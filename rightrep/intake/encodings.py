"""Which encoding a file is in: UTF-8, UTF-16, GBK and what else exports come in.

A byte order mark decides; then strict UTF-8; then the shape of the bytes (GB2312 pairs,
hangul, Latin letters with a few accents), which settles short samples better than
``charset_normalizer``; then that, among the encodings that business exports use and
that decode the sample strictly. Undecodable bytes further on become ``MARK``, so that a
reader can refuse the line they are in and go on.
"""

import codecs
import re
from collections.abc import Callable, Iterator

from rightrep.errors import InvalidInput

MARK = "\udcff"
"""Stands for undecodable bytes; no strict decoder ever gives it."""

ERRORS = "rightrep-mark"
SAMPLE_BYTES = 1 << 20
_GUESS_BYTES = 1 << 15

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHOICES = ("gb18030", "big5", "cp1252", "shift_jis", "euc_kr", "cp1251")
_HIGH = re.compile(rb"[\x80-\xff]")
_LETTERS = re.compile(rb"[A-Za-z\x80-\xff]")
_GB2312_RUNS = re.compile(rb"(?:[\xa1-\xa9\xb0-\xf7][\xa1-\xfe])+")
_NEARLY_ALL = 0.97
_CHARACTERS_PER_MISTAKE = 2
_LATIN_SHARE = 0.25
_HANGUL_END = 0xC9
_ENOUGH_PAIRS = 12
_REMEDY = (
    'Save the file as UTF-8, or name its encoding in the mapping: encoding = "gb18030".'
)


def _marked(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return MARK, error.end


codecs.register_error(ERRORS, _marked)


def known_encoding(name: str) -> str:
    """The codec of a name a person wrote; GBK and GB2312 read as GB18030, their whole.

    Raises:
        InvalidInput: No text encoding has this name.
    """
    try:
        codec = codecs.lookup(name.strip())
        "".encode(codec.name)
    except (LookupError, TypeError, ValueError) as error:
        raise InvalidInput(
            f"{name!r} is not an encoding.",
            field="encoding",
            remedy='Give one such as "utf-8", "gb18030", "utf-16" or "cp1252".',
        ) from error
    if codec.name in {"gbk", "gb2312", "hz"}:
        return "gb18030"
    return "utf-8-sig" if codec.name == "utf-8" else codec.name


def found_encoding(blocks: Callable[[], Iterator[bytes]]) -> str:
    """The encoding of a file.

    Args:
        blocks: Gives the file's bytes from the start, in blocks; read no further than
            the first block that is not ASCII.

    Raises:
        InvalidInput: No encoding fits.
    """
    first = next(blocks(), b"")
    for bom, name in _BOMS:
        if first.startswith(bom):
            return name
    if wide := _wide(first):
        return wide
    sample = next((block for block in blocks() if not block.isascii()), b"")
    if _fits(sample, "utf-8") or _is_damaged_utf8(sample):
        return "utf-8-sig"
    return _guessed(_telling_lines(sample))


def _wide(sample: bytes) -> str | None:
    """UTF-16 without its mark: half of the bytes of its commas and digits are zero."""
    head = sample[:4096]
    zeros = (head[0::2].count(0), head[1::2].count(0))
    if max(zeros) < max(len(head) // 10, 1):
        return None
    name = "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    return name if _fits(head, name) else None


def _fits(sample: bytes, encoding: str) -> bool:
    """Whether the sample decodes; a character cut at its end is forgiven."""
    try:
        codecs.getincrementaldecoder(encoding)().decode(sample, final=False)
    except UnicodeError:
        return False
    return True


def _is_damaged_utf8(sample: bytes) -> bool:
    """Far more characters than mistakes; text in other encodings is all mistakes."""
    text = sample.decode("utf-8", errors=ERRORS)
    mistakes = text.count(MARK)
    characters = sum(not character.isascii() for character in text) - mistakes
    return characters >= _CHARACTERS_PER_MISTAKE * mistakes


def _telling_lines(sample: bytes) -> bytes:
    lines = [line for line in sample.splitlines() if not line.isascii()]
    return b"\n".join(lines)[:_GUESS_BYTES]


def _guessed(telling: bytes) -> str:
    fitting = [name for name in _CHOICES if _fits(telling, name)]
    if not fitting:
        raise InvalidInput(
            "The file's encoding was not recognised.", field="encoding", remedy=_REMEDY
        )
    if "gb18030" in fitting and _is_gb2312(telling):
        return "euc_kr" if _is_hangul(telling) else "gb18030"
    if "cp1252" in fitting and _high_share(telling) < _LATIN_SHARE:
        return "cp1252"
    # Imported here: it takes 60 ms, and most files are UTF-8.
    from charset_normalizer import from_bytes

    best = from_bytes(telling, cp_isolation=fitting).best()
    return known_encoding(best.encoding) if best is not None else fitting[0]


def _is_gb2312(telling: bytes) -> bool:
    """Nearly all high bytes are pairs of GB2312; short names settle nothing better."""
    in_pairs = sum(len(run) for run in _GB2312_RUNS.findall(telling))
    return in_pairs >= _NEARLY_ALL * len(_HIGH.findall(telling))


def _is_hangul(telling: bytes) -> bool:
    """All leads below 0xC9: half of Chinese lies above (pinyin s to z)."""
    pairs = b"".join(_GB2312_RUNS.findall(telling))
    leads = pairs[0::2]
    low = sum(lead < _HANGUL_END for lead in leads)
    return len(leads) >= _ENOUGH_PAIRS and low >= _NEARLY_ALL * len(leads)


def _high_share(telling: bytes) -> float:
    return len(_HIGH.findall(telling)) / max(len(_LETTERS.findall(telling)), 1)
