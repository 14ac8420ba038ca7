"""Routing rules: kept from a file, tried, put in force, rolled back, compared."""

from datetime import date
from pathlib import Path
from typing import Annotated

import orjson
import typer

from rightrep.domain.lead import LeadKind
from rightrep.domain.rule_sets import Change, RuleSet
from rightrep.errors import InvalidInput
from rightrep.store.rules import list_rule_sets, read_rule_set, rules_in_force
from serving.commands.common import opened, print_json, writing
from serving.rule_models import RuleIn, read_rules, rule_set_of
from serving.usecases import rules
from serving.usecases.rules_dry_run import MOST_LEADS, DryRun, dry_run

app = typer.Typer(help="Routing rules of the tenant.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="A JSON file: a list of rules.")]
Version = Annotated[int, typer.Argument(min=1, help="A version of the rule set.")]
Why = Annotated[str, typer.Option(help="Why, for whoever looks at it later.")]


@app.command()
def add(file: File, reason: Why) -> None:
    """Keep the rules of a file as a new version; it is not in force yet."""
    given = _read(file)
    with writing() as (session, stamp):
        version = rules.keep_rules(session, given, reason=reason, **stamp)
    typer.echo(f"Version {version} is kept; `rightrep rules publish {version}` next.")


@app.command(name="list")
def list_() -> None:
    """Print every version, the newest first; the one in force has a star."""
    context, tenant_id = opened()
    with context.store.read(tenant_id) as session:
        present = rules_in_force(session)
        found = list_rule_sets(session)
    typer.echo(f"{'version':<9}{'rules':>5}  {'created':<18}{'by':<38}reason")
    for kept in found:
        star = "*" if present is not None and present.version == kept.version else ""
        typer.echo(
            f"{f'{kept.version}{star}':<9}{len(kept.rules):>5}  "
            f"{kept.created_at:%Y-%m-%d %H:%M}  {kept.actor:<38}{kept.reason}"
        )


@app.command()
def show(version: Version) -> None:
    """Print the rules of a version as JSON, as `rules add` takes them."""
    context, tenant_id = opened()
    with context.store.read(tenant_id) as session:
        kept = read_rule_set(session, version)
    print_json(list(kept.rules))


@app.command()
def diff(
    version: Version,
    against: Annotated[
        int | None, typer.Option(min=1, help="Version; the one in force without.")
    ] = None,
) -> None:
    """Print what a version changes, rule by rule."""
    context, tenant_id = opened()
    with context.store.read(tenant_id) as session:
        after = read_rule_set(session, version)
        before = (
            rules_in_force(session)
            if against is None
            else read_rule_set(session, against)
        )
    for one in rules.differences(before, after):
        if one.change is not Change.SAME:
            typer.echo(f"{one.change.value:<9}{one.name}")


@app.command()
def publish(version: Version, reason: Why) -> None:
    """Route by a version from now on."""
    with writing() as (session, stamp):
        rules.publish_rules(session, version, reason=reason, **stamp)
    typer.echo(f"Version {version} is in force.")


@app.command()
def rollback(reason: Why) -> None:
    """Put the version in force that was before the present one."""
    with writing() as (session, stamp):
        version = rules.restore_rules(session, reason=reason, **stamp)
    typer.echo(f"Version {version} is in force.")


@app.command(name="dry-run")
def dry_run_(
    first: Annotated[str, typer.Argument(help="First local day: 2026-03-01.")],
    last: Annotated[str | None, typer.Argument(help="Last one.")] = None,
    file: Annotated[Path | None, typer.Option(help="Rules of a JSON file.")] = None,
    version: Annotated[int | None, typer.Option(help="Or a kept version.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST_LEADS)] = 500,
    kind: Annotated[
        LeadKind, typer.Option(help="Leads, or work orders.")
    ] = LeadKind.LEAD,
) -> None:
    """Try rules on the leads of past days; nothing is written."""
    sent = None if file is None else _read(file)
    context, tenant_id = opened()
    with context.store.read(tenant_id) as session:
        present = rules.rule_set_in_force(session)
        tried = present
        if sent is not None:
            checked = rules.checked(session, sent)
            tried = RuleSet(tuple(rule.to_domain() for rule in checked))
        elif version is not None:
            kept = read_rule_set(session, version)
            tried = rule_set_of(kept.version, kept.rules)
    if tried is None:
        raise InvalidInput(
            "There are no rules to try.", remedy="Give --file or --version."
        )
    from_day = _day(first)
    until = from_day if last is None else _day(last)
    found = dry_run(
        context,
        tenant_id,
        tried,
        present,
        first=from_day,
        last=until,
        limit=limit,
        kind=kind,
    )
    _print(found, has_present=present is not None)


def _print(found: DryRun, *, has_present: bool) -> None:
    typer.echo(f"{len(found.lines)} leads came on those days.")
    if found.is_cut:
        typer.echo("There were more; the first ones were tried.")
    if found.fallback:
        typer.echo(f"The fallback policy answered: {found.fallback}.")
    for fate, count in found.fates.items():
        typer.echo(f"  {fate.value:<14}{count:>7}")
    for title, counts in (("rule", found.by_rule), ("rep", found.by_rep)):
        typer.echo(title)
        for name, count in counts.items():
            typer.echo(f"  {count:>7}  {name}")
    if has_present:
        typer.echo(f"{found.changed} fare otherwise than under the rules in force.")


def _read(file: Path) -> list[RuleIn]:
    try:
        given = orjson.loads(file.read_bytes())
    except OSError as error:
        raise InvalidInput(
            f"{file} cannot be read: {error.strerror}.", field="file"
        ) from None
    except orjson.JSONDecodeError as error:
        raise InvalidInput(
            f"{file} is no JSON: line {error.lineno}, column {error.colno}.",
            field="file",
            remedy="Write a list of rules.",
        ) from None
    return read_rules(given)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            "That is no day.", field="first", remedy="Write it as 2026-03-01."
        ) from None
