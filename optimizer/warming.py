"""Compile every kernel once, so that no request waits for a compiler.

Compiled code is kept on disk beside the modules; an install or an image build calls
``warm`` and whoever starts later only loads it. Each part of the optimiser is run on a
small problem: the real code compiles exactly the types that it will use.
"""

from collections.abc import Callable
from datetime import timedelta

import numpy as np

from optimizer.auction import solve_auction
from optimizer.fairness import solve_fair
from optimizer.forecast import Forecast
from optimizer.futures import LookAhead, price_futures
from optimizer.online import draw_lottery
from optimizer.optimum import solve
from optimizer.policies import POLICIES, look_at_turns
from optimizer.problem import Problem
from optimizer.shares import Fairness
from optimizer.visits import EXACT_STOPS, Stops, VisitDay, plan_visits


def warm() -> None:
    """Compile what is not compiled yet; a second call takes a moment."""
    for dtype in (np.float64, np.float32):
        _warm_policies(_problem(dtype))
    _warm_online(_problem(np.float64))
    _warm_fairness()
    for n_stops in (2, EXACT_STOPS + 1):
        plan_visits(_day(n_stops), time_limit=timedelta(0))


def _warm_policies(problem: Problem) -> None:
    policies: list[Callable[[Problem], object]] = [
        *POLICIES.values(),
        solve,
        solve_auction,
    ]
    for policy in policies:
        policy(problem)
    look_at_turns(problem, POLICIES["round_robin_lot"](problem))


def _warm_online(problem: Problem) -> None:
    rng = np.random.default_rng(0)
    draw_lottery(problem, np.ones(problem.n_leads, np.bool_), rng)
    price_futures(
        np.asarray(problem.value, np.float64),
        Forecast(3.0),
        problem.capacity,
        solve=solve,
        look_ahead=LookAhead(futures=1),
        rng=rng,
    )


def _warm_fairness() -> None:
    """A batch large enough to be shared by pricing, and too tight to be whole."""
    rng, shape = np.random.default_rng(0), (600, 100)
    batch = Problem(
        rng.random(shape),
        np.ones(shape, np.bool_),
        np.full(100, 7),
        np.zeros(100, np.int64),
        quality=rng.random(600),
    )
    solve_fair(batch, Fairness(load_band=0.2, quality_band=0.05))


def _problem(dtype: type[np.floating]) -> Problem:
    """Few leads, scarce slots and a floor."""
    value = np.random.default_rng(0).random((6, 3)).astype(dtype)
    return Problem(
        value, np.ones((6, 3), np.bool_), np.array([2, 1, 1]), np.array([0, 1, 0])
    )


def _day(n_stops: int) -> VisitDay:
    whole = np.zeros(n_stops, dtype=np.int64)
    part = np.linspace(0.0, 0.1, n_stops)
    stops = Stops(
        latitude=part,
        longitude=part,
        service_seconds=whole,
        opens=whole,
        closes=whole + 86_400,
        prize=np.ones(n_stops),
    )
    return VisitDay(
        stops=stops, start=(0.0, 0.0), end=(0.0, 0.0), day_start=0, day_end=86_400
    )
