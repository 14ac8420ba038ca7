"""What is true in a demo market: the chance of every rep with every lead on any day.

    logit p(i, j, t) = level + lead_i + market_t - cooling * age_i(t)
                       + rep_effect * (ability_jt + skills_j(segments of i)
                                       + latent_i . latent_j + known_ij)

``known_ij`` is a bonus for the rep who served the lead's customer before. A lead won
within the label window is won with exactly this probability; some more are won later.
The time it takes depends on the lead, never on the rep.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, ndtr, ndtri

from experiments.market_calendar import Calendar
from experiments.market_leads import Leads
from experiments.market_reps import Reps
from experiments.market_settings import (
    BoolArray,
    FloatArray,
    IntArray,
    MarketSettings,
)

OPEN, WON, LOST = 0, 1, 2
"""How a decision ends; open ones never close."""

NOBODY = -1

_COOLING_PER_DAY, _COOLING_DAYS = 0.006, 120
_KNOWN = 0.30
_SPREAD = 0.75  # of the log of days to win
_USUAL_DAYS = 20.0
_LATE_SHARE, _LATE_DAYS = 0.08, 25.0
_QUICK_LOSS, _SLOW_LOSS_DAYS, _SLOW_LOSS_SPREAD = 0.15, 38.0, 0.7
_SILENT, _CLEANED = 0.12, 0.5
_QUARTER_END, _FEBRUARY = 0.12, -0.15
_BLOCK = 2_048  # leads whose grid is worked on at once


@dataclass(frozen=True, eq=False, slots=True)
class Ending:
    """How decisions end, one entry each.

    Attributes:
        p_win: The truth: chance to win within the label window.
        won_in_window: Whether that happened.
        result: ``OPEN`` (never closes), ``WON`` (also later than the window) or
            ``LOST``.
        days: Whole days from decision to close, at least 1; -1 for open ones.
    """

    p_win: FloatArray
    won_in_window: BoolArray
    result: IntArray
    days: IntArray


@dataclass(frozen=True, eq=False, slots=True)
class Truth:
    """The chances of a market; i over leads, j over reps, days from 0.

    Attributes:
        label_window_days: Window that chances refer to unless told otherwise.
        rep_effect: Factor on everything that depends on the rep.
        first_day: Day on which each lead can first be decided; int64 (n_leads,).
        created_day: Day each lead arrived; int64 (n_leads,).
        lead_logit: Lead's own log odds, level included; (n_leads,).
        market_logit: Log odds of the day; (n_days,).
        ability: Log odds of the rep by day; (n_days, n_reps).
        segment: Segments of each lead, one row per table of ``skills``.
        skills: Log odds by rep and segment; each (n_reps, n_codes).
        lead_latent: (n_leads, N_LATENT).
        rep_latent: (n_reps, N_LATENT).
        previous_rep: Rep who served the customer before the lead arrived, or -1;
            int64 (n_leads,). Filled in while the past is made.
        deal_value: Expected money if won; (n_leads,).
        days_to_win: Median days to win if there were no end; (n_leads,).
    """

    label_window_days: int
    rep_effect: float
    first_day: IntArray
    created_day: IntArray
    lead_logit: FloatArray
    market_logit: FloatArray
    ability: FloatArray
    segment: IntArray
    skills: tuple[FloatArray, ...]
    lead_latent: FloatArray
    rep_latent: FloatArray
    previous_rep: IntArray
    deal_value: FloatArray
    days_to_win: FloatArray

    def p_win(
        self,
        lead: IntArray,
        rep: IntArray,
        *,
        day: IntArray | int | None = None,
        within_days: int | None = None,
    ) -> FloatArray:
        """Chance that each rep wins each lead when it is decided on that day.

        Args:
            lead: Leads; int64, any shape.
            rep: Reps; int64, broadcast against ``lead``: ``lead[:, None]`` with
                ``rep[None, :]`` gives the grid.
            day: Day of the decision, broadcast likewise; None is the day on which
                each lead could first be decided.
            within_days: Days after the decision in which a win counts; None is the
                label window.

        Returns:
            Chances in (0, 1); float64 of the broadcast shape.
        """
        when = self.first_day[lead] if day is None else np.asarray(day)
        p = expit(self._logit(lead, rep, np.clip(when, 0, self.ability.shape[0] - 1)))
        if within_days is None or within_days == self.label_window_days:
            return np.asarray(p)
        return self._within(lead, p, within_days)

    def grid(
        self, leads: IntArray, reps: IntArray, *, day: IntArray | int | None = None
    ) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        """``p_win`` of every lead with every rep, in bounded memory.

        Args:
            leads: int64 (n,).
            reps: int64 (m,).
            day: Day of the decision, one or one per lead; None as in ``p_win``.

        Returns:
            float32 (n, m).
        """
        when = self.first_day[leads] if day is None else np.asarray(day)
        when = np.broadcast_to(when, leads.shape)
        out = np.empty((leads.size, reps.size), dtype=np.float32)
        for start in range(0, leads.size, _BLOCK):
            rows = slice(start, start + _BLOCK)
            out[rows] = self.p_win(
                leads[rows, None], reps[None, :], day=when[rows, None]
            )
        return out

    def expected_value(
        self, leads: IntArray, reps: IntArray, *, day: IntArray | int | None = None
    ) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        """Chance x deal value of every lead with every rep; float32 (n, m)."""
        value = self.grid(leads, reps, day=day)
        value *= self.deal_value[leads, None].astype(np.float32)
        return value

    def draw(
        self,
        lead: IntArray,
        rep: IntArray,
        *,
        rng: np.random.Generator,
        day: IntArray | int | None = None,
    ) -> Ending:
        """Let decisions run their course.

        Args:
            lead: Lead of each decision; int64 (n,).
            rep: Its rep; int64 (n,).
            rng: Source of every draw.
            day: Its day, as in ``p_win``.
        """
        p = self.p_win(lead, rep, day=day)
        fate = rng.random(lead.size)
        in_window = fate < p
        late = ~in_window & (fate < p + np.minimum(_LATE_SHARE * p, 1.0 - p))
        silent = ~in_window & ~late & (rng.random(lead.size) < _SILENT)
        cleaned = silent & (rng.random(lead.size) < _CLEANED)
        days = np.where(late, self._late_days(rng, lead.size), self._lost_days(rng, p))
        days = np.where(in_window, self._win_days(rng, lead), days)
        days = np.where(silent, rng.integers(100, 240, lead.size), days)
        won = in_window | late
        ends_open = silent & ~cleaned
        result = np.where(won, WON, np.where(ends_open, OPEN, LOST))
        return Ending(p, in_window, result, np.where(ends_open, -1, days))

    def _logit(self, lead: IntArray, rep: IntArray, day: IntArray) -> FloatArray:
        age = np.clip(day - self.created_day[lead], 0, _COOLING_DAYS)
        alone = self.lead_logit[lead] + self.market_logit[day]
        alone = alone - _COOLING_PER_DAY * age
        fit = self.ability[day, rep]
        for segment, table in zip(self.segment, self.skills, strict=True):
            fit = fit + table[rep, segment[lead]]
        for k in range(self.lead_latent.shape[1]):
            fit = fit + self.lead_latent[lead, k] * self.rep_latent[rep, k]
        fit = fit + _KNOWN * (self.previous_rep[lead] == rep)
        return np.asarray(alone + self.rep_effect * fit)

    def _within(self, lead: IntArray, p: FloatArray, days: int) -> FloatArray:
        """Chance to win within another number of days than the label window."""
        inside = min(days, self.label_window_days - 1)
        early = p * self._part_by(lead, inside) / self._part_by(lead, None)
        after = max(0, days - self.label_window_days)
        late = np.minimum(_LATE_SHARE * p, 1.0 - p)
        return np.asarray(early + late * -np.expm1(-after / _LATE_DAYS))

    def _part_by(self, lead: IntArray, days: int | None) -> FloatArray:
        """Part of wins without end that have come by then; None is the window."""
        limit = self.label_window_days - 1 if days is None else days
        with np.errstate(divide="ignore"):
            z = (np.log(limit) - np.log(self.days_to_win[lead])) / _SPREAD
        return np.asarray(ndtr(z))

    def _win_days(self, rng: np.random.Generator, lead: IntArray) -> IntArray:
        """Log-normal, cut off one day before the label window ends.

        The day left free keeps a win on the same side of the window's end whether
        it is counted in hours or in local days.
        """
        part = rng.random(lead.size) * self._part_by(lead, None)
        days = self.days_to_win[lead] * np.exp(_SPREAD * ndtri(part))
        return np.clip(np.ceil(days), 1, self.label_window_days - 1).astype(np.int64)

    def _late_days(self, rng: np.random.Generator, count: int) -> IntArray:
        more = np.ceil(rng.exponential(_LATE_DAYS, count)).astype(np.int64)
        return self.label_window_days + np.maximum(more, 1)

    def _lost_days(self, rng: np.random.Generator, p: FloatArray) -> IntArray:
        """A few are lost at once, most later than wins come."""
        slow = np.log(_SLOW_LOSS_DAYS) + _SLOW_LOSS_SPREAD * rng.standard_normal(p.size)
        quick = rng.random(p.size) < _QUICK_LOSS
        days = np.where(quick, rng.uniform(0.2, 5.0, p.size), np.exp(slow))
        return np.ceil(days).astype(np.int64)


def state_truth(
    settings: MarketSettings, calendar: Calendar, leads: Leads, reps: Reps
) -> Truth:
    """The truth of a market, its level set to the conversion asked for."""
    created = calendar.day_of(leads.created)
    rng = settings.stream("days to win")
    usual = _USUAL_DAYS * (leads.deal_value / np.median(leads.deal_value)) ** 0.15
    truth = Truth(
        label_window_days=settings.label_window_days,
        rep_effect=float(settings.rep_effect),
        first_day=np.minimum(created + 1, calendar.n_days - 1),
        created_day=created,
        lead_logit=leads.logit,
        market_logit=_market_logit(settings, calendar),
        ability=reps.ability,
        segment=np.stack(
            [
                leads.industry,
                leads.product,
                leads.size_band,
                leads.region,
                leads.language,
            ]
        ),
        skills=reps.skills,
        lead_latent=leads.latent,
        rep_latent=reps.latent,
        previous_rep=np.full(leads.n_leads, NOBODY, dtype=np.int64),
        deal_value=leads.deal_value,
        days_to_win=usual * np.exp(rng.normal(0.0, 0.2, leads.n_leads)),
    )
    return replace(truth, lead_logit=leads.logit + _level(settings, truth))


def _market_logit(settings: MarketSettings, calendar: Calendar) -> FloatArray:
    """Ups and downs that all leads share: seasons, and a slow drift."""
    days = np.arange(calendar.n_days)
    month = calendar.month[: calendar.n_days]
    season = np.where(month % 3 == 0, _QUARTER_END, 0.0)
    season = np.where(month == 2, _FEBRUARY, season)
    slow = 0.15 * np.sin(2 * np.pi * days / 700.0) - 0.10 * days / calendar.n_days
    return np.asarray(season + settings.drift * slow)


def _level(settings: MarketSettings, truth: Truth) -> float:
    """The level at which drawing reps at random converts as asked (bisection)."""
    rng = settings.stream("level")
    lead = rng.integers(0, truth.lead_logit.size, 20_000)
    rep = rng.integers(0, truth.ability.shape[1], 20_000)
    speaks = truth.skills[-1][rep, truth.segment[-1, lead]] == 0.0
    p = truth.p_win(lead[speaks], rep[speaks])
    logit = np.log(p) - np.log1p(-p)
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        if float(expit(logit + middle).mean()) < settings.conversion:
            low = middle
        else:
            high = middle
    return (low + high) / 2
