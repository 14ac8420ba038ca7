"""Company names compared: legal forms, widths, case and punctuation taken out."""

import re
import unicodedata
from functools import lru_cache

MOST_KEY = 120
_NOISE = re.compile(r"[\W_]+")
_CHINESE_FORMS = (
    "股份有限责任公司", "有限责任公司", "股份有限公司", "集团有限公司", "有限公司",
    "股份公司", "集团公司", "总公司", "分公司", "公司", "集团",
    "股份有限責任公司", "有限責任公司", "集團有限公司", "集團公司", "總公司", "集團",
    "株式会社", "有限会社", "主式會社",
)  # fmt: skip
_LATIN_FORMS = (
    "limited", "ltd", "inc", "incorporated", "corp", "corporation", "co", "company",
    "llc", "llp", "lp", "plc", "pte", "pty", "gmbh", "ag", "kg", "kgaa", "ohg", "ug",
    "mbh", "ev", "se", "sa", "sas", "sarl", "srl", "spa", "bv", "nv", "ab", "as",
    "aps", "oy", "oyj", "sro", "kft", "zrt", "spzoo", "holding", "holdings", "group",
    "and",
)  # fmt: skip


@lru_cache(maxsize=1 << 15)
def company_key(name: str) -> str | None:
    """What is left of a company's name for comparing; None when nothing is.

    Names that differ by legal form, full and half width, case, spaces or punctuation
    share a key.

    >>> company_key("Acme Trading Co., Ltd."), company_key("ＡＣＭＥ trading")
    ('acmetrading', 'acmetrading')
    >>> company_key("上海机械股份有限公司")
    '上海机械'
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    words = _NOISE.sub(" ", folded.replace(".", "").replace("'", "")).split()
    while len(words) > 1 and words[-1] in _LATIN_FORMS:
        words.pop()
    key = "".join(words)
    for form in _CHINESE_FORMS:
        if key.endswith(form) and len(key) > len(form) + 1:
            key = key.removesuffix(form)
            break
    return key[:MOST_KEY] or None
