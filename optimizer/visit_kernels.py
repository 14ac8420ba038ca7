"""Compiled inner loops of a visit day: arrays in, arrays out; no checks.

A route is a sequence of stops between the start (place 0) and the end (place n + 1) of
the day. ``travel`` is int64 (n + 2, n + 2); opens, closes and service are int64
(n + 2,), all in the same unit of time. Callers validate (see ``visits.VisitDay``).
Each kernel has a plain twin in ``tests/unit/test_visits.py``.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

_FAR = np.int64(1) << 60


@njit(cache=True, nogil=True)
def _schedule(
    route: IntArray,
    length: int,
    travel: IntArray,
    opens: IntArray,
    closes: IntArray,
    service: IntArray,
    start: IntArray,
    slack: IntArray,
) -> None:
    """Earliest starts along a route, and how far each stop may move later.

    Args:
        route: Places in order, both ends included; the first ``length`` count.
        length: Places on the route.
        travel: Travel times.
        opens: Earliest start of service.
        closes: Latest start of service.
        service: Service times.
        start: Written in place: start of service at each position.
        slack: Written in place: how much later service may start at each position.
    """
    start[0] = opens[route[0]]
    for k in range(1, length):
        here, there = route[k - 1], route[k]
        arrive = start[k - 1] + service[here] + travel[here, there]
        start[k] = max(arrive, opens[there])
    last = length - 1
    slack[last] = closes[route[last]] - start[last]
    for k in range(last - 1, -1, -1):
        here, there = route[k], route[k + 1]
        wait = start[k + 1] - (start[k] + service[here] + travel[here, there])
        slack[k] = min(closes[here] - start[k], wait + slack[k + 1])


@njit(cache=True, nogil=True)
def _fill(
    route: IntArray,
    length: int,
    visited: NDArray[np.bool_],
    travel: IntArray,
    opens: IntArray,
    closes: IntArray,
    service: IntArray,
    prize: FloatArray,
    start: IntArray,
    slack: IntArray,
    greed: float,
    rng: np.random.Generator,
) -> int:
    """Insert stops while any fits, best prize ** greed per time lost first.

    Args:
        route: Places in order; modified in place.
        length: Places on the route.
        visited: Places on the route; modified in place.
        travel: Travel times.
        opens: Earliest start of service.
        closes: Latest start of service.
        service: Service times.
        prize: Prizes.
        start: Starts of the route; modified in place.
        slack: Slack of the route; modified in place.
        greed: Exponent of the prize, multiplied by a random factor per stop.
        rng: Every draw.

    Returns:
        The new length.
    """
    n_places = prize.shape[0]
    weight = np.empty(n_places)
    for v in range(1, n_places - 1):
        weight[v] = prize[v] ** greed * (0.7 + 0.6 * rng.random())
    while True:
        best, best_place, best_at = -1.0, -1, -1
        for v in range(1, n_places - 1):
            if visited[v]:
                continue
            least, where = _FAR, -1
            for k in range(1, length):
                here, there = route[k - 1], route[k]
                arrive = start[k - 1] + service[here] + travel[here, v]
                if arrive > closes[v]:
                    continue
                begin = max(arrive, opens[v])
                shift = begin + service[v] + travel[v, there] - start[k]
                # A negative shift only means that the next stop waits less.
                if shift <= slack[k] and shift < least:
                    least, where = shift, k
            if where >= 0:
                worth = weight[v] / max(np.float64(least), 1.0)
                if worth > best:
                    best, best_place, best_at = worth, v, where
        if best_place < 0:
            return length
        for k in range(length, best_at, -1):
            route[k] = route[k - 1]
        route[best_at] = best_place
        visited[best_place] = True
        length += 1
        _schedule(route, length, travel, opens, closes, service, start, slack)


@njit(cache=True, nogil=True)
def search_route(
    travel: IntArray,
    opens: IntArray,
    closes: IntArray,
    service: IntArray,
    prize: FloatArray,
    best_route: IntArray,
    best_length: int,
    rounds: int,
    rng: np.random.Generator,
) -> int:
    """Iterated local search for orienteering with time windows.

    Shake and fill after Vansteenwegen, Souffriau, Vanden Berghe and Van Oudheusden
    (2009), with randomised insertion weights. The route found so far is where it
    starts, so that it can be called again until time is up.

    Args:
        travel: Travel times.
        opens: Earliest start of service.
        closes: Latest start of service.
        service: Service times.
        prize: Prizes, >= 0; float64 (n + 2,), 0 at both ends.
        best_route: Best places in order, both ends included; int64 (n + 2,); modified
            in place.
        best_length: Places on it.
        rounds: Shakes to try.
        rng: Every draw.

    Returns:
        The new length of ``best_route``.
    """
    n_places = prize.shape[0]
    route = best_route.copy()
    length = best_length
    visited = np.zeros(n_places, dtype=np.bool_)
    start = np.zeros(n_places, dtype=np.int64)
    slack = np.zeros(n_places, dtype=np.int64)
    best_prize, best_end = _worth(
        best_route, best_length, prize, travel, opens, service
    )
    idle, size, place = 0, 1, 1
    for _ in range(rounds):
        visited[:] = False
        for k in range(length):
            visited[route[k]] = True
        _schedule(route, length, travel, opens, closes, service, start, slack)
        greed = 1.0 + 2.0 * rng.random()
        length = _fill(
            route, length, visited, travel, opens, closes, service, prize,
            start, slack, greed, rng,
        )  # fmt: skip
        worth, end = _worth(route, length, prize, travel, opens, service)
        if worth > best_prize + 1e-9 or (worth > best_prize - 1e-9 and end < best_end):
            if worth > best_prize + 1e-9:
                idle, size = 0, 1
            best_prize, best_end, best_length = worth, end, length
            best_route[:length] = route[:length]
        else:
            idle += 1
        if idle > 200:
            route[:best_length] = best_route[:best_length]
            length, idle, size = best_length, 0, 1
        inner = length - 2
        if inner <= 0:
            continue
        size = 1 + int(rng.random() * min(inner, 2 + inner // 2))
        place = 1 + int(rng.random() * inner)
        last = min(place + size, length - 1)
        gone = last - place
        for k in range(last, length):
            route[k - gone] = route[k]
        length -= gone
    return best_length


@njit(cache=True, nogil=True)
def _worth(
    route: IntArray,
    length: int,
    prize: FloatArray,
    travel: IntArray,
    opens: IntArray,
    service: IntArray,
) -> tuple[float, int]:
    """Prize and arrival at the end of a feasible route."""
    total, at = 0.0, opens[route[0]]
    for k in range(1, length):
        here, there = route[k - 1], route[k]
        at = max(at + service[here] + travel[here, there], opens[there])
        total += prize[there]
    return total, at


@njit(cache=True, nogil=True)
def exact_route(
    travel: IntArray,
    opens: IntArray,
    closes: IntArray,
    service: IntArray,
    prize: FloatArray,
    route: IntArray,
) -> int:
    """The best route of few stops, by dynamic programming over sets of stops.

    Keeps the earliest start of service for every (set, last stop); Held and Karp
    (1962). Memory grows with ``n 2**n``: 16 stops need 8 MB, 20 stops 160 MB.

    Args:
        travel: Travel times; they need not keep the triangle inequality.
        opens: Earliest start of service.
        closes: Latest start of service.
        service: Service times.
        prize: Prizes, >= 0; float64 (n + 2,), 0 at both ends.
        route: Written in place: the best places in order, both ends included.

    Returns:
        Places on the route.
    """
    n = prize.shape[0] - 2
    end = n + 1
    earliest = np.full((1 << n, max(n, 1)), _FAR, dtype=np.int64)
    for v in range(n):
        arrive = opens[0] + service[0] + travel[0, v + 1]
        if arrive <= closes[v + 1]:
            earliest[1 << v, v] = max(arrive, opens[v + 1])
    best, best_end, best_set, best_last = 0.0, _FAR, 0, -1
    for members in range(1, 1 << n):
        total = 0.0
        for v in range(n):
            if members >> v & 1:
                total += prize[v + 1]
        for last in range(n):
            at = earliest[members, last]
            if at >= _FAR:
                continue
            leave = at + service[last + 1]
            home = max(leave + travel[last + 1, end], opens[end])
            if home <= closes[end] and (
                total > best or (total == best and home < best_end)
            ):
                best, best_end, best_set, best_last = total, home, members, last
            for v in range(n):
                if members >> v & 1:
                    continue
                begin = max(leave + travel[last + 1, v + 1], opens[v + 1])
                more = members | 1 << v
                if begin <= closes[v + 1] and begin < earliest[more, v]:
                    earliest[more, v] = begin
    return _traced(travel, opens, service, earliest, best_set, best_last, route)


@njit(cache=True, nogil=True)
def _traced(
    travel: IntArray,
    opens: IntArray,
    service: IntArray,
    earliest: IntArray,
    members: int,
    last: int,
    route: IntArray,
) -> int:
    """Walk the table of ``exact_route`` back from its best end."""
    n = route.shape[0] - 2
    length = 2
    rest = members
    while rest:
        rest &= rest - 1
        length += 1
    route[0], route[length - 1] = 0, n + 1
    for k in range(length - 2, 0, -1):
        route[k] = last + 1
        before = members & ~(1 << last)
        for v in range(n):
            if before >> v & 1 and earliest[before, v] < _FAR:
                arrive = earliest[before, v] + service[v + 1] + travel[v + 1, last + 1]
                if max(arrive, opens[last + 1]) == earliest[members, last]:
                    members, last = before, v
                    break
    return length
