"""What was decided and what became of it, ready to be asked as of any instant."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.as_of import (
    NEVER,
    FloatArray,
    IntArray,
    Log,
    in_force,
    instants,
    missing,
    numbers,
    take,
)
from features.codes import Coded, codes_of, index_of
from features.history import Few, History, Table
from features.lead_facts import LeadFacts
from features.results import Results

FOREVER = np.iinfo(np.int64).max

_TAKEN_BACK = ("declined", "overridden", "undone")


@dataclass(frozen=True, eq=False)
class DecisionFacts:
    """Decisions in the order of the table.

    Attributes:
        ids: Decision ids; a decision's code is its place here.
        lead: Lead of each; int64 (n_decisions,), -1 when not in the leads' table.
        rep: Rep of each; int64 (n_decisions,), -1 when not in the reps' table.
        decided_at: int64 (n_decisions,).
        known_at: When it was both decided and recorded; int64 (n_decisions,).
        void_at: When the rep declined it, or the CRM overrode or undid it; ``FOREVER``
            where it stands; int64 (n_decisions,).
        end_at: When the rep no longer had the lead open: closed, given to another,
            dropped; never before ``known_at``, ``FOREVER`` while open;
            int64 (n_decisions,).
        propensity: Of the lottery, missing where nothing was drawn; float64.
        results: How each closed.
    """

    ids: pd.Index
    lead: IntArray
    rep: IntArray
    decided_at: IntArray
    known_at: IntArray
    void_at: IntArray
    end_at: IntArray
    propensity: FloatArray
    results: Results

    @classmethod
    def of(
        cls, history: History | Few, leads: LeadFacts, rep_ids: pd.Index
    ) -> "DecisionFacts":
        """From a tenant's history."""
        table = history.decisions
        ids = index_of(table["decision_id"])
        lead = codes_of(leads.ids, table["lead_id"])
        rep = codes_of(rep_ids, table["rep_id"])
        decided = instants(table["decided_at"])
        known = np.maximum(decided, instants(table["recorded_at"]))
        outcome_lead = codes_of(leads.ids, history.outcomes["lead_id"])
        latest = in_force(lead, decided, known)
        judged = _judged_decision(history.outcomes, ids, outcome_lead, latest, leads)
        results = Results.of(history.outcomes, judged)
        void, left = _ends_by_owner(history.ownership, leads.ids, rep_ids, latest, rep)
        end = np.minimum(_first_known(results, ids.size), np.minimum(void, left))
        end = np.minimum(end, _next_of_lead(leads.given, ids.size))
        return cls(
            ids=ids,
            lead=lead,
            rep=rep,
            decided_at=decided,
            known_at=known,
            void_at=void,
            end_at=np.maximum(end, known),
            propensity=numbers(table["propensity"]),
            results=results,
        )


def _judged_decision(
    outcomes: Table,
    ids: pd.Index,
    lead: IntArray,
    latest: Log,
    leads: LeadFacts,
) -> IntArray:
    """The decision each outcome judges: the one named, or the lead's last before it.

    A lead's decisions are those of all leads merged into it by then. An outcome that
    names a decision which is not here judges none: it may be recorded later, and an
    earlier one must not be credited until then.
    """
    judged = codes_of(ids, outcomes["decision_id"])
    unnamed = missing(outcomes["decision_id"])
    judged[unnamed] = -1
    silent = np.flatnonzero(unnamed & (lead >= 0))
    if silent.size == 0 or latest.order.size == 0:
        return judged
    closed = instants(outcomes["closed_at"])[silent]
    lead = leads.merges.survivor_of(lead[silent], closed)
    asking, part = leads.merges.parts_of(lead, closed)
    position = latest.last(lead, closed)
    others = latest.last(part, closed[asking])
    # Positions are sorted by lead first, so the later of two is told by its time.
    at = take(latest.known_at, position, NEVER)
    others_at = take(latest.known_at, others, NEVER)
    best = at.copy()
    np.maximum.at(best, asking, others_at)
    later = (others_at == best[asking]) & (others_at > at[asking])
    position[asking[later]] = others[later]
    judged[silent] = take(latest.order, position, -1)
    return judged


def _first_known(results: Results, n_decisions: int) -> IntArray:
    first = np.full(n_decisions, FOREVER, dtype=np.int64)
    np.minimum.at(first, results.log.key, results.log.known_at)
    return first


def _next_of_lead(given: Log, n_decisions: int) -> IntArray:
    following = np.full(n_decisions, FOREVER, dtype=np.int64)
    same = given.key[1:] == given.key[:-1]
    following[given.order[:-1][same]] = given.known_at[1:][same]
    return following


def _ends_by_owner(
    ownership: Table,
    lead_ids: pd.Index,
    rep_ids: pd.Index,
    latest: Log,
    rep: IntArray,
) -> tuple[IntArray, IntArray]:
    """When each decision was taken back, and when its rep stopped owning the lead."""
    void = np.full(rep.size, FOREVER, dtype=np.int64)
    left = void.copy()
    lead = codes_of(lead_ids, ownership["lead_id"])
    before = codes_of(rep_ids, ownership["previous_owner"])
    at = instants(ownership["happened_at"])
    position = latest.last(lead, at - 1)
    known = position >= 0
    if not known.any():
        return void, left
    decision = latest.order[position[known]]
    at, kind = at[known], Coded.of(ownership["kind"])
    owner = codes_of(rep_ids, ownership["owner"])[known]
    leaving = (before[known] >= 0) & (before[known] == rep[decision])
    leaving &= owner != rep[decision]
    np.minimum.at(left, decision[leaving], at[leaving])
    back = leaving & kind.is_one_of(_TAKEN_BACK)[known]
    np.minimum.at(void, decision[back], at[back])
    return void, left
