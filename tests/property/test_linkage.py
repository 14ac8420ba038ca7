"""One customer compared, and all customers: the same weights, the same words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rightrep.domain.customer import ContactPoint, PointKind
from rightrep.intake.identity import Identity, blocking_keys, identify, shared_keys
from rightrep.intake.linkage import (
    Verdict,
    Weights,
    default_weights,
    explain,
    is_proof,
    link,
)
from rightrep.intake.linkage_batch import Batch
from rightrep.intake.linkage_fields import FIELDS, UNKNOWN, compare

_COMPANIES = (
    "北京字节跳动科技有限公司", "字节跳动(北京)科技有限公司", "字节跳动科技",
    "上海字节跳动科技", "字节条动科技有限公司", "字节跳科技", "跳动字节科技",
    "Acme Trading Ltd", "ACME Tradin",
    "Acme Trading & Sons Inc.", "上海华远机械股份有限公司", "上海華遠機械", "華遠机械",
)  # fmt: skip
_PEOPLE = ("王伟", "伟王", "王薇", "李娜", "Ann Lee", "Lee, Ann", "Anne Lee", "Bob Ray")
_ADDRESSES = (
    "上海市浦东新区张江路12号", "浦东新区张江路12号", "上海市浦东新区张江路21号",
    "12 Main Street, Springfield", "12 Main St Springfield", "7 Elm Road, Leeds",
)  # fmt: skip
_PHONES = ("+8613800138000", "+8613800138001", "+862161234567", "+862161234567;ext=12")
_EMAILS = ("ann@acme.com", "info@acme.com", "bob@acme.com", "ann@qq.com", "x@other.cn")
_TAXES = ("91110000600037341L", "GB123456789", "12345678")


def _some(values: tuple[str, ...], most: int = 1) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), max_size=most, unique=True)


@st.composite
def customers(draw: st.DrawFn) -> list[Identity]:
    """A few customers drawn from few values, so that many are alike."""
    made = []
    for place in range(draw(st.integers(2, 9))):
        company, tax = draw(_some(_COMPANIES)), draw(_some(_TAXES))
        address = draw(_some(_ADDRESSES))
        phones, emails = draw(_some(_PHONES, 2)), draw(_some(_EMAILS, 2))
        made.append(
            identify(
                f"c{place}",
                company=company[0] if company else None,
                tax=tax[0] if tax else None,
                address=address[0] if address else None,
                people=draw(_some(_PEOPLE, 2)),
                points=[
                    *(ContactPoint(PointKind.PHONE, phone) for phone in phones),
                    *(ContactPoint(PointKind.EMAIL, email) for email in emails),
                ],
            )
        )
    return made


def _narrowed(given_: list[Identity]) -> dict[str, Identity]:
    """What many share is taken out, counted in plain Python."""
    counts: dict[int, int] = {}
    for one in given_:
        for key in set(shared_keys(one)):
            counts[key] = counts.get(key, 0) + 1
    common = {key for key, count in counts.items() if count > 5}
    return {one.customer_id: one.without_common(common) for one in given_}


@settings(max_examples=15)
@given(customers())
def test_a_batch_and_one_lead_weigh_every_pair_the_same(given_: list[Identity]) -> None:
    weights = default_weights()
    mine = _narrowed(given_)

    with Batch.of(given_, memory="256MB", threads=1) as batch:
        pairs = batch.pairs(weights).to_pylist()
        links = list(batch.links(weights))

    for pair in pairs:
        levels = compare(mine[pair["left"]], mine[pair["right"]])
        told = [
            weights.bits(field, level)
            for field, level in zip(FIELDS, levels, strict=True)
        ]
        said = [pair[f"mw_{field.name}"] for field in FIELDS]
        assert said == pytest.approx(told, abs=1e-9)
        assert pair["bits"] == pytest.approx(sum(told), abs=1e-9)
    together = {frozenset((pair["left"], pair["right"])) for pair in pairs}
    for one in given_:
        for other in given_:
            shares = set(blocking_keys(one)) & set(blocking_keys(other))
            if one.customer_id < other.customer_id:
                pair = frozenset((one.customer_id, other.customer_id))
                assert (pair in together) == bool(shares)
    for found in links:
        assert found == link(mine[found.left], mine[found.right], weights)


@given(customers())
def test_it_does_not_matter_which_of_two_comes_first(given_: list[Identity]) -> None:
    one, other = given_[:2]

    assert compare(one, other) == compare(other, one)


@given(customers())
def test_the_reasons_add_up_to_the_weight(given_: list[Identity]) -> None:
    weights = default_weights()
    found = link(given_[0], given_[1], weights)
    reasons = explain(found.levels, weights)

    assert sum(reason.bits for reason in reasons) == pytest.approx(found.bits)
    assert len(reasons) == sum(level != UNKNOWN for level in found.levels)


@given(customers())
def test_a_pair_is_merged_unasked_only_on_proof_or_enough_weight(
    given_: list[Identity],
) -> None:
    weights = default_weights()
    found = link(given_[0], given_[1], weights)

    if found.verdict is Verdict.SURE:
        assert is_proof(found.levels) or found.bits >= weights.sure
    if found.verdict is Verdict.NO:
        assert found.bits < weights.likely


def test_weights_are_saved_and_read_again_unchanged() -> None:
    weights = default_weights()

    assert Weights.of(weights.to_json()) == weights
