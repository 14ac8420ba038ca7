"""From facts to pair columns: row by row, or as tables over (segment, rep)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.as_of import FloatArray, IntArray, take
from features.codes import codes_of
from features.columns import Affinity, Float32Array
from features.known import Known, Own
from features.pair import PAIR_COLUMNS, SEGMENTS, rating_in_segment, same_region
from features.rep_facts import Members
from features.rep_inputs import RepRows
from features.segments import market_code, segments_of

_LISTED = {
    "speaks_language": ("language", "languages"),
    "sells_product": ("product", "products"),
    "knows_industry": ("industry", "industries"),
}

_UNKNOWN = -2
"""Code of a value that the lead states and the other side does not know."""

_CONTACTS, _WINS = len(PAIR_COLUMNS) - 2, len(PAIR_COLUMNS) - 1


@dataclass(frozen=True, eq=False)
class PairColumns:
    """Pair columns of some leads with any rep.

    Attributes:
        own: Facts that the leads are of.
        known: What the whole history teaches, rated.
    """

    own: Own
    known: Known

    def cells(self, name: str, segment: IntArray, reps: RepRows) -> FloatArray:
        """One table column of some pairs; float64 (n_rows,).

        Args:
            name: A pair column, not one of the earlier contacts.
            segment: The lead's value that the column looks at, in the codes of
                ``own``, or -1; int64 (n_rows,).
            reps: The pairs' reps.
        """
        return self._cells(name, self._code(name, segment), reps)

    def _code(self, name: str, segment: IntArray) -> IntArray:
        """Segments as the reps' side codes them: -1 missing, unknown there otherwise.

        With that, a column depends on the code and on the reps alone.
        """
        if name == "same_region":
            return take(self._region_code(), segment, -1)
        if name in _LISTED:
            text, listed = _LISTED[name]
            members = self.known.reps.lists[listed]
            return take(self._member_code(text, members), segment, -1)
        name = name.removeprefix("rating_in_")
        if name not in self.own.leads.texts:
            return segment
        code = market_code(self.own.leads, self.known.own.leads, name, segment)
        return np.where((segment >= 0) & (code < 0), _UNKNOWN, code)

    def _cells(self, name: str, code: IntArray, reps: RepRows) -> FloatArray:
        if name == "same_region":
            return same_region(code, self.known.reps.region.at(reps.version))
        if name in _LISTED:
            return self.known.reps.lists[_LISTED[name][1]].has(reps.version, code)
        ratings = self.known.ratings
        assert ratings is not None  # noqa: S101  (RepRows come from rated facts)
        residual, judged = ratings.in_segment(
            name.removeprefix("rating_in_"), code, reps.rep, reps.at
        )
        rating = rating_in_segment(
            residual, judged, reps.residual_rate, ratings.prior_leads
        )
        return np.where(code == -1, np.nan, rating)

    def _region_code(self) -> IntArray:
        ours = self.own.leads.texts["region"].texts
        code = codes_of(self.known.reps.region.texts, ours)
        # A region that no rep is in is another region, not an unknown one.
        return np.where(code >= 0, code, _UNKNOWN).astype(np.int64)

    def _member_code(self, text: str, members: Members) -> IntArray:
        ours: Sequence[str] | pd.Index = self.own.leads.texts[text].texts
        if text == "language":
            ours = primary_subtag(ours)
        code = codes_of(members.texts, ours)
        return np.where(code >= 0, code, len(members.texts))

    def segments(self, lead: IntArray, at: IntArray) -> Mapping[str, IntArray]:
        """What each table column looks at of each lead; by column name."""
        codes = segments_of(
            self.own.leads,
            self.known.own.leads,
            self.known.market,
            self.known.recipe,
            lead,
            at,
        )
        return {
            **{f"rating_in_{name}": codes[name] for name in SEGMENTS},
            "same_region": codes["region"],
            **{name: codes[text] for name, (text, _) in _LISTED.items()},
        }

    def rows(self, lead: IntArray, reps: RepRows) -> Float32Array:
        """Every pair column, row by row; float32 (n_rows, n_pair_columns).

        Args:
            lead: Lead of each row; int64 (n_rows,).
            reps: Rep and instant of each row.
        """
        out = np.empty((lead.size, len(PAIR_COLUMNS)), dtype=np.float32)
        lead = self.own.leads.merges.survivor_of(lead, reps.at)
        for k, segment in enumerate(self.segments(lead, reps.at).items()):
            out[:, k] = self.cells(*segment, reps)
        out[:, _CONTACTS], out[:, _WINS] = self.own.contacts.between(
            self.own.leads.customer[lead], reps.rep, reps.at
        )
        return out

    def affinity(self, lead: IntArray, reps: RepRows, at: int) -> Affinity:
        """Every pair column of every lead with every rep, as tables.

        Args:
            lead: int64 (n_leads,).
            reps: One row per rep, all at ``at``.
            at: Microseconds since 1970 UTC.
        """
        when = np.full(lead.size, at, dtype=np.int64)
        lead = self.own.leads.merges.survivor_of(lead, when)
        tables, places = [], []
        for name, code in self.segments(lead, when).items():
            table, place = self._table(name, code, reps)
            tables.append(table)
            places.append(place)
        for _ in (_CONTACTS, _WINS):
            tables.append(np.zeros((1, reps.rep.size), dtype=np.float32))
            places.append(np.zeros(lead.size, dtype=np.int64))
        return Affinity(
            np.column_stack(places), tuple(tables), *self._exceptions(lead, reps, at)
        )

    def _table(
        self, name: str, code: IntArray, reps: RepRows
    ) -> tuple[Float32Array, IntArray]:
        codes, place = np.unique(self._code(name, code), return_inverse=True)
        kept, n_reps = reps.kept.setdefault(name, {}), reps.rep.size
        fresh = np.array([one for one in codes.tolist() if one not in kept], np.int64)
        if fresh.size:
            grid = reps.rows(np.tile(np.arange(n_reps), fresh.size))
            cells = self._cells(name, np.repeat(fresh, n_reps), grid)
            rows = cells.astype(np.float32).reshape(fresh.size, n_reps)
            kept.update(zip(fresh.tolist(), rows, strict=True))
        table = np.array([kept[one] for one in codes.tolist()], dtype=np.float32)
        return table.reshape(codes.size, n_reps), place.astype(np.int64)

    def _exceptions(
        self, lead: IntArray, reps: RepRows, at: int
    ) -> tuple[IntArray, IntArray, IntArray, Float32Array]:
        customer = self.own.leads.customer[lead]
        asking, rep = self.own.contacts.partners(customer)
        seat = np.full(self.own.contacts.n_reps, -1, dtype=np.int64)
        seat[reps.rep] = np.arange(reps.rep.size)
        asking, rep = asking[seat[rep] >= 0], rep[seat[rep] >= 0]
        when = np.full(asking.size, at, dtype=np.int64)
        values = self.own.contacts.between(customer[asking], rep, when)
        value = np.concatenate(values)
        column = np.repeat([_CONTACTS, _WINS], asking.size)
        who, place = np.tile(asking, 2), np.tile(seat[rep], 2)
        order = np.lexsort((place, column, who))
        order = order[value[order] != 0]
        return (
            who[order],
            place[order],
            column[order].astype(np.int64),
            value[order].astype(np.float32),
        )


def primary_subtag(languages: Iterable[str]) -> list[str]:
    """``zh`` of ``zh-Hans-CN``, in lower case (BCP 47)."""
    return [str(one).split("-", maxsplit=1)[0].lower() for one in languages]
