"""Handovers from the terminal: previewed, committed, looked at, undone."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from rightrep.domain.handover import MoveState
from rightrep.errors import InvalidInput
from rightrep.store import handover as stored
from rightrep.store.session import ReadSession
from serving.commands.common import (
    ACTOR,
    SetFrom,
    console,
    opened,
    print_settings,
    reason_given,
)
from serving.usecases.handover import (
    HandoverRequest,
    keep_handover,
    preview_handover,
    reps_named,
)
from serving.usecases.handover_moves import commit_handover, undo_handover
from serving.usecases.handover_settings import handover_in_force, set_handover

app = typer.Typer(
    help="Leads of reps who leave, or of a team, moved together.",
    no_args_is_help=True,
)

HandoverId = Annotated[str, typer.Argument(help="As `handover list` prints it.")]


@app.command()
def preview(
    reason: Annotated[str, typer.Option(help="Why, in your words.")],
    from_reps: Annotated[
        list[str] | None, typer.Option("--from", help="Whose leads.")
    ] = None,
    from_team: Annotated[
        str | None, typer.Option(help="Of every rep of this team.")
    ] = None,
    to_reps: Annotated[
        list[str] | None, typer.Option("--to", help="Who may get them.")
    ] = None,
    to_team: Annotated[
        str | None, typer.Option(help="Every rep of this team may.")
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help="Else the rules in force, or your policy.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(help="Only leads of this value: region=North; repeat for more."),
    ] = None,
    leaves: Annotated[
        bool, typer.Option("--leaves", help="The commit marks the reps as left.")
    ] = False,
) -> None:
    """Work out who would get which lead, and which ones nobody can take."""
    context, tenant_id = opened()
    with context.store.read(tenant_id) as session:
        at = context.clock.now()
        request = HandoverRequest(
            from_reps=reps_named(
                session, from_reps or (), from_team, at=at, may_have_left=True
            ),
            to_reps=reps_named(session, to_reps or (), to_team, at=at),
            policy=policy,
            leads=_conditions(where or ()),
            leaves=leaves,
            reason=reason_given(reason),
            actor=ACTOR,
        )
    with console.status("sharing out"):
        made = preview_handover(context, tenant_id, request)
    with context.store.write(tenant_id) as session:
        keep_handover(session, made)
        _print(session, made.handover.handover_id)


@app.command(name="list")
def list_(
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
) -> None:
    """Print handovers, the newest first."""
    context, tenant_id = opened()
    with context.store.read(tenant_id) as session:
        for one in stored.list_handovers(session, limit=limit):
            far = "previewed" if one.committed_at is None else "committed"
            far = far if one.undone_at is None else "undone"
            typer.echo(f"{one.handover_id} {far:<10} {one.policy:<12} {one.reason}")


@app.command()
def show(handover_id: HandoverId) -> None:
    """Print who gets which lead, what became of it, and why nobody can take some."""
    context, tenant_id = opened()
    with context.store.read(tenant_id) as session:
        _print(session, handover_id)


@app.command()
def commit(handover_id: HandoverId) -> None:
    """Move every lead that still can be moved; each one once."""
    context, tenant_id = opened()
    with console.status("moving leads"):
        done = commit_handover(context, tenant_id, handover_id, actor=ACTOR)
    typer.echo(_counted(done))


@app.command()
def undo(handover_id: HandoverId) -> None:
    """Give back every lead that has not closed or moved on since."""
    context, tenant_id = opened()
    with console.status("giving leads back"):
        done = undo_handover(context, tenant_id, handover_id, actor=ACTOR)
    typer.echo(_counted(done))


@app.command()
def settings(set_from: SetFrom = None) -> None:
    """Show how handovers and service reps are set, or set it."""
    print_settings(
        set_from,
        handover_in_force,
        lambda session, given, _: set_handover(session, given),
    )


def _print(session: ReadSession, handover_id: str) -> None:
    one = stored.read_handover(session, handover_id)
    typer.echo(f"handover {handover_id} by {one.policy}: {one.reason}")
    if one.fallback is not None:
        typer.echo(f"  the fallback policy answered: {one.fallback}")
    if one.undo_until is not None and one.undone_at is None:
        until = one.undo_until.isoformat(timespec="minutes")
        typer.echo(f"  can be undone until {until}")
    typer.echo(f"  {_counted(stored.count_lines(session, handover_id))}")
    typer.echo(f"{'lead':<38}{'from':<38}{'to':<38}state")
    for line in stored.read_lines(session, handover_id):
        why = f": {' '.join(line.why)}" if line.why else ""
        typer.echo(
            f"{line.lead_id:<38}{line.from_rep:<38}{line.to_rep or '':<38}"
            f"{line.state.value}{why}"
        )


def _counted(states: Mapping[MoveState, int]) -> str:
    return ", ".join(f"{count:,} {state.value}" for state, count in states.items())


def _conditions(where: Sequence[str]) -> dict[str, list[str]]:
    """Values by attribute.

    Raises:
        InvalidInput: One is not NAME=VALUE.
    """
    wanted: dict[str, list[str]] = defaultdict(list)
    for text in where:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InvalidInput(
                f"{text!r} is no condition.",
                field="--where",
                remedy="Write it as region=North.",
            )
        wanted[name].append(value)
    return dict(wanted)
