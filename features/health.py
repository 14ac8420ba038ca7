"""Customer health: purchases, contacts and satisfaction in one score from 0 to 100.

A customer is somebody who bought. The score is the weighted mean of five parts in
[0, 1]: recency, frequency and monetary value of purchases (RFM; Hughes 1994, Strategic
Database Marketing), contacts and page views of late, and survey scores::

    recency       0.5 ^ (days since the last purchase / purchase_days)
    frequency     purchases / (purchases + 1)
    monetary      rank of the money spent among customers
    activity      c / (c + 2) of c contacts and page views, decayed by contact_days
    satisfaction  mean survey score, decayed likewise and shrunk to the tenant's by two
                  answers, over the best answer

No part is fitted to what customers did later; weights and thresholds are the tenant's
(``rightrep.domain.health``). It is no column of the model: money won is in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.as_of import DAY, FloatArray, instant, instants
from features.codes import codes_of
from features.history import History
from features.lead_facts import TOUCHES
from rightrep.domain.health import HealthPart, HealthRules

PRIOR_ANSWERS = 2.0
"""Survey answers at which a customer's own mean and the tenant's weigh the same."""

USUAL_CONTACTS = 2.0
"""Decayed contacts at which the activity part is one half."""


@dataclass(frozen=True, eq=False)
class Health:
    """Every customer's health as of an instant.

    Attributes:
        customer_ids: Customers who bought by then; n_customers entries.
        score: From 0 to 100; float64 (n_customers,).
        parts: Each part in [0, 1]; float64 (n_customers,), all missing where the
            tenant has nothing to go by.
        facts: What each part says: days since the last purchase, purchases, money in
            major units of the tenant's currency, decayed contacts, mean survey score
            (missing without an answer); float64 (n_customers,).
    """

    customer_ids: pd.Index
    score: FloatArray
    parts: Mapping[HealthPart, FloatArray]
    facts: Mapping[HealthPart, FloatArray]

    def most(self, rules: HealthRules) -> dict[HealthPart, float]:
        """What each part could add to the score at most; they sum to 100."""
        weight = _weights(self.parts, rules)
        return {part: 100.0 * weight[part] for part in HealthPart}

    def points(self, rules: HealthRules) -> dict[HealthPart, FloatArray]:
        """What each part adds to the score; they sum to it."""
        return {
            part: most * np.nan_to_num(self.parts[part])
            for part, most in self.most(rules).items()
        }


def customer_health(
    history: History, as_of: pd.Timestamp, rules: HealthRules
) -> Health:
    """Health of every customer who bought by an instant.

    Args:
        history: The tables.
        as_of: Aware instant; nothing later is seen.
        rules: Weights and half-lives.
    """
    at = instant(as_of)
    leads = history.leads[history.leads["customer_id"].notna()]
    bought = _purchases(history.outcomes, at).merge(
        leads[["lead_id", "customer_id"]], on="lead_id"
    )
    customer, ids = pd.factorize(bought["customer_id"], sort=True)
    who = _Customers(history, leads, pd.Index(ids), at, rules)
    parts, facts = who.of_purchases(bought, customer)
    for part, (values, fact) in {
        HealthPart.ACTIVITY: who.activity(),
        HealthPart.SATISFACTION: who.satisfaction(),
    }.items():
        parts[part], facts[part] = values, fact
    weight = _weights(parts, rules)
    score = np.zeros(len(ids))
    for part in HealthPart:
        score += 100.0 * weight[part] * np.nan_to_num(parts[part])
    return Health(pd.Index(ids), score, parts, facts)


def _weights(
    parts: Mapping[HealthPart, FloatArray], rules: HealthRules
) -> dict[HealthPart, float]:
    """Weights that sum to 1, over the parts that there is anything to go by."""
    given = {
        part: rules.weights[part] if not np.isnan(parts[part]).any() else 0.0
        for part in HealthPart
    }
    total = sum(given.values())
    return {part: weight / total if total else 0.0 for part, weight in given.items()}


def _purchases(outcomes: pd.DataFrame, at: int) -> pd.DataFrame:
    """Won leads as known at an instant: lead, closing, money."""
    closed = instants(outcomes["closed_at"])
    known = np.maximum(closed, instants(outcomes["recorded_at"]))
    seen = outcomes.assign(closed=closed, known=known)[known <= at]
    standing = seen[~seen["event_id"].isin(seen["replaces"].dropna())]
    last = standing.sort_values("known", kind="stable").drop_duplicates(
        "lead_id", keep="last"
    )
    return last.loc[last["result"] == "won", ["lead_id", "closed", "value"]]


@dataclass(frozen=True, eq=False)
class _Customers:
    """The customers who bought, and what is asked about them."""

    history: History
    leads: pd.DataFrame
    ids: pd.Index
    at: int
    rules: HealthRules

    def of_purchases(
        self, bought: pd.DataFrame, customer: np.ndarray[tuple[int], np.dtype[np.intp]]
    ) -> tuple[dict[HealthPart, FloatArray], dict[HealthPart, FloatArray]]:
        """Recency, frequency and monetary value."""
        n = len(self.ids)
        last = np.full(n, np.iinfo(np.int64).min)
        np.maximum.at(last, customer, bought["closed"].to_numpy(np.int64))
        days = (self.at - last) / DAY
        count = np.bincount(customer, minlength=n).astype(np.float64)
        # A purchase of unknown value is taken to be a usual one.
        value = bought["value"].fillna(bought["value"].median()).to_numpy(np.float64)
        money = np.bincount(customer, value, n).astype(np.float64)
        rank = pd.Series(money).rank().to_numpy(np.float64)
        parts = {
            HealthPart.RECENCY: 0.5 ** (days / self.rules.purchase_days),
            HealthPart.FREQUENCY: count / (count + 1.0),
            HealthPart.MONETARY: (rank - 0.5) / max(n, 1),
        }
        facts = {
            HealthPart.RECENCY: days,
            HealthPart.FREQUENCY: count,
            HealthPart.MONETARY: money,
        }
        return parts, facts

    def activity(self) -> tuple[FloatArray, FloatArray]:
        """Contacts and page views of late."""
        kind = self.history.activities["kind"]
        count, _ = self._decayed(kind.isin([*TOUCHES, "page_view"]))
        return count / (count + USUAL_CONTACTS), count

    def satisfaction(self) -> tuple[FloatArray, FloatArray]:
        """Survey scores; missing for all while nobody has answered."""
        told = self.history.activities
        answered = (told["kind"] == "survey") & told["score"].notna()
        count, total = self._decayed(answered)
        known = (answered & (self._known_at() <= self.at)).to_numpy()
        usual = told["score"].to_numpy(np.float64)[known]
        mean = usual.mean() if usual.size else np.nan
        shrunk = (total + PRIOR_ANSWERS * mean) / (count + PRIOR_ANSWERS)
        own = np.full(count.size, np.nan)
        np.divide(total, count, out=own, where=count > 0)
        return np.clip(shrunk / self.rules.top_score, 0.0, 1.0), own

    def _known_at(self) -> pd.Series:
        told = self.history.activities
        times = np.maximum(instants(told["happened_at"]), instants(told["recorded_at"]))
        return pd.Series(times, index=told.index)

    def _decayed(self, chosen: pd.Series) -> tuple[FloatArray, FloatArray]:
        """Decayed number of activities by customer, and decayed sum of scores."""
        told = self.history.activities
        known_at = self._known_at()
        rows = told[chosen & (known_at <= self.at)]
        lead = codes_of(pd.Index(self.leads["lead_id"]), rows["lead_id"])
        owner = codes_of(self.ids, self.leads["customer_id"])
        customer = np.where(lead >= 0, owner[lead], -1) if owner.size else lead
        mine = customer >= 0
        age_days = (self.at - instants(rows["happened_at"])[mine]) / DAY
        weight = 0.5 ** (age_days / self.rules.contact_days)
        score = np.nan_to_num(rows["score"].to_numpy(np.float64)[mine])
        n = len(self.ids)
        count, total = (
            np.bincount(customer[mine], value, n).astype(np.float64)
            for value in (weight, weight * score)
        )
        return count, total
