"""Look at customers' health."""

import typer

from serving.commands.common import console, opened
from serving.usecases.health import keep_look, look_at_customers


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="health")(health)


def health() -> None:
    """Look at every customer now; tell of churn alarms and all-clears."""
    context, tenant_id = opened()
    with console.status("looking at customers"):
        looked = look_at_customers(context, tenant_id)
        with context.store.write(tenant_id) as session:
            kept = keep_look(session, looked)
    typer.echo(
        f"{kept.customers:,} customers, {kept.alarmed:,} with a churn alarm; "
        f"{kept.told:,} events"
    )
