"""Cheating noticed: evidence read, alarms raised once, settled by a manager."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from rightrep.domain.collusion import (
    Alarm,
    AlarmKind,
    Brought,
    CheatingLimits,
    FollowUp,
    Move,
    Visit,
    empty_follow_ups,
    impossible_visits,
    junk_imports,
    rings,
)
from rightrep.domain.days import local_day
from rightrep.domain.ids import LeadId, RepId, TenantId
from rightrep.domain.ownership import OwnershipKind
from rightrep.domain.pools import Pool, place_of
from rightrep.domain.protection import (
    NEVER,
    Instants,
    PrivateLeads,
    as_datetime,
    as_instants,
    drops,
)
from rightrep.store import alarms, leads, outbox
from rightrep.store.alarms import RaisedAlarm
from rightrep.store.pools import pools_in_force
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.tenants import get_tenant
from serving.usecases.context import Context
from serving.worker import Effect, Handler, Task

CHEATING = "cheating"
"""Kind of the job."""

NOTICED = "rightrep.cheating.noticed"
_RECEIVED = frozenset(
    {
        OwnershipKind.ASSIGNED,
        OwnershipKind.CLAIMED,
        OwnershipKind.TRANSFERRED,
        OwnershipKind.OVERRIDDEN,
    }
)


def handlers(context: Context) -> Mapping[str, Handler]:
    """What to do, by kind of job."""
    return {CHEATING: lambda task: _look(context, task)}


def _look(context: Context, task: Task) -> Effect:
    found = look_for_cheating(context, task.tenant_id)
    return lambda session: {
        "raised": len(raise_alarms(session, found, at=context.clock.now())),
        "seen": len(found),
    }


def look_for_cheating(context: Context, tenant_id: TenantId) -> list[Alarm]:
    """Everything in the window that honest habits do not explain; nothing is written.

    What a manager settled is looked at again on its own: it is found only where what
    happened since then suffices.

    Raises:
        InvalidInput: The tenant's limits make no sense.
    """
    at = context.clock.now()
    with context.store.read(tenant_id) as session:
        limits = CheatingLimits.of(get_tenant(session).settings)
        since = at - timedelta(days=limits.window_days)
        settled = alarms.settled_since(session, since)
        evidence = _Evidence(session, since, at)
    found = evidence.alarms(limits, since)
    news = [alarm for alarm in found if (alarm.kind, alarm.reps) not in settled]
    for (kind, reps), then in settled.items():
        news += [
            alarm
            for alarm in evidence.alarms(limits, then)
            if (alarm.kind, alarm.reps) == (kind, reps)
        ]
    return news


def raise_alarms(
    session: WriteSession, found: Sequence[Alarm], *, at: datetime
) -> list[RaisedAlarm]:
    """Keep what was found, and tell of each alarm that is new."""
    raised = alarms.keep_alarms(session, found, at=at)
    for one in raised:
        outbox.emit(
            session,
            NOTICED,
            {
                "alarm_id": one.alarm_id,
                "kind": one.alarm.kind.value,
                "rep_ids": list(one.alarm.reps),
                "severity": one.alarm.severity.value,
            },
            at=at,
            subject=one.alarm_id,
        )
    return raised


class _Evidence:
    """What happened in the window, read once.

    Args:
        session: Where to read.
        since: Where the window begins.
        at: Now.
    """

    def __init__(self, session: ReadSession, since: datetime, at: datetime) -> None:
        zone = get_tenant(session).time_zone
        self.moves = [
            Move(**{**row, "kind": OwnershipKind(row["kind"])})
            for row in alarms.read_moves(session, since).to_pylist()
        ]
        self.follow_ups = _follow_ups(
            session, alarms.read_follow_ups(session, since), self.moves, zone, at
        )
        self.visits = [
            Visit(**row) for row in alarms.read_visits(session, since).to_pylist()
        ]
        self.brought = [
            Brought(
                **{**row, "usable": bool(row["usable"])},
                day=local_day(row["at"], zone).isoformat(),
            )
            for row in alarms.read_brought(session, since).to_pylist()
        ]

    def alarms(self, limits: CheatingLimits, since: datetime) -> list[Alarm]:
        """What is noticed in what happened after an instant."""
        return [
            *rings((one for one in self.moves if one.at > since), limits),
            *empty_follow_ups(
                (one for one in self.follow_ups if one.at > since), limits
            ),
            *impossible_visits((one for one in self.visits if one.at > since), limits),
            *junk_imports((one for one in self.brought if one.at > since), limits),
        ]


def _follow_ups(
    session: ReadSession, told: pa.Table, moves: Iterable[Move], zone: str, at: datetime
) -> list[FollowUp]:
    """Follow-ups with the time that was left; only the empty ones need it."""
    rows = told.to_pylist()
    before = _touched_before(rows, moves)
    empty = [k for k, row in enumerate(rows) if row["empty"] and before[k] is not None]
    due = _drops_at(
        session, [rows[k] for k in empty], [before[k] for k in empty], zone, at
    )
    left: dict[int, timedelta] = {
        k: as_datetime(end) - rows[k]["at"]
        for k, end in zip(empty, due, strict=True)
        if not np.isnat(end)
    }
    return [
        FollowUp(
            lead_id=LeadId(row["lead_id"]),
            rep_id=RepId(row["rep_id"]),
            at=row["at"],
            left=left.get(k),
            empty=bool(row["empty"]),
        )
        for k, row in enumerate(rows)
        if row["at"] <= at
    ]


def _touched_before(
    rows: Sequence[Mapping[str, Any]], moves: Iterable[Move]
) -> list[datetime | None]:
    """When each lead was last received or followed up before each follow-up."""
    story: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for move in moves:
        if move.kind in _RECEIVED:
            story[move.lead_id].append((move.at, -1))
    for k, row in enumerate(rows):
        story[row["lead_id"]].append((row["at"], k))
    before: list[datetime | None] = [None] * len(rows)
    for happened in story.values():
        last: datetime | None = None
        for at, k in sorted(happened):
            if k >= 0:
                before[k] = last
            last = at
    return before


def _drops_at(
    session: ReadSession,
    rows: Sequence[Mapping[str, Any]],
    before: Sequence[datetime | None],
    zone: str,
    at: datetime,
) -> Instants:
    """When each lead would have dropped had the follow-up not been; (n_rows,)."""
    pools: list[Pool] = pools_in_force(session)
    ids = [LeadId(row["lead_id"]) for row in rows]
    known = leads.get_leads(session, sorted(set(ids)), as_of=at)
    place = dict(
        zip([one.lead_id for one in known], place_of(pools, known), strict=True)
    )
    grade = {one.lead_id: one.attributes.grade for one in known}
    kept = [k for k, lead_id in enumerate(ids) if lead_id in place]
    touched = [one for k in kept if (one := before[k]) is not None]
    private = PrivateLeads(
        lead_id=[ids[k] for k in kept],
        owner=[RepId(rows[k]["rep_id"]) for k in kept],
        pool=np.array([place[ids[k]] for k in kept], dtype=np.intp),
        grade=[grade[ids[k]] for k in kept],
        received_at=as_instants(touched),
        followed_up_at=np.full(len(kept), NEVER),
        locked=np.zeros(len(kept), dtype=np.bool_),
    )
    found = np.full(len(rows), NEVER)
    found[kept] = drops(private, pools, zone)[0]
    return found


def in_words(
    alarm: Alarm,
    *,
    name: Callable[[RepId], str] = str,
    translate: Callable[[str], str] = str,
) -> str:
    """The evidence of an alarm, in a sentence with its numbers.

    Args:
        alarm: The alarm.
        name: What to call a rep.
        translate: Language of the words, from English.
    """
    who = translate(" and ").join(name(rep_id) for rep_id in alarm.reps)
    return translate(WORDS[alarm.kind]).format(
        who=who, n_leads=len(alarm.leads), **alarm.facts
    )


WORDS = {
    AlarmKind.RING: (
        "{who} pass leads round: {returns:.0f} of {chances:.0f} dropped leads went "
        "back the way they came, {expected:.1f} would by chance; {leads:.0f} leads."
    ),
    AlarmKind.EMPTY_FOLLOW_UPS: (
        "{who} touched leads without a word in the last {minutes:.0f} minutes before "
        "they would drop: {empty:.0f} of {follow_ups:.0f} follow-ups, "
        "{expected:.1f} would be usual; {n_leads} leads."
    ),
    AlarmKind.IMPOSSIBLE_VISITS: (
        "{who} wrote down visits that nobody can drive between: {legs:.0f} times in "
        "{visits:.0f} visits, at worst {km:.0f} km in {minutes:.0f} minutes."
    ),
    AlarmKind.JUNK_IMPORTS: (
        "{who} brought in {unusable:.0f} leads on one day that nobody could call or "
        "write to, of {brought:.0f}; {expected:.1f} would be usual."
    ),
}
