"""Demo markets with ratings, and the truth that the ratings are about."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from experiments.simulate import ZONE, Market, MarketSettings, simulate
from features.as_of import DAY, FloatArray, IntArray, instant
from features.known import Known
from training.rows import training_rows

SECOND = 1_000_000


@dataclass(frozen=True, eq=False)
class RatedMarket:
    """A market, and what its history teaches at its end."""

    market: Market
    known: Known

    @property
    def at(self) -> pd.Timestamp:
        """The market's end."""
        return pd.Timestamp(self.market.settings.end)

    def true_ratios(self, segment: IntArray) -> FloatArray:
        """How often reps truly win, over their team, segment by segment.

        As the rating defines it: true chances of a rep's judged leads over what the
        team's eligible reps would have had with them, over the same of the team.

        Args:
            segment: Segment of each decision, -1 to leave it out; int64.

        Returns:
            float64 (n_segments, n_reps), missing without judged leads.
        """
        rows, weight = self._judged(segment)
        rep = self.known.own.decisions.rep[rows]
        true, of_team = self._chances(rows, rep, weight)
        n_reps = self.market.reps.n_reps
        unit = segment[rows] * n_reps + rep
        shape = (int(segment.max()) + 1, n_reps)
        n_units = shape[0] * shape[1]
        own = np.bincount(unit, weight * true, n_units).reshape(shape)
        expected = np.bincount(unit, weight * of_team, n_units).reshape(shape)
        team = self.market.reps.team
        together = np.zeros(shape)
        for one in np.unique(team):
            mine = team == one
            with np.errstate(invalid="ignore"):
                rate = own[:, mine].sum(axis=1) / expected[:, mine].sum(axis=1)
            together[:, mine] = rate[:, None]
        with np.errstate(invalid="ignore"):
            return np.asarray(own / expected / together)

    def _judged(self, segment: IntArray) -> tuple[IntArray, FloatArray]:
        events = self.known.judgements
        at, known_at = instant(self.at), events.at
        seen = (known_at <= at) & (events.counts > 0)
        seen &= segment[events.decision] >= 0
        age_days = (at - known_at[seen]) / DAY
        half_life = self.known.recipe.rating_half_life_days
        return events.decision[seen], 0.5 ** (age_days / half_life)

    def _chances(
        self, rows: IntArray, rep: IntArray, weight: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        market, decisions = self.market, self.known.own.decisions
        lead = decisions.lead[rows]
        day = market.calendar.day_of(decisions.decided_at[rows] // SECOND)
        days = self.known.recipe.label_window_days
        true = market.truth.p_win(lead, rep, day=day, within_days=days)
        of_team = np.zeros(rows.size)
        for team in np.unique(market.reps.team):
            members = np.flatnonzero(market.reps.team == team)
            mine = np.flatnonzero(market.reps.team[rep] == team)
            may = market.eligible(lead[mine], members)
            may |= rep[mine, None] == members[None, :]
            share = np.bincount(rep[mine], weight[mine], market.reps.n_reps)[members]
            chances = market.truth.p_win(
                lead[mine, None],
                members[None, :],
                day=day[mine, None],
                within_days=days,
            )
            of_team[mine] = np.average(chances, axis=1, weights=may * share)
        return np.asarray(true), of_team


@cache
def rated_market(
    *, seed: int, rep_effect: float = 1.0, lottery_share: float = 0.25
) -> RatedMarket:
    """A demo market of 6,000 leads and 20 reps, rated at its end."""
    market = simulate(
        MarketSettings(
            n_leads=6_000,
            n_reps=20,
            seed=seed,
            rep_effect=rep_effect,
            lottery_share=lottery_share,
        )
    )
    at = pd.Timestamp(market.settings.end)
    return RatedMarket(market, training_rows(market.history(), at, zone=ZONE).known)
