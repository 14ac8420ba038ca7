"""Who is behind the leads of a demo market: companies, people, addresses.

Everything is put together from syllables; e-mail addresses end in ``example.com``.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from experiments import market_names as names
from experiments import market_places as places
from experiments import market_world as world
from experiments.market_leads import Leads
from experiments.market_numbers import (
    american_phones,
    british_phones,
    chinese_landlines,
    chinese_mobiles,
    credit_codes,
    german_phones,
)
from experiments.market_places import ABROAD
from experiments.market_reps import Reps
from experiments.market_settings import IntArray, MarketSettings
from experiments.market_text import digits, join, missing_where, scatter, spell

_NO_PHONE, _NO_EMAIL, _NO_ADDRESS, _NO_TAX_NUMBER = 0.10, 0.15, 0.20, 0.55
_LANDLINES = 0.28
_FORM_SHARE = np.array([0.62, 0.12, 0.14, 0.12])
_STARTS = 1_000_000_007  # serials start anywhere below


@dataclass(frozen=True, eq=False, slots=True)
class _Part:
    """Texts of the customers of one kind of country.

    Attributes:
        rows: Customers.
        company: Names.
        brand: Reading of the brand, for e-mail addresses.
        person: Names.
        login: Readings of the persons' names, likewise.
        street: Addresses.
    """

    rows: IntArray
    company: pa.Array
    brand: pa.Array
    person: pa.Array
    login: pa.Array
    street: pa.Array


def contacts(settings: MarketSettings, leads: Leads) -> pd.DataFrame:
    """One row per customer, in order of their numbers.

    Returns:
        Columns company, contact_name, phone, email, address, tax_number; dtype str,
        missing where the CRM has nothing. No two customers share a company name.
    """
    rng = settings.stream("people")
    first = np.flatnonzero(~leads.returning)
    city, industry = leads.city[first], leads.industry[first]
    home = np.flatnonzero(places.CITY_REGION[city] < ABROAD)
    away = np.flatnonzero(places.CITY_REGION[city] >= ABROAD)
    parts = [
        _chinese(rng, home, city[home], industry[home]),
        _latin(rng, away, city[away], industry[away]),
    ]
    size = first.size
    company = scatter([(p.rows, p.company) for p in parts], size)
    brand = scatter([(p.rows, p.brand) for p in parts], size)
    login = scatter([(p.rows, p.login) for p in parts], size)
    email = join(login, "@", brand, "-", digits(np.arange(size)), ".example.com")
    tax_number = scatter(_tax_numbers(rng, city), size)
    columns = {
        "company": company,
        "contact_name": scatter([(p.rows, p.person) for p in parts], size),
        "phone": missing_where(_phones(rng, city), rng.random(size) < _NO_PHONE),
        "email": missing_where(email, rng.random(size) < _NO_EMAIL),
        "address": missing_where(
            scatter([(p.rows, p.street) for p in parts], size),
            rng.random(size) < _NO_ADDRESS,
        ),
        "tax_number": missing_where(tax_number, rng.random(size) < _NO_TAX_NUMBER),
    }
    frame: pd.DataFrame = pa.table(columns).to_pandas()
    return frame


def rep_names(settings: MarketSettings, reps: Reps) -> pa.Array:
    """What the reps are called; names may occur twice."""
    rng = settings.stream("rep names")
    home = np.flatnonzero(reps.region < ABROAD)
    away = np.flatnonzero(reps.region >= ABROAD)
    parts = [
        (home, _chinese_people(rng, home.size)[0]),
        (away, _latin_people(rng, away.size)[0]),
    ]
    return scatter(parts, reps.n_reps)


def _chinese(
    rng: np.random.Generator, rows: IntArray, city: IntArray, industry: IntArray
) -> _Part:
    trades = [word for listed in names.CHINESE_TRADES for word in listed]
    trade = industry * 3 + rng.integers(0, 3, rows.size)
    one, two, three = _brands(
        rng, city * len(trades) + trade, len(names.BRANDS), len(names.BRANDS)
    )
    form = world.draw_codes(rng, _FORM_SHARE, rows.size)
    short = [place.name.removesuffix("市") for place in places.CITIES]
    third = ("", *names.BRANDS)
    brand = [spell(names.BRANDS, one), spell(names.BRANDS, two), spell(third, three)]
    person, login = _chinese_people(rng, rows.size)
    district = rng.integers(0, 10**6, rows.size)
    return _Part(
        rows,
        join(
            spell(short, city),
            *brand,
            spell(trades, trade),
            spell(names.CHINESE_FORMS, form),
        ),
        join(spell(names.BRAND_READINGS, one), spell(names.BRAND_READINGS, two)),
        person,
        login,
        join(
            spell([c.province + c.name for c in places.CITIES], city),
            _districts(city, district),
            spell(names.BRANDS, rng.integers(0, len(names.BRANDS), rows.size)),
            spell(names.BRANDS, rng.integers(0, len(names.BRANDS), rows.size)),
            "路",
            digits(rng.integers(1, 1900, rows.size)),
            "号",
        ),
    )


def _latin(
    rng: np.random.Generator, rows: IntArray, city: IntArray, industry: IntArray
) -> _Part:
    trades = [word for listed in names.LATIN_TRADES for word in listed]
    trade = industry * 3 + rng.integers(0, 3, rows.size)
    country = places.CITY_COUNTRY[city]
    forms = [form for pair in names.LATIN_FORMS.values() for form in pair]
    starts = {code: 2 * k for k, code in enumerate(names.LATIN_FORMS)}
    form = np.array([starts[code] for code in country], dtype=np.int64)
    form += rng.integers(0, 2, rows.size)
    head, tail, more = _brands(rng, trade, len(names.HEADS), len(names.TAILS))
    brand = join(
        spell(names.HEADS, head),
        spell(names.TAILS, tail),
        spell(("", *names.TAILS), more),
    )
    person, login = _latin_people(rng, rows.size)
    street = join(
        spell(names.HEADS, rng.integers(0, len(names.HEADS), rows.size)),
        spell(names.TAILS, rng.integers(0, len(names.TAILS), rows.size)),
    )
    number = digits(rng.integers(1, 990, rows.size))
    place = spell(
        [", ".join(filter(None, (c.name, c.province))) for c in places.CITIES], city
    )
    english = join(number, " ", street, " Street, ", place)
    german = join(street, "straße ", number, ", ", place)
    return _Part(
        rows,
        join(brand, " ", spell(trades, trade), " ", spell(forms, form)),
        pa.compute.utf8_lower(brand),
        person,
        login,
        pa.compute.if_else(pa.array(country == "DE"), german, english),
    )


def _brands(
    rng: np.random.Generator, group: IntArray, heads: int, tails: int
) -> tuple[IntArray, IntArray, IntArray]:
    """Syllables of brands that differ within a group.

    Args:
        rng: Where the sequence starts.
        group: Names must differ within it; int64 (n,).
        heads: First syllables there are.
        tails: Second and third syllables there are.

    Returns:
        First, second, and third syllable; the third counts from 1 and is 0 as long as
        two are enough.
    """
    counted = pd.Series(group).groupby(group).cumcount()
    rank = np.asarray(counted, dtype=np.int64)
    start = int(rng.integers(0, _STARTS))
    # 1,009 is a prime: the steps go through all pairs before one comes again.
    pair = (rank * 1_009 + group * 131 + start) % (heads * tails)
    return pair // tails, pair % tails, rank // (heads * tails) % (tails + 1)


def _chinese_people(rng: np.random.Generator, size: int) -> tuple[pa.Array, pa.Array]:
    """Names, and their readings for e-mail addresses."""
    family = rng.integers(0, len(names.FAMILIES), size)
    one = rng.integers(1, len(names.GIVEN), size)
    two = rng.integers(1, len(names.GIVEN), size) * (rng.random(size) < 0.7)
    person = join(
        spell(names.FAMILIES, family), spell(names.GIVEN, one), spell(names.GIVEN, two)
    )
    login = join(
        spell(names.GIVEN_READINGS, one),
        spell(names.GIVEN_READINGS, two),
        ".",
        spell(names.FAMILY_READINGS, family),
    )
    return person, login


def _latin_people(rng: np.random.Generator, size: int) -> tuple[pa.Array, pa.Array]:
    def some(words: tuple[str, ...]) -> pa.Array:
        return spell(words, rng.integers(0, len(words), size))

    given = join(some(names.LATIN_GIVEN_HEADS), some(names.LATIN_GIVEN_TAILS))
    family = join(some(names.LATIN_FAMILY_HEADS), some(names.LATIN_FAMILY_TAILS))
    return join(given, " ", family), pa.compute.utf8_lower(join(given, ".", family))


def _districts(city: IntArray, draw: IntArray) -> pa.Array:
    """One of the city's districts."""
    listed = [district for place in places.CITIES for district in place.districts]
    count = np.array([len(place.districts) for place in places.CITIES])
    start = np.cumsum(count) - count
    return spell(listed, start[city] + draw % count[city])


def _phones(rng: np.random.Generator, city: IntArray) -> pa.Array:
    country = places.CITY_COUNTRY[city]
    landline = (country == "CN") & (rng.random(city.size) < _LANDLINES)
    start = int(rng.integers(0, _STARTS))
    area = [place.area_code for place in places.CITIES]
    mobiles = np.flatnonzero((country == "CN") & ~landline)
    lines = np.flatnonzero(landline)
    groups = [
        (mobiles, chinese_mobiles(np.arange(mobiles.size), start)),
        (
            lines,
            chinese_landlines(np.arange(lines.size), start, spell(area, city[lines])),
        ),
    ]
    for code, phones in (
        ("US", american_phones),
        ("GB", british_phones),
        ("DE", german_phones),
    ):
        rows = np.flatnonzero(country == code)
        groups.append((rows, phones(np.arange(rows.size))))
    return scatter(groups, city.size)


def _tax_numbers(
    rng: np.random.Generator, city: IntArray
) -> list[tuple[IntArray, pa.Array]]:
    """Credit codes at home, nothing abroad."""
    home = np.flatnonzero(places.CITY_COUNTRY[city] == "CN")
    away = np.flatnonzero(places.CITY_COUNTRY[city] != "CN")
    admin = np.array([int(place.admin_code or 0) for place in places.CITIES])
    codes = credit_codes(
        admin[city[home]], np.arange(home.size), int(rng.integers(0, _STARTS))
    )
    return [(home, codes), (away, pa.nulls(away.size, codes.type))]
