"""Alarms about cheating: what the evidence is read from, and what was raised.

An alarm of a kind about the same reps is one row while it is open, however often it is
seen; a manager settles it, and it is raised anew only on evidence from after that.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import RowMapping, and_, bindparam, case, delete, func, select, update

from rightrep.domain.activity import ActivityKind
from rightrep.domain.collusion import Alarm, AlarmKind, Severity
from rightrep.domain.decision import Cause
from rightrep.domain.ids import LeadId, RepId, new_id
from rightrep.domain.ownership import OwnershipKind
from rightrep.errors import Conflict, NotFound
from rightrep.store.arrow import FLOAT, INT, TEXT, TIME, read_table
from rightrep.store.guard import of_tenant
from rightrep.store.rows import insert_new
from rightrep.store.schema import (
    activities,
    contact_points,
    leads,
    notes,
    ownership_events,
)
from rightrep.store.schema_alarms import alarm_leads, alarms
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of, batches
from rightrep.store.types import UtcDateTime

OURS = (
    Cause.REQUEST,
    Cause.BATCH,
    Cause.CLAIM,
    Cause.RECYCLE,
    Cause.HANDOVER,
    Cause.CUSTOMER,
)
"""A lead whose first owner got it for one of these was brought in by nobody."""

ALONE = (ActivityKind.PAGE_VIEW, ActivityKind.SURVEY)
"""These the lead does alone."""

MOVES = {
    "lead_id": TEXT,
    "kind": TEXT,
    "owner": TEXT,
    "previous_owner": TEXT,
    "at": TIME,
}
FOLLOW_UPS = {"lead_id": TEXT, "rep_id": TEXT, "at": TIME, "empty": INT}
VISITS = {
    "lead_id": TEXT,
    "rep_id": TEXT,
    "at": TIME,
    "latitude": FLOAT,
    "longitude": FLOAT,
}
BROUGHT = {"lead_id": TEXT, "rep_id": TEXT, "at": TIME, "usable": INT}


@dataclass(frozen=True, kw_only=True, slots=True)
class RaisedAlarm:
    """An alarm on record.

    Attributes:
        alarm_id: Our id.
        alarm: What was noticed, as of the last time it was seen.
        raised_at: When it was first noticed.
        seen_at: When it was last noticed.
        settled_at: When a manager settled it, or None.
        settled_by: Who did.
        settled_because: Why, in the manager's words.
    """

    alarm_id: str
    alarm: Alarm
    raised_at: datetime
    seen_at: datetime
    settled_at: datetime | None = None
    settled_by: str | None = None
    settled_because: str | None = None


def read_moves(session: ReadSession, since: datetime) -> pa.Table:
    """Changes of owners from an instant on, as a table of ``MOVES``."""
    return read_table(session, _MOVES, MOVES, {"since": since})


def read_follow_ups(session: ReadSession, since: datetime) -> pa.Table:
    """Follow-ups from an instant on, as a table of ``FOLLOW_UPS``."""
    return read_table(session, _FOLLOW_UPS, FOLLOW_UPS, {"since": since})


def read_visits(session: ReadSession, since: datetime) -> pa.Table:
    """Visits with positions from an instant on, as a table of ``VISITS``."""
    return read_table(session, _VISITS, VISITS, {"since": since})


def read_brought(session: ReadSession, since: datetime) -> pa.Table:
    """Leads brought in by reps from an instant on, as a table of ``BROUGHT``."""
    return read_table(session, _BROUGHT, BROUGHT, {"since": since})


def keep_alarms(
    session: WriteSession, found: Sequence[Alarm], *, at: datetime
) -> list[RaisedAlarm]:
    """Raise alarms; those that are open already learn what is new.

    Returns:
        The alarms that were not open before.
    """
    raised = []
    for alarm in sorted(found, key=_key):
        alarm_id = new_id(at)
        row = {
            "alarm_id": alarm_id,
            "open_key": _key(alarm),
            "kind": alarm.kind.value,
            "reps": list(alarm.reps),
            "first_at": alarm.first_at,
            "raised_at": at,
            **_news(alarm, at),
        }
        adding = session.insert(alarms)
        adding = adding.on_conflict_do_update(
            index_elements=["tenant_id", "open_key"],
            set_={name: adding.excluded[name] for name in _news(alarm, at)},
        )
        stands = session.execute(adding.returning(alarms.c.alarm_id), row).scalar_one()
        _keep_leads(session, stands, alarm.leads)
        if stands == alarm_id:
            raised.append(
                RaisedAlarm(alarm_id=alarm_id, alarm=alarm, raised_at=at, seen_at=at)
            )
    return raised


def settle_alarm(
    session: WriteSession, alarm_id: str, *, actor: str, because: str, at: datetime
) -> None:
    """A manager has looked at it: it is closed, and bars nobody any more.

    Raises:
        NotFound: There is no such alarm.
        Conflict: It has been settled before.
    """
    settled = {
        "open_key": None,
        "settled_at": at,
        "settled_by": actor,
        "settled_because": because,
    }
    mine = (of_tenant(alarms), alarms.c.alarm_id == alarm_id)
    still = alarms.c.settled_at.is_(None)
    if session.execute(update(alarms).where(*mine, still).values(settled)).rowcount:
        return
    get_alarm(session, alarm_id)
    raise Conflict(f"Alarm {alarm_id!r} has been settled before.")


def get_alarm(session: ReadSession, alarm_id: str) -> RaisedAlarm:
    """One alarm with its leads.

    Raises:
        NotFound: There is no such alarm.
    """
    query = _EVERY.where(alarms.c.alarm_id == alarm_id)
    found = _read(session, query)
    if not found:
        raise NotFound("alarm", alarm_id)
    return found[0]


def list_alarms(
    session: ReadSession, *, settled: bool = False, limit: int = 100
) -> list[RaisedAlarm]:
    """Open (or settled) alarms, those seen last first."""
    state = alarms.c.settled_at
    query = _EVERY.where(state.is_not(None) if settled else state.is_(None))
    newest = query.order_by(alarms.c.seen_at.desc(), alarms.c.alarm_id).limit(limit)
    return _read(session, newest)


def count_open(session: ReadSession) -> int:
    """Alarms that are not settled."""
    return int(session.execute(_OPEN).scalar_one())


def settled_since(
    session: ReadSession, since: datetime
) -> dict[tuple[AlarmKind, tuple[RepId, ...]], datetime]:
    """When alarms of a kind about the same reps were last settled."""
    query = (
        select(alarms.c.kind, alarms.c.reps, alarms.c.settled_at)
        .where(of_tenant(alarms), alarms.c.settled_at >= since)
        .order_by(alarms.c.settled_at)
    )
    return {
        (AlarmKind(row.kind), tuple(map(RepId, row.reps))): row.settled_at
        for row in session.execute(query)
    }


def barred_retakes(
    session: ReadSession, lead_ids: Sequence[LeadId]
) -> dict[LeadId, frozenset[RepId]]:
    """Reps who may not take each of these leads: they are in an open ring over it."""
    barred: dict[LeadId, frozenset[RepId]] = {}
    for batch in batches(lead_ids):
        for row in session.execute(_BARRED, {"ids": list(batch)}):
            lead_id = LeadId(row.lead_id)
            reps = frozenset(map(RepId, row.reps))
            barred[lead_id] = barred.get(lead_id, frozenset()) | reps
    return barred


def _key(alarm: Alarm) -> str:
    """Names the kind and the reps; a digest, since a ring may be long."""
    who = hashlib.sha256("\x00".join(alarm.reps).encode()).hexdigest()
    return f"{alarm.kind.value}:{who}"


def _news(alarm: Alarm, at: datetime) -> dict[str, Any]:
    """What changes each time an alarm is seen."""
    return {
        "last_at": alarm.last_at,
        "severity": alarm.severity.value,
        "chance": alarm.chance,
        "facts": dict(alarm.facts),
        "seen_at": at,
    }


def _keep_leads(
    session: WriteSession, alarm_id: str, lead_ids: Sequence[LeadId]
) -> None:
    gone = delete(alarm_leads).where(
        of_tenant(alarm_leads), alarm_leads.c.alarm_id == alarm_id
    )
    session.execute(gone)
    rows = [{"lead_id": lead_id, "alarm_id": alarm_id} for lead_id in lead_ids]
    insert_new(session, alarm_leads, rows)


def _read(session: ReadSession, query: Any) -> list[RaisedAlarm]:  # noqa: ANN401
    rows = session.execute(query).mappings().all()
    seen_on = _leads_of(session, [row["alarm_id"] for row in rows])
    return [_raised(row, seen_on.get(row["alarm_id"], ())) for row in rows]


def _leads_of(
    session: ReadSession, alarm_ids: Sequence[str]
) -> Mapping[str, list[LeadId]]:
    found: dict[str, list[LeadId]] = {}
    for batch in batches(alarm_ids):
        for row in session.execute(_LEADS, {"ids": list(batch)}):
            found.setdefault(row.alarm_id, []).append(LeadId(row.lead_id))
    return found


def _raised(row: RowMapping, lead_ids: Sequence[LeadId]) -> RaisedAlarm:
    alarm = Alarm(
        kind=AlarmKind(row["kind"]),
        reps=tuple(map(RepId, row["reps"])),
        leads=tuple(lead_ids),
        first_at=row["first_at"],
        last_at=row["last_at"],
        severity=Severity(row["severity"]),
        chance=row["chance"],
        facts=row["facts"],
    )
    names = [name for name in RaisedAlarm.__slots__ if name != "alarm"]
    return RaisedAlarm(alarm=alarm, **{name: row[name] for name in names})


_EVERY = select(alarms).where(of_tenant(alarms))
_OPEN = select(func.count()).where(of_tenant(alarms), alarms.c.settled_at.is_(None))
_LEADS = (
    select(alarm_leads.c.alarm_id, alarm_leads.c.lead_id)
    .where(of_tenant(alarm_leads), alarm_leads.c.alarm_id.in_(any_of("ids")))
    .order_by(alarm_leads.c.lead_id)
)
_BARRED = (
    select(alarm_leads.c.lead_id, alarms.c.reps)
    .join(
        alarms,
        and_(
            alarms.c.tenant_id == alarm_leads.c.tenant_id,
            alarms.c.alarm_id == alarm_leads.c.alarm_id,
        ),
    )
    .where(
        of_tenant(alarm_leads),
        of_tenant(alarms),
        alarm_leads.c.lead_id.in_(any_of("ids")),
        alarms.c.kind == AlarmKind.RING.value,
        alarms.c.settled_at.is_(None),
    )
)
_SINCE = bindparam("since", type_=UtcDateTime())
_MOVES = (
    select(
        ownership_events.c.lead_id,
        ownership_events.c.kind,
        ownership_events.c.owner,
        ownership_events.c.previous_owner,
        ownership_events.c.happened_at,
    )
    .where(
        of_tenant(ownership_events),
        ownership_events.c.happened_at >= _SINCE,
        ownership_events.c.kind != OwnershipKind.SHARED.value,
    )
    .order_by(ownership_events.c.lead_id, ownership_events.c.revision)
)
_NOTED = (
    select(notes.c.event_id)
    .where(of_tenant(notes), notes.c.event_id == activities.c.event_id)
    .exists()
)
_FOLLOW_UPS = (
    select(
        activities.c.lead_id,
        activities.c.rep_id,
        activities.c.happened_at,
        case(
            (
                activities.c.result.is_(None) & activities.c.score.is_(None) & ~_NOTED,
                1,
            ),
            else_=0,
        ),
    )
    .where(
        of_tenant(activities),
        activities.c.happened_at >= _SINCE,
        activities.c.rep_id.is_not(None),
        *(activities.c.kind != kind.value for kind in ALONE),
    )
    .order_by(activities.c.happened_at, activities.c.event_id)
)
_VISITS = select(
    activities.c.lead_id,
    activities.c.rep_id,
    activities.c.happened_at,
    activities.c.latitude,
    activities.c.longitude,
).where(
    of_tenant(activities),
    activities.c.happened_at >= _SINCE,
    activities.c.kind == ActivityKind.VISIT.value,
    activities.c.rep_id.is_not(None),
    activities.c.latitude.is_not(None),
    activities.c.longitude.is_not(None),
)
_USABLE = (
    select(contact_points.c.value)
    .where(
        of_tenant(contact_points),
        contact_points.c.contact_id == leads.c.contact_id,
        contact_points.c.possible,
    )
    .exists()
)
_BROUGHT = (
    select(
        leads.c.lead_id,
        ownership_events.c.owner,
        ownership_events.c.happened_at,
        case((_USABLE, 1), else_=0),
    )
    .join(
        ownership_events,
        and_(
            ownership_events.c.tenant_id == leads.c.tenant_id,
            ownership_events.c.lead_id == leads.c.lead_id,
        ),
    )
    .where(
        of_tenant(leads),
        of_tenant(ownership_events),
        ownership_events.c.revision == 1,
        ownership_events.c.owner.is_not(None),
        ownership_events.c.happened_at >= _SINCE,
        *(ownership_events.c.cause != cause.value for cause in OURS),
    )
)
