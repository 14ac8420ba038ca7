"""People who sign in to the pages: added, listed, let out and in, erased.

A password is never an argument: others on the machine could read it there.
"""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from rightrep.domain.ids import TenantId
from rightrep.domain.person import Person
from rightrep.domain.roles import Role
from rightrep.errors import InvalidInput
from rightrep.store import people, sign_ins
from rightrep.store.aliases import resolve_rep
from rightrep.store.erasure import scrub
from serving.commands.common import ACTOR, opened
from serving.usecases import people as use
from serving.usecases.context import Context

app = typer.Typer(help="People who sign in to the pages.", no_args_is_help=True)


class PasswordFrom(StrEnum):
    """Where a password comes from."""

    INITIAL = "initial"
    """Made here, printed once, and changed at the first sign-in."""
    ASK = "ask"
    """Typed here, unseen, twice."""
    STDIN = "stdin"
    """One line of standard input."""
    NONE = "none"
    """There is none: the person signs in through the OpenID provider."""


PersonArgument = Annotated[str, typer.Argument(help="Sign-in name, or our id.")]
PasswordOption = Annotated[
    PasswordFrom, typer.Option(help="Where the password comes from.")
]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What they type to sign in.")],
    role: Annotated[Role, typer.Option(help="What they may see.")],
    display: Annotated[str | None, typer.Option(help="What pages call them.")] = None,
    rep: Annotated[str | None, typer.Option(help="The rep, for role rep.")] = None,
    password: PasswordOption = PasswordFrom.INITIAL,
) -> None:
    """Add somebody, and print the password they begin with; it is shown once."""
    context, tenant_id = opened()
    secret = _secret(context, name, password)
    with context.store.write(tenant_id) as session:
        person = people.add_person(
            session,
            name,
            role=role,
            at=context.clock.now(),
            display_name=display,
            rep_id=None if rep is None else resolve_rep(session, rep),
        )
        if secret is not None:
            use.give(session, person.person_id, secret)
    _tell(person, secret)


@app.command(name="list")
def list_() -> None:
    """Print everybody who may sign in, and how."""
    context, tenant_id = opened()
    at = context.clock.now()
    with context.store.read(tenant_id) as session:
        found = people.list_people(session)
        present = {one.person_id for one in sign_ins.list_sign_ins(session, at=at)}
    typer.echo(f"{'id':<38}{'role':<10}{'signs in by':<20}{'state':<12}name")
    for person in found:
        state = "signed in" if person.person_id in present else ""
        state = "disabled" if person.disabled_at else state
        typer.echo(
            f"{person.person_id:<38}{person.role:<10}{_ways(person):<20}{state:<12}"
            f"{person.sign_in_name} ({person.display_name})"
        )


@app.command()
def disable(name: PersonArgument) -> None:
    """Let a person in no more; every sign-in of theirs ends at once."""
    context, tenant_id = opened()
    with context.store.write(tenant_id) as session:
        person = people.get_person(session, name)
        people.disable_person(session, person.person_id, at=context.clock.now())
    typer.echo(f"{person.sign_in_name} is out, and stays out until enabled.")


@app.command()
def enable(name: PersonArgument) -> None:
    """Let a person in again, and forget failed tries."""
    context, tenant_id = opened()
    with context.store.write(tenant_id) as session:
        person = people.get_person(session, name)
        people.enable_person(session, person.person_id)
    typer.echo(f"{person.sign_in_name} may sign in.")


@app.command()
def password(
    name: PersonArgument, password: PasswordOption = PasswordFrom.INITIAL
) -> None:
    """Give a person another password; every sign-in of theirs ends at once."""
    context, tenant_id = opened()
    person = _person(context, tenant_id, name)
    secret = _secret(context, person.sign_in_name, password)
    if secret is None:
        raise InvalidInput(
            "A password is not taken away.",
            field="--password",
            remedy="Disable the person instead: `rightrep people disable`.",
        )
    with context.store.write(tenant_id) as session:
        use.give(session, person.person_id, secret)
    _tell(person, secret)


@app.command()
def sessions(
    name: Annotated[str | None, typer.Argument(help="One person; else all.")] = None,
) -> None:
    """Print where people are signed in now."""
    context, tenant_id = opened()
    at = context.clock.now()
    one = None if name is None else _person(context, tenant_id, name).person_id
    with context.store.read(tenant_id) as session:
        names = {p.person_id: p.sign_in_name for p in people.list_people(session)}
        found = sign_ins.list_sign_ins(session, at=at, person_id=one)
    typer.echo(f"{'session':<38}{'since':<24}{'until':<24}name")
    for sign_in in found:
        since, until = (
            instant.isoformat(timespec="minutes")
            for instant in (sign_in.started_at, sign_in.ends_at)
        )
        name = names.get(sign_in.person_id, "")
        typer.echo(f"{sign_in.session_id:<38}{since:<24}{until:<24}{name}")


@app.command(name="end-session")
def end_session(
    session_id: Annotated[str, typer.Argument(help="As `sessions` prints it.")],
) -> None:
    """End one sign-in now."""
    context, tenant_id = opened()
    with context.store.write(tenant_id) as session:
        sign_ins.end_sign_in(session, session_id)
    typer.echo(f"{session_id} has ended.")


@app.command()
def erase(
    name: PersonArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a person; what they did stays in the logs under an id without a name."""
    context, tenant_id = opened()
    person = _person(context, tenant_id, name)
    if not yes:
        typer.confirm("This cannot be undone. Erase?", abort=True)
    with context.store.write(tenant_id) as session:
        people.erase_person(
            session, person.person_id, actor=ACTOR, at=context.clock.now()
        )
    scrub(context.store)
    typer.echo(f"Erased: {person.person_id}.")


def _person(context: Context, tenant_id: TenantId, name: str) -> Person:
    with context.store.read(tenant_id) as session:
        return people.get_person(session, name)


def _secret(context: Context, name: str, source: PasswordFrom) -> use.Secret | None:
    """The password from where it comes, hashed before any transaction begins."""
    if source is PasswordFrom.NONE:
        return None
    if source is PasswordFrom.INITIAL:
        return use.made(context)
    if source is PasswordFrom.STDIN:
        typed = sys.stdin.readline().rstrip("\r\n")
    else:
        typed = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return use.chosen(context, name, typed)


def _tell(person: Person, secret: use.Secret | None) -> None:
    typer.echo(f"{person.sign_in_name} may sign in as {person.role.value}.", err=True)
    if secret is not None and secret.initial_until is not None:
        until = secret.initial_until.isoformat(timespec="minutes")
        typer.echo(
            f"The password opens the page to change it, until {until}:", err=True
        )
        typer.echo(secret.text)


def _ways(person: Person) -> str:
    ways = []
    if person.has_password:
        ways.append("password" if person.initial_until is None else "first password")
    if person.subject is not None:
        ways.append("provider")
    return ", ".join(ways) or "–"
