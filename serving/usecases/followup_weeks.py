"""How fast reps respond, and what they did in a week."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from rightrep.domain.days import day_bounds, local_day
from rightrep.domain.event import Event
from rightrep.domain.followup import Response, WeekSummary, response_of, week_of
from rightrep.domain.ids import RepId, TenantId, new_id
from rightrep.domain.outcome import Result
from rightrep.store import followup, outbox, weeks
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant
from serving.usecases.context import Context
from serving.usecases.pool_views import team

WEEK = "rightrep.follow_up.week"


def responses(
    session: ReadSession, rep_ids: Sequence[RepId], *, days: int, at: datetime
) -> dict[RepId, Response]:
    """How fast each rep touched the leads that came in the last days."""
    since = at - timedelta(days=days)
    opened = followup.tasks_opened(session, rep_ids, since=since, until=at, at=at)
    return {rep_id: response_of(tasks, at) for rep_id, tasks in opened.items()}


def week_summaries(
    session: ReadSession, rep_ids: Sequence[RepId], day: date, *, at: datetime
) -> list[WeekSummary]:
    """What each rep did in the week of a day, Monday to Sunday of the tenant's zone."""
    zone, week = get_tenant(session).time_zone, week_of(day)
    since = day_bounds(week, zone)[0]
    until = day_bounds(week + timedelta(days=6), zone)[1]
    opened = followup.tasks_opened(session, rep_ids, since=since, until=until, at=at)
    found = weeks.doings(session, rep_ids, since=since, until=until)
    return [
        WeekSummary(
            rep_id=rep_id,
            week=week,
            activities=did.activities,
            leads_touched=did.leads_touched,
            leads_received=did.leads_received,
            won=did.closed.get(Result.WON.value, 0),
            lost=did.closed.get(Result.LOST.value, 0),
            tickets_touched=did.tickets_touched,
            tickets_received=did.tickets_received,
            resolved=did.closed.get(Result.RESOLVED.value, 0),
            unresolved=did.closed.get(Result.UNRESOLVED.value, 0),
            response=response_of(opened[rep_id], at),
        )
        for rep_id, did in found.items()
    ]


def tell_week(context: Context, tenant_id: TenantId, at: datetime) -> int:
    """Tell what each rep did in the last whole week, once; the idle are left out.

    Returns:
        Summaries told.
    """
    with context.store.read(tenant_id) as session:
        today = local_day(at, get_tenant(session).time_zone)
        last = week_of(today) - timedelta(days=7)
        if weeks.is_week_told(session, last):
            return 0
        every = week_summaries(session, team(session, None, at=at), last, at=at)
    busy = {one.rep_id: one for one in every if not one.is_empty}
    if not busy:
        return 0
    with context.store.write(tenant_id) as session:
        ours = weeks.add_told_weeks(session, list(busy), last, at=at)
        told = [_event(busy[rep_id], at) for rep_id in busy if rep_id in ours]
        outbox.emit_all(session, told, at=at)
    return len(told)


def _event(one: WeekSummary, at: datetime) -> Event:
    return Event(
        event_id=new_id(at),
        type=WEEK,
        subject=one.rep_id,
        time=at,
        data={
            "rep_id": one.rep_id,
            "week": one.week.isoformat(),
            "activities": dict(one.activities),
            "leads_touched": one.leads_touched,
            "leads_received": one.leads_received,
            "won": one.won,
            "lost": one.lost,
            "tickets_touched": one.tickets_touched,
            "tickets_received": one.tickets_received,
            "resolved": one.resolved,
            "unresolved": one.unresolved,
            "n_tasks": one.response.n_tasks,
            "n_touched": one.response.n_touched,
            "n_judged": one.response.n_judged,
            "n_in_time": one.response.n_in_time,
            "median_hours": one.response.median_hours,
        },
    )
