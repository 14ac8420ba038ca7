"""A year of arrivals, lead by lead: the windows, and what each policy makes of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from experiments.market_calendar import DAY, HOUR
from experiments.simulate import Market
from optimizer.futures import LookAhead, Periods, price_window
from optimizer.online import Pacer, choose
from optimizer.optimum import solve
from optimizer.problem import UNASSIGNED, BoolArray, FloatArray, IntArray, Problem

WEEK = 7 * DAY
BEFORE = 52
"""Weeks that are over when the year begins."""
KNOWN_WEEKS = 60
"""Weeks that forecasts look back."""
MEMORY = 4_000
"""Leads that futures are drawn from: the last ones."""


@dataclass(frozen=True, eq=False)
class Year:
    """A market's arrivals as arrays; i over leads, j over reps.

    Attributes:
        value: True expected value on the day of arrival; (n_leads, n_reps), NaN where
            the pair is not eligible.
        arrived_at: Seconds since the market's first midnight, never falling.
        kind: Hour of the week, or of a holiday, of each hour of the market.
        at_work: Whether each rep takes leads; bool (n_days, n_reps).
    """

    value: FloatArray
    arrived_at: IntArray
    kind: IntArray
    at_work: BoolArray

    @classmethod
    def of(cls, market: Market) -> "Year":
        """The arrivals of a market."""
        leads = np.arange(market.leads.n_leads)
        reps = np.arange(market.reps.n_reps)
        calendar = market.calendar
        at = market.leads.created - calendar.midnight
        value = market.truth.expected_value(leads, reps, day=at // DAY)
        value[~market.eligible(leads, reps)] = np.nan
        day, hour = np.divmod(np.arange(calendar.weekday.size * 24), 24)
        # Holidays are in the calendar a year ahead; what they bring is learned.
        festive = (~calendar.working[0] & calendar.working[1])[day]
        kind = np.where(festive, 7, calendar.weekday[day]) * 24 + hour
        return cls(value.astype(np.float64), at, kind, market.reps.at_work)


@dataclass(frozen=True, eq=False)
class Window:
    """One window of the year.

    Attributes:
        leads: First lead and the one after the last.
        start: Its first instant.
        seconds: Its length.
        slots: Slots of each rep; int64 (n_reps,).
    """

    leads: slice
    start: int
    seconds: int
    slots: IntArray

    @property
    def size(self) -> int:
        """Leads that arrive in it."""
        return int(self.leads.stop - self.leads.start)


def windows(year: Year, seconds: int, regime: float, every: int) -> Iterator[Window]:
    """Windows of the year, every so many; slots as known when each begins."""
    usual = year.arrived_at.size / (year.at_work.shape[0] * DAY) * seconds
    for start in range(BEFORE * WEEK, (BEFORE + 52) * WEEK, seconds * every):
        first, last = np.searchsorted(year.arrived_at, [start, start + seconds])
        at_work = year.at_work[start // DAY]
        each = max(1, round(regime * usual / int(at_work.sum())))
        yield Window(slice(first, last), start, seconds, at_work * np.int64(each))


def problem_of(year: Year, window: Window) -> Problem:
    """The whole window at once."""
    value = year.value[window.leads]
    eligible = np.isfinite(value)
    slots = np.minimum(window.slots, window.size)
    return Problem(np.where(eligible, value, 0.0), eligible, slots, slots * 0)


def look_ahead(
    year: Year, window: Window, settings: LookAhead, every: int, seed: int
) -> IntArray:
    """The rep of each lead, given one by one."""
    rng, slots = np.random.default_rng(seed), window.slots.copy()
    waited = np.zeros(slots.size)
    rep_of = np.full(window.size, UNASSIGNED)
    pacer = Pacer(np.zeros(slots.size), slots, 1.0, step=0.0)
    for k, lead in enumerate(range(window.leads.start, window.leads.stop)):
        if k % every == 0:
            pacer = reprice(year, window, lead, slots, settings, rng)
        value = year.value[lead]
        choice = choose(value, np.isfinite(value), slots, pacer.price, waited=waited)
        pacer.note(choice.rep)
        rep_of[k] = choice.rep
        waited += 1.0
        if choice.rep != UNASSIGNED:
            slots[choice.rep] -= 1
            waited[choice.rep] = 0.0
    return rep_of


def reprice(
    year: Year,
    window: Window,
    lead: int,
    slots: IntArray,
    settings: LookAhead,
    rng: np.random.Generator,
) -> Pacer:
    """Prices as of a lead's arrival, from the leads before it."""
    periods = periods_of(year, window)
    known = slice(
        int(np.searchsorted(year.arrived_at, periods.edges[0])),
        lead,
    )
    priced = price_window(
        year.value[max(0, lead - MEMORY) : lead],
        year.arrived_at[known],
        periods,
        slots,
        now=int(year.arrived_at[lead]),
        solve=solve,
        look_ahead=settings,
        rng=rng,
    )
    price, forecast, step = priced
    return Pacer(price, slots, forecast.leads, step=step)


def periods_of(year: Year, window: Window) -> Periods:
    """Hours of the windows before this one and of its own."""
    before = min(window.start, KNOWN_WEEKS * WEEK) // window.seconds
    first = window.start - before * window.seconds
    edges = np.arange(first, window.start + window.seconds + 1, HOUR)
    return Periods(
        edges=edges,
        kind=year.kind[edges[:-1] // HOUR],
        window=(edges[:-1] - first) // window.seconds,
    )
