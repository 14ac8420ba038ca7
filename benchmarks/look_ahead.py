"""Leads one by one over a year: how much of the hindsight optimum is kept.

A demo market's leads arrive through 52 weeks with seasons, holidays, drift and reps who
come and go. In every window each rep at work has the same number of slots. One lead at
a time is given, or left, knowing only what came before; hindsight shares out the whole
window at once, exactly. The year runs in four capacity regimes: slots for half of the
leads usually expected, for 80 %, for all, and for 130 %.

Smaller windows are held to the best online policy, by dynamic programming on cases
small enough for it: without knowing the future nobody reaches hindsight there.
"""

import sys
from collections.abc import Sequence

import numpy as np

from benchmarks._arrivals import (
    BEFORE,
    MEMORY,
    WEEK,
    Window,
    Year,
    look_ahead,
    problem_of,
    windows,
)
from benchmarks._small_windows import (
    SmallCase,
    best_online,
    play_best,
    play_greedy,
    play_look_ahead,
)
from benchmarks.common import Figure, Options, Row, options, publish
from experiments.market_calendar import DAY
from experiments.simulate import MarketSettings, simulate
from optimizer.futures import LookAhead
from optimizer.optimum import solve
from optimizer.policies import POLICIES
from optimizer.problem import Plan
from optimizer.verify import total_value, violations

BAR = 0.99
LARGE = 1_000
"""Leads per window from which the bar holds."""
REGIMES = (0.5, 0.8, 1.0, 1.3)
LEADS, REPS = 150_000, 20
RE_SOLVE = 25
"""Leads between two solves in windows of a week."""
SMALL = ((10, 2), (20, 3), (40, 5))
"""Instants of a small window, and slots of each of its three reps."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the year in every regime, then the small cases."""
    asked = options(__doc__ or "", argv, repetitions=1, quick_repetitions=1)
    year = Year.of(simulate(_settings()))
    rows = [_weeks(year, regime, asked) for regime in REGIMES]
    rows += [_days(year, regime, asked) for regime in REGIMES]
    rows += [_small(year, steps, slots, asked) for steps, slots in SMALL]
    shares = (row[f"windows >= {LARGE:,}"] for row in rows)
    worst = min(share for share in shares if isinstance(share, float))
    figure = Figure(
        name="look_ahead",
        value=round(worst, 5),
        bar=BAR,
        holds=worst >= BAR,
        rows=rows,
        title="Leads one by one: share of the hindsight optimum over a year",
        notes=(
            f"{REPS} reps; futures are drawn from the last {MEMORY:,} leads before.",
            f"Counts are forecast from the {BEFORE} weeks before the decision.",
            f"Weeks re-solve every {RE_SOLVE} leads, days every 10, small cases each.",
            "Weeks with holidays have fewer leads; their share is in the year's.",
            "Every plan was verified: none over capacity or eligibility.",
            "Best online: what the dynamic programme itself gets, small cases only.",
        ),
        extra={"unit": f"share of hindsight, worst regime, windows >= {LARGE} leads"},
    )
    return publish(figure, quick=asked.quick)


def _settings() -> MarketSettings:
    return MarketSettings(
        n_leads=LEADS,
        n_reps=REPS,
        days=(BEFORE + 52) * 7 + 5,
        backlog_share=0.0,
        lottery_share=0.0,
    )


def _weeks(year: Year, regime: float, asked: Options) -> Row:
    every = 26 if asked.quick else 1
    return _year(year, regime, seconds=WEEK, every=every, re_solve=RE_SOLVE)


def _days(year: Year, regime: float, asked: Options) -> Row:
    """Every eighth day, so that all days of the week have their turn."""
    every = 120 if asked.quick else 8
    return _year(year, regime, seconds=DAY, every=every, re_solve=10)


def _year(year: Year, regime: float, *, seconds: int, every: int, re_solve: int) -> Row:
    ours, worst, sizes, large = 0.0, 1.0, [], np.zeros(2)
    totals = {"hindsight": 0.0, "greedy": 0.0, "round_robin": 0.0}
    for seed, window in enumerate(windows(year, seconds, regime, every)):
        best, got = _window(year, window, re_solve, seed, totals)
        ours, worst = ours + got, min(worst, got / best)
        large += (window.size >= LARGE) * np.array([got, best])
        sizes.append(window.size)
    return _row(
        window="week" if seconds == WEEK else "day",
        regime=f"{regime:.0%} of usual leads",
        windows=len(sizes),
        leads=float(np.mean(sizes)),
        ours=ours,
        worst=worst,
        totals=totals,
        large=float(large[0] / large[1]) if large[1] else None,
    )


def _window(
    year: Year, window: Window, re_solve: int, seed: int, totals: dict[str, float]
) -> tuple[float, float]:
    """Hindsight and our value of one window; adds the others to the totals."""
    problem = problem_of(year, window)
    best = total_value(problem, solve(problem).plan)
    plan = Plan.certain(look_ahead(year, window, LookAhead(), re_solve, seed))
    broken = violations(problem, plan)
    if broken:
        raise AssertionError(broken[0])
    totals["hindsight"] += best
    for name in ("greedy", "round_robin"):
        totals[name] += total_value(problem, POLICIES[name](problem))
    return best, total_value(problem, plan)


def _small(year: Year, steps: int, slots: int, asked: Options) -> Row:
    rng = np.random.default_rng(steps)
    games = 20 if asked.quick else 400
    ours, best, worst = 0.0, 0.0, 1.0
    totals = {"hindsight": 0.0, "greedy": 0.0}
    for _ in range(4):
        leads = rng.integers(0, year.value.shape[0], 8)
        reps = np.argsort(np.isnan(year.value[leads]).sum(axis=0), kind="stable")[:3]
        case = SmallCase(year.value[np.ix_(leads, reps)], np.full(3, slots), steps)
        to_go, hindsight, got = best_online(case), 0.0, 0.0
        for _ in range(games // 4):
            types = case.arrivals(rng)
            hindsight += case.hindsight(types)
            got += play_look_ahead(case, types, LookAhead(), rng)
            best += play_best(case, types, to_go)
            totals["greedy"] += play_greedy(case, types)
        ours, worst = ours + got, min(worst, got / hindsight)
        totals["hindsight"] += hindsight
    return _row(
        window=f"{steps} instants",
        regime=f"{slots} slots x 3 reps",
        windows=games,
        leads=0.8 * steps,
        ours=ours,
        worst=worst,
        totals=totals,
        best=best,
    )


def _row(
    *,
    window: str,
    regime: str,
    windows: int,
    leads: float,
    ours: float,
    worst: float,
    totals: dict[str, float],
    best: float | None = None,
    large: float | None = None,
) -> Row:
    hindsight = totals["hindsight"]
    turns = totals.get("round_robin")
    return {
        "window": window,
        "capacity": regime,
        "windows": windows,
        "leads per window": leads,
        "share of hindsight": ours / hindsight,
        f"windows >= {LARGE:,}": large,
        "worst": worst,
        "greedy": totals["greedy"] / hindsight,
        "round robin": None if turns is None else turns / hindsight,
        "best online": None if best is None else best / hindsight,
        "share of best online": None if best is None else ours / best,
    }


if __name__ == "__main__":
    sys.exit(main())
