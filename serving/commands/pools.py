"""Pools from the terminal: settings, leads, claims, and the clock."""

from pathlib import Path
from typing import Annotated

import typer

from rightrep.domain.claims import SENTENCES
from rightrep.domain.pools import Pool
from rightrep.store import pools as stored
from rightrep.store.aliases import resolve_lead, resolve_rep
from rightrep.store.tenants import get_tenant
from serving.commands.common import (
    ACTOR,
    console,
    instant,
    json_object,
    opened,
    print_json,
    reason_given,
    writing,
)
from serving.usecases import pools, sharing
from serving.usecases.pool_claims import claim as claim_leads
from serving.usecases.pool_recycling import recycle as run_recycling
from serving.usecases.pool_views import (
    coming_drops,
    private_view,
    public_leads,
    team,
)

app = typer.Typer(
    help="Public and private pools: settings, claims, drops.", no_args_is_help=True
)

Lead = Annotated[str, typer.Argument(help="The lead: our id or the CRM's.")]
Rep = Annotated[str, typer.Option(help="The rep: our id or the CRM's.")]
Reason = Annotated[str, typer.Option(help="Why, in your words.")]


@app.command(name="list")
def list_() -> None:
    """Print every public pool with its settings, in the order they are asked."""
    context, tenant_id = opened()
    with context.store.read(tenant_id) as session:
        found = {pool.pool: pool.to_json() for pool in stored.pools_in_force(session)}
    print_json(found)


@app.command(name="set")
def set_(
    pool: Annotated[str, typer.Argument(help="Name of the pool.")],
    file: Annotated[Path, typer.Option(help="JSON file with all its settings.")],
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "",
) -> None:
    """Make a pool, or put new settings in force."""
    made = Pool.of(pool, json_object(file, "--file"))
    with writing() as (session, stamp):
        version = pools.change_pool(session, made, reason=reason, **stamp)
    typer.echo(f"{pool}: version {version} is in force")


@app.command()
def remove(
    pool: Annotated[str, typer.Argument(help="Name of the pool.")],
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "",
) -> None:
    """Take a pool away; its leads are in the next one whose conditions hold."""
    with writing() as (session, stamp):
        pools.remove_pool(session, pool, reason=reason, **stamp)
    typer.echo(f"{pool} is taken away")


@app.command()
def leads(
    pool: Annotated[str, typer.Argument(help="Name of the pool.")],
    rep: Annotated[
        str | None, typer.Option(help="Say what this rep may claim.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
) -> None:
    """Print the leads in a public pool."""
    context, tenant_id = opened()
    with context.store.read(tenant_id) as session:
        found = public_leads(
            session,
            pool,
            at=context.clock.now(),
            rep_id=None if rep is None else resolve_rep(session, rep),
            limit=limit,
        )
    typer.echo(f"{'lead':<38}{'in the pool since':<27}obstacle")
    for one in found:
        why = "" if one.left_out is None else SENTENCES[one.left_out.obstacle]
        since = one.entered_at.isoformat(timespec="minutes")
        typer.echo(f"{one.lead.lead_id:<38}{since:<27}{why}")


@app.command()
def owned(
    rep: Annotated[str | None, typer.Option(help="Of this rep.")] = None,
    of_team: Annotated[
        str | None, typer.Option("--team", help="Of every rep of this team.")
    ] = None,
) -> None:
    """Print who has which lead, and when it drops back."""
    context, tenant_id = opened()
    at = context.clock.now()
    with context.store.read(tenant_id) as session:
        whose = [resolve_rep(session, rep)] if rep else team(session, of_team, at=at)
        found = private_view(session, whose, at=at)
    typer.echo(f"{'lead':<38}{'owner':<38}{'since':<27}drops")
    for one in found:
        when = "" if one.drops_at is None else one.drops_at.isoformat("T", "minutes")
        drops = "locked" if one.locked else when
        since = one.received_at.isoformat(timespec="minutes")
        typer.echo(f"{one.lead_id:<38}{one.owner:<38}{since:<27}{drops}")


@app.command()
def warnings(
    rep: Annotated[str | None, typer.Option(help="Of this rep.")] = None,
    of_team: Annotated[
        str | None, typer.Option("--team", help="Of every rep of this team.")
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=0, help="So far ahead; else as each pool says.")
    ] = None,
) -> None:
    """Print exactly what will drop back if nothing happens."""
    context, tenant_id = opened()
    at = context.clock.now()
    with context.store.read(tenant_id) as session:
        whose = [resolve_rep(session, rep)] if rep else team(session, of_team, at=at)
        found = coming_drops(session, whose, at=at, days=days)
    typer.echo(f"{'lead':<38}{'owner':<38}{'drops':<27}why")
    for drop in found:
        when = drop.drops_at.isoformat(timespec="minutes")
        why = drop.reason.name.lower().replace("_", " ")
        typer.echo(f"{drop.lead_id:<38}{drop.owner:<38}{when:<27}{why}")


@app.command()
def claim(
    leads: Annotated[list[str], typer.Argument(help="Leads to take.")],
    rep: Rep,
    atomic: Annotated[bool, typer.Option(help="All of them or none.")] = False,
) -> None:
    """Take leads from public pools for a rep."""
    with writing() as (session, stamp):
        done = claim_leads(
            session,
            resolve_rep(session, rep),
            [resolve_lead(session, name) for name in leads],
            **stamp,
            atomic=atomic,
        )
    for made in done.made:
        typer.echo(f"{made.lead_id}  claimed from {made.rule}")
    for one in done.left_out:
        typer.echo(f"{one.lead_id}  {SENTENCES[one.obstacle]}")


@app.command()
def drop(lead: Lead, reason: Reason) -> None:
    """Give a lead back to its public pool."""
    with writing() as (session, stamp):
        before = pools.drop(
            session,
            resolve_lead(session, lead),
            held_by=None,
            reason=reason_given(reason),
            **stamp,
        )
    typer.echo(f"taken from {before}")


@app.command()
def assign(lead: Lead, rep: Rep) -> None:
    """Give a lead without owner to a rep by hand."""
    with writing() as (session, stamp):
        made = pools.assign(
            session,
            resolve_lead(session, lead),
            resolve_rep(session, rep),
            **stamp,
        )
    typer.echo(f"given to {made.rep_id}")


@app.command()
def transfer(lead: Lead, rep: Rep, reason: Reason) -> None:
    """Hand an owned lead over to another rep."""
    with writing() as (session, stamp):
        made = pools.transfer(
            session,
            resolve_lead(session, lead),
            resolve_rep(session, rep),
            held_by=None,
            reason=reason_given(reason),
            **stamp,
        )
    typer.echo(f"given to {made.rep_id}")


@app.command()
def lock(lead: Lead, reason: Reason) -> None:
    """Keep a lead with its owner whatever the clock says."""
    with writing() as (session, stamp):
        pools.lock(
            session,
            resolve_lead(session, lead),
            reason=reason_given(reason),
            **stamp,
        )
    typer.echo("locked")


@app.command()
def unlock(lead: Lead) -> None:
    """Let the clock run again."""
    with writing() as (session, stamp):
        was_locked = pools.unlock(session, resolve_lead(session, lead), at=stamp["at"])
    typer.echo("unlocked" if was_locked else "was not locked")


@app.command()
def share(
    lead: Lead,
    rep: Rep,
    until: Annotated[str, typer.Option(help="A day, its end; or an instant.")],
    reason: Reason,
) -> None:
    """Let another rep see a lead for a time; its owner stays the owner."""
    with writing() as (session, stamp):
        made = sharing.share(
            session,
            resolve_lead(session, lead),
            resolve_rep(session, rep),
            held_by=None,
            ends_at=instant(until, get_tenant(session).time_zone),
            reason=reason_given(reason),
            **stamp,
        )
    typer.echo(f"share {made.share_id} until {made.ends_at.isoformat('T', 'minutes')}")


@app.command()
def unshare(
    share_id: Annotated[str, typer.Argument(help="As `pools share` prints it.")],
) -> None:
    """End a share now."""
    with writing() as (session, stamp):
        sharing.revoke(session, share_id, held_by=None, **stamp)
    typer.echo("ended")


@app.command()
def recycle() -> None:
    """Look at every owned lead now: what is due drops back, what is coming is told."""
    context, tenant_id = opened()
    with console.status("recycling"):
        done = run_recycling(context, tenant_id, actor=ACTOR)
    typer.echo(
        f"{done.looked_at:,} leads looked at: {done.dropped:,} dropped, "
        f"{done.warned:,} warned of, {done.passed_on:,} passed on"
    )
    if done.unscored is not None:
        typer.echo(f"untouched leads stay where they are: {done.unscored}")
