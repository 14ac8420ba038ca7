"""Names as they sound: one short ASCII code per Chinese character, Latin as it is.

A character is two signs, its initial and its final (pypinyin), whatever their letters:
a homophone costs nothing, a near sound (an, ang) one sign, another character at most
two. Edit distances over these codes count characters, in a database that compares bytes
as well as here.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from pypinyin import Style, lazy_pinyin

from rightrep.intake.scripts import half_width

_SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%&()*+,-./:;<=>?@[]^_{|}~"
_FINALS = (
    "", "a", "o", "e", "i", "u", "v", "ai", "ei", "ui", "ao", "ou", "iu", "ie", "ve",
    "er", "an", "en", "in", "un", "vn", "ang", "eng", "ing", "ong", "ia", "iao", "ian",
    "iang", "iong", "iou", "ua", "uo", "uai", "uei", "uan", "uang", "uen", "ueng",
    "van", "io", "ê",
)  # fmt: skip
_INITIALS = (
    "", "b", "p", "m", "f", "d", "t", "n", "l", "g", "k", "h", "j", "q", "x", "zh",
    "ch", "sh", "r", "z", "c", "s",
)  # fmt: skip
_TOKEN = re.compile(r"[a-z]+|[0-9]+|[^\W_]")
MOST_SIGNS = 120


def sound_tokens(text: str) -> tuple[str, ...]:
    """Words, numbers and characters of a text, each as it sounds.

    Traditional and simplified characters sound the same.

    >>> sound_tokens("华远 Tech 12") == sound_tokens("華遠TECH１２")
    True
    """
    folded = half_width(text).casefold()
    if not folded.isascii():
        marks = unicodedata.normalize("NFKD", folded)
        folded = "".join(c for c in marks if not unicodedata.combining(c))
    return tuple(map(_code, _TOKEN.findall(folded)))


def joined(tokens: Sequence[str]) -> str:
    """Tokens as one code, cut to what is compared."""
    return "".join(tokens)[:MOST_SIGNS]


@lru_cache(maxsize=1 << 16)
def _code(token: str) -> str:
    if token.isascii():
        return token
    initial = lazy_pinyin(token, style=Style.INITIALS, strict=True)[0]
    final = lazy_pinyin(token, style=Style.FINALS, strict=True)[0]
    if initial in _INITIALS and final in _FINALS and (initial or final):
        return _SIGNS[_INITIALS.index(initial)] + _SIGNS[_FINALS.index(final)]
    point = ord(token)
    return _SIGNS[point // len(_SIGNS) % len(_SIGNS)] + _SIGNS[point % len(_SIGNS)]
