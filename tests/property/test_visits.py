"""A rep's day as a route: held to trying every route, and to walking it again."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.visits import Skipped, Stops, VisitDay, nearby, plan_visits
from tests.visit_days import (
    MOST_TIME,
    begins,
    best_prize,
    can_be_done,
    visit_days,
    ways,
)

AT_ONCE = timedelta(0)
searches = st.sampled_from([0, 14])
"""Stops up to which the answer is exact: none, so that it is searched, or all."""


@given(day=visit_days(limited=False))
def test_a_small_day_gets_the_best_route_of_all(day: VisitDay) -> None:
    plan = plan_visits(day)

    assert plan.prize == best_prize(day)
    assert plan.bound == plan.prize
    assert plan.gap == 0


@given(day=visit_days(max_stops=4), exact_stops=searches)
def test_no_route_beats_the_bound_whatever_the_limits(
    day: VisitDay, exact_stops: int
) -> None:
    plan = plan_visits(day, time_limit=AT_ONCE, exact_stops=exact_stops)

    assert plan.prize <= best_prize(day) <= plan.bound + 1e-9
    assert 0 <= plan.gap <= 1


@given(day=visit_days(max_stops=9), exact_stops=searches, seed=st.integers(0, 9))
def test_a_route_keeps_windows_day_and_working_time(
    day: VisitDay, exact_stops: int, seed: int
) -> None:
    plan = plan_visits(day, time_limit=AT_ONCE, seed=seed, exact_stops=exact_stops)

    if len(plan.order) or can_be_done(day, plan.order):
        times = begins(day, plan.order, plan.departure)
        assert times == [*plan.begin, plan.arrival]
    assert plan.prize == day.stops.prize[plan.order].sum()
    assert len(set(plan.order.tolist())) == len(plan.order)


@given(day=visit_days(max_stops=6), seed=st.integers(0, 9))
def test_the_same_seed_gives_the_same_route(day: VisitDay, seed: int) -> None:
    one, two = (
        plan_visits(day, time_limit=AT_ONCE, seed=seed, exact_stops=0) for _ in "ab"
    )

    assert one.order.tolist() == two.order.tolist()


@given(day=visit_days(max_stops=4))
def test_every_stop_left_out_is_listed_with_the_reason(day: VisitDay) -> None:
    plan = plan_visits(day)

    assert set(plan.skipped) | set(plan.order.tolist()) == set(range(len(day.stops)))
    assert not set(plan.skipped) & set(plan.order.tolist())
    for stop, reason in plan.skipped.items():
        only = np.array([stop])
        arrives = day.day_start + ways(day)[0, stop + 1]
        if reason is Skipped.WINDOW:
            assert arrives > day.stops.closes[stop]
        else:
            assert arrives <= day.stops.closes[stop]
            assert can_be_done(day, only) == (reason is Skipped.ROOM)


@given(
    day=visit_days(max_stops=4),
    others=visit_days(max_stops=3),
    most=st.integers(0, MOST_TIME),
    data=st.data(),
)
def test_nearby_places_cost_what_the_walk_with_them_takes_longer(
    day: VisitDay, others: VisitDay, most: int, data: st.DataObject
) -> None:
    n, m = len(day.stops), len(others.stops)
    plan = plan_visits(day)
    travel = data.draw(_wider(day, m))
    found = nearby(
        day, plan, others.stops, max_extra_seconds=most, travel_seconds=travel
    )

    both = _joined(day, others.stops, travel)
    alone = begins(both, plan.order, plan.departure)
    cost: dict[int, int] = {}
    for other in range(m):
        for after in range(len(plan.order) + 1):
            order = np.insert(plan.order, after, n + other)
            times = begins(both, order, plan.departure)
            if times is not None and alone is not None:
                extra = times[-1] - alone[-1]
                cost[other] = min(cost.get(other, extra), extra)
    near = {other: extra for other, extra in cost.items() if extra <= most}
    assert {place.stop: place.extra_seconds for place in found} == near
    extras = [place.extra_seconds for place in found]
    assert extras == sorted(extras)


@st.composite
def _wider(draw: st.DrawFn, day: VisitDay, more: int) -> np.ndarray:
    """The day's travel times with those of more places before the end."""
    n = len(day.stops)
    size = n + more + 2
    cells = draw(st.lists(st.integers(0, 15), min_size=size**2, max_size=size**2))
    wide = np.array(cells, np.int64).reshape(size, size)
    keep = np.append(np.arange(n + 1), size - 1)
    wide[np.ix_(keep, keep)] = ways(day)
    return wide


def _joined(day: VisitDay, others: Stops, travel: np.ndarray) -> VisitDay:
    names = Stops.__dataclass_fields__
    both = {
        name: np.concatenate([getattr(day.stops, name), getattr(others, name)])
        for name in names
    }
    return VisitDay(
        stops=Stops(**both),
        start=day.start,
        end=day.end,
        day_start=day.day_start,
        day_end=day.day_end,
        max_working_seconds=day.max_working_seconds,
        travel_seconds=travel,
    )


def test_more_time_to_work_never_loses_prize_on_small_days() -> None:
    rng = np.random.default_rng(2)
    for _ in range(10):
        n = 6
        stops = Stops(
            latitude=rng.normal(31.2, 0.1, n),
            longitude=rng.normal(121.5, 0.1, n),
            service_seconds=np.full(n, 1800),
            opens=np.full(n, 9 * 3600),
            closes=np.full(n, 17 * 3600),
            prize=rng.random(n),
        )
        prizes = [
            plan_visits(
                VisitDay(
                    stops=stops,
                    start=(31.2, 121.5),
                    end=(31.2, 121.5),
                    day_start=9 * 3600,
                    day_end=18 * 3600,
                    max_working_seconds=hours * 3600,
                )
            ).prize
            for hours in (0, 2, 4, 9)
        ]
        assert prizes == sorted(prizes)
        assert prizes[0] == pytest.approx(0)
