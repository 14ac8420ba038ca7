"""Reps kept in memory between reads: read again when anything about them changed.

Versions of reps and of pools are only ever added, so their number and newest instants
tell whether what was read before still is what is known. That is one short query where
reading and parsing 500 reps took 25 ms.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, Row, bindparam, case, func, or_, select

from rightrep.domain.ids import TenantId
from rightrep.domain.lead import LeadKind
from rightrep.domain.roster import IntArray, Team
from rightrep.store.guard import of_tenant
from rightrep.store.schema import rep_versions, reps
from rightrep.store.schema_pools import pool_versions
from rightrep.store.session import ReadSession


@dataclass(frozen=True, eq=False)
class KnownReps:
    """Every rep as known at an instant.

    Attributes:
        team: The reps, with the limits that pools set.
        started: When each joined, or was last told to be active again; microseconds
            since 1970; int64 (n_reps,).
    """

    team: Team
    started: IntArray


Terms = tuple[str, str | None, int, LeadKind | None]
"""What a team is made with besides: the tenant's zone, holidays and their year, and the
kind of the leads that limits are about."""

_Kept = tuple[Row[Any], dict[Terms, KnownReps]]
_KEPT: "WeakKeyDictionary[Engine, dict[TenantId, _Kept]]" = WeakKeyDictionary()


class KeptReps:
    """One tenant's reps, as kept by this process for one database."""

    def __init__(self, session: ReadSession, as_of: datetime) -> None:
        """Ask the database what there is.

        Args:
            session: Where to read.
            as_of: The instant asked about.
        """
        self._tenant_id = session.tenant_id
        self._kept = _KEPT.setdefault(session.connection.engine, {})
        self._stamp = session.execute(_STAMP, {"as_of": as_of}).one()
        # What is told for later is not known yet.
        self._lasts = not self._stamp.later
        # A writer may see its own rows, which are undone when it fails.
        self._is_settled = type(session) is ReadSession

    def get(self, terms: Terms) -> KnownReps | None:
        """The reps, if they still are what is known."""
        stamp, known = self._kept.get(self._tenant_id, (None, {}))
        return known.get(terms) if self._lasts and stamp == self._stamp else None

    def keep(self, terms: Terms, known: KnownReps) -> None:
        """Keep what was read in the same session."""
        if not (self._lasts and self._is_settled):
            return
        stamp, others = self._kept.get(self._tenant_id, (None, {}))
        same = others if stamp == self._stamp else {}
        self._kept[self._tenant_id] = (self._stamp, {**same, terms: known})


def _stamp() -> Any:  # noqa: ANN401 - a Select of mixed columns
    as_of = bindparam("as_of", type_=rep_versions.c.valid_from.type)
    later = or_(rep_versions.c.valid_from > as_of, rep_versions.c.recorded_at > as_of)
    n_reps = select(func.count()).select_from(reps).where(of_tenant(reps))
    n_pools = (
        select(func.count()).select_from(pool_versions).where(of_tenant(pool_versions))
    )
    return select(
        n_reps.scalar_subquery().label("n_reps"),
        n_pools.scalar_subquery().label("n_pools"),
        func.count().label("n_versions"),
        func.max(rep_versions.c.valid_from).label("newest"),
        func.max(rep_versions.c.recorded_at).label("last_told"),
        func.coalesce(func.sum(case((later, 1), else_=0)), 0).label("later"),
    ).where(of_tenant(rep_versions))


_STAMP = _stamp()
