"""Prices of slots from sampled futures of arrivals.

A future is the leads that wait now and leads like those that came before, as many as
are still expected (``optimizer.forecast``), shared out optimally over the slots still
open: its shadow prices say what a slot given now would have earned. Averaged over
futures and solved again as the window runs down, this is certainty-equivalent
re-solving (Jasin and Kumar, 2012; Chen and Homem-de-Mello, 2010). Only leads that
arrived before now are drawn.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from optimizer.forecast import Forecast, forecast_leads
from optimizer.problem import FloatArray, IntArray, PricedPlan, Problem
from rightrep.errors import InvalidInput

Solver = Callable[[Problem], PricedPlan]
"""An exact solver that prices slots, such as ``optimizer.optimum.solve``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LookAhead:
    """How futures are sampled.

    Attributes:
        futures: Most futures sampled per solve; at least 1.
        sample_leads: Leads in all futures of one solve together; at least 1. The more
            leads are expected, the fewer futures.
        pooled_from: From this many expected leads on, one future of ``sample_leads``
            leads, slots in proportion, takes the place of several: its prices are less
            noisy. Below, the luck of single futures is what a slot is kept for.
        balance: Step of the balance term (``balance_step``); 0 switches it off.

    Raises:
        InvalidInput: A range above does not hold.
    """

    futures: int = 16
    sample_leads: int = 4000
    pooled_from: int = 500
    balance: float = 0.1

    def __post_init__(self) -> None:
        for name in ("futures", "sample_leads", "pooled_from"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} is at least 1.", field=name)
        if self.balance < 0:
            raise InvalidInput("balance is at least 0.", field="balance")


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Periods:
    """Time cut into periods, the rest of the present window included.

    Attributes:
        edges: Start of each period and end of the last, never falling, in seconds;
            int64 (n_periods + 1,).
        kind: What each period is like, as in ``forecast_leads``: hour of the week, or
            hour of a holiday; int64 (n_periods,).
        window: Window of each period, never falling; the last is the present one;
            int64 (n_periods,).
    """

    edges: IntArray
    kind: IntArray
    window: IntArray


class WindowPrices(NamedTuple):
    """What slots are worth for the rest of a window.

    Attributes:
        shadow_price: Per rep's next slot, in units of value; float64 (n_reps,), >= 0.
        forecast: Leads still expected.
        step: Step of the ``Pacer`` until the next solve, in units of value.
    """

    shadow_price: FloatArray
    forecast: Forecast
    step: float


def price_window(
    arrivals: FloatArray,
    arrived_at: IntArray,
    periods: Periods,
    open_slots: IntArray,
    *,
    now: int,
    solve: Solver,
    look_ahead: LookAhead,
    rng: np.random.Generator,
    standing: FloatArray | None = None,
) -> WindowPrices:
    """Price every rep's slots as of now, from the arrivals before now alone.

    Args:
        arrivals: Values of the last leads that arrived, as for ``price_futures``;
            float (n_arrivals, n_reps).
        arrived_at: Instants of arrival that the periods cover, for the forecast, never
            falling; seconds, int64; may go further back than ``arrivals``.
        periods: From the first window known to the end of the present one.
        open_slots: Slots left per rep; int64 (n_reps,), >= 0.
        now: Present instant, seconds; within the last window.
        solve: An exact solver that prices slots.
        look_ahead: How futures are sampled.
        rng: Every draw.
        standing: Values of the leads that wait now, as for ``price_futures``.

    Raises:
        InvalidInput: An arrival is later than now, or now is outside the last window.
    """
    forecast = forecast_arrivals(arrived_at, periods, now=now)
    price = price_futures(
        arrivals,
        forecast,
        open_slots,
        solve=solve,
        look_ahead=look_ahead,
        rng=rng,
        standing=standing,
    )
    step = balance_step(arrivals, price, forecast, balance=look_ahead.balance)
    return WindowPrices(price, forecast, step)


def forecast_arrivals(arrived_at: IntArray, periods: Periods, *, now: int) -> Forecast:
    """Leads still to come, from instants of arrival.

    Args:
        arrived_at: Instants of arrival, never falling; seconds, int64.
        periods: From the first window known to the end of the present one.
        now: Present instant, seconds.

    Raises:
        InvalidInput: An arrival is later than now, or now is outside the last window.
    """
    edges = periods.edges
    first = int(np.searchsorted(periods.window, periods.window[-1]))
    if not edges[first] <= now <= edges[-1]:
        raise InvalidInput("now is outside the last window.", field="now")
    if arrived_at.size and arrived_at[-1] > now:
        raise InvalidInput("A lead arrived later than now.", field="arrived_at")
    current = min(int(np.searchsorted(edges, now, side="right")), edges.size - 1) - 1
    count = np.diff(np.searchsorted(arrived_at, edges[: current + 2]))
    length = max(int(edges[current + 1] - edges[current]), 1)
    return forecast_leads(
        count,
        periods.kind,
        periods.window,
        elapsed=(now - int(edges[current])) / length,
    )


def price_futures(
    arrivals: FloatArray,
    forecast: Forecast,
    open_slots: IntArray,
    *,
    solve: Solver,
    look_ahead: LookAhead,
    rng: np.random.Generator,
    standing: FloatArray | None = None,
) -> FloatArray:
    """Shadow price of each rep's next slot over the rest of the window.

    Each future draws how many leads come, and which, from those that came before, adds
    the leads that wait now, and shares them out optimally; the prices are averaged.
    Serving calls it at intervals with the slots then open and the leads of the last
    weeks, valued by the model in use, and publishes the answer until the next time.

    Args:
        arrivals: Values of leads that arrived before now, the ones to draw futures
            from; float (n_arrivals, n_reps), NaN where the pair is not eligible.
        forecast: Leads still expected in this window.
        open_slots: Slots left per rep; int64 (n_reps,), >= 0.
        solve: An exact solver that prices slots.
        look_ahead: How futures are sampled.
        rng: Every draw.
        standing: Values of the leads that wait now, part of every future; float
            (n_standing, n_reps), NaN where the pair is not eligible. None for none.

    Returns:
        Prices in units of value per slot; float64 (n_reps,), >= 0. All 0 when no lead
        waits, and none came before or none is expected.
    """
    n_reps = open_slots.shape[0]
    waiting = np.empty((0, n_reps)) if standing is None else standing
    coming = forecast.leads if arrivals.shape[0] else 0.0
    expected = coming + waiting.shape[0]
    total = np.zeros(n_reps)
    if expected <= 0:
        return total
    if expected >= look_ahead.pooled_from:
        factor = look_ahead.sample_leads / expected
        slots = _in_proportion(open_slots, factor, rng)
        n_new = round(coming * factor)
        new = _draw(arrivals, n_new, rng)
        still = _draw(waiting, look_ahead.sample_leads - n_new, rng)
        return _price_one(np.vstack([new, still]), slots, solve)
    room = int(look_ahead.sample_leads / max(expected, 1.0))
    futures = max(1, min(look_ahead.futures, room))
    for _ in range(futures):
        n_new = forecast.draw(rng) if coming > 0 else 0
        future = np.vstack([_draw(arrivals, n_new, rng), waiting])
        total += _price_one(future, open_slots, solve)
    return total / futures


def _draw(leads: FloatArray, n_leads: int, rng: np.random.Generator) -> FloatArray:
    """So many of these leads, by lot."""
    known = leads.shape[0]
    if n_leads == 0 or known == 0:
        return leads[:0]
    # Without replacement where it can be: no lead twice is less noise.
    return leads[rng.choice(known, n_leads, replace=n_leads > known)]


def _price_one(future: FloatArray, slots: IntArray, solve: Solver) -> FloatArray:
    """Prices in one future; 0 where a slot is worth less than nothing."""
    n_leads = future.shape[0]
    if n_leads == 0:
        return np.zeros(slots.shape[0])
    eligible = np.isfinite(future)
    # One more than can be used: a slot too many must stay one too many.
    slots = np.minimum(slots, n_leads + 1)
    value = np.where(eligible, future, 0.0)
    priced = solve(Problem(value, eligible, slots, np.zeros_like(slots)))
    return np.maximum(priced.shadow_price, 0.0)


def _in_proportion(
    slots: IntArray, factor: float, rng: np.random.Generator
) -> IntArray:
    """Slots times a factor; fractions by lot, so that the mean is right."""
    exact = slots * factor
    whole = np.floor(exact)
    return np.asarray(whole + (rng.random(slots.shape) < exact - whole), np.int64)


def balance_step(
    arrivals: FloatArray, price: FloatArray, forecast: Forecast, *, balance: float
) -> float:
    """Step of a ``Pacer``, in units of value: what a typical error of prices costs.

    Args:
        arrivals: As for ``price_futures``.
        price: Its answer; float64 (n_reps,).
        forecast: Leads still expected.
        balance: Factor, >= 0; see ``LookAhead``.

    Returns:
        ``balance`` times the mean of the best net value of a lead, over the square
        root of the leads expected.
    """
    if balance == 0 or arrivals.shape[0] == 0 or price.size == 0:
        return 0.0
    net = np.where(np.isnan(arrivals), 0.0, arrivals - price)
    gain = float(np.maximum(net.max(axis=1), 0.0).mean())
    return balance * gain / float(np.sqrt(max(forecast.leads, 1.0)))
