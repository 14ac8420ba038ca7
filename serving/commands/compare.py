"""Policies side by side: by the model, on history, or against a known truth."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from experiments.comparison import Comparison
from rightrep.domain.ids import TenantId
from rightrep.errors import InvalidInput
from serving.commands.common import clock_at, console, opened, tenant_of
from serving.usecases.comparing import compare_waiting
from serving.usecases.comparing_history import HistoryAsk, compare_on_history
from serving.usecases.context import Context
from serving.usecases.entrants import Entrant, entrants_of
from serving.usecases.logging_comparison import log_comparison

CONTROL = "round_robin_lot"
_FORMS = (".json", ".csv")


class Ground(StrEnum):
    """What policies are compared on."""

    WAITING = "waiting"
    HISTORY = "history"
    MARKET = "market"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(compare)


def compare(
    on: Annotated[
        Ground,
        typer.Option(
            help="The leads that wait now, by the model's own numbers; the lottery's "
            "past decisions; or a demo market's truth."
        ),
    ] = Ground.WAITING,
    policy: Annotated[
        list[str] | None, typer.Option(help="A policy; all of them by default.")
    ] = None,
    rules: Annotated[
        list[int] | None,
        typer.Option(help="Version of a rule set; the one in force by default."),
    ] = None,
    baseline: Annotated[str, typer.Option(help="Policy to compare with.")] = CONTROL,
    as_of: Annotated[str | None, typer.Option(help="Compare as of then.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every draw.")] = 0,
    window_days: Annotated[
        int, typer.Option(help="On history: days whose leads are one batch.")
    ] = 1,
    refits: Annotated[int, typer.Option(help="On history: trainings in the past.")] = 2,
    clip: Annotated[
        float | None, typer.Option(help="On history: cut weights off above this.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the figures to this .json or .csv file.")
    ] = None,
    mlflow: Annotated[
        bool | None,
        typer.Option(help="Log to MLflow; as the setting says by default."),
    ] = None,
) -> None:
    """Print what policies and rule sets earn, side by side."""
    if out is not None and out.suffix not in _FORMS:
        raise InvalidInput(
            f"{out.name} is neither JSON nor CSV.",
            field="out",
            remedy="Let its name end in .json or .csv.",
        )
    context, tenant_id = opened()
    clock = clock_at(as_of, tenant_of(context, tenant_id).time_zone)
    if clock is not None:
        context, tenant_id = opened(clock)
    with context.store.read(tenant_id) as session:
        entrants = entrants_of(session, policy or [], rules or [], baseline=baseline)
    ask = HistoryAsk(
        as_of=context.clock.now(),
        baseline=baseline,
        window_days=window_days,
        n_refits=refits,
        clip=np.inf if clip is None else clip,
        seed=seed,
    )
    with console.status("comparing"):
        found = _compared(context, tenant_id, entrants, on, ask)
    for line in found.in_words():
        typer.echo(line)
    if out is not None:
        out.write_bytes(
            found.as_json() if out.suffix == ".json" else found.as_csv().encode()
        )
    if context.settings.log_comparisons if mlflow is None else mlflow:
        typer.echo(f"MLflow run {log_comparison(context, tenant_id, found)}")


def _compared(
    context: Context,
    tenant_id: TenantId,
    entrants: list[Entrant],
    on: Ground,
    ask: HistoryAsk,
) -> Comparison:
    if on is Ground.HISTORY:
        return compare_on_history(context, tenant_id, entrants, ask)
    by = compare_waiting
    if on is Ground.MARKET:
        # The simulator is not loaded for those who do not ask for it.
        from serving.usecases.comparing_market import compare_on_market as by
    return by(context, tenant_id, entrants, baseline=ask.baseline, seed=ask.seed)
