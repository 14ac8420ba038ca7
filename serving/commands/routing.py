"""How leads are shared out: shown, and set from a file."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from serving.commands.common import json_object, opened
from serving.usecases.routing_settings import routing_in_force, set_routing


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(routing)


def routing(
    set_from: Annotated[
        Path | None,
        typer.Option("--set", help="Put the settings of this JSON file in force."),
    ] = None,
) -> None:
    """Show how leads are shared out, or set it."""
    given = None if set_from is None else json_object(set_from, "--set")
    context, tenant_id = opened()
    if given is None:
        with context.store.read(tenant_id) as session:
            in_force = routing_in_force(session)
    else:
        with context.store.write(tenant_id) as session:
            at = context.clock.now()
            in_force = set_routing(session, given, at=at, actor="cli")
    typer.echo(orjson.dumps(in_force, option=orjson.OPT_INDENT_2).decode())
