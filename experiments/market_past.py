"""How the old organisation shared its leads out, day by day, and what came of it.

A part of the leads is drawn by lot among the reps who may take them, with the
propensity logged. The rest is not random: returning customers go back to their rep,
and managers give promising leads to senior reps, near ones to reps of the region, and
known trades to those who declared them, away from those who are full. Limits are
looked at in the morning, as that organisation did: a day may end a lead or two above.
"""

from collections import defaultdict
from dataclasses import dataclass, fields

import numpy as np

from experiments.market_calendar import CLOSES, DAY, HOUR, OPENS, Calendar
from experiments.market_leads import Leads
from experiments.market_reps import Reps
from experiments.market_settings import (
    BoolArray,
    FloatArray,
    IntArray,
    MarketSettings,
)
from experiments.market_truth import NOBODY, OPEN, Truth

POLICIES = ("round_robin", "manager", "sticky", "claim")
"""Names that the old decisions carry; the first is the lottery."""
LOTTERY, MANAGER, STICKY, CLAIM = range(len(POLICIES))

FOREVER = np.iinfo(np.int64).max
"""Instant of what never happens."""

_STICKY_SHARE, _RELEASED_SHARE, _CLAIM_SHARE, _DROPPED_SHARE = 0.6, 0.7, 0.5, 0.4
_RELEASE_AFTER, _RELEASE_SPREAD = 10, 25  # days past the label window
_AT_RELEASE = 20 * HOUR

_Columns = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False, slots=True)
class Past:
    """The decisions of the past in order of their day, one entry each.

    Attributes:
        lead: Lead.
        rep: Rep who was chosen.
        day: Day, from 0.
        decided_at: Instant; seconds since 1970 UTC.
        policy: What chose, position in ``POLICIES``.
        propensity: Chance of this rep at the draw; NaN where nothing was drawn.
        again: Whether the lead had an earlier decision.
        p_win: The truth: chance to win within the label window.
        won_in_window: Whether that happened, seen by the market's end or not.
        result: ``OPEN``, ``WON`` or ``LOST``, seen by the market's end or not.
        closed_at: Instant of the close, or ``FOREVER``; it may be after the end.
        released_at: Instant the lead went back to the public pool, or ``FOREVER``.
        dropped: Whether the rep gave it back; the clock took it otherwise.
        moved_to: Rep who took over when the chosen one left, or -1.
        moved_at: Instant of that, or ``FOREVER``.
    """

    lead: IntArray
    rep: IntArray
    day: IntArray
    decided_at: IntArray
    policy: IntArray
    propensity: FloatArray
    again: BoolArray
    p_win: FloatArray
    won_in_window: BoolArray
    result: IntArray
    closed_at: IntArray
    released_at: IntArray
    dropped: BoolArray
    moved_to: IntArray
    moved_at: IntArray

    @property
    def owner(self) -> IntArray:
        """Who had the lead last; int64 (n_decisions,)."""
        return np.where(self.moved_to == NOBODY, self.rep, self.moved_to)


def make_past(
    settings: MarketSettings, calendar: Calendar, leads: Leads, reps: Reps, truth: Truth
) -> Past:
    """Let the days pass; fills ``truth.previous_rep`` on the way."""
    desk = _Desk(settings, calendar, leads, reps, truth)
    for day in range(calendar.n_days):
        desk.free_slots(day)
        desk.hand_over(day)
        if calendar.working[0, day]:
            desk.share_out(day)
    return desk.past()


class _Desk:
    """Where leads wait and are given out, one day after the other."""

    def __init__(
        self,
        settings: MarketSettings,
        calendar: Calendar,
        leads: Leads,
        reps: Reps,
        truth: Truth,
    ) -> None:
        self._settings, self._calendar = settings, calendar
        self._leads, self._reps, self._truth = leads, reps, truth
        self._rng = settings.stream("past")
        self._open = np.zeros(reps.n_reps, dtype=np.int64)
        # Slots that become free on the morning of each day; the last row is later.
        self._ends = np.zeros((calendar.n_days + 1, reps.n_reps), dtype=np.int64)
        self._served_by = np.full(int(leads.customer.max()) + 1, NOBODY)
        self._last_owner = np.full(leads.n_leads, NOBODY)
        self._waiting: dict[int, list[IntArray]] = defaultdict(list)
        self._done: list[_Columns] = []
        self._planned = self._first_instants()
        new = np.flatnonzero(~leads.backlog)
        self._wait(new, calendar.day_of(self._planned[new]))

    def _first_instants(self) -> IntArray:
        """When each lead is first looked at, if it is before the end."""
        count = self._leads.n_leads
        delay = 120 + np.exp(self._rng.normal(np.log(1.5 * HOUR), 0.8, count))
        seen = self._leads.created + delay.astype(np.int64)
        at_home = np.zeros(count, dtype=np.int64)
        return self._calendar.into_hours(seen, at_home, self._rng)

    def _wait(self, lead: IntArray, day: IntArray) -> None:
        order = np.argsort(day, kind="stable")
        days, starts = np.unique(day[order], return_index=True)
        groups = np.split(lead[order], starts[1:])
        for when, group in zip(days, groups, strict=False):
            self._waiting[int(when)].append(group)

    def free_slots(self, day: int) -> None:
        """Count out what closed or was released before this morning."""
        self._open -= self._ends[day]

    def hand_over(self, day: int) -> None:
        """Move the open leads of those who leave today to colleagues."""
        at = self._calendar.midnight + day * DAY + OPENS
        takers = np.flatnonzero(self._reps.at_work[day])
        for rep in np.flatnonzero(self._reps.left == day):
            for batch in self._done:
                self._move(batch, int(rep), takers, at)

    def _move(self, batch: _Columns, rep: int, takers: IntArray, at: int) -> None:
        free_at = np.minimum(batch["closed_at"], batch["released_at"])
        owner = np.where(batch["moved_to"] == NOBODY, batch["rep"], batch["moved_to"])
        mine = np.flatnonzero((owner == rep) & (free_at > at))
        lead, end_day = batch["lead"][mine], self._end_day(free_at[mine])
        fits = self._may_take(lead)[:, takers]
        to = takers[_pick(fits, self._rng.random(mine.size))]
        batch["moved_to"][mine], batch["moved_at"][mine] = to, at
        self._last_owner[lead] = to
        np.add.at(self._ends, (end_day, to), 1)
        np.add.at(self._open, to, 1)

    def share_out(self, day: int) -> None:
        """Give today's leads out; who finds nobody waits for tomorrow."""
        due = sorted(when for when in self._waiting if when <= day)
        if not due:
            return
        lead = np.sort(
            np.concatenate([some for d in due for some in self._waiting.pop(d)])
        )
        ready = self._reps.at_work[day] & (self._open < self._reps.limit_on(day))
        eligible = self._may_take(lead) & ready
        again = np.flatnonzero(self._last_owner[lead] != NOBODY)
        eligible[again, self._last_owner[lead[again]]] = False
        at = self._instants(day, lead)
        found = eligible.any(axis=1)
        self._waiting[day + 1].append(lead[~found])
        chosen = found & (at < self._calendar.end)
        if bool(chosen.any()):
            self._decide(day, lead[chosen], at[chosen], eligible[chosen])

    def _instants(self, day: int, lead: IntArray) -> IntArray:
        """As planned, or some time today for leads that had to wait."""
        planned = self._planned[lead]
        second = self._rng.integers(OPENS, CLOSES, lead.size)
        today = self._calendar.midnight + day * DAY + second
        return np.where(self._calendar.day_of(planned) == day, planned, today)

    def _decide(
        self, day: int, lead: IntArray, at: IntArray, eligible: BoolArray
    ) -> None:
        customer = self._leads.customer[lead]
        again = self._last_owner[lead] != NOBODY
        self._truth.previous_rep[lead[~again]] = self._served_by[customer[~again]]
        batch = self._choose(lead, eligible, again)
        rep = batch["rep"]
        ending = self._truth.draw(lead, rep, rng=self._rng, day=day)
        batch |= {
            "lead": lead,
            "day": np.full(lead.size, day),
            "decided_at": at,
            "again": again,
            "p_win": ending.p_win,
            "won_in_window": ending.won_in_window,
            "result": ending.result,
            "closed_at": self._close_instants(day, ending.days),
            "moved_to": np.full(lead.size, NOBODY),
            "moved_at": np.full(lead.size, FOREVER),
        }
        batch |= self._releases(day, ending.result, again)
        self._served_by[customer] = self._last_owner[lead] = rep
        self._count(batch)
        self._done.append(batch)

    def _choose(
        self, lead: IntArray, eligible: BoolArray, again: BoolArray
    ) -> _Columns:
        """Rep, policy and propensity of each lead."""
        rng, count = self._rng, lead.size
        by_lot = rng.random(count) < self._settings.lottery_share
        drawn = _pick(eligible, rng.random(count))
        back = self._truth.previous_rep[lead]
        sticks = (back != NOBODY) & eligible[np.arange(count), back]
        sticks &= ~by_lot & (rng.random(count) < _STICKY_SHARE)
        claims = again & ~by_lot & ~sticks & (rng.random(count) < _CLAIM_SHARE)
        led = self._managers_choice(lead, eligible)
        return {
            "rep": np.select([sticks, by_lot | claims], [back, drawn], led),
            "policy": np.select(
                [by_lot, sticks, claims], [LOTTERY, STICKY, CLAIM], MANAGER
            ),
            "propensity": np.where(by_lot, 1.0 / eligible.sum(axis=1), np.nan),
        }

    def _managers_choice(self, lead: IntArray, eligible: BoolArray) -> IntArray:
        leads, reps = self._leads, self._reps
        full = 2.5 * self._open / reps.holding_limit
        liking = 1.5 * self._rng.random(eligible.shape, dtype=np.float32)
        near = leads.region[lead, None] == reps.region
        liking += np.float32(1.2) * near
        liking += np.float32(0.7) * reps.industries.T[leads.industry[lead]]
        liking += np.outer(
            leads.apparent[lead].astype(np.float32),
            (0.5 * reps.senior).astype(np.float32),
        )
        liking -= full.astype(np.float32)
        liking[~eligible] = -np.inf
        return np.asarray(np.argmax(liking, axis=1))

    def _may_take(self, lead: IntArray) -> BoolArray:
        """Language and product allow it; bool (n, n_reps)."""
        speaks = self._reps.languages.T[self._leads.language[lead]]
        sells = self._reps.products.T[self._leads.product[lead]]
        return np.asarray(speaks & sells)

    def _close_instants(self, day: int, days: IntArray) -> IntArray:
        second = self._rng.integers(OPENS, CLOSES, days.size)
        at = self._calendar.midnight + (day + days) * DAY + second
        return np.where(days < 0, FOREVER, at)

    def _releases(self, day: int, result: IntArray, again: BoolArray) -> _Columns:
        """Part of the leads that never close go back to the pool, once."""
        rng, count = self._rng, result.size
        back = (result == OPEN) & ~again & (rng.random(count) < _RELEASED_SHARE)
        idle = self._settings.label_window_days + _RELEASE_AFTER
        days = idle + rng.integers(0, _RELEASE_SPREAD, count)
        at = self._calendar.midnight + (day + days) * DAY + _AT_RELEASE
        return {
            "released_at": np.where(back, at, FOREVER),
            "dropped": back & (rng.random(count) < _DROPPED_SHARE),
        }

    def _count(self, batch: _Columns) -> None:
        """Take the slots, and note when they are free and who waits again."""
        rep, released = batch["rep"], batch["released_at"]
        free_at = np.minimum(batch["closed_at"], released)
        np.add.at(self._open, rep, 1)
        np.add.at(self._ends, (self._end_day(free_at), rep), 1)
        back = np.flatnonzero(released < FOREVER)
        wait = self._rng.integers(1, 4, back.size)
        self._wait(batch["lead"][back], self._calendar.day_of(released[back]) + wait)

    def _end_day(self, at: IntArray) -> IntArray:
        """The morning after the instant, or the row past the last day."""
        return np.minimum(self._calendar.day_of(at) + 1, self._calendar.n_days)

    def past(self) -> Past:
        """All decisions made; leads still waiting learn who served them before."""
        undecided = self._last_owner == NOBODY
        customer = self._leads.customer[undecided]
        self._truth.previous_rep[undecided] = self._served_by[customer]
        return Past(
            **{
                column.name: np.concatenate([b[column.name] for b in self._done])
                for column in fields(Past)
            }
        )


def _pick(eligible: BoolArray, draw: FloatArray) -> IntArray:
    """One of the eligible reps of each lead, all alike; ``draw`` in [0, 1)."""
    nth = np.floor(draw * eligible.sum(axis=1))
    counted = np.cumsum(eligible, axis=1, dtype=np.int32)
    return np.asarray(np.argmax(counted > nth[:, None], axis=1))
