"""How well models would have predicted, had they been trained in the past."""

from typing import Annotated

import typer

from serving.commands.common import console, instant, opened, tenant_of
from serving.usecases.backtesting import run_backtest

USUAL_REFITS = 4
"""Refits of a backtest unless told otherwise."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(backtest)


def backtest(
    refits: Annotated[
        int, typer.Option(help="Refits, equally many decisions apart.")
    ] = USUAL_REFITS,
    at: Annotated[
        list[str] | None,
        typer.Option(help="Refit on this day instead; give it once per refit."),
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="Outcomes as known then; now by default.")
    ] = None,
) -> None:
    """Refit in the past and judge each by what came after; log it to MLflow."""
    context, tenant_id = opened()
    zone = tenant_of(context, tenant_id).time_zone
    with console.status("refitting"):
        found, run_id = run_backtest(
            context,
            tenant_id,
            as_of=context.clock.now() if as_of is None else instant(as_of, zone),
            n_refits=refits,
            refits=[instant(day, zone) for day in at or ()],
        )
    for line in found.in_words():
        typer.echo(line)
    typer.echo(f"MLflow run {run_id}")
