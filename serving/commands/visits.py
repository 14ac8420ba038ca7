"""A rep's day of visits from the terminal."""

from datetime import date
from typing import Annotated

import typer

from rightrep.domain.lead import LeadKind
from rightrep.errors import InvalidInput
from rightrep.store.aliases import resolve_rep
from serving.commands.common import console, opened
from serving.usecases.visits import DayPlan, VisitRequest, plan_day


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(visits)


def visits(
    rep: Annotated[str, typer.Argument(help="The rep: our id or the CRM's.")],
    day: Annotated[str, typer.Option(help="By the rep's clocks: 2026-03-01.")],
    latitude: Annotated[
        float, typer.Option(min=-90, max=90, help="Where the day starts and ends.")
    ],
    longitude: Annotated[float, typer.Option(min=-180, max=180, help="Likewise.")],
    minutes: Annotated[
        int, typer.Option(min=0, max=1_440, help="Per visit, where none is told.")
    ] = 45,
    kind: Annotated[
        LeadKind, typer.Option(help="Leads, or work orders.")
    ] = LeadKind.LEAD,
) -> None:
    """Print the route over a rep's leads, and public leads on the way."""
    asked = VisitRequest(
        day=_day(day), start=(latitude, longitude), minutes=minutes, kind=kind
    )
    context, tenant_id = opened()
    with context.store.read(tenant_id) as session:
        rep_id = resolve_rep(session, rep)
    with console.status("planning"):
        found = plan_day(context, tenant_id, rep_id, asked)
    for line in in_words(found):
        typer.echo(line)


def in_words(found: DayPlan) -> list[str]:
    """The day, visit by visit, then what is left out and what is on the way."""
    plan, leads = found.plan, found.leads
    order = zip(plan.order.tolist(), plan.begin.tolist(), strict=True)
    return [
        f"{found.at(plan.departure):%H:%M} departure",
        *(f"{found.at(at):%H:%M} lead {leads[k]}" for k, at in order),
        f"{found.at(plan.arrival):%H:%M} arrival",
        *(f"left out {leads[k]}: {why}" for k, why in plan.skipped.items()),
        *(f"no position {lead_id}" for lead_id in found.unplaced),
        *(
            f"on the way {lead_id}: {place.extra_seconds / 60:.0f} minutes more"
            for lead_id, place in found.pool
        ),
    ]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"{text!r} is no day.", field="--day", remedy="Write it as 2026-03-01."
        ) from None
