"""A rep's day as a route: the prize found against the best known, or the proven best.

With ``--data FOLDER`` of Solomon's instances (100 customers; the files as published,
such as C101.txt), each is read as orienteering with time windows for one vehicle, as
Righini and Salani (2009) do: a customer's prize is its demand, the day is the depot's
window, travel times are Euclidean distances truncated to one decimal. Best known
prizes are those quoted in the literature. Without a folder, days are generated around a
city: small ones are held to the exact optimum by dynamic programming, large ones to the
proven bound.
"""

import re
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np

from benchmarks.common import Figure, Options, Row, options, publish
from optimizer.problem import FloatArray, IntArray
from optimizer.visits import Stops, VisitDay, VisitPlan, plan_visits

BAR = 0.02
BEST_KNOWN = {
    "C101": 320, "C102": 360, "C103": 400, "C104": 420, "C105": 340, "C106": 340,
    "C107": 370, "C108": 370, "C109": 380,
    "R101": 198, "R102": 286, "R103": 293, "R104": 303, "R105": 247, "R106": 293,
    "R107": 299, "R108": 308, "R109": 277, "R110": 284, "R111": 297, "R112": 298,
    "RC101": 219, "RC102": 266, "RC103": 266, "RC104": 301, "RC105": 244,
    "RC106": 252, "RC107": 277, "RC108": 298,
}  # fmt: skip
QUICK = ("C104", "R104", "R108", "R112", "RC101", "RC104", "RC108")
TENTHS = 10
HOUR = 3_600
LIMIT = timedelta(seconds=10)
QUICK_LIMIT = timedelta(seconds=1)


def main(argv: Sequence[str] | None = None) -> int:
    """Plan every day and compare."""
    asked = options(__doc__ or "", argv, repetitions=1, quick_repetitions=1)
    rows = _generated(asked) if asked.data is None else _published(asked)
    worst = max(float(str(row["gap"])) for row in rows if row["held to"] != "bound")
    figure = Figure(
        name="visits",
        value=round(worst, 5),
        bar=BAR,
        holds=worst <= BAR,
        rows=rows,
        title="A rep's day: prize against the best",
        notes=(
            f"{_limit(asked).total_seconds():.0f} s a day; below 0 is a new best",
            "The proven bound of a large day is loose; its gap is only printed.",
        ),
        extra={"unit": "worst gap", "data": asked.data is not None},
    )
    return publish(figure, quick=asked.quick)


def _limit(asked: Options) -> timedelta:
    return QUICK_LIMIT if asked.quick else LIMIT


def _published(asked: Options) -> list[Row]:
    names = QUICK if asked.quick else tuple(BEST_KNOWN)
    rows = []
    for name in names:
        day = read_solomon(Path(str(asked.data)) / f"{name}.txt")
        plan = plan_visits(day, time_limit=_limit(asked))
        check(day, plan.order)
        best = float(BEST_KNOWN[name])
        rows.append(_row(name, day, plan, "best known", best))
    return rows


def read_solomon(path: Path) -> VisitDay:
    """One published instance as a day; times in tenths.

    Raises:
        FileNotFoundError: The folder lacks the instance.
    """
    line = re.compile(r"^\s*\d+(\s+[\d.]+){6}\s*$")
    rows = np.array(
        [
            [float(cell) for cell in text.split()]
            for text in path.read_text().splitlines()
            if line.match(text)
        ]
    )
    places = np.vstack([rows, rows[:1]])
    across = places[:, None, 1:3] - places[None, :, 1:3]
    # The small number keeps a distance that is whole in tenths from losing one.
    travel = np.floor(np.hypot(across[..., 0], across[..., 1]) * TENTHS + 1e-9)
    times = (rows[:, 4:7] * TENTHS).astype(np.int64)
    stops = Stops(
        latitude=np.zeros(len(rows) - 1),
        longitude=np.zeros(len(rows) - 1),
        service_seconds=times[1:, 2],
        opens=times[1:, 0],
        closes=times[1:, 1],
        prize=rows[1:, 3],
    )
    return VisitDay(
        stops=stops,
        start=(0.0, 0.0),
        end=(0.0, 0.0),
        day_start=int(times[0, 0]),
        day_end=int(times[0, 1]),
        travel_seconds=travel.astype(np.int64),
    )


def check(day: VisitDay, order: IntArray) -> None:
    """Walk the route again, by other code than the planner's.

    Raises:
        AssertionError: A window or the day is broken.
    """
    travel, home = day.travel_seconds, len(day.stops) + 1
    assert travel is not None
    at, here = day.day_start, 0
    for stop in order.tolist():
        at = max(at + int(travel[here, stop + 1]), int(day.stops.opens[stop]))
        assert at <= day.stops.closes[stop]
        at, here = at + int(day.stops.service_seconds[stop]), stop + 1
    assert at + travel[here, home] <= day.day_end


def _generated(asked: Options) -> list[Row]:
    rng = np.random.default_rng(5)
    rows: list[Row] = []
    for n_stops in (12, 14, 16) if asked.quick else (12, 14, 16, 18):
        for _ in range(2 if asked.quick else 5):
            rows.append(_small(city_day(rng, n_stops), asked, len(rows)))
    for n_stops in (60, 120) if asked.quick else (60, 120, 240):
        day = city_day(rng, n_stops)
        plan = plan_visits(day, time_limit=_limit(asked))
        rows.append(_row(f"city {n_stops}", day, plan, "bound", plan.bound))
    return rows


def _small(day: VisitDay, asked: Options, number: int) -> Row:
    """The search, not allowed the exact way, against the exact way."""
    best = plan_visits(day, exact_stops=len(day.stops)).prize
    plan = plan_visits(day, time_limit=_limit(asked) / 5, exact_stops=0)
    return _row(f"small {number}", day, plan, "exact", best)


def city_day(rng: np.random.Generator, n_stops: int) -> VisitDay:
    """A working day in a city 30 km across; a third of the leads have appointments."""
    opens = np.full(n_stops, 9 * HOUR)
    closes = np.full(n_stops, 18 * HOUR)
    fixed = rng.random(n_stops) < 1 / 3
    opens[fixed] = rng.integers(9, 16, int(fixed.sum())) * HOUR
    closes[fixed] = opens[fixed] + 2 * HOUR
    centre = np.array([31.23, 121.47])
    place: FloatArray = centre + rng.normal(0.0, 0.08, (n_stops, 2))
    stops = Stops(
        latitude=place[:, 0],
        longitude=place[:, 1],
        service_seconds=rng.integers(2, 8, n_stops) * 600,
        opens=opens,
        closes=closes,
        prize=np.round(rng.lognormal(9.0, 1.0, n_stops)),
    )
    start = (float(centre[0]), float(centre[1]))
    return VisitDay(
        stops=stops, start=start, end=start, day_start=9 * HOUR, day_end=18 * HOUR
    )


def _row(name: str, day: VisitDay, plan: VisitPlan, against: str, best: float) -> Row:
    return {
        "day": name,
        "stops": len(day.stops),
        "visited": len(plan.order),
        "prize": plan.prize,
        "held to": against,
        "best": best,
        "gap": 1.0 - plan.prize / best if best else 0.0,
        "proven gap": plan.gap,
    }


if __name__ == "__main__":
    sys.exit(main())
