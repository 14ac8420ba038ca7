"""Learn from the history; bring a version back."""

from typing import Annotated

import typer

from rightrep.store import models
from rightrep.store.models import PublishedModel
from serving.commands.common import ACTOR, console, instant, opened, tenant_of
from serving.usecases.learning import bring_back, learn, name_champion, publish
from serving.usecases.watching import keep_look, look_at_champion
from training.drift import as_read


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(train)
    app.command(name="models")(models_)
    app.command()(promote)
    app.command()(drift)


def train(
    as_of: Annotated[
        str | None, typer.Option(help="Learn from what was known then; now by default.")
    ] = None,
    tune: Annotated[
        int, typer.Option(help="Try so many sets of parameters first; 0 tries none.")
    ] = 0,
    refuse_leaks: Annotated[
        bool, typer.Option(help="Stop where a column may know the outcome.")
    ] = False,
) -> None:
    """Train a model, log it to MLflow, and make it the champion where it is better."""
    context, tenant_id = opened()
    at = context.clock.now()
    if as_of is not None:
        at = instant(as_of, tenant_of(context, tenant_id).time_zone)
    with console.status("training") as status:
        learnt = learn(
            context,
            tenant_id,
            as_of=at,
            n_trials=tune,
            refuse_leaks=refuse_leaks,
            report=lambda share, words: status.update(f"{words} ({share:.0%})"),
        )
        with context.store.write(tenant_id) as session:
            publish(session, context, learnt, actor=ACTOR)
        if learnt.verdict.promoted:
            name_champion(context, tenant_id, learnt.version)
    for line in learnt.in_words():
        typer.echo(line)


def models_() -> None:
    """Print every published version and the champion's moves."""
    context, tenant_id = opened()
    with context.store.read(tenant_id) as session:
        found = models.list_models(session)
        present = models.champion(session)
        moves = models.promotion_history(session)
    for model in found:
        mark = "*" if present and present.version == model.version else " "
        typer.echo(
            f"{mark} {model.version:<6} as of {model.trained_as_of:%Y-%m-%d}  "
            f"window {model.label_window_days} d  {model.sha256[:12]}"
        )
        for line in _verdict(model):
            typer.echo(f"    {line}")
    for move in moves:
        typer.echo(f"  {move.moved_at:%Y-%m-%d %H:%M} to {move.version}: {move.reason}")


def promote(
    version: Annotated[str, typer.Argument(help="Version to bring back.")],
    reason: Annotated[str, typer.Option(help="Why.")] = "by hand",
) -> None:
    """Make any published version the champion; a broken file is refused."""
    context, tenant_id = opened()
    with context.store.write(tenant_id) as session:
        bring_back(session, context, version, actor=ACTOR, reason=reason)
    name_champion(context, tenant_id, version)
    typer.echo(f"Version {version} is champion.")


def drift() -> None:
    """Look whether the champion still fits: columns, calibration, outcomes."""
    context, tenant_id = opened()
    at = context.clock.now()
    with console.status("comparing recent decisions with training"):
        looked = look_at_champion(context, tenant_id, as_of=at)
    if looked is None:
        typer.echo("There is no champion to watch. Train one with `rightrep train`.")
        return
    with context.store.write(tenant_id) as session:
        kept = keep_look(session, looked, at=at)
    typer.echo(f"version {looked.version}, {looked.report.n_rows:,} recent decisions")
    for line in as_read(kept.report):
        typer.echo(f"  {line}")


def _verdict(model: PublishedModel) -> list[str]:
    """Why a version was promoted or refused, line by line."""
    verdict = model.metrics.get("verdict")
    if verdict is None:
        return []
    what = "promoted" if verdict["promoted"] else "refused"
    return [f"{what}: {verdict['reason']}"]
