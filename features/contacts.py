"""Who dealt with which customer before."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.as_of import FloatArray, IntArray, Log, Tally, instants, take
from features.codes import Coded, codes_of
from features.decision_facts import DecisionFacts
from features.history import Few, History
from features.lead_facts import TOUCHES, LeadFacts


@dataclass(frozen=True, eq=False)
class Contacts:
    """Decisions and touches by customer and rep, and wins.

    Attributes:
        seen: Decisions and touches; key ``customer * n_reps + rep``.
        by_customer: The same, by customer.
        wins: +1 and -1 of known wins; same key.
        n_reps: Reps by whose codes the keys are made.
    """

    seen: Log
    by_customer: Log
    wins: Tally
    n_reps: int

    @classmethod
    def of(
        cls,
        history: History | Few,
        leads: LeadFacts,
        decisions: DecisionFacts,
        rep_ids: pd.Index,
    ) -> "Contacts":
        """From a tenant's history, or from the part that concerns some customers."""
        width = len(rep_ids)

        def key(lead: IntArray, rep: IntArray) -> IntArray:
            customer = take(leads.customer, lead, -1)
            return np.where((customer >= 0) & (rep >= 0), customer * width + rep, -1)

        table = history.activities
        touch = Coded.of(table["kind"]).is_one_of(TOUCHES)
        touched = key(
            codes_of(leads.ids, table["lead_id"][touch]),
            codes_of(rep_ids, table["rep_id"][touch]),
        )
        known = np.maximum(
            instants(table["happened_at"]), instants(table["recorded_at"])
        )[touch]
        given = key(decisions.lead, decisions.rep)
        subject, at, change = decisions.results.win_changes()
        at = np.maximum(at, decisions.known_at[subject])
        seen = np.concatenate([given, touched])
        seen_at = np.concatenate([decisions.known_at, known])
        customer = np.where(seen >= 0, seen // max(width, 1), -1)
        return cls(
            Log.of(seen, seen_at),
            Log.of(customer, seen_at),
            Tally.of(given[subject], at, [change.astype(np.float64)]),
            width,
        )

    def between(
        self, customer: IntArray, rep: IntArray, at: IntArray
    ) -> tuple[FloatArray, FloatArray]:
        """Contacts and wins of reps with customers strictly before ``at``."""
        known = (customer >= 0) & (rep >= 0)
        key = np.where(known, customer * self.n_reps + rep, -1)
        seen = self.seen.count(key, at - 1).astype(np.float64)
        return seen, self.wins.sums(key, at - 1)[0]

    def partners(self, customer: IntArray) -> tuple[IntArray, IntArray]:
        """Every rep who ever dealt with each customer.

        Returns:
            Position of the asking row and the rep; int64 (n_partners,) each, ascending.
        """
        keys = self.seen.keys
        low = np.searchsorted(keys, customer * self.n_reps, side="left")
        high = np.searchsorted(keys, (customer + 1) * self.n_reps, side="left")
        count = np.where(customer >= 0, high - low, 0)
        asking = np.repeat(np.arange(customer.size), count)
        within = np.arange(asking.size) - np.repeat(np.cumsum(count) - count, count)
        return asking, keys[np.repeat(low, count) + within] % max(self.n_reps, 1)
