"""Cleaning is settled after one pass, blind to width, and takes any text."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import uscc

from rightrep.intake.addresses import address_parts
from rightrep.intake.companies import company_key, company_parts
from rightrep.intake.divisions import divisions
from rightrep.intake.emails import email_points
from rightrep.intake.phones import phone_points
from rightrep.intake.tax_numbers import tax_number

WORDS = st.sampled_from(
    ["Acme", "株式会社", "有限公司", "集团", "分公司", "(北京)", "廣東", "Ltd.", "S.A.",
     "de C.V.", "GmbH", " ", "é", "ß", "科技", "乾隆", "広", "ﾊﾞ", "ⅷ", "İ"]
)  # fmt: skip
NAMES = st.text(max_size=40) | st.lists(WORDS, max_size=8).map("".join)
DIGITS = st.text("0123456789ABCDEFGHJKLX- ", max_size=24)


def full_width(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


@given(NAMES)
def test_the_key_of_a_key_is_itself(name: str) -> None:
    key = company_key(name)

    assert key is None or company_key(key) == key
    assert (company_parts(name) is None) == (key is None)


@given(DIGITS | st.text(max_size=30))
def test_a_cleaned_number_is_clean(text: str) -> None:
    cleaned = tax_number(text)

    assert tax_number(cleaned.value) == cleaned


@given(st.from_regex(r"[1-9][1-9][0-9]{6}[0-9A-HJ-NPQRTUWXY]{9}", fullmatch=True))
def test_a_credit_code_has_the_check_digit_of_the_standard(body: str) -> None:
    right = uscc.calc_check_digit(body)

    assert tax_number(body + right).problem is None
    others = [tax_number(body + digit) for digit in "07AY" if digit != right]
    assert all(other.problem or other.kind == "cn.ric" for other in others)


@pytest.mark.parametrize(
    "clean", [company_key, tax_number, address_parts, email_points, phone_points]
)
@given(text=st.text(st.characters(codec="ascii"), max_size=40) | DIGITS)
def test_full_width_is_half_width(clean: Callable[[str], object], text: str) -> None:
    assert clean(full_width(text)) == clean(text)


@given(st.text(max_size=60) | DIGITS)
def test_any_cell_has_contact_points_and_the_cleaned_ones_are_clean(text: str) -> None:
    for clean in (phone_points, email_points):
        for point in clean(text):
            assert point.possible == (point.reason is None)
            if point.possible:
                assert clean(point.value) == (point,)


@given(st.text(max_size=60))
def test_any_address_is_taken_and_nothing_but_places_is_lost(text: str) -> None:
    parts = address_parts(text)

    if parts.province is None:
        assert parts.city is None
        assert parts.district is None


@given(
    st.sampled_from([d.division for d in divisions().anywhere.values()]),
    st.sampled_from(["", "人民路1号", "X座", " 科技园 5 楼"]),
)
def test_every_division_is_found_again_by_its_full_names(
    place: tuple[str | None, ...], rest: str
) -> None:
    names = dict.fromkeys(name for name in place if name)

    found = address_parts("".join(names) + rest)

    assert found[:3] == ((*place[:1], place[1] or found.city, place[2]))
    assert found.rest == rest.strip()
