"""API keys: made, listed, replaced, withdrawn."""

from datetime import timedelta
from typing import Annotated

import typer

from rightrep.domain.roles import Role
from rightrep.store import keys
from serving.commands.common import opened
from serving.usecases.tenancy import new_key

app = typer.Typer(help="API keys of the tenant.", no_args_is_help=True)


@app.command()
def create(
    role: Annotated[Role, typer.Option(help="What its holder may do.")],
    name: Annotated[str, typer.Option(help="What you call it.")],
    rep: Annotated[str | None, typer.Option(help="The rep, for role rep.")] = None,
) -> None:
    """Make a key and print it; it is shown once."""
    context, tenant_id = opened()
    made = new_key(context, tenant_id, role, name, rep_id=rep)
    typer.echo(made.secret)


@app.command(name="list")
def list_() -> None:
    """Print every key, without its secret."""
    context, tenant_id = opened()
    with context.store.read(tenant_id) as session:
        found = keys.list_keys(session)
    typer.echo(f"{'id':<38}{'begins':<12}{'role':<10}{'until':<22}name")
    for key in found:
        end = key.revoked_at or key.expires_at
        until = "" if end is None else end.isoformat(timespec="minutes")
        typer.echo(f"{key.key_id:<38}{key.hint:<12}{key.role:<10}{until:<22}{key.name}")


@app.command()
def rotate(
    key_id: Annotated[str, typer.Argument(help="The key to replace.")],
    hours: Annotated[float, typer.Option(min=0, help="Both are good so long.")] = 24,
) -> None:
    """Make a key's successor and print it; the old one stays good for a while."""
    context, tenant_id = opened()
    with context.store.write(tenant_id) as session:
        made = keys.rotate_key(
            session, key_id, at=context.clock.now(), overlap=timedelta(hours=hours)
        )
    typer.echo(made.secret)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="The key to refuse.")]) -> None:
    """Refuse a key from now on."""
    context, tenant_id = opened()
    with context.store.write(tenant_id) as session:
        keys.revoke_key(session, key_id, at=context.clock.now())
    typer.echo(f"{key_id} is refused from now on.")
