"""Webhook endpoints: who wants to be told of what, and the secret to sign with.

The secret is kept as it is, since signing needs it (Standard Webhooks, HMAC-SHA256). It
is shown when it is made, and given to the sender with each delivery.
"""

import secrets
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import RowMapping, Select, insert, select, update

from rightrep.domain.event import DeliveryState
from rightrep.domain.ids import new_id
from rightrep.errors import NotFound
from rightrep.store.guard import of_tenant
from rightrep.store.schema_ops import deliveries
from rightrep.store.schema_ops import webhook_endpoints as endpoints
from rightrep.store.session import ReadSession, WriteSession

_SECRET_BYTES = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """An address that wants to be told, without its secret.

    Attributes:
        endpoint_id: Our id.
        url: Where to send.
        types: Types of events it wants; empty means all.
        created_at: When it was added.
        disabled_at: Since when nothing is sent, or None.
        disabled_because: Why, in a sentence, or None.
    """

    endpoint_id: str
    url: str
    types: Sequence[str]
    created_at: datetime
    disabled_at: datetime | None
    disabled_because: str | None

    def wants(self, type: str) -> bool:  # noqa: A002 - CloudEvents calls it so
        """Whether events of this type are sent to it."""
        return not self.types or type in self.types


class NewEndpoint(NamedTuple):
    """An endpoint just added."""

    endpoint: Endpoint
    secret: str
    """What the receiver verifies with: ``whsec_`` and base64."""


def add_endpoint(
    session: WriteSession, url: str, *, types: Sequence[str] = (), at: datetime
) -> NewEndpoint:
    """Tell an address from now on.

    Args:
        session: Whose.
        url: Where to send; checked by the caller.
        types: Types of events; all when not given.
        at: Now.
    """
    endpoint = Endpoint(
        endpoint_id=new_id(at),
        url=url,
        types=tuple(types),
        created_at=at,
        disabled_at=None,
        disabled_because=None,
    )
    secret = _new_secret()
    row = {name: getattr(endpoint, name) for name in Endpoint.__slots__}
    stored = row | {"types": list(types), "secret": secret}
    session.execute(insert(endpoints), stored)
    return NewEndpoint(endpoint, secret)


def rotate_secret(
    session: WriteSession, endpoint_id: str, *, at: datetime, overlap: timedelta
) -> str:
    """Make a new secret; for a while deliveries are signed with both.

    Raises:
        NotFound: No such endpoint.
    """
    secret = _new_secret()
    values = {
        "secret": secret,
        "previous_secret": endpoints.c.secret,
        "previous_secret_until": at + overlap,
    }
    _change(session, endpoint_id, values)
    return secret


def disable_endpoint(
    session: WriteSession, endpoint_id: str, *, at: datetime, because: str
) -> None:
    """Send nothing more to it; what was on its way is dead until replayed.

    Raises:
        NotFound: No such endpoint.
    """
    values = {"disabled_at": at, "disabled_because": because}
    _change(session, endpoint_id, values)
    on_its_way = (
        of_tenant(deliveries),
        deliveries.c.endpoint_id == endpoint_id,
        deliveries.c.state == DeliveryState.OPEN,
    )
    dead = {"state": DeliveryState.DEAD, "due_at": None, "error": because}
    session.execute(update(deliveries).where(*on_its_way).values(dead))


def enable_endpoint(session: WriteSession, endpoint_id: str) -> None:
    """Send to it again, from the next event on.

    Raises:
        NotFound: No such endpoint.
    """
    _change(session, endpoint_id, {"disabled_at": None, "disabled_because": None})


def read_endpoint(session: ReadSession, endpoint_id: str) -> Endpoint:
    """One endpoint.

    Raises:
        NotFound: No such endpoint.
    """
    query = _own().where(endpoints.c.endpoint_id == endpoint_id)
    row = session.execute(query).mappings().first()
    if row is None:
        raise NotFound("endpoint", endpoint_id)
    return _endpoint(row)


def list_endpoints(session: ReadSession) -> list[Endpoint]:
    """All of the tenant's, oldest first."""
    query = _own().order_by(endpoints.c.created_at, endpoints.c.endpoint_id)
    return [_endpoint(row) for row in session.execute(query).mappings()]


def live_endpoints(session: ReadSession) -> list[Endpoint]:
    """Those of the tenant that are sent to."""
    return [_endpoint(row) for row in session.execute(_LIVE).mappings()]


def _new_secret() -> str:
    return f"whsec_{b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}"


def _own() -> "Select[Any]":
    shown = (endpoints.c[name] for name in Endpoint.__slots__)
    return select(*shown).where(of_tenant(endpoints))


_LIVE = _own().where(endpoints.c.disabled_at.is_(None))


def _endpoint(row: RowMapping) -> Endpoint:
    return Endpoint(**{**row, "types": tuple(row["types"])})


def _change(session: WriteSession, endpoint_id: str, values: dict[str, Any]) -> None:
    mine = of_tenant(endpoints), endpoints.c.endpoint_id == endpoint_id
    if session.execute(update(endpoints).where(*mine).values(values)).rowcount == 0:
        raise NotFound("endpoint", endpoint_id)
