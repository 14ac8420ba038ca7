"""What tells one customer from another."""

import pytest

from rightrep.domain.customer import ContactPoint, PointKind
from rightrep.intake.emails import email_points
from rightrep.intake.identity import Identity, blocking_keys, identify, shared_keys
from rightrep.intake.linkage import (
    Verdict,
    Weights,
    default_weights,
    explain,
    is_proof,
    link,
)
from rightrep.intake.linkage_fields import compare
from rightrep.intake.phones import phone_points
from rightrep.intake.sounds import sound_tokens


def customer(own: str = "a", **told: str) -> Identity:
    return identify(
        own,
        company=told.get("company"),
        tax=told.get("tax"),
        address=told.get("address"),
        people=[told["person"]] if "person" in told else [],
        points=[
            *(phone_points(told["phone"]) if "phone" in told else ()),
            *(email_points(told["email"]) if "email" in told else ()),
        ],
    )


def said(one: Identity, other: Identity) -> dict[str, str]:
    reasons = explain(compare(one, other), default_weights())
    return {reason.field: reason.words for reason in reasons}


def verdict(one: Identity, other: Identity) -> Verdict:
    return link(one, other, default_weights()).verdict


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        (
            "北京字节跳动科技有限公司",
            "字节跳动(北京)科技有限公司",
            "the same name and place",
        ),
        ("北京字节跳动科技有限公司", "字节跳动科技", "the same name"),
        ("上海华远机械有限公司", "上海華遠機械", "the same name and place"),
        ("上海瑞达机械有限公司", "上海睿达机械公司", "a name that sounds the same"),
        ("华远机械", "远华机械", "a name that sounds the same"),
        ("华远供应链管理", "华远供应管理", "nearly the same name"),
        ("北京字节跳动科技", "上海字节跳动科技", "the same name in another place"),
        ("上海华远机械", "上海恒信医药", "another name"),
        ("Acme Trading Co., Ltd.", "ＡＣＭＥ trading", "the same name"),
    ],
)
def test_company_names_are_alike_in_degrees(one: str, other: str, words: str) -> None:
    assert said(customer(company=one), customer(company=other))["company"] == words


@pytest.mark.parametrize(
    ("one", "other"), [("王伟", "伟王"), ("Ann Lee", "LEE, Ann"), ("張偉", "张伟")]
)
def test_a_name_is_the_same_in_any_order_and_script(one: str, other: str) -> None:
    told = said(customer(person=one), customer(person=other))

    assert told == {"contact": "the same name"}


def test_homophones_sound_the_same_and_other_characters_do_not() -> None:
    assert sound_tokens("瑞达") == sound_tokens("睿达")
    assert sound_tokens("华远") != sound_tokens("恒信")
    assert all(len(token) == 2 for token in sound_tokens("华远恒信嗯々"))


def test_the_same_tax_number_is_proof_and_an_impossible_one_is_nothing() -> None:
    number, wrong = "91110000600037341L", "911100006000373410"

    assert is_proof(compare(customer(tax=number), customer(tax=number)))
    assert customer(tax=wrong).tax == ""


def test_a_phone_is_proof_unless_the_companies_differ() -> None:
    phone = "138 0013 8000"
    mine = customer(phone=phone, company="上海明达科技有限公司")

    assert verdict(mine, customer(phone=phone)) is Verdict.SURE
    assert verdict(mine, customer(phone=phone, company="明达科技")) is Verdict.SURE
    moved = customer(phone=phone, company="瑞康医疗器械有限公司")
    assert verdict(mine, moved) is not Verdict.SURE


def test_a_couples_phone_is_no_proof() -> None:
    one = customer(phone="138 0013 8000", person="王伟")

    assert not is_proof(compare(one, customer(phone="13800138000", person="李娜")))
    assert is_proof(compare(one, customer(phone="13800138000", person="王伟")))


def test_another_extension_is_the_same_switchboard_only() -> None:
    one = customer(phone="010-62345678转12")

    told = said(one, customer(phone="010-62345678转15"))

    assert told == {"phone": "the same line or switchboard"}


def test_a_role_mailbox_is_no_proof_and_its_domain_says_the_company() -> None:
    one, other = (customer(email="info@acme.com", company=n) for n in ("Acme", "Acme"))

    assert said(one, other)["e-mail"] == "the same domain"
    assert not is_proof(compare(one, other))


def test_a_providers_domain_says_nothing() -> None:
    told = said(customer(email="ann@qq.com"), customer(email="bob@qq.com"))

    assert told == {"e-mail": "other addresses"}


def test_what_many_share_is_taken_out() -> None:
    one, other = (customer(own, phone="010-62345678") for own in "ab")
    common = set(shared_keys(one))

    told = said(one.without_common(common), other.without_common(common))

    assert told == {"phone": "the same line or switchboard"}


def test_two_tax_numbers_are_never_merged_without_a_person() -> None:
    same = {
        "company": "上海华远机械有限公司",
        "phone": "13800138000",
        "person": "王伟",
        "address": "上海市浦东新区张江路12号",
    }
    one = customer("a", tax="91110000600037341L", **same)
    other = customer("b", tax="12345678", **same)

    assert link(one, other, default_weights()).bits > default_weights().sure
    assert verdict(one, other) is Verdict.LIKELY


def test_names_three_letters_apart_are_never_merged_without_proof() -> None:
    where, who = "498 Velfort Street, Austin", "Hania Langham"
    one = customer(company="Selvane Construction", address=where, person=who)
    two = customer(company="Rosvane Construction", address=where, person=who)

    assert said(one, two)["company"] == "nearly the same name"
    assert verdict(one, two) is Verdict.LIKELY


def test_what_is_not_known_weighs_nothing() -> None:
    found = link(customer(company="华远"), customer(phone="1"), default_weights())

    assert (found.bits, found.verdict) == (0.0, Verdict.NO)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("华远供应链管理有限公司", "华供应链管理"),
        ("上海华远机械", "上海远华机械"),
        ("瑞达物流", "睿达物流"),
        ("Norvane Machinery Inc.", "Norvnae Machinery LLC"),
    ],
)
def test_names_with_a_slip_meet_under_a_key(one: str, other: str) -> None:
    ours, theirs = blocking_keys(customer(company=one)), customer(company=other)

    assert set(ours) & set(blocking_keys(theirs))


def test_keys_do_not_show_what_they_are_of() -> None:
    keys = blocking_keys(customer(phone="13800138000", email="ann@acme.com"))

    assert all(isinstance(key, int) and -(2**63) <= key < 2**63 for key in keys)


def test_impossible_points_are_passed_over() -> None:
    told = identify("a", points=[ContactPoint(PointKind.PHONE, "12", possible=False)])

    assert told == Identity(customer_id="a")


def test_the_weights_that_ship_rank_the_levels_of_a_name() -> None:
    weights = default_weights()
    told = {
        "same": ("上海华远机械", "上海华远机械"),
        "similar": ("上海华远机械", "上海华远机电"),
        "other": ("上海华远机械", "上海恒信医药"),
    }
    bits = {
        name: link(customer(company=a), customer(company=b), weights).bits
        for name, (a, b) in told.items()
    }

    assert bits["same"] > bits["similar"] > bits["other"]
    assert weights == Weights.of(weights.to_json())


def test_twice_the_customers_ask_for_one_bit_more() -> None:
    weights = default_weights()

    assert weights.among(2 * weights.customers).sure == pytest.approx(weights.sure + 1)
    assert weights.among(10) == weights
