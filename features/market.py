"""What judged decisions have taught: shares won, ratings, usual deal values.

A decision is judged when its label window ends, however early it closed: won, when it
closed as won inside the window, else not won. Judging early closers early would
overstate conversion, since wins and losses take different times. What is heard late
(a correction, an outcome recorded after the window) changes the judgement from the
instant on that it is known.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.as_of import FloatArray, IntArray, Tally, row_in_force, take
from features.deal_values import DealValues
from features.decision_facts import DecisionFacts
from features.lead_facts import LeadFacts

WIN_KEYS = ("channel", "campaign", "product", "industry")
"""Lead texts whose share won is a column."""


def window_end(decided_at: IntArray, days: int, zone: str) -> IntArray:
    """The same time of day, ``days`` days of the tenant's calendar later.

    Args:
        decided_at: int64 (n,) microseconds since 1970 UTC.
        days: Label window; positive.
        zone: IANA zone of the tenant.
    """
    utc = pd.DatetimeIndex(decided_at.view("datetime64[us]")).tz_localize("UTC")
    local = utc.tz_convert(zone).tz_localize(None) + pd.Timedelta(days=days)
    ends = local.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
    return np.asarray(ends.tz_convert("UTC").as_unit("us").asi8)


@dataclass(frozen=True, eq=False)
class Judgements:
    """Judgements and their corrections, as events in order of time.

    Attributes:
        decision: Decision judged; int64 (n_events,).
        at: Instant of the judgement; int64 (n_events,).
        won: +1 for won, 0 for not won; a correction adds or takes away; float64.
        counts: 1 for the judgement, 0 for a correction; float64.
    """

    decision: IntArray
    at: IntArray
    won: FloatArray
    counts: FloatArray

    @classmethod
    def of(cls, decisions: DecisionFacts, *, days: int, zone: str) -> "Judgements":
        """Judge decisions that stood until their window ended.

        Args:
            decisions: The decisions.
            days: Label window.
            zone: IANA zone of the tenant.
        """
        end = window_end(decisions.decided_at, days, zone)
        due = np.maximum(end, decisions.known_at)
        judged = np.flatnonzero((decisions.void_at > due) & (decisions.rep >= 0))
        won = decisions.results.won_by(judged, due[judged], end[judged])
        subject, at = _late_news(decisions, due)
        now = decisions.results.won_by(subject, at, end[subject])
        before = decisions.results.won_by(subject, at - 1, end[subject])
        change = now.astype(np.float64) - before
        counts = np.concatenate([np.ones(judged.size), np.zeros(subject.size)])
        known = np.concatenate([due[judged], at])
        # In order of time once, so that no tally has to sort by time again.
        order = np.argsort(known, kind="stable")
        return cls(
            np.concatenate([judged, subject])[order],
            known[order],
            np.concatenate([won.astype(np.float64), change])[order],
            counts[order],
        )


def _late_news(decisions: DecisionFacts, due: IntArray) -> tuple[IntArray, IntArray]:
    """Judged decisions of which something was heard later, and each instant."""
    log = decisions.results.log
    late = log.known_at > due[log.key]
    late &= decisions.void_at[log.key] > due[log.key]
    same = (log.key[1:] == log.key[:-1]) & (log.known_at[1:] == log.known_at[:-1])
    late[:-1][same] = False
    return log.key[late], log.known_at[late]


@dataclass(frozen=True, eq=False)
class Market:
    """Shares won, as of any instant; each tally sums wins and judgements.

    Attributes:
        judgements: The judged decisions.
        overall: Over all decisions, under key 0.
        by_text: By the lead's text (as of the decision), for each of ``WIN_KEYS``.
        by_customer: By customer.
        deal_values: Usual deal values by product.
    """

    judgements: Judgements
    overall: Tally
    by_text: Mapping[str, Tally]
    by_customer: Tally
    deal_values: DealValues

    @classmethod
    def of(
        cls,
        leads: LeadFacts,
        decisions: DecisionFacts,
        judgements: Judgements,
        *,
        half_life_days: float,
    ) -> "Market":
        """From the facts of one tenant.

        Args:
            leads: The leads.
            decisions: The decisions.
            judgements: What became of them.
            half_life_days: Age at which a judgement counts half.
        """
        judged = judgements.decision
        version = lead_version(leads, decisions.lead, decisions.decided_at)[judged]
        values = [judgements.won, judgements.counts]

        def tally(key: IntArray) -> Tally:
            return Tally.of(key, judgements.at, values, half_life_days=half_life_days)

        return cls(
            judgements=judgements,
            overall=tally(np.zeros(judged.size, dtype=np.int64)),
            by_text={name: tally(leads.texts[name].at(version)) for name in WIN_KEYS},
            by_customer=tally(take(leads.customer, decisions.lead[judged], -1)),
            deal_values=DealValues.of(leads),
        )


def lead_version(leads: LeadFacts, lead: IntArray, at: IntArray) -> IntArray:
    """Row of the version in force of each lead, its survivor's if merged, or -1."""
    return row_in_force(leads.versions, leads.merges.survivor_of(lead, at), at)
