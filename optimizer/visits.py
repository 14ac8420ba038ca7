"""One rep's day as a route: which leads to visit, in which order, for the most prize.

Orienteering with time windows (one vehicle): maximise the prizes of the stops visited,
each within its window, out and home within the day. Up to ``EXACT_STOPS`` stops the
answer is exact and proven; beyond, an iterated local search runs until its time is up
and a relaxation gives the bound. OR-Tools' routing was tried first and stayed up to
24 % below the best known routes after 4 s (see ``docs/decisions/0013-visits.md``).
"""

import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum

import numpy as np

from optimizer.problem import FloatArray, IntArray
from optimizer.visit_kernels import exact_route, search_route
from rightrep.domain.positions import great_circle_km
from rightrep.errors import InvalidInput

EXACT_STOPS = 14
_ROUNDS = 500
_DEPARTURES = 6


class Skipped(StrEnum):
    """Why a stop is not on the route."""

    WINDOW = "window"
    """Cannot be reached within its window, even as the only stop."""
    DAY = "day"
    """Does not fit the working day, even as the only stop."""
    ROOM = "room"
    """Would displace stops that are worth more."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Stops:
    """Places a rep could visit; n of them.

    Attributes:
        latitude: Degrees north; float64 (n,).
        longitude: Degrees east; float64 (n,).
        service_seconds: Time spent there; int64 (n,), >= 0.
        opens: Earliest start of the visit, seconds of the day; int64 (n,).
        closes: Latest start of the visit, seconds of the day; int64 (n,).
        prize: What a visit is worth; float64 (n,), >= 0.
    """

    latitude: FloatArray
    longitude: FloatArray
    service_seconds: IntArray
    opens: IntArray
    closes: IntArray
    prize: FloatArray

    def __len__(self) -> int:
        """Number of stops."""
        return int(self.prize.shape[0])


@dataclass(frozen=True, eq=False, kw_only=True)
class VisitDay:
    """One rep's day.

    Attributes:
        stops: Leads to visit.
        start: (latitude, longitude) where the day starts.
        end: (latitude, longitude) where it ends.
        day_start: Earliest departure, seconds of the day.
        day_end: Latest arrival at the end, seconds of the day.
        max_working_seconds: Longest time from departure to the end; None is the day.
        speed_km_per_hour: Average speed on the road.
        detour_factor: Road distance over great-circle distance, >= 1.
        travel_seconds: Travel times if known, instead of those from positions;
            int64 (n + 2, n + 2): start, the stops in order, end.
    """

    stops: Stops
    start: tuple[float, float]
    end: tuple[float, float]
    day_start: int
    day_end: int
    max_working_seconds: int | None = None
    speed_km_per_hour: float = 30.0
    detour_factor: float = 1.3
    travel_seconds: IntArray | None = field(default=None)

    def __post_init__(self) -> None:
        """Check every range.

        Raises:
            InvalidInput: A range or a shape above does not hold.
        """
        if self.day_end < self.day_start:
            raise InvalidInput("The day ends before it starts.", field="day_end")
        if self.speed_km_per_hour <= 0 or self.detour_factor < 1:
            raise InvalidInput(
                "Speed is positive and the detour factor at least 1.",
                field="speed_km_per_hour",
            )
        n = len(self.stops)
        for name in ("latitude", "longitude", "service_seconds", "opens", "closes"):
            if getattr(self.stops, name).shape != (n,):
                raise InvalidInput(f"{name} needs one entry per stop.", field=name)
        if n and (self.stops.prize.min() < 0 or self.stops.service_seconds.min() < 0):
            raise InvalidInput("Prizes and service times are >= 0.", field="prize")
        given = self.travel_seconds
        if given is not None and given.shape != (n + 2, n + 2):
            raise InvalidInput(
                f"travel_seconds has shape {given.shape}, not ({n + 2}, {n + 2}).",
                field="travel_seconds",
            )


@dataclass(frozen=True, eq=False)
class VisitPlan:
    """A route and how good it is.

    Attributes:
        order: Stops in the order of the visit; int64 (n_visited,).
        begin: Start of each visit, seconds of the day; int64 (n_visited,).
        departure: When to leave, seconds of the day: as late as the route allows.
        arrival: When the day ends, seconds of the day; after ``day_end`` only where
            even the way from start to end does not fit.
        prize: Sum of the prizes on the route.
        bound: Proven upper bound on the prize of any route.
        skipped: Reason of every stop not on the route, by stop.
    """

    order: IntArray
    begin: IntArray
    departure: int
    arrival: int
    prize: float
    bound: float
    skipped: dict[int, Skipped]

    @property
    def gap(self) -> float:
        """Bound minus prize, over the bound; 0 is proven optimal."""
        return 0.0 if self.bound <= 0 else 1.0 - self.prize / self.bound


@dataclass(frozen=True)
class Nearby:
    """A place that could be visited on the way.

    Attributes:
        stop: Index among the places asked about.
        after: Stops on the route before it: 0 is right after the start.
        extra_seconds: How much later the day ends at most, with the visit.
    """

    stop: int
    after: int
    extra_seconds: int


@dataclass(frozen=True, eq=False)
class _Places:
    """Start, stops and end as the kernels read them; one departure."""

    travel: IntArray
    opens: IntArray
    closes: IntArray
    service: IntArray
    prize: FloatArray


def plan_visits(
    day: VisitDay,
    *,
    time_limit: timedelta = timedelta(seconds=2),
    seed: int = 0,
    exact_stops: int = EXACT_STOPS,
) -> VisitPlan:
    """The route with the most prize.

    Args:
        day: The stops and the limits of the day.
        time_limit: How long the search may run; a small day needs none of it.
        seed: Seed of the search.
        exact_stops: Stops up to which the answer is exact; time and memory double with
            each one more, at most 20.
    """
    is_small = len(day.stops) <= exact_stops
    departures = _departures(day, every=is_small)
    share = None if is_small else time_limit / len(departures)
    found = [_route(_places(day, at), share, seed) for at in departures]
    worths = [
        float(_places(day, at).prize[route].sum())
        for at, route in zip(departures, found, strict=True)
    ]
    best = int(np.argmax(worths))
    places, route = _places(day, departures[best]), found[best]
    proven = is_small and len(departures) == 1
    bound = worths[best] if proven else max(_bound(day), worths[best])
    begin = _begin(places, route)
    visited = route[1:-1] - 1
    return VisitPlan(
        order=visited,
        begin=begin[1:-1],
        departure=_latest_departure(places, route, begin),
        arrival=int(begin[-1]),
        prize=worths[best],
        bound=bound,
        skipped=_why_skipped(day, visited),
    )


def nearby(
    day: VisitDay,
    plan: VisitPlan,
    others: Stops,
    *,
    max_extra_seconds: int,
    travel_seconds: IntArray | None = None,
) -> list[Nearby]:
    """Places that fit the route for a given detour, cheapest first.

    Args:
        day: The day of the plan.
        plan: The route.
        others: Places asked about, such as leads of the public pool; m of them.
        max_extra_seconds: Longest detour worth telling, service included.
        travel_seconds: Travel times over start, stops, others and end;
            int64 (n + m + 2, n + m + 2). Needed when the day has its own.

    Raises:
        InvalidInput: The day has its own travel times and these are missing.
    """
    if day.travel_seconds is not None and travel_seconds is None:
        raise InvalidInput(
            "Give travel times that include the other places.", field="travel_seconds"
        )
    both = replace(day, stops=_joined(day.stops, others), travel_seconds=travel_seconds)
    places = _places(both, plan.departure)
    n = len(day.stops)
    home = len(both.stops) + 1
    route = np.concatenate([[0], plan.order + 1, [home]]).astype(np.int64)
    found = (_insertion(places, route, n + 1 + k) for k in range(len(others)))
    listed = [
        Nearby(k, after, extra)
        for k, (after, extra) in enumerate(found)
        if after >= 0 and extra <= max_extra_seconds
    ]
    return sorted(listed, key=lambda place: (place.extra_seconds, place.stop))


def _joined(stops: Stops, others: Stops) -> Stops:
    names = (
        "latitude", "longitude", "service_seconds", "opens", "closes", "prize"
    )  # fmt: skip
    return Stops(
        **{
            name: np.concatenate([getattr(stops, name), getattr(others, name)])
            for name in names
        }
    )


def _departures(day: VisitDay, *, every: bool) -> list[int]:
    """Times to leave that are tried: one, unless the working time is shorter.

    Then some spread over the day and, where asked for, those that meet the opening of
    a stop visited first.
    """
    limit = day.max_working_seconds
    span = day.day_end - day.day_start
    if limit is None or limit >= span:
        return [day.day_start]
    latest = day.day_end - limit
    tried = np.linspace(day.day_start, latest, _DEPARTURES).astype(np.int64)
    if every:
        way = _places(day, day.day_start).travel[0, 1:-1]
        meets = np.clip(day.stops.opens - way, day.day_start, latest)
        tried = np.concatenate([tried, meets])
    return [int(at) for at in np.unique(tried)]


def _places(day: VisitDay, departure: int) -> _Places:
    stops = day.stops
    travel = day.travel_seconds
    if travel is None:
        latitude = np.concatenate([[day.start[0]], stops.latitude, [day.end[0]]])
        longitude = np.concatenate([[day.start[1]], stops.longitude, [day.end[1]]])
        km = great_circle_km(
            (latitude[:, None], longitude[:, None]), (latitude, longitude)
        )
        hours = km * day.detour_factor / day.speed_km_per_hour
        travel = np.ceil(hours * 3600).astype(np.int64)
    limit = day.max_working_seconds
    close = day.day_end if limit is None else min(day.day_end, departure + limit)
    zero = np.zeros(1, dtype=np.int64)
    return _Places(
        travel=np.ascontiguousarray(travel, dtype=np.int64),
        opens=_ends(departure, stops.opens, departure),
        closes=_ends(departure, stops.closes, close),
        service=np.concatenate([zero, stops.service_seconds, zero]).astype(np.int64),
        prize=np.concatenate([[0.0], stops.prize, [0.0]]),
    )


def _ends(first: int, middle: IntArray, last: int) -> IntArray:
    return np.concatenate([[first], middle, [last]]).astype(np.int64)


def _route(places: _Places, time_limit: timedelta | None, seed: int) -> IntArray:
    """Places of the best route found, both ends included; exact without a limit."""
    n = places.prize.shape[0] - 2
    route = np.zeros(n + 2, dtype=np.int64)
    route[1] = n + 1
    arrays = (
        places.travel,
        places.opens,
        places.closes,
        places.service,
        places.prize,
    )
    if time_limit is None:
        return route[: exact_route(*arrays, route)]
    length, until = 2, time.monotonic() + time_limit.total_seconds()
    rng = np.random.default_rng(seed)
    while True:
        length = search_route(*arrays, route, length, _ROUNDS, rng)
        if time.monotonic() >= until:
            return route[:length]


def _begin(places: _Places, route: IntArray) -> IntArray:
    begin = np.zeros(route.shape[0], dtype=np.int64)
    begin[0] = places.opens[route[0]]
    for k in range(1, route.shape[0]):
        here, there = route[k - 1], route[k]
        arrive = begin[k - 1] + places.service[here] + places.travel[here, there]
        begin[k] = max(arrive, places.opens[there])
    return begin


def _latest_departure(places: _Places, route: IntArray, begin: IntArray) -> int:
    """The latest start that changes no visit."""
    if route.shape[0] == 2:
        return int(begin[0])
    first = route[1]
    return int(max(begin[0], begin[1] - places.travel[0, first]))


def _bound(day: VisitDay) -> float:
    """Fractional knapsack: every stop costs its service and its cheapest way in.

    The way home costs at least the cheapest way to the end. Valid since each place of
    a route is entered exactly once.
    """
    places = _places(day, day.day_start)
    limit = day.max_working_seconds
    span = day.day_end - day.day_start
    budget = float(span if limit is None else min(limit, span))
    ways = places.travel.astype(np.float64).copy()
    np.fill_diagonal(ways, np.inf)
    ways[-1, :] = np.inf
    cheapest = ways.min(axis=0)
    alone = [k for k in range(len(day.stops)) if _alone(day, places, k) is None]
    if not alone:
        return 0.0
    stop = np.array(alone)
    cost = cheapest[stop + 1] + places.service[stop + 1]
    prize = places.prize[stop + 1]
    home = float(ways[np.append(stop + 1, 0), -1].min())
    order = np.argsort(-prize / np.maximum(cost, 1e-9))
    before = np.concatenate([[0.0], np.cumsum(cost[order])[:-1]])
    fits = np.clip((budget - home - before) / np.maximum(cost[order], 1e-9), 0, 1)
    return float((prize[order] * fits).sum())


def _why_skipped(day: VisitDay, visited: IntArray) -> dict[int, Skipped]:
    places, on_route = _places(day, day.day_start), set(visited.tolist())
    return {
        k: _alone(day, places, k) or Skipped.ROOM
        for k in range(len(day.stops))
        if k not in on_route
    }


def _alone(day: VisitDay, places: _Places, stop: int) -> Skipped | None:
    """Why the stop does not fit as the only one; None when it does."""
    out, home = places.travel[0, stop + 1], places.travel[stop + 1, -1]
    service = places.service[stop + 1]
    begin = max(day.day_start + out, places.opens[stop + 1])
    if begin > places.closes[stop + 1]:
        return Skipped.WINDOW
    limit = day.max_working_seconds
    too_long = limit is not None and out + service + home > limit
    return Skipped.DAY if too_long or begin + service + home > day.day_end else None


def _insertion(places: _Places, route: IntArray, place: int) -> tuple[int, int]:
    """Where a place delays the rest of the route least, and by how much."""
    best, where = -1, -1
    begin = _begin(places, route)
    for k in range(1, route.shape[0]):
        longer = np.insert(route, k, place)
        times = _begin(places, longer)
        if bool((times <= places.closes[longer]).all()):
            extra = int(times[-1] - begin[-1])
            if where < 0 or extra < best:
                best, where = extra, k - 1
    return where, best
