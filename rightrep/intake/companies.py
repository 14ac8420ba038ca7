"""Company names compared: legal forms, scripts, widths, case, punctuation taken out.

The list of legal forms is our own. Those of cleanco were tried: with them "Amazon UK"
and "Amazon CA" are one company, since ``uk`` and ``ca`` are legal forms somewhere.
"""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from rightrep.intake.addresses import places_at
from rightrep.intake.scripts import simplified

MOST_KEY = 120
_NOISE = re.compile(r"[\W_]+")
_MARKS = re.compile("[\u0300-\u036f]")
_ACCENTED = re.compile("[\u00c0-\u036f\u1e00-\u1eff]")
_BRACKETS = re.compile(r"[(\[{【〔]([^()\[\]{}【】〔〕]+)[)\]}】〕]")
_BRANCH = re.compile(r"(.{2,}?)(?:有限责任|股份有限|有限|集团|总)?公司(.{2,})分公司")
_LEADING_FORMS = ("株式会社", "有限会社", "合同会社", "주식회사")
_ASIAN_FORMS = (
    "股份有限责任公司", "有限责任公司", "股份有限公司", "有限公司", "股份公司",
    "总公司", "分公司", "公司", "集团", "有限合伙企业", "合伙企业有限合伙",
    "合伙企业", "有限合伙", "特殊普通合伙", "普通合伙", "个人独资企业", "个体工商户",
    *_LEADING_FORMS,
)  # fmt: skip
_LATIN_FORMS = frozenset((
    "limited", "ltd", "ltda", "inc", "incorporated", "corp", "corporation", "co",
    "company", "llc", "llp", "lllp", "lp", "plc", "pllc", "pte", "pty", "pvt",
    "private", "bhd", "sdn", "tbk", "gmbh", "ggmbh", "ag", "kg", "kgaa", "ohg", "ug",
    "gbr", "mbh", "ev", "eg", "aktiengesellschaft", "haftungsbeschrankt", "se", "sa",
    "sas", "sasu", "sarl", "eurl", "snc", "srl", "spa", "sapa", "scarl", "bv", "nv",
    "vof", "bvba", "sprl", "ab", "publ", "as", "asa", "aps", "oy", "oyj", "ou", "uab",
    "sia", "sro", "kft", "zrt", "nyrt", "doo", "dd", "ood", "eood", "ooo", "oao", "zao",
    "pao", "spzoo", "kk", "holding", "holdings", "group", "and",
))  # fmt: skip
_LATIN_PHRASES = (
    ("sp", "z", "o", "o"), ("sp", "z", "oo"), ("spz", "oo"), ("sa", "de", "cv"),
    ("s", "de", "rl"), ("s", "de", "rl", "de", "cv"), ("sapi", "de", "cv"),
    ("spol", "s", "ro"), ("spol", "s", "r", "o"),
)  # fmt: skip


_TRAILING = re.compile(rf"(?<=..)(?:{'|'.join(_ASIAN_FORMS)})$", re.DOTALL)
_LEADING = re.compile(rf"^(?:{'|'.join(_LEADING_FORMS)})(?=..)", re.DOTALL)


class CompanyName(NamedTuple):
    """A company's name in its parts, for comparing.

    Attributes:
        key: What ``company_key`` says; equal keys are the same name.
        region: Province, city or district in the name ("北京市"), or None.
        core: The key without the region: what two offices of one company share.
    """

    key: str
    region: str | None
    core: str


@lru_cache(maxsize=1 << 15)
def company_key(name: str) -> str | None:
    """What is left of a company's name for comparing; None when nothing is.

    Names that differ by legal form, script (traditional, simplified), full and half
    width, accents, case, spaces or punctuation share a key. A region is part of the
    name: 字节跳动(北京)科技 and 字节跳动(上海)科技 are two companies.

    >>> company_key("Acme Trading Co., Ltd."), company_key("ＡＣＭＥ trading")
    ('acmetrading', 'acmetrading')
    >>> company_key("上海機械股份有限公司")
    '上海机械'
    """
    return _key(_folded(name))


@lru_cache(maxsize=1 << 14)
def company_parts(name: str) -> CompanyName | None:
    """A company's name in its parts; None when nothing is left of it.

    >>> company_parts("字节跳动(北京)科技有限公司")
    CompanyName(key='字节跳动北京科技', region='北京市', core='字节跳动科技')
    >>> company_parts("北京字节跳动科技有限公司").core
    '字节跳动科技'
    """
    folded = _folded(name)
    key = _key(folded)
    if key is None:
        return None
    found = _BRACKETS.search(folded)
    region = None if found is None else _region(found[1])
    if found is not None and region is not None:
        rest = _key(folded[: found.start()] + folded[found.end() :])
        return CompanyName(key, region, rest or key)
    place = places_at(key)
    if place is None or len(key) - place.length < _LEAST_CORE:
        return CompanyName(key, None, key)
    return CompanyName(key, place.name, key[place.length :])


_LEAST_CORE = 2


def _folded(name: str) -> str:
    """In lower case, simplified and half width, without accents."""
    folded = simplified(name).casefold()
    if not _ACCENTED.search(folded):
        return folded
    bare = _MARKS.sub("", unicodedata.normalize("NFKD", folded))
    return unicodedata.normalize("NFKC", bare)


def _key(folded: str) -> str | None:
    words = _NOISE.sub(" ", folded.replace(".", "").replace("'", "")).split()
    key = "".join(_without_latin_forms(words))[:MOST_KEY]
    return _without_asian_forms(key) or None


def _without_latin_forms(words: list[str]) -> list[str]:
    while len(words) > 1:
        phrases = (p for p in _LATIN_PHRASES if tuple(words[-len(p) :]) == p)
        phrase = next(phrases, None)
        if phrase is not None and len(words) > len(phrase):
            words = words[: -len(phrase)]
        elif words[-1] in _LATIN_FORMS:
            words = words[:-1]
        else:
            break
    return words


def _without_asian_forms(key: str) -> str:
    shorter = _shorter(key)
    while shorter != key:
        key, shorter = shorter, _shorter(shorter)
    return key


def _shorter(key: str) -> str:
    """Without one form, where two characters stay."""
    if key.isascii() or key in _ASIAN_FORMS:
        return key
    branch = _BRANCH.fullmatch(key)
    if branch is not None:
        return branch[1] + branch[2]
    return _LEADING.sub("", _TRAILING.sub("", key, count=1), count=1)


def _region(text: str) -> str | None:
    """The place that a text in brackets is, if it is nothing else."""
    place = places_at(text)
    return place.name if place is not None and place.length == len(text) else None
