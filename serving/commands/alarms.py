"""Cheating noticed: look for it, read the evidence, settle alarms."""

from typing import Annotated

import typer

from rightrep.store import alarms
from serving.commands.common import console, opened, writing
from serving.usecases.cheating import in_words, look_for_cheating, raise_alarms

app = typer.Typer(help="Cheating noticed.", no_args_is_help=True)


@app.command()
def search() -> None:
    """Look at what happened of late; raise alarms where honesty does not explain it."""
    context, tenant_id = opened()
    with console.status("looking"):
        found = look_for_cheating(context, tenant_id)
        with context.store.write(tenant_id) as session:
            raised = raise_alarms(session, found, at=context.clock.now())
    typer.echo(f"{len(found):,} seen, {len(raised):,} of them new")


@app.command(name="list")
def list_(
    settled: Annotated[bool, typer.Option(help="Settled ones.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
) -> None:
    """Print alarms with their evidence, those seen last first."""
    context, tenant_id = opened()
    with context.store.read(tenant_id) as session:
        for one in alarms.list_alarms(session, settled=settled, limit=limit):
            typer.echo(f"{one.alarm_id} {one.alarm.severity.value}")
            typer.echo(f"  {in_words(one.alarm)}")
            if one.settled_because is not None:
                typer.echo(f"  settled: {one.settled_because}")


@app.command()
def settle(
    alarm_id: Annotated[str, typer.Argument(help="As `alarms list` prints it.")],
    because: Annotated[str, typer.Option(help="What you made of it.")],
) -> None:
    """Close an alarm: it bars nobody any more."""
    with writing() as (session, stamp):
        alarms.settle_alarm(session, alarm_id, because=because, **stamp)
    typer.echo(f"settled {alarm_id}")
