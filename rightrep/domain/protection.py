"""When owned leads drop back: protection days over columns, one lead as one row.

An owner keeps a lead until its ``drops_at``; from that very instant on it is due.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from rightrep.domain.days import day_bounds, zone_of
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.pools import Counting, Pool, Protection

Instants = NDArray[np.datetime64]
"""datetime64[us], UTC; NaT is never."""

NEVER = np.datetime64("NaT", "us")
_DAY = np.timedelta64(1, "D")
_QUARTER = np.timedelta64(15, "m")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = date(1970, 1, 1)


class DropReason(IntEnum):
    """Why a lead drops back; what comes first counts."""

    KEPT = 0
    NO_FOLLOW_UP = 1
    NOT_WON = 2


@dataclass(frozen=True, eq=False, kw_only=True)
class PrivateLeads:
    """Owned leads that are neither won nor lost; n_leads entries each.

    Attributes:
        lead_id: Ids.
        owner: The rep who has each.
        pool: Index of the public pool it would drop back to; (n_leads,).
        grade: Customer grades; None is not known.
        received_at: When the owner got it; (n_leads,).
        followed_up_at: Last follow-up by anybody; NaT is none; (n_leads,).
        locked: Whether it never drops; bool (n_leads,).
    """

    lead_id: Sequence[LeadId]
    owner: Sequence[RepId]
    pool: NDArray[np.intp]
    grade: Sequence[str | None]
    received_at: Instants
    followed_up_at: Instants
    locked: NDArray[np.bool_]

    def take(self, rows: NDArray[np.intp]) -> "PrivateLeads":
        """Some of the leads, by their rows."""
        return PrivateLeads(
            lead_id=[self.lead_id[row] for row in rows],
            owner=[self.owner[row] for row in rows],
            pool=self.pool[rows],
            grade=[self.grade[row] for row in rows],
            received_at=self.received_at[rows],
            followed_up_at=self.followed_up_at[rows],
            locked=self.locked[rows],
        )


def end_of(days: int, counting: Counting, since: Instants, zone: str) -> Instants:
    """The instants at which so many days are over.

    Args:
        days: At least 1.
        counting: Calendar days end with the local day that is ``days`` later; hours
            after 24 times as many hours, whatever the clocks do.
        since: When they begin; (n,).
        zone: IANA zone of the tenant.

    Returns:
        (n,); NaT where ``since`` is.
    """
    if counting is Counting.HOURS:
        return np.asarray(since + days * _DAY)
    ends = np.full(since.shape, NEVER)
    known = ~np.isnat(since)
    day = local_days(since[known], zone)
    told, place = np.unique(day, return_inverse=True)
    starts = [
        day_bounds(_FIRST + timedelta(days=int(d) + days + 1), zone)[0] for d in told
    ]
    ends[known] = as_instants(starts)[place]
    return ends


def local_days(at: Instants, zone: str) -> NDArray[np.int64]:
    """The local day of each instant, as days since 1970; (n,), none is NaT.

    Offsets are looked up once for each quarter of an hour that occurs: no zone has
    changed its clocks between quarters since 1972.
    """
    here = zone_of(zone)
    since = np.datetime64(0, "us")
    quarter = (at - since) // _QUARTER
    told, place = np.unique(quarter, return_inverse=True)
    offsets = np.array([_offset(int(q), here) for q in told], dtype="timedelta64[us]")
    local: NDArray[np.int64] = (at - since + offsets[place]) // _DAY
    return local.astype(np.int64)


def drops(
    leads: PrivateLeads, pools: Sequence[Pool], zone: str
) -> tuple[Instants, NDArray[np.uint8]]:
    """When each lead drops back if nothing happens to it.

    Args:
        leads: The leads; n_leads entries.
        pools: The tenant's pools in order.
        zone: IANA zone of the tenant.

    Returns:
        ``drops_at`` (n_leads,), NaT where it never does, and ``DropReason`` codes;
        uint8 (n_leads,).
    """
    n_leads = len(leads.lead_id)
    at = np.full(n_leads, NEVER)
    why = np.zeros(n_leads, dtype=np.uint8)
    touched_at = np.fmax(leads.received_at, leads.followed_up_at)
    for rows, pool, kept in _by_protection(leads, pools):
        for days, since, reason in (
            (kept.follow_up_days, touched_at, DropReason.NO_FOLLOW_UP),
            (kept.win_days, leads.received_at, DropReason.NOT_WON),
        ):
            if days is not None:
                ends = end_of(days, pool.counting, since[rows], zone)
                first = np.isnat(at[rows]) | (ends < at[rows])
                at[rows] = np.where(first, ends, at[rows])
                why[rows] = np.where(first, np.uint8(reason), why[rows])
    return at, why


def warned_until(
    pool: Pool, at: datetime, zone: str, days: int | None = None
) -> datetime:
    """Drops at or before this instant are warned of at ``at``.

    Args:
        pool: The pool, which says how days are counted.
        at: Now; aware.
        zone: IANA zone of the tenant.
        days: So many days ahead; None is the pool's own setting. 0 gives ``at``.
    """
    ahead = pool.warning_days if days is None else days
    if ahead == 0:
        return at
    return as_datetime(end_of(ahead, pool.counting, as_instants([at]), zone)[0])


def untouched(
    leads: PrivateLeads, pools: Sequence[Pool], at: datetime
) -> NDArray[np.bool_]:
    """Leads that nobody touched since receipt for their pool's ``untouched_hours``.

    Locked leads stay where they are.

    Returns:
        bool (n_leads,); whether the score is high is another question.
    """
    now = as_instants([at])[0]
    hours = np.array(
        [
            np.nan if pool.untouched_hours is None else pool.untouched_hours
            for pool in pools
        ]
    )[leads.pool]
    is_asked = np.isfinite(hours)
    microseconds = (np.where(is_asked, hours, 0.0) * 3.6e9).astype("timedelta64[us]")
    # A comparison with NaT is false: a lead without follow-up is untouched.
    touched = leads.followed_up_at >= leads.received_at
    waited = leads.received_at + microseconds <= now
    return np.asarray(is_asked & waited & ~touched & ~leads.locked)


def as_instants(times: Sequence[datetime]) -> Instants:
    """Aware datetimes as datetime64[us]; (n,)."""
    micros = [(at - _EPOCH) // timedelta(microseconds=1) for at in times]
    return np.array(micros, dtype=np.int64).astype("datetime64[us]")


def as_datetime(at: np.datetime64) -> datetime:
    """An aware UTC datetime; ``at`` is not NaT."""
    return _EPOCH + timedelta(microseconds=int(at.astype(np.int64)))


def _by_protection(
    leads: PrivateLeads, pools: Sequence[Pool]
) -> "list[tuple[NDArray[np.intp], Pool, Protection]]":
    """Rows that may drop, by pool and grade."""
    grades, grade = np.unique(
        np.array([name or "" for name in leads.grade], dtype=np.str_),
        return_inverse=True,
    )
    key = leads.pool * len(grades) + grade
    found = []
    for one in np.unique(key[~leads.locked]):
        pool = pools[one // len(grades)]
        rows = np.flatnonzero((key == one) & ~leads.locked)
        found.append((rows, pool, pool.protection_of(str(grades[one % len(grades)]))))
    return found


def _offset(quarter: int, here: ZoneInfo) -> timedelta:
    at = _EPOCH + timedelta(minutes=15 * quarter)
    return at.astimezone(here).utcoffset() or timedelta()
