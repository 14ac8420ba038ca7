"""Texts in one script: half width, composed, simplified Chinese."""

import unicodedata
from functools import lru_cache

from opencc import OpenCC


def half_width(text: str) -> str:
    """Full-width letters, digits and signs as the plain ones (Unicode's NFKC).

    >>> half_width("ＡＢＣ１２３（上海）")
    'ABC123(上海)'
    """
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def simplified(text: str) -> str:
    """Half width, and traditional Chinese as simplified (OpenCC's ``t2s``).

    >>> simplified("臺灣積體電路")
    '台湾积体电路'
    """
    if text.isascii():
        return text
    half = unicodedata.normalize("NFKC", text)
    converted: str = _converter().convert(half.encode(errors="replace").decode())
    return converted


@lru_cache
def _converter() -> OpenCC:
    return OpenCC("t2s")
