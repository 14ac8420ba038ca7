"""Small visit days for tests, and what is true of every route, by other code."""

import itertools

import numpy as np
from hypothesis import strategies as st

from optimizer.problem import IntArray
from optimizer.visits import Stops, VisitDay

MOST_TIME = 40


@st.composite
def visit_days(
    draw: st.DrawFn, *, max_stops: int = 5, limited: bool = True
) -> VisitDay:
    """Days of a few stops, in units of time so small that windows and days bind.

    Args:
        draw: Given by hypothesis.
        max_stops: Most stops.
        limited: Whether the working time may be limited.
    """
    n = draw(st.integers(0, max_stops))
    times = st.integers(0, MOST_TIME)
    opens = np.array(draw(st.lists(times, min_size=n, max_size=n)), np.int64)
    widths = np.array(draw(st.lists(times, min_size=n, max_size=n)), np.int64)
    way = st.lists(st.integers(0, 15), min_size=(n + 2) ** 2, max_size=(n + 2) ** 2)
    service = st.lists(st.integers(0, 6), min_size=n, max_size=n)
    prize = st.lists(st.integers(0, 9), min_size=n, max_size=n)
    start = draw(st.integers(0, 10))
    return VisitDay(
        stops=Stops(
            latitude=np.zeros(n),
            longitude=np.zeros(n),
            service_seconds=np.array(draw(service), np.int64),
            opens=opens,
            closes=opens + widths,
            prize=np.array(draw(prize), np.float64),
        ),
        start=(0.0, 0.0),
        end=(0.0, 0.0),
        day_start=start,
        day_end=start + 15 + draw(times),
        max_working_seconds=draw(st.none() | st.integers(0, 50)) if limited else None,
        travel_seconds=np.array(draw(way), np.int64).reshape(n + 2, n + 2),
    )


def begins(day: VisitDay, order: IntArray, departure: int) -> list[int] | None:
    """Start of each visit and the arrival home; None when a limit is broken."""
    travel, at, here, found = ways(day), departure, 0, []
    for stop in order:
        at = max(at + int(travel[here, stop + 1]), int(day.stops.opens[stop]))
        if at > day.stops.closes[stop]:
            return None
        found.append(at)
        at, here = at + int(day.stops.service_seconds[stop]), int(stop) + 1
    at += int(travel[here, -1])
    limit = day.max_working_seconds
    late = limit is not None and at - departure > limit
    early = departure < day.day_start
    return None if at > day.day_end or late or early else [*found, at]


def ways(day: VisitDay) -> IntArray:
    """Travel times that were given."""
    assert day.travel_seconds is not None
    return day.travel_seconds


def best_prize(day: VisitDay) -> float:
    """The most prize of all routes and departures, by trying every one."""
    best, n = 0.0, len(day.stops)
    for size in range(n + 1):
        for order in itertools.permutations(range(n), size):
            prize = float(day.stops.prize[list(order)].sum())
            if prize > best and can_be_done(day, np.array(order, np.int64)):
                best = prize
    return best


def can_be_done(day: VisitDay, order: IntArray) -> bool:
    """Whether a route keeps every limit for some departure."""
    latest = day.day_end if day.max_working_seconds is not None else day.day_start
    return any(
        begins(day, order, departure) is not None
        for departure in range(day.day_start, latest + 1)
    )
