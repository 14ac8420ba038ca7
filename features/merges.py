"""Which leads are one and the same, as of an instant.

A merge joins a lead to its survivor until it is undone. Decisions keep the lead they
were made for; whoever asks about the survivor after the merge sees the events of both.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.as_of import NEVER, IntArray, Log, instants
from features.codes import codes_of
from features.history import Table

FOREVER = np.iinfo(np.int64).max
_LONGEST_CHAIN = 32  # merges of merges of merges; a ring in the data ends here


@dataclass(frozen=True, eq=False)
class Merges:
    """Merges as intervals: ``lead`` is part of ``survivor`` in [start, end).

    Attributes:
        lead: The lead that was merged; int64 (n_merges,).
        survivor: The lead it was merged into; int64 (n_merges,).
        start: Instant of the merge; int64 (n_merges,).
        end: Instant it was undone, or ``FOREVER``; int64 (n_merges,).
    """

    lead: IntArray
    survivor: IntArray
    start: IntArray
    end: IntArray
    _log: Log
    _parts: "_Parts"

    @classmethod
    def of(cls, merges: Table, lead_ids: pd.Index) -> "Merges":
        """From the table of merges, those of leads in ``lead_ids``."""
        lead = codes_of(lead_ids, merges["lead_id"])
        survivor = codes_of(lead_ids, merges["survivor_id"])
        start = instants(merges["merged_at"])
        end = instants(merges["undone_at"])
        end = np.where(end == NEVER, FOREVER, end)
        keep = (lead >= 0) & (survivor >= 0) & (lead != survivor)
        lead, survivor, start, end = lead[keep], survivor[keep], start[keep], end[keep]
        parts = _Parts.of(lead, survivor, start, end)
        return cls(lead, survivor, start, end, Log.of(lead, start), parts)

    def survivor_of(self, lead: IntArray, at: IntArray) -> IntArray:
        """The lead that each lead is part of as of ``at``; itself when not merged."""
        for _ in range(_LONGEST_CHAIN):
            position = self._log.last(lead, at)
            row = self._log.order[position] if self.lead.size else position
            stands = position >= 0
            stands[stands] = at[stands] < self.end[row[stands]]
            if not stands.any():
                break
            lead = lead.copy()
            lead[stands] = self.survivor[row[stands]]
        return lead

    def parts_of(self, lead: IntArray, at: IntArray) -> tuple[IntArray, IntArray]:
        """The other leads that each lead consists of as of ``at``.

        Returns:
            Position of the asking row, and the merged lead; int64 (n_parts,) each.
        """
        parts = self._parts
        first = np.searchsorted(parts.survivor, lead, side="left")
        count = np.searchsorted(parts.survivor, lead, side="right") - first
        asking = np.repeat(np.arange(lead.size), count)
        within = np.arange(asking.size) - np.repeat(np.cumsum(count) - count, count)
        row = np.repeat(first, count) + within
        stands = (parts.start[row] <= at[asking]) & (at[asking] < parts.end[row])
        return asking[stands], parts.lead[row[stands]]


@dataclass(frozen=True, eq=False)
class _Parts:
    """Every (survivor, part) with its interval, over chains; ascending survivors."""

    survivor: IntArray
    lead: IntArray
    start: IntArray
    end: IntArray

    @classmethod
    def of(
        cls, lead: IntArray, survivor: IntArray, start: IntArray, end: IntArray
    ) -> "_Parts":
        """From merges, one by one."""
        if lead.size == 0:
            return cls(survivor, lead, start, end)
        found = _closure(
            pd.DataFrame(
                {"lead": lead, "survivor": survivor, "start": start, "end": end}
            )
        )
        return cls(
            *(
                found[name].to_numpy(np.int64)
                for name in ("survivor", "lead", "start", "end")
            )
        )


def _closure(direct: pd.DataFrame) -> pd.DataFrame:
    """Every (survivor, part) with its interval, over chains of merges."""
    found, latest = [direct], direct
    for _ in range(_LONGEST_CHAIN):
        onward = latest.merge(
            direct, left_on="survivor", right_on="lead", suffixes=("", "_next")
        )
        latest = pd.DataFrame(
            {
                "lead": onward["lead"],
                "survivor": onward["survivor_next"],
                "start": onward[["start", "start_next"]].max(axis=1),
                "end": onward[["end", "end_next"]].min(axis=1),
            }
        )
        latest = latest[
            (latest["start"] < latest["end"]) & (latest["lead"] != latest["survivor"])
        ]
        if latest.empty:
            break
        found.append(latest)
    return pd.concat(found, ignore_index=True).sort_values("survivor", kind="stable")
