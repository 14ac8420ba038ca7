"""What a demo market's CRM says of reps and outcomes by the market's end."""

from dataclasses import dataclass

import numpy as np

from experiments import market_world as world
from experiments.market_calendar import DAY, OPENS, Calendar
from experiments.market_leads import Leads
from experiments.market_past import Past
from experiments.market_reps import NEVER, RAMP_DAYS, Reps
from experiments.market_settings import (
    BoolArray,
    FloatArray,
    IntArray,
    MarketSettings,
)
from experiments.market_truth import OPEN, WON

STATUSES = ("active", "paused", "left")

_CORRECTED_SHARE = 0.01


@dataclass(frozen=True, eq=False, slots=True)
class RepVersions:
    """Versions of rep attributes by rep and time.

    Attributes:
        rep: Rep.
        valid_from: Instant, rising within a rep.
        status: Position in ``STATUSES``.
        ramp: Whether the newcomer's half limits and weight hold.
    """

    rep: IntArray
    valid_from: IntArray
    status: IntArray
    ramp: BoolArray


@dataclass(frozen=True, eq=False, slots=True)
class Closes:
    """Outcomes as the CRM reported them by the market's end, in order of time.

    Attributes:
        decision: Decision each judges.
        won: Whether it was won.
        closed_at: Instant.
        value: Money won, major units; NaN for lost ones.
        reason: Position in ``LOST_REASONS``, or -1.
        replaces: Position of the outcome here that this one corrects, or -1.
    """

    decision: IntArray
    won: BoolArray
    closed_at: IntArray
    value: FloatArray
    reason: IntArray
    replaces: IntArray


def rep_versions(calendar: Calendar, reps: Reps) -> RepVersions:
    """What changed about reps by the market's end: ramp over, paused, back, left."""
    hired = reps.hired
    everybody = np.arange(reps.n_reps)
    late = everybody[reps.hired >= 0]
    paused = everybody[reps.paused[:, 0] < NEVER]
    gone = everybody[reps.left < NEVER]
    day = np.concatenate(
        [
            hired,
            hired[late] + RAMP_DAYS,
            reps.paused[paused, 0],
            reps.paused[paused, 1] + 1,
            reps.left[gone],
        ]
    )
    rep = np.concatenate([everybody, late, paused, paused, gone])
    rank = np.repeat(
        np.arange(5), [reps.n_reps, late.size, *[paused.size] * 2, gone.size]
    )
    at = calendar.midnight + day * DAY + np.where(rank > 0, OPENS, 0)
    # Nothing about a rep is known before the hiring, or after the end or the leaving.
    seen = (at < calendar.end) & (day <= reps.left[rep]) & (day >= hired[rep])
    order = np.lexsort([rank, day, rep])
    order = order[seen[order]]
    rep, day, at = rep[order], day[order], at[order]
    is_paused = (day >= reps.paused[rep, 0]) & (day <= reps.paused[rep, 1])
    status = np.select([day >= reps.left[rep], is_paused], [2, 1], 0)
    ramp = (reps.hired[rep] >= 0) & (day < reps.hired[rep] + RAMP_DAYS)
    last = np.append((rep[1:] != rep[:-1]) | (at[1:] != at[:-1]), True)
    return RepVersions(rep[last], at[last], status[last], ramp[last])


def closes(
    settings: MarketSettings, calendar: Calendar, leads: Leads, past: Past
) -> Closes:
    """Outcomes by the market's end; a few winning amounts are corrected later."""
    rng = settings.stream("outcomes")
    decision = np.flatnonzero((past.result != OPEN) & (past.closed_at < calendar.end))
    won = past.result[decision] == WON
    deal = leads.deal_value[past.lead[decision]]
    # A log-normal factor of mean 1, so that deal_value is the expected money.
    value = deal * np.exp(rng.normal(-0.02, 0.2, decision.size))
    reason = np.where(won, -1, rng.integers(0, len(world.LOST_REASONS), won.size))
    fixed = np.flatnonzero(won & (rng.random(won.size) < _CORRECTED_SHARE))
    later = past.closed_at[decision[fixed]] + rng.integers(DAY, 20 * DAY, fixed.size)
    fixed, later = fixed[later < calendar.end], later[later < calendar.end]
    at = np.concatenate([past.closed_at[decision], later])
    value = np.concatenate([value, value[fixed] * rng.uniform(0.9, 1.1, fixed.size)])
    order = np.argsort(at, kind="stable")
    place = np.argsort(order)
    corrects = np.concatenate([np.full(decision.size, -1), place[fixed]])[order]
    source = np.concatenate([np.arange(decision.size), fixed])[order]
    return Closes(
        decision=decision[source],
        won=won[source],
        closed_at=at[order],
        value=np.where(won[source], np.round(value[order], -1), np.nan),
        reason=reason[source],
        replaces=corrects,
    )
