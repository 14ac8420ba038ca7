"""The rep rating's sums: how often reps won over what the leads let one expect."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.as_of import FloatArray, IntArray, Log, Tally
from features.decision_facts import DecisionFacts
from features.market import Judgements
from features.rep_facts import RepFacts
from features.rep_profile import shrunk_residual

_EVERYBODY = 0


@dataclass(frozen=True, eq=False)
class Ratings:
    """Decayed sums of ``won - p_lead``, of judgements, and of ``p_lead (1 - p_lead)``.

    Attributes:
        overall: Over all reps, under key 0.
        by_team: By team of the rep as of the decision.
        by_rep: By rep.
        by_segment: By segment (as of the decision) and rep, one tally for each of
            ``features.pair.SEGMENTS``; key ``segment * n_reps + rep``.
        first: First judgement of each rep, under key 0.
        n_reps: Reps in the history.
        prior_leads: Judged decisions that a rating is shrunk by.
    """

    overall: Tally
    by_team: Tally
    by_rep: Tally
    by_segment: Mapping[str, Tally]
    first: Log
    n_reps: int
    prior_leads: float

    @classmethod
    def of(
        cls,
        judgements: Judgements,
        decisions: DecisionFacts,
        reps: RepFacts,
        segments: Mapping[str, IntArray],
        p_lead: FloatArray,
        *,
        half_life_days: float,
        prior_leads: float,
    ) -> "Ratings":
        """Sum up what judged decisions say about reps.

        Args:
            judgements: What became of the decisions.
            decisions: The decisions.
            reps: The reps.
            segments: Segment of each decision's lead as of the decision, -1 where
                unknown; by name, int64 (n_decisions,).
            p_lead: Chance to win that a model trained on earlier decisions gave the
                lead, whoever takes it; float64 (n_decisions,). Decisions where it is
                missing teach nothing.
            half_life_days: Age at which a judgement counts half.
            prior_leads: Judged decisions that a rating is shrunk by.
        """
        judged = judgements.decision
        p = p_lead[judged]
        usable = ~np.isnan(p)
        p = np.where(usable, p, 0.0)
        counts = judgements.counts
        values = [judgements.won - counts * p, counts, counts * p * (1.0 - p)]
        rep = np.where(usable, decisions.rep[judged], -1)
        team = reps.team_of(rep, decisions.decided_at[judged])

        def tally(key: IntArray) -> Tally:
            return Tally.of(key, judgements.at, values, half_life_days=half_life_days)

        def in_segment(segment: IntArray) -> Tally:
            both = (segment[judged] >= 0) & (rep >= 0)
            return tally(np.where(both, segment[judged] * len(reps.ids) + rep, -1))

        return cls(
            overall=tally(np.where(rep >= 0, _EVERYBODY, -1)),
            by_team=tally(team),
            by_rep=tally(rep),
            by_segment={name: in_segment(code) for name, code in segments.items()},
            first=_first_of_each(rep, judgements.at),
            n_reps=len(reps.ids),
            prior_leads=prior_leads,
        )

    def rates(
        self, rep: IntArray, team: IntArray, at: IntArray
    ) -> dict[str, FloatArray]:
        """What rep columns are made of, per row: the sums and the shrunk rates above.

        Args:
            rep: Rep of each row; int64 (n_rows,).
            team: The rep's team then, or -1; int64 (n_rows,).
            at: int64 (n_rows,).
        """
        zero = np.zeros(rep.size)
        everybody = np.full(rep.size, _EVERYBODY, dtype=np.int64)
        all_sums = self.overall.sums(everybody, at)
        overall = shrunk_residual(all_sums[0], all_sums[1], zero, self.prior_leads)
        team_sums = self.by_team.sums(team, at)
        of_team = shrunk_residual(team_sums[0], team_sums[1], overall, self.prior_leads)
        own = self.by_rep.sums(rep, at)
        return {
            "rep_residual": own[0],
            "rep_judged": own[1],
            "all_judged": all_sums[1],
            "n_judged_reps": self.first.count(everybody, at).astype(np.float64),
            "team_residual_rate": of_team,
            "overall_residual_rate": overall,
            "rep_residual_rate": shrunk_residual(
                own[0], own[1], of_team, self.prior_leads
            ),
            "rep_error": np.sqrt(
                (all_sums[2] + 0.25) / (all_sums[1] + 1.0) / (own[1] + self.prior_leads)
            ),
        }

    def in_segment(
        self, name: str, segment: IntArray, rep: IntArray, at: IntArray
    ) -> FloatArray:
        """Residual sum and judged number of reps in segments; float64 (2, n_rows)."""
        key = np.where((segment >= 0) & (rep >= 0), segment * self.n_reps + rep, -1)
        return self.by_segment[name].sums(key, at)[:2]


def _first_of_each(rep: IntArray, at: IntArray) -> Log:
    """The first judgement of each rep; events come in order of time."""
    known = np.flatnonzero(rep >= 0)
    first = known[np.unique(rep[known], return_index=True)[1]]
    return Log.of(np.full(first.size, _EVERYBODY, dtype=np.int64), at[first])
