"""How leads are shared out: shown, and set from a file."""

import typer

from serving.commands.common import SetFrom, print_settings
from serving.usecases.routing_settings import routing_in_force, set_routing


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(routing)


def routing(set_from: SetFrom = None) -> None:
    """Show how leads are shared out, or set it."""
    print_settings(
        set_from,
        routing_in_force,
        lambda session, given, stamp: set_routing(session, given, **stamp),
    )
