"""Which record survives, and when two leads are one enquiry."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from rightrep.domain.lead import Stage
from rightrep.intake.merge import (
    SAME_ENQUIRY,
    Enquiry,
    Standing,
    furthest,
    have_two_owners,
    is_same_enquiry,
    survivor,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def standing(
    own: str = "a", stage: Stage = Stage.NEW, days: float = 0, *owners: str
) -> Standing:
    return Standing(
        record_id=own,
        stage=stage,
        created_at=NOON + timedelta(days=days),
        owners=frozenset(owners),
    )


def enquiry(
    days: float = 0,
    *,
    is_open: bool = True,
    product: str | None = None,
    people: tuple[str, ...] = ("wang",),
) -> Enquiry:
    return Enquiry(
        standing=standing(days=days),
        is_open=is_open,
        product=product,
        people=frozenset(people),
    )


def test_the_furthest_stage_survives_then_the_oldest() -> None:
    old, new = standing("old"), standing("new", days=1)
    further = standing("further", Stage.QUALIFIED, 2)

    assert survivor(new, old) == (old, new)
    assert survivor(old, further) == (further, old)


def test_a_won_customer_is_further_than_an_open_one_and_a_lost_one_is_not() -> None:
    assert furthest([Stage.LOST, Stage.NEW]) is Stage.NEW
    assert furthest([Stage.NEGOTIATION, Stage.WON, Stage.LOST]) is Stage.WON
    assert furthest([]) is Stage.NEW


@given(st.permutations([standing("a"), standing("b"), standing("c", days=1)]))
def test_it_does_not_matter_in_which_order_two_are_asked_about(
    given_: list[Standing],
) -> None:
    one, other, _ = given_

    assert survivor(one, other) == survivor(other, one)


def test_two_owners_are_two_and_none_is_nobody() -> None:
    one, two = standing("a", Stage.NEW, 0, "r1"), standing("b", Stage.NEW, 0, "r2")

    assert have_two_owners(one, two)
    assert not have_two_owners(one, one)
    assert not have_two_owners(one, standing("c"))


def test_an_enquiry_is_one_for_thirty_days_one_product_and_one_person() -> None:
    first = enquiry(product="CRM")

    assert is_same_enquiry(first, enquiry(30, product="CRM"))
    assert is_same_enquiry(first, enquiry(1))
    assert not is_same_enquiry(first, enquiry(SAME_ENQUIRY.days + 1, product="CRM"))
    assert not is_same_enquiry(first, enquiry(1, product="ERP"))
    assert not is_same_enquiry(first, enquiry(1, people=("li",)))
    assert not is_same_enquiry(first, enquiry(1, people=()))
    assert not is_same_enquiry(first, enquiry(1, is_open=False))
