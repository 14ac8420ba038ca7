"""Follow-up from the terminal: tasks, response times, weeks."""

from datetime import date, datetime
from typing import Annotated

import typer

from rightrep.domain.days import local_day
from rightrep.domain.followup import Response, WeekSummary
from rightrep.domain.ids import RepId
from rightrep.errors import InvalidInput
from rightrep.store.aliases import resolve_rep
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant
from serving.commands.common import console, opened
from serving.usecases.followup import look as look_now
from serving.usecases.followup import tasks_to_do
from serving.usecases.followup_weeks import responses, week_summaries
from serving.usecases.pool_views import team as reps_of

app = typer.Typer(help="Follow-up: tasks and how fast reps are.", no_args_is_help=True)

Rep = Annotated[str | None, typer.Option(help="The rep: our id or the CRM's.")]
Team = Annotated[str | None, typer.Option(help="Every rep of a team.")]


@app.command()
def look() -> None:
    """Open tasks, and tell what has come due."""
    context, tenant_id = opened()
    with console.status("looking"):
        done = look_now(context, tenant_id)
    typer.echo(
        f"{done.opened:,} tasks opened, {done.moved:,} due times moved; told: "
        f"{done.reminded:,} reminders, {done.breached:,} breaches, "
        f"{done.remarks:,} remarks, {done.weeks:,} weeks"
    )


@app.command()
def tasks(rep: Rep = None, team: Team = None) -> None:
    """Print what has to be touched by when, due first; a star is overdue."""
    context, tenant_id = opened()
    at = context.clock.now()
    with context.store.read(tenant_id) as session:
        whose = _whose(session, rep, team, at)
    for task in tasks_to_do(context, tenant_id, whose):
        star = "*" if task.due_at <= at else " "
        typer.echo(
            f"{star} {task.due_at:%Y-%m-%d %H:%M}Z {task.tier.value} "
            f"lead {task.stretch.lead_id} rep {task.stretch.rep_id}"
        )


@app.command()
def response(
    rep: Rep = None,
    team: Team = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="So far back.")] = 30,
) -> None:
    """Print how fast each rep touched the leads that came."""
    context, tenant_id = opened()
    at = context.clock.now()
    with context.store.read(tenant_id) as session:
        whose = _whose(session, rep, team, at)
        found = responses(session, whose, days=days, at=at)
    for rep_id, one in found.items():
        typer.echo(f"{rep_id} {_in_words(one)}")


@app.command()
def week(
    rep: Rep = None,
    team: Team = None,
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Any day of it.")
    ] = None,
) -> None:
    """Print what each rep did in a week, this one by default."""
    context, tenant_id = opened()
    at = context.clock.now()
    with context.store.read(tenant_id) as session:
        whose = _whose(session, rep, team, at)
        asked = _day(session, day, at)
        found = week_summaries(session, whose, asked, at=at)
    for one in found:
        did = ", ".join(f"{n} {kind}" for kind, n in sorted(one.activities.items()))
        typer.echo(
            f"{one.rep_id} week of {one.week}: {did or 'nothing'}; "
            f"{one.leads_touched} leads touched, {one.leads_received} received, "
            f"{one.won} won, {one.lost} lost; {_tickets(one)}"
            f"{_in_words(one.response)}"
        )


def _tickets(one: WeekSummary) -> str:
    """What became of work orders, where there were any."""
    if not (one.tickets_received or one.resolved or one.unresolved):
        return ""
    return (
        f"{one.tickets_received} work orders received, {one.resolved} resolved, "
        f"{one.unresolved} unresolved; "
    )


def _day(session: ReadSession, day: datetime | None, at: datetime) -> date:
    zone = get_tenant(session).time_zone
    return local_day(at, zone) if day is None else day.date()


def _in_words(found: Response) -> str:
    median = "-" if found.median_hours is None else f"{found.median_hours:.1f} h"
    return (
        f"{found.n_touched} of {found.n_tasks} touched, median {median}, "
        f"{found.n_in_time} of {found.n_judged} in time"
    )


def _whose(
    session: ReadSession, rep: str | None, team: str | None, at: datetime
) -> list[RepId]:
    """The reps asked about; every one where nothing is said.

    Raises:
        InvalidInput: Both a rep and a team are named.
    """
    if rep is None:
        return reps_of(session, team, at=at)
    if team is not None:
        raise InvalidInput("Name a rep or a team, not both.", field="--rep")
    return [resolve_rep(session, rep)]
