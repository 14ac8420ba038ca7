"""Fair shares at scale: what bands and the dial cost, and how near the best that is.

A demo market's leads and reps, slots for half as many leads again, and bands of 20 % on
load, 40 % on quality and 10 % on groups. The dial goes through 11 points without bands,
with those on load and groups (exact), and with all three. Every plan is checked against
every limit. HiGHS (interior point) solves the linear relaxation at dial 0 over all
pairs: of a batch a tenth as large, then larger, as far as it gets in its time, with the
bound found here beside its own.

Two batches are refused: one in which a fiftieth of the reps may take none but the
poorest leads, so that no plan keeps their quality shares, and one whose floors owe a
group more than its band lets it have. Every widening that the refusal names is planned
with, from nothing.
"""

import dataclasses
import re
import sys
import time
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linprog

from benchmarks.common import Figure, Row, options, publish
from experiments.simulate import MarketSettings, batch, simulate
from optimizer.dial import Planner
from optimizer.fairness import Fairness, broken_bands, solve_fair
from optimizer.problem import Plan, Problem
from optimizer.quality_model import QualityModel
from optimizer.shares import limits_of, quality_band_of, quality_of
from optimizer.verify import gap, loads, total_value, violations
from rightrep.errors import InfeasiblePlan

LEADS, REPS = 10_000, 500
QUICK_LEADS, QUICK_REPS = 1_000, 50
SLOTS = 1.5
"""Slots per lead."""
DIALS = tuple(np.linspace(0.0, 1.0, 11).tolist())
NETWORK = Fairness(load_band=0.2, group_band=0.1)
ALL_BANDS = dataclasses.replace(NETWORK, quality_band=0.4)
HIGHS_SECONDS, QUICK_HIGHS_SECONDS = 300.0, 15.0
HIGHS_PARTS = (0.1, 0.3, 1.0)
"""Parts of the batch's leads and reps that HiGHS is given, one after another."""
NARROW = dataclasses.replace(NETWORK, quality_band=0.2)
OWING = dataclasses.replace(ALL_BANDS, load_band=None)
POOR_REPS, POOR_LEADS = 0.02, 1 / 3
"""Part of the reps who may take none but the poorest leads, and that of these leads."""
OWED = 1.3
"""Floors of the group that is owed too much, over leads per rep."""
WIDEN = re.compile(r"Widen the (\w+) band from [\d.]+ to ([\d.]+): ")
SAME = 1e-9
"""Spreads nearer than this are the same."""


def main(argv: Sequence[str] | None = None) -> int:
    """Turn the dial three times, then let HiGHS solve relaxations."""
    asked = options(__doc__ or "", argv, repetitions=1, quick_repetitions=1)
    n_leads, n_reps = (QUICK_LEADS, QUICK_REPS) if asked.quick else (LEADS, REPS)
    problem = _problem(n_leads, n_reps)
    _warm()
    free = _curve(problem, "none", Fairness())
    exact = _curve(problem, "load, group", NETWORK)
    banded = _curve(problem, "load, group, quality", ALL_BANDS)
    seconds = QUICK_HIGHS_SECONDS if asked.quick else HIGHS_SECONDS
    peer = _against_highs(n_leads, n_reps, seconds)
    refused = [
        *_refused(_poor_fare(problem), NARROW),
        *_refused(_owed(problem), OWING),
    ]
    rises = sum(_n_rises(rows) for rows in (free, exact, banded))
    rows = [*free, *exact, *banded, *refused, *peer]
    figure = Figure(
        name="fairness",
        value=rises,
        bar=0,
        holds=rises == 0 and all(row["broken limits"] in (0, None) for row in rows),
        rows=rows,
        title=f"Fair shares of {n_leads:,} leads among {n_reps} reps",
        notes=(
            "Bands: load 20 %, group 10 %, quality 40 %, around the weights.",
            "Gap: proven bound minus value, over the bound; seconds of each point with "
            "what came before it (the first of each curve starts from nothing).",
            "Refused: seconds until it was said which limits collide and what is "
            "enough; below it what was named, planned with.",
            f"HiGHS: the linear relaxation over all pairs, {seconds:g} s at most; "
            "where it is out of time, larger batches are not tried.",
        ),
        extra={
            "unit": "times the spread rises along the dial",
            "worst gap, load and group": max(_numbers([*free, *exact], "gap")),
            "worst gap, all bands": max(_numbers(banded, "gap")),
            "seconds, all bands at dial 0": banded[0]["seconds"],
            "seconds to refuse a quality band": refused[0]["seconds"],
            "HiGHS seconds on its largest batch": peer[-1]["seconds"],
        },
    )
    return publish(figure, quick=asked.quick)


def _problem(n_leads: int, n_reps: int) -> Problem:
    market = simulate(MarketSettings(n_leads=int(n_leads * 1.2), n_reps=n_reps))
    drawn = batch(market, n_leads, n_reps)
    return Problem(
        drawn.value,
        drawn.eligible,
        np.full(n_reps, round(SLOTS * n_leads / n_reps)),
        np.zeros(n_reps, np.int64),
        weight=drawn.weight,
        waited=drawn.waited,
        group=drawn.group,
        quality=drawn.quality,
    )


def _warm() -> None:
    """Compile and load, on a batch large enough for every part to run."""
    rng = np.random.default_rng(0)
    small = Problem(
        rng.random((600, 100), dtype=np.float32),
        np.ones((600, 100), np.bool_),
        np.full(100, 9),
        np.zeros(100, np.int64),
        group=rng.integers(0, 3, 100),
        quality=rng.random(600),
    )
    solve_fair(small, dataclasses.replace(ALL_BANDS, dial=0.5))


def _curve(
    problem: Problem, name: str, bands: Fairness, dials: Sequence[float] = DIALS
) -> list[Row]:
    """One row per point of the dial."""
    planner = Planner(problem, bands)
    rows: list[Row] = []
    first = None
    for dial in dials:
        start = time.perf_counter()
        answer = planner.at(dial)
        seconds = time.perf_counter() - start
        plan = Plan.certain(answer.rep_of)
        value = total_value(problem, plan)
        first = value if first is None else first
        broken = violations(problem, plan) + broken_bands(problem, bands, plan)
        rows.append(
            {
                "bands": name,
                "dial": round(dial, 2),
                "value": value,
                "of dial 0 (%)": round(100 * value / first, 3),
                "bound": answer.bound,
                "gap": gap(problem, plan, answer.bound),
                "spread": planner.shares.spread(loads(problem, plan)),
                "broken limits": len(broken),
                "seconds": round(seconds, 2),
            }
        )
    return rows


def _poor_fare(problem: Problem) -> Problem:
    """Some reps may take none but the poorest leads."""
    quality = quality_of(problem)
    eligible = problem.eligible.copy()
    n_poor = round(POOR_REPS * problem.n_reps)
    eligible[quality > np.quantile(quality, POOR_LEADS), :n_poor] = False
    return dataclasses.replace(problem, eligible=eligible)


def _owed(problem: Problem) -> Problem:
    """The first group's reps are owed more than the group's share."""
    assert problem.group is not None
    floor = round(OWED * problem.n_leads / problem.n_reps)
    first = problem.group == problem.group.min()
    return dataclasses.replace(problem, floor=np.where(first, floor, 0))


def _refused(problem: Problem, bands: Fairness) -> list[Row]:
    """The refusal, and a plan within each widening that it says is enough."""
    start = time.perf_counter()
    try:
        solve_fair(problem, bands)
    except InfeasiblePlan as error:
        seconds = round(time.perf_counter() - start, 2)
        named = [found for one in error.remedies if (found := WIDEN.match(one))]
    else:
        raise AssertionError("Limits that collide were not refused.")
    rows: list[Row] = []
    for field, width in (found.groups() for found in named):
        looser = dataclasses.replace(bands, **{f"{field}_band": float(width)})
        rows += _curve(problem, f"{field} widened to {width}", looser, dials=(0.0,))
    first = dict.fromkeys(rows[0])
    return [
        first | {"bands": f"refused, {len(named)} enough", "seconds": seconds},
        *rows,
    ]


def _against_highs(n_leads: int, n_reps: int, seconds: float) -> list[Row]:
    """Dial 0 here and by HiGHS, on larger and larger batches until time is up."""
    rows: list[Row] = []
    for part in HIGHS_PARTS:
        problem = _problem(round(part * n_leads), round(part * n_reps))
        size = f"{problem.n_leads:,} x {problem.n_reps}"
        here = _curve(problem, f"all three, {size}", ALL_BANDS, dials=(0.0,))
        bound, took = _by_highs(problem, seconds)
        done = bound is not None
        name = f"HiGHS, {size}" + ("" if done else ": out of time")
        found: Row = {"bands": name, "dial": 0.0, "bound": bound, "seconds": took}
        rows += [*here, {column: found.get(column) for column in here[0]}]
        if not done:
            break
    return rows


def _by_highs(problem: Problem, seconds: float) -> tuple[float | None, float]:
    """The relaxation's bound at dial 0, None when time is up; the seconds taken."""
    n_given = int(min(problem.n_leads, problem.capacity.sum()))
    limits = dataclasses.replace(limits_of(problem, ALL_BANDS), n_given=n_given)
    band = quality_band_of(problem, ALL_BANDS)
    assert band is not None
    start = time.perf_counter()
    model = QualityModel(problem, limits, band, problem.eligible)
    n_apart = 2 * problem.n_reps
    most = np.repeat([np.inf, 0.0], [len(model.value) + 1, n_apart])
    # The stubs know no sparse matrices.
    answer = linprog(  # type: ignore[call-overload]
        np.concatenate([-model.value, np.zeros(1 + n_apart)]),
        model.at_most,
        model.most,
        model.exactly,
        model.right,
        bounds=np.column_stack([np.zeros(len(most)), most]),
        method="highs-ipm",
        options={"time_limit": seconds},
    )
    took = round(time.perf_counter() - start, 2)
    return (-answer.fun * model.size if answer.status == 0 else None), took


def _n_rises(rows: Sequence[Row]) -> int:
    spread = np.array(_numbers(rows, "spread"))
    return int((np.diff(spread) > SAME).sum())


def _numbers(rows: Sequence[Row], column: str) -> list[float]:
    return [float(row[column] or 0.0) for row in rows]


if __name__ == "__main__":
    sys.exit(main())
