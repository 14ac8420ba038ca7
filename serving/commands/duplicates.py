"""One customer, one record: find duplicates, decide on them, take merges back."""

from typing import Annotated

import typer

from rightrep.store import duplicates as pairs
from rightrep.store.aliases import RecordKind
from rightrep.store.duplicates import DuplicateState
from rightrep.store.session import ReadSession
from serving.commands.common import ACTOR, console, opened, writing
from serving.usecases.duplicates import (
    Asked,
    accept,
    asked,
    merges_of,
    shown_customers,
    undo,
)
from serving.usecases.linking import link_everybody

app = typer.Typer(help="Records that may be one.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    """Add the commands."""
    root.command()(link)
    root.add_typer(app, name="duplicates")


def link() -> None:
    """Compare all customers: merge the sure duplicates, queue the likely ones."""
    context, tenant_id = opened()
    with console.status("comparing") as status:
        counts = link_everybody(
            context,
            tenant_id,
            actor=ACTOR,
            report=lambda share, words: status.update(f"{words} ({share:.0%})"),
        )
    typer.echo(", ".join(f"{count:,} {name}" for name, count in counts.items()))


@app.command(name="list")
def list_(
    state: Annotated[
        DuplicateState, typer.Option(help="Waiting, merged or refused ones.")
    ] = DuplicateState.WAITING,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
) -> None:
    """Print pairs of records that may be one, with what speaks for it."""
    context, tenant_id = opened()
    with context.store.read(tenant_id) as session:
        for pair in pairs.list_duplicates(session, state, limit=limit):
            for line in _in_words(session, asked(pair)):
                typer.echo(line)


@app.command(name="accept")
def accept_(
    duplicate: Annotated[str, typer.Argument(help="Id of the pair.")],
) -> None:
    """Say that the two are one: they are merged."""
    with writing() as (session, stamp):
        made = accept(session, duplicate, **stamp)
    typer.echo(
        f"Merged: {made.kind.value} {made.survivor_id} stands for "
        f"{made.merged_id} (merge {made.merge_id})."
    )


@app.command()
def refuse(
    duplicate: Annotated[str, typer.Argument(help="Id of the pair.")],
) -> None:
    """Say that the two are two: nobody is asked again."""
    with writing() as (session, stamp):
        pairs.get_duplicate(session, duplicate)
        pairs.refuse(session, duplicate, **stamp)
    typer.echo("They stay two.")


@app.command()
def merges(
    kind: Annotated[RecordKind, typer.Argument(help="What the id names.")],
    record: Annotated[str, typer.Argument(help="An id, ours or the CRM's.")],
) -> None:
    """Print the merges that a record gave way in or stood in."""
    context, tenant_id = opened()
    with context.store.read(tenant_id) as session:
        for made in merges_of(session, kind, record):
            end = f", undone {made.undone_at:%Y-%m-%d %H:%M}" if made.undone_at else ""
            typer.echo(
                f"{made.merge_id}  {made.merged_id} into {made.survivor_id}, "
                f"{made.merged_at:%Y-%m-%d %H:%M} by {made.actor}{end}: {made.cause}"
            )


@app.command(name="undo")
def undo_(merge: Annotated[str, typer.Argument(help="Id of the merge.")]) -> None:
    """Take a merge back: both records stand again, each with its owner."""
    with writing() as (session, stamp):
        made = undo(session, merge, **stamp)
    typer.echo(f"{made.kind.value.title()} {made.merged_id} stands again.")


def _in_words(session: ReadSession, told: Asked) -> list[str]:
    pair = told.pair
    weight = "" if pair.bits is None else f", {pair.bits:+.1f} bits"
    names: dict[str, str] = {
        one.customer.customer_id: one.customer.name or ", ".join(one.contacts)
        for one in shown_customers(session, pair)
    }
    return [
        f"{pair.duplicate_id}  {pair.kind.value}s, {pair.reason.value}{weight}",
        *(f"    {own} {names.get(own, '')}" for own in (pair.left_id, pair.right_id)),
        *(f"    {r.bits:+6.1f}  {r.field}: {r.words}" for r in told.reasons),
    ]
