"""Slots shared between arms: whole, all of them, none lent."""

import doctest
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rightrep.domain import slots as slots_module
from rightrep.domain.ids import RepId
from rightrep.domain.slots import ArmKey, SlotPart, SlotSplit, split_slots

TODAY = date(2026, 3, 2)


def split_of(*shares: float) -> SlotSplit:
    """A split into one arm a part."""
    parts = [
        SlotPart(share, (ArmKey("spring", f"arm {k}"),))
        for k, share in enumerate(shares)
    ]
    return SlotSplit(tuple(parts), "salt")


def test_the_module_shows_what_happens() -> None:
    found = doctest.testmod(slots_module)
    assert found.attempted > 0
    assert found.failed == 0


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=20),
    st.sampled_from([(0.5, 0.5), (0.1, 0.9), (0.25, 0.25, 0.5)]),
    st.text(max_size=6),
)
def test_slots_are_shared_out_whole_and_none_is_lost(
    slots: list[int], shares: tuple[float, ...], salt: str
) -> None:
    keys = [f"rep {k}" for k in range(len(slots))]
    split = split_slots(np.array(slots), shares, keys, salt=salt)
    exact = np.array(slots)[:, None] * np.array(shares)
    assert split.sum(axis=1).tolist() == slots
    assert (split >= np.floor(exact - 1e-9)).all()
    assert (split <= np.ceil(exact + 1e-9)).all()


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 50), st.integers(0, 50)).filter(
            lambda rep: rep[1] + rep[2] > 0
        ),
        min_size=1,
        max_size=12,
    ),
    st.text(max_size=6),
)
def test_each_rep_may_have_shares_of_their_own(
    reps: list[tuple[int, int, int]], salt: str
) -> None:
    slots, shares = np.array(reps)[:, 0], np.array(reps)[:, 1:]
    keys = [f"rep {k}" for k in range(len(reps))]
    split = split_slots(slots, shares, keys, salt=salt)
    alone = [
        split_slots(slots[[k]], shares[k].tolist(), [key], salt=salt)[0].tolist()
        for k, key in enumerate(keys)
    ]
    assert split.tolist() == alone
    assert (split.sum(axis=1) == slots).all()
    assert (split[shares == 0] == 0).all()


def test_an_odd_slot_goes_to_each_arm_as_often_as_its_share() -> None:
    keys = [f"Wang {day}" for day in range(8_000)]
    split = split_slots(np.full(8_000, 1), (0.3, 0.7), keys, salt="odd")
    assert split.mean(axis=0) == pytest.approx([0.3, 0.7], abs=0.02)


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=8),
    st.sampled_from([(0.5, 0.5), (0.05, 0.475, 0.475)]),
    st.data(),
)
def test_what_is_left_is_open_and_no_part_goes_over_its_share(
    open_slots: list[int], shares: tuple[float, ...], data: st.DataObject
) -> None:
    split = split_of(*shares)
    reps = [RepId(f"rep {k}") for k in range(len(open_slots))]
    row = st.lists(st.integers(0, 20), min_size=len(shares), max_size=len(shares))
    given_today = np.array([data.draw(row) for _ in reps], dtype=np.int64)
    room = np.array(open_slots, dtype=np.int64)

    left = split.left(room, given_today, reps, TODAY)

    mine = split.shared(room + given_today.sum(axis=1), reps, TODAY)
    assert (left >= 0).all()
    assert (left.sum(axis=1) <= room).all()
    assert (left + given_today <= np.maximum(mine, given_today)).all()
    nobody_over = (given_today <= mine).all(axis=1)
    assert (left.sum(axis=1) == room)[nobody_over].all()


@given(st.lists(st.integers(0, 1), min_size=1, max_size=40), st.integers(1, 30))
def test_arms_that_take_turns_at_asking_never_use_each_others_slots(
    asking: list[int], slots: int
) -> None:
    split, reps = split_of(0.5, 0.5), [RepId("Wang")]
    given_today = np.zeros((1, 2), dtype=np.int64)
    planned = split.shared(np.array([slots]), reps, TODAY)
    for part in asking:
        room = np.array([slots]) - given_today.sum(axis=1)
        if split.left(room, given_today, reps, TODAY)[0, part] > 0:
            given_today[0, part] += 1
    assert (given_today <= planned).all()
    assert given_today[0, 0] == min(planned[0, 0], asking.count(0))


def test_arms_that_take_turns_in_time_share_one_part() -> None:
    arms = (ArmKey("spring", "control"), ArmKey("spring", "treatment"))
    kept = ArmKey("holdout-1", "control")
    split = SlotSplit((SlotPart(0.1, (kept,)), SlotPart(0.9, arms)), "salt")
    assert [split.part_of(arm) for arm in (kept, *arms)] == [0, 1, 1]
    assert split.part_of(ArmKey("autumn", "control")) is None
    assert split.arms == [kept, *arms]
