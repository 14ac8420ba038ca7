"""What was logged of an experiment's leads, as the arrays that a report is made of.

Effects are by intention to treat: every lead that was drawn counts, in the arm it was
drawn for, whatever became of it.

- A correction takes the place of the outcome that it names.
- Of leads that were merged, the one drawn first has all that happened to any of them
  from its draw on. Those drawn later stay in their arms and count as not won: to take
  them out would be to choose leads by what happened after their draw.
- An erased lead has lost its names; its draw, its decisions and its outcome stay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.bucketing import pair_of_slice
from experiments.drawn import NEVER, Drawn
from experiments.moments import FloatArray, IntArray
from rightrep.domain.experiment import UnitKind


@dataclass(frozen=True, eq=False, kw_only=True)
class Evidence:
    """Tables about one experiment, as the store gives them (pandas).

    Attributes:
        units: ``unit`` (the lead's id), ``cluster``, ``arm``, ``stratum``,
            ``covariate``, ``logged_at``.
        outcomes: Wins, and corrections: ``event_id``, ``lead_id``, ``result``,
            ``closed_at``, ``value`` (major units of the tenant's currency),
            ``replaces``.
        merges: ``lead_id``, ``survivor_id`` of merges that stand.
        decisions: ``decision_id``, ``lead_id``, ``rep_id``, ``decided_at``,
            ``p_convert``.
        touches: ``lead_id``, ``happened_at`` of what reps did.
        overrides: ``lead_id``, ``happened_at`` of decisions that the CRM overrode.
    """

    units: pd.DataFrame
    outcomes: pd.DataFrame
    merges: pd.DataFrame
    decisions: pd.DataFrame
    touches: pd.DataFrame
    overrides: pd.DataFrame


def gather(
    evidence: Evidence, names: Sequence[str], kind: UnitKind, *, zone: str, minor: int
) -> Drawn:
    """Join what was logged, lead by lead.

    Args:
        evidence: The tables; units of other arms, such as a holdout's, are left out.
        names: Control and treatment.
        kind: What was randomised.
        zone: The tenant's IANA zone.
        minor: Minor units in one major unit of the tenant's currency.
    """
    units = evidence.units[evidence.units["arm"].isin(names)]
    units = units.sort_values(["logged_at", "unit"], ignore_index=True)
    drawn_at = _micros(units["logged_at"])
    lineage = _Lineage.of(evidence.merges, units["unit"])
    won_at, value = _won(evidence.outcomes, lineage, drawn_at)
    decided_at, chosen = lineage.first(
        evidence.decisions["lead_id"],
        _micros(evidence.decisions["decided_at"]),
        drawn_at,
    )
    rep, reps = pd.factorize(evidence.decisions["rep_id"])
    promised = evidence.decisions["p_convert"].to_numpy(np.float64)
    cluster, pair = _clusters(units, kind)
    return Drawn(
        arm=pd.Index(names).get_indexer(pd.Index(units["arm"])).astype(np.int64),
        drawn_at=drawn_at,
        day=_local_days(units["logged_at"], zone),
        stratum=pd.factorize(units["stratum"], sort=True)[0].astype(np.int64),
        covariate=units["covariate"].to_numpy(np.float64),
        cluster=cluster,
        pair=pair,
        is_first=lineage.is_first,
        won_at=won_at,
        value=value * minor,
        decided_at=decided_at,
        rep=_taken(rep.astype(np.int64), chosen, -1),
        reps=[str(rep_id) for rep_id in reps],
        promised=_taken(promised, chosen, np.nan),
        touched_at=_first_of(evidence.touches, lineage, drawn_at),
        overridden_at=_first_of(evidence.overrides, lineage, drawn_at),
    )


@dataclass(frozen=True, eq=False)
class _Lineage:
    """Which unit has what happened to a lead: the first drawn of those merged."""

    survivor: Mapping[str, str]
    unit_of: pd.Series
    """Place of the first drawn unit, by the id that survives."""
    is_first: NDArray[np.bool_]

    @classmethod
    def of(cls, merges: pd.DataFrame, units: pd.Series) -> "_Lineage":
        """From merges that stand and units in the order of their draws."""
        survivor = dict(zip(merges["lead_id"], merges["survivor_id"], strict=True))
        roots = pd.Series(_roots(units, survivor))
        is_first = ~roots.duplicated().to_numpy(bool)
        place = pd.Series(np.flatnonzero(is_first), index=roots[is_first])
        return cls(survivor, place, is_first)

    def units(self, lead_ids: pd.Series) -> IntArray:
        """Place of each lead's unit, -1 where it has none; int64."""
        found = self.unit_of.index.get_indexer(_roots(lead_ids, self.survivor))
        places = np.append(self.unit_of.to_numpy(np.int64), -1)
        return places[found]

    def first(
        self, lead_ids: pd.Series, at: IntArray, drawn_at: IntArray
    ) -> tuple[IntArray, IntArray]:
        """Each unit's first event from its draw on: when, or ``NEVER``, and its row."""
        when = np.full(drawn_at.size, NEVER, dtype=np.int64)
        row = np.full(drawn_at.size, -1, dtype=np.int64)
        unit = self.units(lead_ids)
        rows = np.flatnonzero(unit >= 0)
        rows = rows[at[rows] >= drawn_at[unit[rows]]]
        rows = rows[np.argsort(-at[rows], kind="stable")]
        # Written from the last to the first, so that the first one stays.
        when[unit[rows]], row[unit[rows]] = at[rows], rows
        return when, row


def _roots(lead_ids: pd.Series, survivor: Mapping[str, str]) -> pd.Index:
    """The id that each lead goes by since its merges, which may follow each other."""
    merged, into = pd.Index(list(survivor)), np.array([*survivor.values()], object)
    ids: pd.Index = pd.Index(lead_ids, dtype=object)
    while (place := merged.get_indexer(ids)).max(initial=-1) >= 0:
        ids = pd.Index(np.where(place >= 0, into[place], ids), dtype=object)
    return ids


def _won(
    outcomes: pd.DataFrame, lineage: _Lineage, drawn_at: IntArray
) -> tuple[IntArray, FloatArray]:
    stands = ~outcomes["event_id"].isin(outcomes["replaces"].dropna())
    wins = outcomes[stands & (outcomes["result"] == "won")]
    won_at, row = lineage.first(wins["lead_id"], _micros(wins["closed_at"]), drawn_at)
    value = _taken(wins["value"].fillna(0.0).to_numpy(np.float64), row, 0.0)
    return won_at, value


def _first_of(events: pd.DataFrame, lineage: _Lineage, drawn_at: IntArray) -> IntArray:
    return lineage.first(events["lead_id"], _micros(events["happened_at"]), drawn_at)[0]


def _clusters(units: pd.DataFrame, kind: UnitKind) -> tuple[IntArray, IntArray]:
    """Number of each lead's cluster and of the pair that a slice belongs to."""
    if kind is UnitKind.LEAD:
        alone = np.arange(len(units), dtype=np.int64)
        return alone, np.zeros_like(alone)
    number, names = pd.factorize(units["cluster"])
    cluster: IntArray = np.asarray(number, dtype=np.int64)
    if kind is UnitKind.TEAM_DAY:
        return cluster, np.zeros_like(cluster)
    pair, _ = pd.factorize(np.array([pair_of_slice(str(name)) for name in names]))
    return cluster, np.asarray(pair, dtype=np.int64)[cluster]


def _taken(values: NDArray[Any], row: IntArray, missing: float) -> NDArray[Any]:
    """Values of rows, ``missing`` for row -1."""
    return np.append(values, np.array([missing], values.dtype))[row]


def _micros(times: "pd.Series[Any]") -> IntArray:
    return (
        times.astype("datetime64[us, UTC]").to_numpy("datetime64[us]").astype(np.int64)
    )


def _local_days(times: "pd.Series[Any]", zone: str) -> IntArray:
    local = times.astype("datetime64[us, UTC]").dt.tz_convert(zone).dt.tz_localize(None)
    days = local.to_numpy("datetime64[D]").astype(np.int64)
    return np.asarray(days + date(1970, 1, 1).toordinal())
