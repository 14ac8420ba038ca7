"""How often a rep wins, over the rate of the rep's team: the rep rating for people.

The model's columns (``rep_profile``, ``pair``) say the same in sums that trees can
read. What a manager reads is a ratio with an interval that holds, overall and by
segment; the statistics are those of ``shrinkage``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.as_of import DAY, BoolArray, FloatArray, IntArray, instant
from features.codes import known_codes
from features.known import Known
from features.pair import SEGMENTS
from features.recipe import Recipe
from features.shrinkage import Groups, Ratios, Record, ratios
from rightrep.errors import InvalidInput

MOST_SEGMENTS = 10
"""Segments of one kind that a rep is rated in, those of most leads first."""

FEWEST_LEADS = 5
"""Judged leads in fewer of which a segment is left out."""

OVERALL = "overall"


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How often a rep wins leads of one kind, over the rate of the group.

    Attributes:
        scope: ``OVERALL``, or what the segment is of (``features.pair.SEGMENTS``).
        segment: The leads' value, such as an industry; None overall and for bands.
        band: Lower and upper end of a band of deal values or company sizes, None where
            it has no end; None overall and for texts.
        ratio: Wins over what the leads let expect, over the same of the group, shrunk
            to 1; None where the group has too few wins to be compared with.
        low: Lower end of the interval that holds ``features.shrinkage.LEVEL`` of the
            true ratios.
        high: Upper end.
        n_leads: Judged leads of the rep.
        n_won: Won ones among them.
        n_drawn: Judged leads that the rep got by lot.
        with_team: Whether the group is the rep's team, else all reps.
    """

    scope: str
    segment: str | None
    band: tuple[float | None, float | None] | None
    ratio: float | None
    low: float | None
    high: float | None
    n_leads: int
    n_won: int
    n_drawn: int
    with_team: bool

    @property
    def differs(self) -> bool:
        """Whether the interval leaves out 1: measurably better or worse."""
        if self.low is None or self.high is None:
            return False
        return self.low > 1.0 or self.high < 1.0


def standings(known: Known, rep_id: str, as_of: pd.Timestamp) -> list[Standing]:
    """A rep's rating as of an instant: overall, then by segment, most leads first.

    Recent leads count more, by the half-life of the ratings. A rep without history
    has a ratio of 1 and the widest interval.

    Args:
        known: What the whole history teaches, rated.
        rep_id: A rep of the history.
        as_of: Aware instant; nothing later is seen.

    Raises:
        InvalidInput: The rep is unknown, or nothing is rated.
    """
    rep = int(known_codes(known.own.rep_ids, [rep_id], "rep")[0])
    judged = Judged.of(known, instant(as_of))
    whole = np.zeros(len(known.own.decisions.ids), dtype=np.int64)
    found = list(_in_scope(known, judged, OVERALL, whole, rep))
    for scope in SEGMENTS:
        of_scope = _in_scope(known, judged, scope, known.segments[scope], rep)
        found += [one for one in of_scope if one.n_leads >= FEWEST_LEADS]
    return found


def overall(known: Known, as_of: pd.Timestamp) -> dict[str, Standing]:
    """Every rep's standing over all leads as of an instant, by rep.

    The same as the first of ``standings`` for each rep, worked out once for all.

    Args:
        known: What the whole history teaches, rated.
        as_of: Aware instant; nothing later is seen.

    Raises:
        InvalidInput: Nothing is rated.
    """
    judged = Judged.of(known, instant(as_of))
    whole = np.zeros(judged.decision.size, dtype=np.int64)
    found = compare(judged, whole, np.zeros(1, dtype=np.int64))
    return {
        str(rep_id): _standing(
            OVERALL, None, None, found, rep, judged, judged.rep == rep
        )
        for rep, rep_id in enumerate(known.own.rep_ids)
    }


@dataclass(frozen=True, eq=False)
class Judged:
    """Judgements known by an instant; one entry each.

    Attributes:
        decision: int64 (n,).
        rep: Rep of each decision; int64 (n,).
        team: Team of each rep as of the instant, by rep, -1 unknown; int64 (n_reps,).
        drawn: Whether the decision was drawn by lot; bool (n,).
        won: +1, or a correction's change; float64 (n,).
        counts: 1, or 0 for a correction; float64 (n,).
        p_lead: float64 (n,).
        decay: Weight by age, in (0, 1]; float64 (n,).
    """

    decision: IntArray
    rep: IntArray
    team: IntArray
    drawn: BoolArray
    won: FloatArray
    counts: FloatArray
    p_lead: FloatArray
    decay: FloatArray

    @property
    def n_reps(self) -> int:
        """Reps of the history."""
        return int(self.team.size)

    @classmethod
    def of(cls, known: Known, at: int) -> "Judged":
        """From a whole history.

        Args:
            known: What it teaches, rated.
            at: As of when; microseconds since 1970 UTC.

        Raises:
            InvalidInput: Nothing is rated.
        """
        if known.p_lead is None:
            raise InvalidInput("Standings need ratings.", field="p_lead")
        events, decisions = known.judgements, known.own.decisions
        p_lead = known.p_lead[events.decision]
        known_at = events.at
        seen = np.flatnonzero((known_at <= at) & ~np.isnan(p_lead))
        decision = events.decision[seen]
        age_days = (at - known_at[seen]) / DAY
        reps = np.arange(len(known.own.rep_ids))
        return cls(
            decision=decision,
            rep=decisions.rep[decision],
            team=known.reps.team_of(reps, np.full(reps.size, at, dtype=np.int64)),
            drawn=~np.isnan(decisions.propensity[decision]),
            won=events.won[seen],
            counts=events.counts[seen],
            p_lead=p_lead[seen],
            decay=0.5 ** (age_days / known.recipe.rating_half_life_days),
        )

    def record(self, unit: IntArray, n_units: int) -> Record:
        """Sums by unit, drawn and chosen apart; -1 leaves a judgement out."""
        expected = self.decay * self.counts * self.p_lead
        values = (
            self.decay * self.won,
            expected,
            self.decay * expected * (1.0 - self.p_lead),
        )
        return Record(
            *(
                np.stack(
                    [
                        _sums(unit, value, n_units, where)
                        for where in (self.drawn, ~self.drawn)
                    ]
                )
                for value in values
            )
        )


def compare(judged: Judged, segment: IntArray, segments: IntArray) -> Ratios:
    """Every rep's ratios in some segments of one kind.

    Args:
        judged: What is known.
        segment: Segment of each judgement, -1 for none; int64 (n,).
        segments: The segments wanted; int64 (n_segments,).

    Returns:
        One entry per segment and rep, at ``segment * n_reps + rep``.
    """
    place = pd.Index(segments).get_indexer(pd.Index(segment)).astype(np.int64)
    unit = np.where(place >= 0, place * judged.n_reps + judged.rep, -1)
    record = judged.record(unit, segments.size * judged.n_reps)
    return ratios(record, _groups(judged.team, segments.size))


def _sums(
    unit: IntArray, value: FloatArray, n_units: int, where: BoolArray
) -> FloatArray:
    chosen = where & (unit >= 0)
    return np.bincount(unit[chosen], value[chosen], n_units).astype(np.float64)


def _in_scope(
    known: Known, judged: Judged, scope: str, segment_of: IntArray, rep: int
) -> Iterator[Standing]:
    """The rep's standings in the segments of one kind that the rep knows best."""
    segment = segment_of[judged.decision]
    segments = _best_known(judged, segment, rep)
    if scope == OVERALL:
        segments = np.zeros(1, dtype=np.int64)
    if segments.size == 0:
        return
    found = compare(judged, segment, segments)
    for k, code in enumerate(segments):
        own = (segment == code) & (judged.rep == rep)
        yield _standing(
            *_named(known, scope, int(code)),
            found,
            k * judged.n_reps + rep,
            judged,
            own,
        )


def _best_known(judged: Judged, segment: IntArray, rep: int) -> IntArray:
    """Codes of the segments in which the rep has most judged leads, most first."""
    own = (judged.rep == rep) & (judged.counts > 0) & (segment >= 0)
    codes, count = np.unique(segment[own], return_counts=True)
    return codes[np.argsort(-count, kind="stable")[:MOST_SEGMENTS]]


def _groups(team: IntArray, n_segments: int) -> Groups:
    """Reps of one team in one segment, and all reps in it."""
    n_teams = int(team.max(initial=-1)) + 2
    segment = np.repeat(np.arange(n_segments), team.size)
    return Groups(segment * n_teams + np.tile(team, n_segments) + 1, segment)


def _standing(
    scope: str,
    segment: str | None,
    band: tuple[float | None, float | None] | None,
    found: Ratios,
    unit: int,
    judged: Judged,
    own: BoolArray,
) -> Standing:
    ratio, low, high = (
        None if np.isnan(values[unit]) else float(values[unit])
        for values in (found.ratio, found.low, found.high)
    )
    return Standing(
        scope=scope,
        segment=segment,
        band=band,
        ratio=ratio,
        low=low,
        high=high,
        n_leads=int(judged.counts[own].sum()),
        n_won=int(judged.won[own].sum()),
        n_drawn=int(judged.counts[own & judged.drawn].sum()),
        with_team=bool(found.with_team[unit]),
    )


def _named(
    known: Known, scope: str, code: int
) -> tuple[str, str | None, tuple[float | None, float | None] | None]:
    edges = _edges(known.recipe, scope)
    if edges is not None:
        ends = (None, *edges, None)
        return scope, None, (ends[code], ends[code + 1])
    if scope == OVERALL:
        return scope, None, None
    return scope, str(known.own.leads.texts[scope].texts[code]), None


def _edges(recipe: Recipe, scope: str) -> tuple[float, ...] | None:
    return {"deal_band": recipe.deal_bands, "size_band": recipe.size_bands}.get(scope)
