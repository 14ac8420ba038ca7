"""Phones, e-mail addresses and company names: comparable, and never dropped."""

import pytest

from rightrep.errors import InvalidInput
from rightrep.intake.companies import company_key
from rightrep.intake.emails import email_points, email_problem
from rightrep.intake.phones import known_region, phone_points, phone_problem


@pytest.mark.parametrize(
    ("text", "region", "values"),
    [
        ("13800138000", "CN", ["+8613800138000"]),
        ("138-0013-8000", "CN", ["+8613800138000"]),
        ("+86 138 0013 8000", "US", ["+8613800138000"]),
        ("0086 13800138000", "CN", ["+8613800138000"]),
        ("8613800138000", "CN", ["+8613800138000"]),
        ("１３８００１３８０００", "CN", ["+8613800138000"]),
        ("(138)00138000", "CN", ["+8613800138000"]),
        ("010-62345678", "CN", ["+861062345678"]),
        ("(021)5888 8888", "CN", ["+862158888888"]),
        ("400-800-1234", "CN", ["+864008001234"]),
        ("４００－８００－１２３４", "CN", ["+864008001234"]),
        ("4008001234-5678", "CN", ["+864008001234;ext=5678"]),
        ("800-820-8888", "CN", ["+868008208888"]),
        ("010-62345678-123", "CN", ["+861062345678;ext=123"]),
        ("010-62345678转123", "CN", ["+861062345678;ext=123"]),
        ("021-58888888 分机: 12", "CN", ["+862158888888;ext=12"]),
        ("+1 (415) 555-2671 ext. 5", "CN", ["+14155552671;ext=5"]),
        ("415 555 2671", "US", ["+14155552671"]),
        ("030 23125 0101", "DE", ["+4930231250101"]),
        ("+852 2345 6789", "CN", ["+85223456789"]),
        ("13800138000/13900139000", "CN", ["+8613800138000", "+8613900139000"]),
        ("13800138000 13900139000", "CN", ["+8613800138000", "+8613900139000"]),
        ("13800138000、13800138000", "CN", ["+8613800138000"]),
        ("李雷 13800138000", "CN", ["+8613800138000"]),
        ("+861062345678;ext=123", "CN", ["+861062345678;ext=123"]),
    ],
)
def test_phones_become_e164(text: str, region: str, values: list[str]) -> None:
    points = phone_points(text, region)

    assert [point.value for point in points] == values
    assert all(point.possible for point in points)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("12345", "without its area code"),
        ("1380013800", "not in any numbering plan"),
        ("138001380001380013800", "not a phone number"),
        ("no phone", "not a phone number"),
        ("=cmd()", "not a phone number"),
    ],
)
def test_what_cannot_be_a_phone_is_kept_and_marked(text: str, why: str) -> None:
    (point,) = phone_points(text, "CN")

    assert (point.value, point.possible) == (text, False)
    assert phone_problem(text, "CN") == why


def test_of_several_numbers_only_the_impossible_one_is_marked() -> None:
    good, bad = phone_points("13800138000; 12345", "CN")

    assert (good.possible, bad.possible) == (True, False)
    assert phone_problem("13800138000") is None


def test_a_region_is_a_country_code() -> None:
    assert known_region("CN") == "CN"
    with pytest.raises(InvalidInput, match="not a region"):
        known_region("China")


def test_addresses_become_lower_case_and_bad_ones_are_marked() -> None:
    points = email_points("Zhang.San@QQ.com; nobody, mailto:Li@Acme.com")

    assert [(point.value, point.possible) for point in points] == [
        ("zhang.san@qq.com", True),
        ("nobody", False),
        ("li@acme.com", True),
    ]
    assert email_problem("li@acme.com") is None
    assert "period" in str(email_problem("a@b"))


@pytest.mark.parametrize(
    "text",
    [
        "a@b",
        "@acme.com",
        "a@@acme.com",
        "a@acme..com",
        ".a@a.com",
        "x" * 300 + "@a.com",
    ],
)
def test_addresses_that_cannot_be_are_marked(text: str) -> None:
    assert [point.possible for point in email_points(text)] == [False]


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("ａ＠ｂ．ｃｏｍ", ["a@b.com"]),
        ("a @ b.com", ["a@b.com"]),
        ("a(at)b.com", ["a@b.com"]),
        ("a@qq,com、c@163。com", ["a@qq.com", "c@163.com"]),
        ("Li Lei <li@acme.com>; <c@d.com>", ["li@acme.com", "c@d.com"]),
        ("a@b.com/c@d.com；e@f.com", ["a@b.com", "c@d.com", "e@f.com"]),
        ("邮箱：a@b.com.", ["a@b.com"]),
    ],
)
def test_slips_of_the_keyboard_are_put_right(text: str, addresses: list[str]) -> None:
    points = email_points(text)

    assert [point.value for point in points] == addresses
    assert all(point.possible for point in points)


def test_what_is_marked_says_why() -> None:
    (email,) = email_points("a@b")
    good, phone = phone_points("13800138000 / 1380013800")

    assert "period" in str(email.reason)
    assert (good.reason, phone.reason) == (None, "not in any numbering plan")


def test_an_international_address_is_one() -> None:
    (point,) = email_points("info@münchen.de")

    assert point.possible


@pytest.mark.parametrize(
    "names",
    [
        ("Acme Trading Co., Ltd.", "ACME trading", "Ａｃｍｅ  Trading Limited"),
        ("上海机械股份有限公司", "上海机械有限公司", "上海机械 有限责任公司"),
        ("Müller GmbH & Co. KG", "MÜLLER gmbh"),
        ("L'Oréal S.A.", "L'ORÉAL SA"),
    ],
)
def test_names_that_differ_by_form_only_share_a_key(names: tuple[str, ...]) -> None:
    assert len({company_key(name) for name in names}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Acme North", "Acme South"),
        ("上海机械", "北京机械"),
        ("A Ltd", "B Ltd"),
    ],
)
def test_other_names_have_other_keys(one: str, other: str) -> None:
    assert company_key(one) != company_key(other)


def test_a_name_of_forms_only_keeps_something_and_no_name_has_no_key() -> None:
    assert company_key("Company") == "company"
    assert company_key("公司") == "公司"
    assert company_key("!!!") is None
