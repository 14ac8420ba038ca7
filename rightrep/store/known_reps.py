"""Reps kept in memory between reads: read again when anything about them changed.

Versions are only ever added, so their number and newest instants tell whether what was
read before still is what is known. That is one short query where reading and parsing
500 reps took 25 ms.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, Row, bindparam, case, func, or_, select

from rightrep.domain.days import zone_of
from rightrep.domain.ids import RepId, TenantId
from rightrep.domain.presence import StatusChange, back_since
from rightrep.domain.rep import RepAttributes
from rightrep.store.guard import of_tenant
from rightrep.store.schema import rep_versions, reps
from rightrep.store.session import ReadSession

_FAR = datetime.max.replace(tzinfo=UTC)
_NEVER = (_FAR, _FAR, _FAR)


@dataclass(frozen=True, slots=True)
class KnownRep:
    """A rep as known at an instant.

    Attributes:
        rep_id: Our id.
        created_at: When the rep was first known here; aware UTC.
        attributes: What is known.
        changes: Since when the rep had each status, oldest first.
    """

    rep_id: RepId
    created_at: datetime
    attributes: RepAttributes
    changes: Sequence[StatusChange]
    _since: dict[str, tuple[datetime, datetime, datetime]] = field(default_factory=dict)

    def since(self, zone: str, at: datetime) -> datetime:
        """Since when the rep has taken leads without a break, as of ``at``.

        Args:
            zone: IANA zone of the rep.
            at: As of when; not before what is known here.
        """
        start, end, since = self._since.get(zone, _NEVER)
        if start <= at < end:
            return since
        leave = self.attributes.leave
        since = back_since(self.created_at, self.changes, leave, zone=zone, at=at)
        ends = (
            datetime.combine(away.last + timedelta(days=1), time(), zone_of(zone))
            for away in leave
        )
        end = min((one for one in ends if one > at), default=_FAR)
        if since < at:
            self._since[zone] = (at, end, since)
        return since


_KEPT: "WeakKeyDictionary[Engine, dict[TenantId, tuple[Row[Any], list[KnownRep]]]]" = (
    WeakKeyDictionary()
)


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
        # A writer may see its own rows, which are undone when it fails; and what is
        # told for later is not known yet.
        self._lasts = type(session) is ReadSession and not self._stamp.later

    def get(self) -> list[KnownRep] | None:
        """The reps, if they still are what is known."""
        stamp, known = self._kept.get(self._tenant_id, (None, None))
        return known if self._lasts and stamp == self._stamp else None

    def keep(self, known: list[KnownRep]) -> None:
        """Keep what was read in the same session."""
        if self._lasts:
            self._kept[self._tenant_id] = (self._stamp, known)


def _stamp() -> Any:  # noqa: ANN401 - a Select of mixed columns
    as_of = bindparam("as_of", type_=rep_versions.c.valid_from.type)
    later = or_(rep_versions.c.valid_from > as_of, rep_versions.c.recorded_at > as_of)
    n_reps = select(func.count()).select_from(reps).where(of_tenant(reps))
    return select(
        n_reps.scalar_subquery().label("n_reps"),
        func.count().label("n_versions"),
        func.max(rep_versions.c.valid_from).label("newest"),
        func.max(rep_versions.c.recorded_at).label("last_told"),
        func.coalesce(func.sum(case((later, 1), else_=0)), 0).label("later"),
    ).where(of_tenant(rep_versions))


_STAMP = _stamp()
