"""What several commands need."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import orjson
from rich.console import Console

from rightrep.clock import Clock, FixedClock
from rightrep.domain.days import day_bounds
from rightrep.domain.ids import TenantId
from rightrep.domain.tenant import Tenant
from rightrep.errors import InvalidInput
from rightrep.settings import Settings
from rightrep.store.tenants import get_tenant
from serving.usecases.context import Context
from serving.usecases.tenancy import prepare_store

ACTOR = "terminal"
"""Who asked, in what is logged."""

console = Console(stderr=True)
"""Where progress goes; answers go to standard output."""


def opened(clock: Clock | None = None) -> tuple[Context, TenantId]:
    """The parts of this process, with the database up to date and its tenant there."""
    context = Context.of(Settings(), clock)
    return context, prepare_store(context)


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
