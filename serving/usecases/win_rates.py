"""How often each rep wins, by segment: shrunk, as of this morning, kept in memory.

A rep's rate in a segment is shrunk toward the rep's own over all leads, and that toward
everybody's, so that one lucky win makes nobody an expert. Rates are those known when
the local day began: all decisions of a day, and a dry run of it, see the same ones.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from features.lead_profile import shrunk_share
from rightrep.domain.candidates import WinRates
from rightrep.domain.days import day_bounds, local_day
from rightrep.domain.ids import RepId, TenantId
from rightrep.domain.lead_table import folded
from rightrep.domain.tenant import Tenant
from rightrep.store.rule_facts import Judged, count_judged
from rightrep.store.session import ReadSession
from serving.usecases.kept import Kept

PRIOR_LEADS = 20.0
"""Leads won or lost at which own history and the group's weigh the same."""

_KEPT = 256
_Key = tuple[TenantId, str | None, date]


class WinRateBook:
    """Counts of won and judged leads by day, safe to share by threads."""

    def __init__(self) -> None:
        self._counts: Kept[_Key, list[Judged]] = Kept(_KEPT)

    def rates(
        self,
        session: ReadSession,
        tenant: Tenant,
        rep_ids: Sequence[RepId],
        segments: Collection[str],
        *,
        at: datetime,
    ) -> WinRates:
        """Shrunk win rates as known when the local day of ``at`` began.

        Args:
            session: Where to read.
            tenant: Whose.
            rep_ids: The roster; n_reps entries.
            segments: Lead fields to tell apart.
            at: An instant of that day.
        """
        place = {rep_id: j for j, rep_id in enumerate(rep_ids)}
        whole = self._counted(session, tenant, None, at)
        won_of_all = np.float64(sum(row.won for row in whole))
        judged_of_all = np.float64(sum(row.judged for row in whole))
        everybody = np.full(len(place), (won_of_all + 0.5) / (judged_of_all + 1.0))
        overall = shrunk_share(*_by_rep(whole, place), everybody, PRIOR_LEADS)
        within: dict[str, dict[str, NDArray[np.float64]]] = {}
        for segment in segments:
            rows = self._counted(session, tenant, segment, at)
            by_value: dict[str, list[Judged]] = {}
            for row in rows:
                if row.value is not None:
                    by_value.setdefault(folded(row.value), []).append(row)
            within[segment] = {
                value: shrunk_share(*_by_rep(mine, place), overall, PRIOR_LEADS)
                for value, mine in by_value.items()
            }
        return WinRates(overall, within)

    def _counted(
        self, session: ReadSession, tenant: Tenant, segment: str | None, at: datetime
    ) -> list[Judged]:
        day = local_day(at, tenant.time_zone)
        morning = day_bounds(day, tenant.time_zone)[0]
        return self._counts.get(
            (tenant.tenant_id, segment, day),
            lambda: count_judged(session, segment, as_of=morning),
        )


def _by_rep(
    rows: Sequence[Judged], place: dict[RepId, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    won, judged = np.zeros(len(place)), np.zeros(len(place))
    for row in rows:
        j = place.get(row.rep_id)
        if j is not None:
            won[j] += row.won
            judged[j] += row.judged
    return won, judged
