"""Bands in whole leads, who takes part, and what the spread is."""

import math

import numpy as np
import pytest

from optimizer.problem import Problem
from optimizer.shares import Fairness, QualityBand, Shares, limits_of
from rightrep.errors import InvalidInput


def batch(n_leads: int, **fields: object) -> Problem:
    """Leads anybody may take and two reps with slots for all of them."""
    given: dict[str, object] = {
        "value": np.ones((n_leads, 2)),
        "eligible": np.ones((n_leads, 2), np.bool_),
        "capacity": np.full(2, n_leads),
        "floor": np.zeros(2, np.int64),
    }
    return Problem(**{**given, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [-0.1, math.nan, math.inf])
@pytest.mark.parametrize("band", ["load_band", "quality_band", "group_band"])
def test_a_band_is_0_or_more(band: str, width: float) -> None:
    with pytest.raises(InvalidInput, match=band):
        Fairness(**{band: width})


@pytest.mark.parametrize("dial", [-0.01, 1.01, math.nan])
def test_the_dial_is_between_0_and_1(dial: float) -> None:
    with pytest.raises(InvalidInput, match="dial"):
        Fairness(dial=dial)


def test_a_band_is_rounded_outward_to_whole_leads() -> None:
    """Five leads, two reps: even a band of 0 has to allow two and three."""
    limits = limits_of(batch(5), Fairness(load_band=0.0))

    assert limits.low.tolist() == [2, 2]
    assert limits.high.tolist() == [3, 3]


def test_a_band_is_around_the_weights() -> None:
    problem = batch(12, weight=np.array([2.0, 1.0]))

    limits = limits_of(problem, Fairness(load_band=0.25))

    assert limits.low.tolist() == [6, 3]
    assert limits.high.tolist() == [10, 5]


def test_a_band_counts_the_leads_given_before() -> None:
    """Twelve in all, six each: the rep who has four may take two more."""
    problem = batch(8, load=np.array([4, 0]))

    limits = limits_of(problem, Fairness(load_band=0.0))

    assert limits.low.tolist() == [2, 6]
    assert limits.high.tolist() == [2, 6]


def test_a_rep_above_the_band_already_gets_nothing_more() -> None:
    problem = batch(2, load=np.array([9, 0]))

    limits = limits_of(problem, Fairness(load_band=0.0))

    assert limits.high[0] == 0


def test_floors_and_capacity_stand_beside_a_band() -> None:
    problem = batch(8, floor=np.array([4, 0]), capacity=np.array([8, 4]))

    limits = limits_of(problem, Fairness(load_band=0.5))

    assert limits.low.tolist() == [4, 2]
    assert limits.high.tolist() == [6, 4]


def test_who_has_no_slot_or_no_lead_takes_no_part() -> None:
    """A band neither owes them anything nor counts their weight."""
    eligible = np.array([[True, False, True]] * 4)
    problem = Problem(
        np.ones((4, 3)), eligible, np.array([4, 4, 0]), np.zeros(3, np.int64)
    )

    shares = Shares.of(problem)

    assert shares.takes_part.tolist() == [True, False, False]
    assert shares.weight.tolist() == [1.0, 0.0, 0.0]
    assert limits_of(problem, Fairness(load_band=0.0)).low.tolist() == [4, 0, 0]


def test_a_band_expects_no_more_leads_than_can_be_given() -> None:
    """Ten leads and six slots: three each."""
    limits = limits_of(batch(10, capacity=np.array([3, 3])), Fairness(load_band=0.0))

    assert limits.low.tolist() == [3, 3]


def test_the_band_of_a_group_is_around_the_weights_of_its_reps() -> None:
    problem = batch(10, weight=np.array([1.0, 4.0]), group=np.array([7, 3]))

    groups = limits_of(problem, Fairness(group_band=0.0)).groups

    assert groups is not None
    assert groups.of_rep.tolist() == [1, 0]
    assert groups.low.tolist() == [8, 2]


def test_the_spread_is_the_largest_distance_of_a_share_from_its_weight() -> None:
    shares = Shares.of(batch(8, load=np.array([2, 0])))

    assert shares.spread(np.array([6, 2])) == pytest.approx(0.8 - 0.5)


def test_nothing_given_is_no_spread() -> None:
    assert Shares.of(batch(8)).spread(np.array([0, 0])) == 0.0


def test_quality_outside_a_band_is_counted_in_mean_leads() -> None:
    band = QualityBand(np.array([0.4, 0.4]), np.array([0.6, 0.6]))
    quality = np.array([0.2, 0.2, 0.2, 0.2])

    excess = band.excess(quality, np.array([0, 0, 0, 1]))

    assert excess.tolist() == pytest.approx([0.6, -0.6])
    assert not band.holds(quality, np.array([0, 0, 0, 1]))
    assert band.holds(quality, np.array([0, 0, 1, 1]))
