"""Kernels of a visit day against plain twins; positions, limits and bad input."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from optimizer import visit_kernels
from optimizer.problem import IntArray
from optimizer.visits import (
    EXACT_STOPS,
    Skipped,
    Stops,
    VisitDay,
    nearby,
    plan_visits,
)
from rightrep.domain.positions import great_circle_km
from rightrep.errors import InvalidInput
from tests.visit_days import begins, best_prize, visit_days, ways

HOUR = 3600
OFFICE = (31.2304, 121.4737)


def city(n: int, **changes: object) -> VisitDay:
    """A day around an office, with everything open."""
    rng = np.random.default_rng(n)
    stops = Stops(
        latitude=OFFICE[0] + rng.normal(0, 0.05, n),
        longitude=OFFICE[1] + rng.normal(0, 0.05, n),
        service_seconds=np.full(n, HOUR // 2),
        opens=np.full(n, 9 * HOUR),
        closes=np.full(n, 18 * HOUR),
        prize=rng.integers(1, 100, n).astype(np.float64),
    )
    day = VisitDay(
        stops=stops, start=OFFICE, end=OFFICE, day_start=9 * HOUR, day_end=18 * HOUR
    )
    return replace(day, **changes)  # type: ignore[arg-type]


def as_places(day: VisitDay) -> tuple[np.ndarray, ...]:
    """The day as kernels read it: travel, opens, closes, service, prize."""
    stops, ends = day.stops, (np.int64(day.day_start), np.int64(day.day_end))
    return (
        ways(day),
        np.concatenate([[ends[0]], stops.opens, [ends[0]]]),
        np.concatenate([[ends[0]], stops.closes, [ends[1]]]),
        np.concatenate([[0], stops.service_seconds, [0]]),
        np.concatenate([[0.0], stops.prize, [0.0]]),
    )


@given(day=visit_days(limited=False), data=st.data())
def test_starts_and_slacks_are_those_of_walking_the_route(
    day: VisitDay, data: st.DataObject
) -> None:
    travel, opens, closes, service, _ = as_places(day)
    order = data.draw(st.permutations(range(1, len(day.stops) + 1)))
    route = np.array([0, *kept(day, order), len(day.stops) + 1], np.int64)
    start, slack = np.zeros_like(route), np.zeros_like(route)

    visit_kernels._schedule(
        route, len(route), travel, opens, closes, service, start, slack
    )

    assert start.tolist() == walked(route, travel, opens, service, 0, 0)
    for k in range(len(route)):
        # Later by the slack every stop still begins in time; by one more, one does not.
        for more in {0, int(slack[k]), int(slack[k]) + 1}:
            times = walked(route, travel, opens, service, k, more)
            in_time = np.array(times[k:]) <= closes[route[k:]]
            assert in_time.all() == (more <= slack[k])


def kept(day: VisitDay, order: list[int]) -> list[int]:
    """The places of an order that can be visited one after the other."""
    found: list[int] = []
    for place in order:
        if begins(day, np.array([*found, place]) - 1, day.day_start) is not None:
            found.append(place)
    assume(found)
    return found


def walked(
    route: IntArray,
    travel: IntArray,
    opens: IntArray,
    service: IntArray,
    delayed: int,
    by: int,
) -> list[int]:
    """Starts along a route whose ``delayed``-th start is put off."""
    times: list[int] = []
    for k, place in enumerate(route):
        if k == 0:
            at = int(opens[place])
        else:
            before = route[k - 1]
            arrive = times[-1] + int(service[before]) + int(travel[before, place])
            at = max(arrive, int(opens[place]))
        times.append(at + by if k == delayed else at)
    return times


@given(day=visit_days(limited=False, max_stops=4))
def test_the_programme_over_sets_finds_the_best_and_earliest_route(
    day: VisitDay,
) -> None:
    route = np.zeros(len(day.stops) + 2, np.int64)
    travel, opens, closes, service, prize = as_places(day)

    length = visit_kernels.exact_route(travel, opens, closes, service, prize, route)

    order = route[1 : length - 1] - 1
    assert route[0] == 0
    assert route[length - 1] == len(day.stops) + 1
    assert day.stops.prize[order].sum() == best_prize(day)
    if length > 2:
        assert begins(day, order, day.day_start) is not None


@given(day=visit_days(limited=False), seed=st.integers(0, 99))
def test_a_search_goes_on_from_the_best_route_and_never_loses_it(
    day: VisitDay, seed: int
) -> None:
    n = len(day.stops)
    route, length = np.zeros(n + 2, np.int64), 2
    route[1] = n + 1
    rng, before = np.random.default_rng(seed), 0.0
    travel, opens, closes, service, prize = as_places(day)

    for _ in range(3):
        length = visit_kernels.search_route(
            travel, opens, closes, service, prize, route, length, 20, rng
        )
        now = float(day.stops.prize[route[1 : length - 1] - 1].sum())
        assert now >= before
        before = now


def test_a_search_finds_the_proven_best_of_a_day_it_could_have_proved() -> None:
    day = city(EXACT_STOPS)

    proven = plan_visits(day)
    searched = plan_visits(day, time_limit=timedelta(seconds=0.2), exact_stops=0)

    assert proven.gap == 0
    assert searched.prize == proven.prize
    assert searched.bound >= proven.prize


def test_distances_are_those_of_the_sphere() -> None:
    shanghai, beijing = (
        (np.array([31.2304]), np.array([121.4737])),
        (
            np.array([39.9042]),
            np.array([116.4074]),
        ),
    )

    assert great_circle_km(shanghai, beijing).item() == pytest.approx(1067, abs=3)
    assert great_circle_km(shanghai, shanghai).item() == 0
    pole = np.zeros(1), np.array([90.0])
    quarter = great_circle_km((np.zeros(1), np.zeros(1)), pole)
    assert quarter.item() == pytest.approx(6371.0088 * math.pi / 2)


def test_a_day_without_stops_stays_at_the_start() -> None:
    plan = plan_visits(city(0))

    assert plan.order.size == plan.prize == plan.bound == plan.gap == 0
    assert plan.skipped == {}
    assert plan.arrival == 9 * HOUR


def test_a_given_matrix_takes_the_place_of_positions() -> None:
    near = city(1)
    far = np.array([[0, 5 * HOUR, 0], [5 * HOUR, 0, 5 * HOUR], [0, 5 * HOUR, 0]])

    assert plan_visits(near).order.tolist() == [0]
    assert plan_visits(replace(near, travel_seconds=far)).skipped == {0: Skipped.DAY}


def test_a_stop_that_closes_before_anybody_can_be_there_is_out_of_its_window() -> None:
    day = city(2)
    stops = replace(day.stops, closes=np.array([9 * HOUR - 1, 18 * HOUR]))

    plan = plan_visits(replace(day, stops=stops))

    assert plan.skipped == {0: Skipped.WINDOW}
    assert plan.order.tolist() == [1]


def test_of_two_stops_with_room_for_one_the_one_worth_more_is_visited() -> None:
    stops = replace(city(2).stops, service_seconds=np.full(2, 5 * HOUR))

    plan = plan_visits(city(2, stops=stops))

    assert plan.order.tolist() == [int(np.argmax(stops.prize))]
    assert plan.skipped == {int(np.argmin(stops.prize)): Skipped.ROOM}


def test_a_short_working_time_waits_for_the_stop_that_opens_late() -> None:
    day = city(1)
    late = replace(day.stops, opens=np.full(1, 16 * HOUR))

    plan = plan_visits(replace(day, stops=late, max_working_seconds=2 * HOUR))

    assert plan.order.tolist() == [0]
    assert plan.arrival - plan.departure <= 2 * HOUR
    assert plan.departure > 15 * HOUR


def test_places_on_the_way_are_listed_from_the_cheapest() -> None:
    day = city(3)
    plan = plan_visits(day)
    pool = Stops(
        latitude=np.array([day.stops.latitude[0], 33.0, OFFICE[0]]),
        longitude=np.array([day.stops.longitude[0], 125.0, OFFICE[1]]),
        service_seconds=np.array([600, 600, 300]),
        opens=np.full(3, 9 * HOUR),
        closes=np.full(3, 18 * HOUR),
        prize=np.ones(3),
    )

    found = nearby(day, plan, pool, max_extra_seconds=HOUR)

    assert [(place.stop, place.extra_seconds) for place in found] == [
        (2, 300),
        (0, 600),
    ]


@contextmanager
def refused(field: str) -> Iterator[None]:
    with pytest.raises(InvalidInput) as caught:
        yield
    assert caught.value.field == field


def test_days_that_make_no_sense_are_refused_by_field() -> None:
    day = city(2)
    with refused("day_end"):
        city(2, day_end=8 * HOUR)
    with refused("speed_km_per_hour"):
        city(2, speed_km_per_hour=0.0)
    with refused("speed_km_per_hour"):
        city(2, detour_factor=0.9)
    with refused("opens"):
        city(2, stops=replace(day.stops, opens=np.zeros(3, np.int64)))
    with refused("prize"):
        city(2, stops=replace(day.stops, prize=np.array([-1.0, 1.0])))
    with refused("travel_seconds"):
        city(2, travel_seconds=np.zeros((2, 2), np.int64))
    with_matrix = city(2, travel_seconds=np.zeros((4, 4), np.int64))
    with refused("travel_seconds"):
        nearby(with_matrix, plan_visits(day), day.stops, max_extra_seconds=60)
