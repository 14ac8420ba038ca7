"""Point-in-time joins answer with what was known, and nothing later."""

import numpy as np
import pandas as pd
import pytest

from features.as_of import (
    DAY,
    NEVER,
    Log,
    Tally,
    days_between,
    in_force,
    instant,
    instants,
    row_in_force,
)
from features.merges import FOREVER


def ints(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


def test_an_instant_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        instant(pd.Timestamp("2024-01-01"))


def test_an_instant_is_the_same_in_every_zone() -> None:
    local = pd.Timestamp("2024-01-01 08:00", tz="Asia/Shanghai")

    assert instant(local) == instant(pd.Timestamp("2024-01-01", tz="UTC"))
    assert instant(local) == instants(pd.Series([local]))[0]


def test_days_to_or_from_a_time_that_is_not_known_are_missing() -> None:
    days = days_between(ints(0, NEVER, 0), ints(DAY, DAY, NEVER))

    np.testing.assert_array_equal(days, [1.0, np.nan, np.nan])


def test_an_event_is_known_from_its_very_instant_on() -> None:
    log = Log.of(ints(3, 3), ints(10, 20))

    assert log.count(ints(3, 3, 3), ints(9, 10, 20)).tolist() == [0, 1, 2]


def test_events_without_a_key_or_a_time_are_left_out() -> None:
    log = Log.of(ints(-1, 2, 2), ints(5, NEVER, 5))

    assert log.order.tolist() == [2]


def test_an_unknown_key_has_no_events() -> None:
    log = Log.of(ints(0, 1), ints(5, 5))

    assert log.last(ints(-1, 7), ints(9, 9)).tolist() == [-1, -1]
    assert np.isnan(log.since(ints(-1), ints(9))).all()


def test_keys_far_apart_are_found_too() -> None:
    log = Log.of(ints(10**12, 4), ints(5, 5))

    assert log.count(ints(10**12, 4, 5), ints(9, 9, 9)).tolist() == [1, 1, 0]


def test_a_window_leaves_older_events_out() -> None:
    log = Log.of(ints(0, 0, 0), ints(0, 5 * DAY, 9 * DAY))

    assert log.within(ints(0), ints(10 * DAY), 7).tolist() == [2]


def test_a_correction_of_the_past_does_not_displace_the_present() -> None:
    valid_from, recorded_at = ints(10, 20, 5), ints(10, 20, 30)
    log = in_force(ints(0, 0, 0), valid_from, recorded_at)

    rows = row_in_force(log, ints(0, 0, 0, 0), ints(9, 10, 25, 99))

    assert rows.tolist() == [-1, 0, 1, 1]


def test_a_version_recorded_late_is_seen_late() -> None:
    log = in_force(ints(0, 0), ints(10, 20), ints(10, 50))

    rows = row_in_force(log, ints(0, 0), ints(40, 50))

    assert rows.tolist() == [0, 1]


def test_a_sum_halves_with_every_half_life() -> None:
    tally = Tally.of(ints(1), ints(0), [np.array([8.0])], half_life_days=10.0)

    sums = tally.sums(ints(1, 1, 1), ints(0, 10 * DAY, 30 * DAY))

    np.testing.assert_allclose(sums, [[8.0, 4.0, 1.0]])


def test_a_sum_without_events_is_zero() -> None:
    tally = Tally.of(ints(1), ints(5), [np.array([8.0])])

    assert tally.sums(ints(1, 2, -1), ints(4, 9, 9)).tolist() == [[0.0, 0.0, 0.0]]


def test_events_are_in_order_of_key_then_time_then_row_whatever_their_size() -> None:
    rng = np.random.default_rng(4)
    key = rng.choice(np.array([0, 3, 70_000, 2**40]), size=500)
    at = rng.choice(np.array([NEVER + 1, -5, 0, 2**33, FOREVER]), size=500)

    log = Log.of(key, at)

    np.testing.assert_array_equal(log.order, np.lexsort((at, key)))
