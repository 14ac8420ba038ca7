"""Reps, the versions of what is known about them, and the roster of a planning run."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

import numpy as np
from sqlalchemy import CursorResult, RowMapping, bindparam, func, select

from rightrep.calendars import calendar_of
from rightrep.domain.hours import EVERY_WEEK, Calendar
from rightrep.domain.ids import RepId
from rightrep.domain.lead import LeadKind
from rightrep.domain.pools import limited
from rightrep.domain.presence import StatusChange, active_since, month_of
from rightrep.domain.rep import (
    Leave,
    Rep,
    RepAttributes,
    RepStatus,
    RepVersion,
    Shift,
)
from rightrep.domain.roster import (
    NEVER,
    UNLIMITED,
    IntArray,
    Roster,
    Team,
    back_since,
    micros,
)
from rightrep.errors import NotFound
from rightrep.store.guard import of_tenant
from rightrep.store.kinds import of_kind
from rightrep.store.known_reps import KeptReps, KnownReps
from rightrep.store.pools import pools_in_force
from rightrep.store.schema import rep_day, rep_load, rep_versions, reps
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of, batches
from rightrep.store.types import in_micros
from rightrep.store.versions import add_versions, in_force

_PLAIN = (
    "team",
    "manager",
    "region",
    "hired_on",
    "holding_limit",
    "intake_per_day",
    "intake_per_month",
    "weight",
    "time_zone",
    "calendar",
)
_SETS = ("languages", "products", "industries")


@dataclass(frozen=True, kw_only=True, slots=True)
class RepRecord:
    """A rep without what changes about them.

    Attributes:
        rep_id: Our id.
        name: How people call the rep; personal, so it is here and not in versions.
        created_at: When the rep was first known here; aware UTC.
    """

    rep_id: RepId
    name: str
    created_at: datetime


def save_reps(session: WriteSession, records: Sequence[RepRecord]) -> None:
    """Make reps; of those that are there, change the name."""
    statement = session.insert(reps)
    statement = statement.on_conflict_do_update(
        index_elements=[reps.c.tenant_id, reps.c.rep_id],
        set_={"name": statement.excluded.name},
        where=reps.c.name != statement.excluded.name,
    )
    load = session.insert(rep_load).on_conflict_do_nothing()
    for batch in batches(sorted(records, key=lambda record: record.rep_id)):
        session.execute(
            statement,
            [
                {"rep_id": r.rep_id, "name": r.name, "created_at": r.created_at}
                for r in batch
            ],
        )
        session.execute(load, [{"rep_id": r.rep_id, "held": 0} for r in batch])


def add_rep_versions(
    session: WriteSession,
    versions: Sequence[RepVersion],
    *,
    corrected_at: datetime | None = None,
) -> int:
    """Add versions of reps that are there, where something changed.

    Args:
        session: Where to write.
        versions: Versions of one rep in the order they were told.
        corrected_at: When corrections become known; see ``add_versions``.

    Returns:
        Versions added.
    """
    rows = [_row(version) for version in versions]
    return add_versions(session, rep_versions, rows, corrected_at=corrected_at)


def upsert_reps(session: WriteSession, given: Sequence[Rep], *, at: datetime) -> int:
    """Make reps or bring them up to date, as of ``at``.

    Returns:
        Reps of which something changed, names left out.
    """
    save_reps(
        session,
        [
            RepRecord(rep_id=rep.rep_id, name=rep.name, created_at=rep.created_at)
            for rep in given
        ],
    )
    return add_rep_versions(
        session,
        [
            RepVersion(
                rep_id=rep.rep_id,
                valid_from=at,
                recorded_at=at,
                attributes=rep.attributes,
            )
            for rep in given
        ],
    )


def get_rep(session: ReadSession, rep_id: RepId, *, as_of: datetime) -> Rep:
    """A rep as known at ``as_of``.

    Raises:
        NotFound: There is no such rep.
    """
    found = get_reps(session, [rep_id], as_of=as_of)
    if not found:
        raise NotFound("rep", rep_id)
    return found[0]


def get_reps(
    session: ReadSession, rep_ids: Iterable[RepId], *, as_of: datetime
) -> list[Rep]:
    """Reps as known at ``as_of``, in the order given; unknown ids are left out."""
    wanted = list(dict.fromkeys(rep_ids))
    ids = {"ids": wanted}
    found = _reps(
        session.execute(_SOME, ids),
        session.execute(_SOME_VERSIONS, {**ids, "as_of": as_of}),
    )
    return [found[rep_id] for rep_id in wanted if rep_id in found]


def list_reps(session: ReadSession, *, as_of: datetime) -> list[Rep]:
    """Every rep as known at ``as_of``, by id; those who left are among them.

    A rep of whom nothing was known then has attributes without values.
    """
    found = _reps(
        session.execute(_ALL), session.execute(_ALL_VERSIONS, {"as_of": as_of})
    )
    return list(found.values())


def get_rep_versions(session: ReadSession, rep_id: RepId) -> list[RepVersion]:
    """Every version of a rep, oldest first."""
    return [
        RepVersion(
            rep_id=rep_id,
            valid_from=row["valid_from"],
            recorded_at=row["recorded_at"],
            attributes=_attributes(row),
        )
        for row in session.execute(_VERSIONS, {"ids": [rep_id]}).mappings()
    ]


def roster(
    session: ReadSession,
    *,
    as_of: datetime,
    local_day: date,
    zone: str = "UTC",
    calendar: str | None = None,
    only: LeadKind | None = None,
) -> Roster:
    """Every rep who is known at ``as_of``, with the present load, by id.

    Holding limits are those in force: a rep without one has the lowest of their pools.

    Args:
        session: Where to read.
        as_of: The instant of the attributes, and the end of waiting.
        local_day: Day of the tenant's zone whose intake is counted.
        zone: IANA zone of reps that have none of their own.
        calendar: Code of the holidays of reps that have none of their own.
        only: Kind of the leads that load and limits are about; None is any.
    """
    known = known_reps(
        session, as_of, local_day, zone=zone, calendar=calendar, only=only
    )
    team = known.team
    rows = session.execute(_LOAD, {"local_day": local_day}).cursor.fetchall()
    held, tickets, given_at, taken, taken_tickets = _in_place(rows, team)
    monthly = np.zeros(len(team.rep_ids), dtype=np.int64)
    if (team.intake_per_month < UNLIMITED).any():
        month = taken_since(session, month_of(local_day)[0], only=only)
        monthly = np.array([month.get(rep_id, 0) for rep_id in team.rep_ids], np.int64)
    since = back_since(team, known.started, as_of)
    idle = micros(as_of) - np.maximum(since, given_at)
    return Roster(
        team=team,
        held=of_kind(held, tickets, only),
        taken_today=of_kind(taken, taken_tickets, only),
        taken_this_month=monthly,
        waited=np.maximum(idle, 0) / 1e6,
        back_since=since,
    )


def _in_place(rows: Sequence[Sequence[Any]], team: Team) -> IntArray:
    """Rows of ``_LOAD`` as columns, in the order of the team; int64 (5, n_reps)."""
    if [row[0] for row in rows] != list(team.rep_ids):
        found = {row[0]: row for row in rows}
        nothing = (None, 0, 0, NEVER, 0, 0)
        rows = [found.get(rep_id, nothing) for rep_id in team.rep_ids]
    numbers = np.array([row[1:] for row in rows], dtype=np.int64)
    return numbers.reshape(len(rows), 5).T


def known_reps(
    session: ReadSession,
    as_of: datetime,
    local_day: date,
    *,
    zone: str,
    calendar: str | None,
    only: LeadKind | None = None,
) -> KnownReps:
    """Every rep as known at ``as_of``, by id; kept while nothing changes."""
    kept = KeptReps(session, as_of)
    terms = (zone, calendar, local_day.year, only)
    known = kept.get(terms)
    if known is None:
        pools = [p for p in pools_in_force(session) if only in (None, p.kind)]
        found = list_reps(session, as_of=as_of)
        changes = status_changes(session, as_of=as_of)
        team = Team.of(
            [rep.rep_id for rep in found],
            [limited(rep.attributes, pools) for rep in found],
            joined_at=[rep.created_at for rep in found],
            calendars=[
                _calendar(rep.attributes.calendar or calendar, local_day)
                for rep in found
            ],
            zone=zone,
        )
        started = [
            active_since(rep.created_at, changes.get(rep.rep_id, ())) for rep in found
        ]
        known = KnownReps(team, np.array(list(map(micros, started)), np.int64))
        kept.keep(terms, known)
    return known


def _calendar(code: str | None, day: date) -> Calendar:
    return calendar_of(code, day) if code else EVERY_WEEK


def status_changes(
    session: ReadSession, *, as_of: datetime
) -> dict[RepId, list[StatusChange]]:
    """Since when each rep had each status, oldest first, as known at ``as_of``."""
    found: dict[RepId, list[StatusChange]] = defaultdict(list)
    for row in session.execute(_STATUSES, {"as_of": as_of}):
        found[row.rep_id].append((row.valid_from, RepStatus(row.status)))
    return found


def taken_since(
    session: ReadSession, first_day: date, *, only: LeadKind | None = None
) -> dict[RepId, int]:
    """Leads each rep was given on this local day and later; others are left out.

    Args:
        session: Where to read.
        first_day: The day.
        only: Leads of this kind; None is of any.
    """
    rows = session.execute(_TAKEN, {"local_day": first_day})
    return {
        RepId(row.rep_id): of_kind(int(row.taken), int(row.tickets), only)
        for row in rows
    }


def _reps(records: CursorResult[Any], versions: CursorResult[Any]) -> dict[RepId, Rep]:
    known = {row["rep_id"]: _attributes(row) for row in versions.mappings()}
    return {
        row.rep_id: Rep(
            rep_id=row.rep_id,
            name=row.name,
            created_at=row.created_at,
            attributes=known.get(row.rep_id, RepAttributes()),
        )
        for row in records
    }


def _row(version: RepVersion) -> dict[str, Any]:
    what = version.attributes
    return {
        "rep_id": version.rep_id,
        "valid_from": version.valid_from,
        "recorded_at": version.recorded_at,
        **{name: getattr(what, name) for name in _PLAIN},
        **{name: sorted(getattr(what, name)) for name in _SETS},
        "shifts": [
            [s.weekday, s.start.isoformat(), s.end.isoformat()] for s in what.shifts
        ],
        "leave": [[a.first.isoformat(), a.last.isoformat()] for a in what.leave],
        "status": what.status.value,
    }


def _attributes(row: RowMapping) -> RepAttributes:
    return RepAttributes(
        **{name: row[name] for name in _PLAIN},
        languages=frozenset(row["languages"]),
        products=frozenset(row["products"]),
        industries=frozenset(row["industries"]),
        shifts=tuple(
            Shift(weekday, time.fromisoformat(start), time.fromisoformat(end))
            for weekday, start, end in row["shifts"]
        ),
        leave=tuple(
            Leave(date.fromisoformat(first), date.fromisoformat(last))
            for first, last in row["leave"]
        ),
        status=RepStatus(row["status"]),
    )


_ALL = (
    select(reps.c.rep_id, reps.c.name, reps.c.created_at)
    .where(of_tenant(reps))
    .order_by(reps.c.rep_id)
)
_SOME = _ALL.where(reps.c.rep_id.in_(any_of("ids")))
_ALL_VERSIONS = in_force(rep_versions)
_SOME_VERSIONS = in_force(rep_versions, any_of("ids"))
_VERSIONS = (
    select(rep_versions)
    .where(of_tenant(rep_versions), rep_versions.c.rep_id.in_(any_of("ids")))
    .order_by(rep_versions.c.valid_from, rep_versions.c.recorded_at)
)
_LOAD = (
    select(
        rep_load.c.rep_id,
        rep_load.c.held,
        rep_load.c.tickets,
        func.coalesce(in_micros(rep_load.c.last_given_at), NEVER),
        func.coalesce(rep_day.c.taken, 0),
        func.coalesce(rep_day.c.tickets, 0),
    )
    .outerjoin_from(
        rep_load,
        rep_day,
        (rep_day.c.tenant_id == rep_load.c.tenant_id)
        & (rep_day.c.rep_id == rep_load.c.rep_id)
        & (
            rep_day.c.local_day
            == bindparam("local_day", type_=rep_day.c.local_day.type)
        ),
    )
    .where(of_tenant(rep_load))
    .order_by(rep_load.c.rep_id)
)
_TAKEN = (
    select(
        rep_day.c.rep_id,
        func.sum(rep_day.c.taken).label("taken"),
        func.sum(rep_day.c.tickets).label("tickets"),
    )
    .where(
        of_tenant(rep_day),
        rep_day.c.local_day >= bindparam("local_day", type_=rep_day.c.local_day.type),
    )
    .group_by(rep_day.c.rep_id)
)
_STATUSES = (
    select(
        rep_versions.c.rep_id,
        rep_versions.c.valid_from,
        rep_versions.c.status,
    )
    .where(
        of_tenant(rep_versions),
        rep_versions.c.valid_from
        <= bindparam("as_of", type_=rep_versions.c.valid_from.type),
        rep_versions.c.recorded_at
        <= bindparam("as_of", type_=rep_versions.c.recorded_at.type),
    )
    .order_by(
        rep_versions.c.rep_id,
        rep_versions.c.valid_from,
        rep_versions.c.recorded_at,
    )
)
