"""Usual deal values: what a missing one is taken to be."""

from dataclasses import dataclass

import numpy as np

from features.as_of import DAY, FloatArray, IntArray, Log
from features.lead_facts import LeadFacts

PRIOR_LEADS = 5.0
"""A product with this many valued leads counts as much as all products together."""

MEMORY = 1_000
"""Latest valued leads of a product that its median is taken over."""

_WEEK = 7 * DAY
_ALL = 0


@dataclass(frozen=True, eq=False)
class DealValues:
    """Medians of deal values by product, week by week.

    The median of a product is shrunk, in logs, toward the median of all. It is taken
    anew at the start of every week (of seven days since 1970) over the values stated
    by then, so that every instant of a week sees the same one.

    Attributes:
        medians: Weeks' medians, known from the start of the week; key 0 is all
            products, key k + 1 the product of code k.
        log_median: Natural log of each median; float64 (n_medians,).
        n_leads: Leads each median was taken over; float64 (n_medians,).
    """

    medians: Log
    log_median: FloatArray
    n_leads: FloatArray

    @classmethod
    def of(cls, leads: LeadFacts) -> "DealValues":
        """From the first deal value that each lead stated; only positive ones."""
        row = leads.versions.order
        stated = np.flatnonzero(leads.numbers["deal_value"][row] > 0)
        stated = stated[np.unique(leads.versions.key[stated], return_index=True)[1]]
        log_value = np.log(leads.numbers["deal_value"][row[stated]])
        product = leads.texts["product"].code[row[stated]]
        week = -(-leads.versions.known_at[stated] // _WEEK)
        key = np.concatenate([np.full(stated.size, _ALL), product + 1])
        # A lead whose product is unknown (code -1) counts among all, and only there.
        key[stated.size :][product < 0] = -1
        both = Log.of(key, np.concatenate([week, week]))
        return cls._weekly(both.key, both.known_at, np.tile(log_value, 2)[both.order])

    @classmethod
    def _weekly(
        cls, key: IntArray, week: IntArray, log_value: FloatArray
    ) -> "DealValues":
        last = np.ones(key.size, dtype=np.bool_)
        last[:-1] = (key[1:] != key[:-1]) | (week[1:] != week[:-1])
        ends = np.flatnonzero(last) + 1
        first = np.searchsorted(key, key[ends - 1])
        starts = np.maximum(first, ends - MEMORY)
        median = [np.median(log_value[a:b]) for a, b in zip(starts, ends, strict=True)]
        log = Log.of(key[ends - 1], week[ends - 1] * _WEEK)
        return cls(log, np.array(median), (ends - starts).astype(np.float64))

    def log_usual(self, product: IntArray, at: IntArray) -> FloatArray:
        """Natural log of the usual deal value as of ``at``.

        Args:
            product: Code of each lead's product, or -1; int64 (n_queries,).
            at: int64 (n_queries,).

        Returns:
            float64 (n_queries,); missing while no deal value at all is known.
        """
        everything = self._look(np.full(product.size, _ALL, dtype=np.int64), at)
        own = self._look(np.where(product >= 0, product + 1, -1), at)
        weight = np.nan_to_num(own[1])
        blend = np.nan_to_num(own[0]) * weight + PRIOR_LEADS * everything[0]
        return blend / (weight + PRIOR_LEADS)

    def _look(self, key: IntArray, at: IntArray) -> tuple[FloatArray, FloatArray]:
        position = self.medians.last(key, at)
        known = position >= 0
        out = np.full((2, key.size), np.nan)
        out[0, known] = self.log_median[position[known]]
        out[1, known] = self.n_leads[position[known]]
        return out[0], out[1]
