"""What several commands need."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from rightrep.clock import Clock, FixedClock
from rightrep.domain.days import day_bounds
from rightrep.domain.ids import TenantId
from rightrep.domain.tenant import Tenant
from rightrep.errors import InvalidInput
from rightrep.settings import Settings
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.tenants import get_tenant
from serving.stamp import Stamp
from serving.usecases.context import Context
from serving.usecases.tenancy import prepare_store

ACTOR = "terminal"
"""Who asked, in what is logged."""

console = Console(stderr=True)
"""Where progress goes; answers go to standard output."""


SetFrom = Annotated[
    Path | None,
    typer.Option("--set", help="Put the settings of this JSON file in force."),
]


def opened(clock: Clock | None = None) -> tuple[Context, TenantId]:
    """The parts of this process, with the database up to date and its tenant there."""
    context = Context.of(Settings(), clock)
    return context, prepare_store(context)


@contextmanager
def writing() -> Iterator[tuple[WriteSession, Stamp]]:
    """One change, asked for at the terminal now."""
    context, tenant_id = opened()
    with context.store.write(tenant_id) as session:
        yield session, Stamp(at=context.clock.now(), actor=ACTOR)


def tenant_of(context: Context, tenant_id: TenantId) -> Tenant:
    """The tenant that the terminal acts for."""
    with context.store.read(tenant_id) as session:
        return get_tenant(session)


def instant(text: str, zone: str) -> datetime:
    """An instant as people write it: a day means its last moment.

    Args:
        text: ``2017-09-30`` or RFC 3339.
        zone: Zone of a day, and of a time that names none.

    Raises:
        InvalidInput: It is neither.
    """
    try:
        if len(text) == len("2017-09-30"):
            end = day_bounds(date.fromisoformat(text), zone)[1]
            return end - timedelta(microseconds=1)
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"{text!r} is no time.",
            remedy="Write it as 2017-09-30 or 2017-09-30T18:00:00+08:00.",
        ) from None
    if at.tzinfo is None:
        start = day_bounds(at.date(), zone)[0]
        at = start + (at - datetime.combine(at.date(), time()))
    return at.astimezone(UTC)


def clock_at(text: str | None, zone: str) -> Clock | None:
    """A clock that stands at this time; None, the real one, without."""
    return None if text is None else FixedClock(instant(text, zone))


def json_object(path: Path, option: str) -> dict[str, object]:
    """The JSON object that a file holds.

    Args:
        path: The file.
        option: The option it was given by, for the sentence when it is none.

    Raises:
        InvalidInput: It cannot be read, or holds something else.
    """
    try:
        given = orjson.loads(path.read_bytes())
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be read: {error.strerror}.", field=option
        ) from error
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"{path} is no JSON: {error}.", field=option) from error
    if not isinstance(given, dict):
        raise InvalidInput(f"{path} must hold one JSON object.", field=option)
    return given


def reason_given(text: str) -> str:
    """A reason that says something.

    Raises:
        InvalidInput: It does not.
    """
    if not text.strip():
        raise InvalidInput("Say why.", field="--reason")
    return text


def print_json(told: object) -> None:
    """Print what programs may read too."""
    typer.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())


def print_settings(
    set_from: Path | None,
    in_force: Callable[[ReadSession], dict[str, Any]],
    put: Callable[[WriteSession, dict[str, object], Stamp], dict[str, Any]],
) -> None:
    """Print settings in force, those of a file once they are where one is given.

    Args:
        set_from: The file, or None.
        in_force: Reads the settings.
        put: Puts them in force, and gives them back with their defaults.

    Raises:
        InvalidInput: The file holds no settings, or they make no sense.
    """
    if set_from is None:
        context, tenant_id = opened()
        with context.store.read(tenant_id) as session:
            told = in_force(session)
    else:
        given = json_object(set_from, "--set")
        with writing() as (changing, stamp):
            told = put(changing, given, stamp)
    print_json(told)
