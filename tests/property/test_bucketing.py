"""Who belongs to which arm: fixed, in the planned shares, blind to everything else."""

import doctest
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments import bucketing
from experiments.bucketing import (
    arms_of_slices,
    arms_of_units,
    in_holdout,
    pair_of_slice,
    slice_of,
    team_day,
)
from experiments.srm import srm
from rightrep.domain.experiment import Arm
from rightrep.errors import InvalidInput


def arms(*shares: float) -> list[Arm]:
    """Arms of these shares."""
    return [
        Arm(arm=f"arm {k}", policy="random", share=share)
        for k, share in enumerate(shares)
    ]


def test_the_module_shows_what_happens() -> None:
    found = doctest.testmod(bucketing)
    assert found.attempted > 0
    assert found.failed == 0


@given(st.text(max_size=8), st.lists(st.text(max_size=12), unique=True, max_size=30))
def test_a_units_arm_does_not_depend_on_the_others(salt: str, names: list[str]) -> None:
    drawn = arms_of_units(names, arms(0.3, 0.7), salt=salt)
    for place, name in enumerate(names):
        assert arms_of_units([name], arms(0.3, 0.7), salt=salt)[0] == drawn[place]


def test_arms_have_their_shares_and_experiments_are_independent() -> None:
    names = [f"lead-{k}" for k in range(20_000)]
    one = arms_of_units(names, arms(0.2, 0.3, 0.5), salt="one")
    other = arms_of_units(names, arms(0.2, 0.3, 0.5), salt="other")
    assert np.bincount(one) / 20_000 == pytest.approx([0.2, 0.3, 0.5], abs=0.012)
    assert np.mean(other[one == 2] == 2) == pytest.approx(0.5, abs=0.02)


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 23), st.text())
def test_the_two_slices_of_a_pair_have_opposite_arms(
    day: date, hour: int, salt: str
) -> None:
    at = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    name = slice_of(at, "UTC", 2)
    near = [slice_of(at + timedelta(days=shift), "UTC", 2) for shift in (-1, 1)]
    twin = next(one for one in near if pair_of_slice(one) == pair_of_slice(name))
    mine, theirs = arms_of_slices([name, twin], salt=salt).tolist()
    assert {mine, theirs} == {0, 1}


def test_slices_are_hours_of_the_tenants_day() -> None:
    at = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    assert slice_of(at, "Asia/Shanghai", 4) == "2026-11-23T04"
    with pytest.raises(InvalidInput, match="whole number"):
        slice_of(at, "UTC", 5)
    assert team_day("North", date(2026, 11, 22)) == "2026-11-22 North"
    assert team_day(None, date(2026, 11, 22)) == "2026-11-22"


def test_the_holdout_is_kept_apart_from_every_experiment() -> None:
    names = [f"lead-{k}" for k in range(20_000)]
    kept = in_holdout(names, 0.05, salt="spring")
    treated = arms_of_units(names, arms(0.5, 0.5), salt="spring") == 1
    assert kept.mean() == pytest.approx(0.05, abs=0.006)
    assert treated[kept].mean() == pytest.approx(0.5, abs=0.05)


def test_arms_of_planned_sizes_raise_no_alarm_at_any_look() -> None:
    rng = np.random.default_rng(2)
    alarms = sum(
        srm(
            rng.multinomial(100, [0.5, 0.5], 40), np.array([0.5, 0.5]), alpha=0.05
        ).mismatch
        for _ in range(300)
    )
    assert alarms <= 20


def test_a_lost_tenth_of_one_arm_stops_the_report_and_says_so() -> None:
    day = np.array([[250, 225]])
    found = srm(np.repeat(day, 60, axis=0), np.array([0.5, 0.5]))
    assert found.mismatch
    assert "no effect is reported" in found.in_words()
    assert not srm(np.array([[30, 28]]), np.array([0.5, 0.5])).mismatch


def test_shares_that_do_not_fit_the_arms_are_refused() -> None:
    with pytest.raises(InvalidInput, match="share"):
        srm(np.array([[10, 10]]), np.array([0.5, 0.3, 0.2]))
