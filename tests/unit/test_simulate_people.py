"""Companies, people and numbers of a demo market are right in form, and nobody real."""

import re

import numpy as np
import pandas as pd
import phonenumbers
import pytest
from email_validator import validate_email

from experiments import market_places as places
from experiments.market import Market
from experiments.market_copies import CHANGES, Untidiness, untidy_copies
from experiments.market_numbers import (
    american_phones,
    british_phones,
    chinese_landlines,
    chinese_mobiles,
    credit_codes,
    german_phones,
)
from experiments.market_settings import MarketSettings
from experiments.market_text import spell
from experiments.simulate import simulate
from rightrep.errors import InvalidInput

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@pytest.fixture(scope="module")
def market() -> Market:
    return simulate(MarketSettings(n_leads=6_000, n_reps=10, days=120, seed=9))


@pytest.fixture(scope="module")
def people(market: Market) -> pd.DataFrame:
    return market.contacts()


def city_of_customer(market: Market) -> np.ndarray:
    return market.leads.city[~market.leads.returning]


def test_every_phone_is_valid(people: pd.DataFrame) -> None:
    for written in people["phone"].dropna():
        number = phonenumbers.parse(written, "CN")
        assert phonenumbers.is_valid_number(number), written


def test_every_area_and_prefix_gives_valid_numbers() -> None:
    serial = np.arange(400)
    for city in [c for c in places.CITIES if c.country == "CN"]:
        area = spell([city.area_code], np.zeros_like(serial))
        for written in chinese_landlines(serial, 17, area).to_pylist():
            assert phonenumbers.is_valid_number(phonenumbers.parse(written, "CN"))
    for make in (american_phones, british_phones, german_phones):
        for written in make(np.arange(0, 14_000, 7)).to_pylist():
            assert phonenumbers.is_valid_number(phonenumbers.parse(written)), written


def test_a_number_is_given_to_one_customer_only() -> None:
    serial = np.arange(60_000)
    bare = [
        phonenumbers.normalize_digits_only(text).removeprefix("86")
        for text in chinese_mobiles(serial, 5).to_pylist()
    ]
    british = british_phones(serial).to_pylist()
    german = german_phones(serial).to_pylist()

    assert len(set(bare)) == serial.size
    assert len({text for text in british if text}) == 14_000 == british.index(None)
    assert len({text for text in german if text}) == 50_000 == german.index(None)
    assert len(set(american_phones(serial).to_pylist())) == serial.size


def test_numbers_abroad_lie_in_ranges_kept_free_for_fiction() -> None:
    serial = np.arange(500)

    assert all(" 555 " in text for text in american_phones(serial).to_pylist())
    assert all(
        re.fullmatch(r"\+44 (20 7946 0|1\d\d 49[68] 0|28 9649 6|29 2018 0)\d{3}", text)
        for text in british_phones(serial).to_pylist()
    )


def test_mail_addresses_are_valid_and_reach_nobody(people: pd.DataFrame) -> None:
    written = people["email"].dropna()

    assert written.str.endswith(".example.com").all()
    assert written.is_unique
    for address in written[:300]:
        validate_email(address, check_deliverability=False)


def check_characters(code: str) -> tuple[str, str]:
    """Both check characters by GB 11714 and GB 32100-2015, digit by digit."""
    weights = (3, 7, 9, 10, 5, 8, 4, 2)
    rest = 11 - sum(int(c) * w for c, w in zip(code[8:16], weights, strict=True)) % 11
    organisation = {10: "X", 11: "0"}.get(rest, str(rest))
    total = sum(ALPHABET.index(c) * 3**k % 31 for k, c in enumerate(code[:17]))
    return organisation, ALPHABET[(31 - total % 31) % 31]


def test_credit_codes_have_right_check_characters(people: pd.DataFrame) -> None:
    codes = people["tax_number"].dropna()

    assert codes.is_unique
    assert 0.3 < len(codes) / len(people) < 0.5
    for code in codes:
        assert re.fullmatch(r"91\d{6}[0-9A-Z]{10}", code)
        assert (code[16], code[17]) == check_characters(code)


def test_a_credit_code_is_the_one_worked_out_on_paper() -> None:
    code = credit_codes(np.array([110105]), np.array([0]), 1).to_pylist()[0]

    assert code[:16] == "9111010500000001"
    # GB 11714: 11 - (1 x 2) mod 11 = 9.
    assert code[16] == "9"


def test_no_two_customers_share_a_company_name(people: pd.DataFrame) -> None:
    assert people["company"].is_unique
    assert people["company"].notna().all()


def test_names_are_chinese_at_home_and_latin_abroad(
    market: Market, people: pd.DataFrame
) -> None:
    home = places.CITY_COUNTRY[city_of_customer(market)] == "CN"
    chinese = people["company"].str.contains(r"[一-鿿]")

    assert (chinese.to_numpy() == home).all()
    forms = people["company"][home]
    assert forms.str.endswith(("有限公司", "有限责任公司")).all()
    german = places.CITY_COUNTRY[city_of_customer(market)] == "DE"
    assert people["company"][german].str.endswith(("GmbH", "AG")).all()


def test_addresses_name_the_city(market: Market, people: pd.DataFrame) -> None:
    cities = np.array([city.name for city in places.CITIES])[city_of_customer(market)]
    for address, city in zip(people["address"], cities, strict=True):
        assert not isinstance(address, str) or city in address


def test_some_of_everything_is_missing(people: pd.DataFrame) -> None:
    holes = people[["phone", "email", "address", "tax_number"]].isna().mean()

    assert holes.between(0.05, 0.75).all()


def test_untidy_copies_know_whom_they_copy(people: pd.DataFrame) -> None:
    copies = untidy_copies(people, 800, seed=3)

    assert copies["customer"].is_unique
    original = people["company"].to_numpy()[copies["customer"]]
    changed = copies["company"].to_numpy() != original
    assert 0.3 < changed.mean() < 0.95
    touched = {name for done in copies["changes"] for name in done.split()}
    assert touched == {"colleague", *CHANGES}


def test_untidy_copies_are_the_same_for_the_same_seed(people: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(
        untidy_copies(people, 50, seed=1), untidy_copies(people, 50, seed=1)
    )


def test_tidy_copies_differ_little(people: pd.DataFrame) -> None:
    tidy = Untidiness(changes=1.0, missing=0.0, colleague=0.0)

    copies = untidy_copies(people, 300, untidiness=tidy)

    names = ["contact_name", "email", "company", "phone", "address", "tax_number"]
    same = people.iloc[copies["customer"]][names].reset_index(drop=True)
    differs = (copies[names].fillna("") != same.fillna("")).sum(axis=1)
    assert (differs <= 1).all()


def test_more_copies_than_customers_are_refused(people: pd.DataFrame) -> None:
    with pytest.raises(InvalidInput, match="customers"):
        untidy_copies(people, len(people) + 1)


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        ("drop_form", "上海华远机械股份有限公司", "上海华远机械"),
        ("drop_form", "Norvane Logistics Ltd", "Norvane Logistics"),
        ("other_form", "上海华远机械有限公司", "上海华远机械有限责任公司"),
        ("other_form", "Norvane Logistics GmbH", "Norvane Logistics Gesellschaft mbH"),
        ("traditional", "苏州联创软件有限公司", "蘇州聯創軟件有限公司"),
        ("full_width", "Nor 12", "Ｎｏｒ １２"),
        ("drop_province", "江苏省苏州市虎丘区", "苏州市虎丘区"),
        ("repunctuate", "138 1234 5678", "138-1234-5678"),
        ("upper_case", "a@b.example.com", "A@B.EXAMPLE.COM"),
    ],
)
def test_a_change_does_what_its_name_says(change: str, before: str, after: str) -> None:
    _, apply = CHANGES[change]

    assert apply(before, np.random.default_rng(0)) == after


@pytest.mark.parametrize("name", list(CHANGES))
def test_a_change_of_a_short_text_does_no_harm(name: str) -> None:
    _, apply = CHANGES[name]

    for text in ("a", "有限公司", "上海"):
        assert isinstance(apply(text, np.random.default_rng(1)), str)
