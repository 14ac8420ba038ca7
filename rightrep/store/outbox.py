"""The outbox: events, written with the change they tell of, and their deliveries.

An event and one open delivery per endpoint that wants it are written in the
transaction of the change, so nothing is told that did not happen, and nothing that
happened is left untold. A sender claims what is due, sends it, and says how it went;
one that dies leaves its claim to run out. So every event arrives at least once, perhaps
twice, in no fixed order; receivers tell by the event's id.

Attribute names are those of CloudEvents 1.0. Data carries pseudonymous ids only.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    delete,
    exists,
    insert,
    select,
    update,
)

from rightrep.domain.event import (
    RETRIES,
    Delivery,
    DeliveryState,
    DeliveryStatus,
    Event,
)
from rightrep.domain.ids import TenantId, new_id
from rightrep.errors import Conflict
from rightrep.store.endpoints import live_endpoints, read_endpoint
from rightrep.store.guard import of_tenant
from rightrep.store.rows import add_made
from rightrep.store.schema_ops import deliveries, events, webhook_endpoints
from rightrep.store.session import ReadSession, SystemSession, WriteSession


def emit(
    session: WriteSession,
    type: str,  # noqa: A002 - CloudEvents calls it so
    data: Mapping[str, Any],
    *,
    at: datetime,
    subject: str | None = None,
) -> Event:
    """Tell of a change, in its transaction; see ``emit_all``."""
    event = Event(event_id=new_id(at), type=type, subject=subject, time=at, data=data)
    emit_all(session, [event], at=at)
    return event


def emit_all(session: WriteSession, told: Sequence[Event], *, at: datetime) -> None:
    """Tell of changes, in their transaction.

    Args:
        session: The transaction of the changes.
        told: The events.
        at: From when they may be sent.
    """
    if not told:
        return
    rows = [{name: getattr(event, name) for name in Event.__slots__} for event in told]
    add_made(session, events, rows)
    due = [
        _open(endpoint.endpoint_id, event.event_id, at)
        for endpoint in live_endpoints(session)
        for event in told
        if endpoint.wants(event.type)
    ]
    if due:
        session.execute(_SEND, due)


def was_told(session: ReadSession, type: str, subject: str) -> bool:  # noqa: A002 - as above
    """Whether an event of this type about this subject was written and is kept."""
    query = select(events.c.event_id).where(
        of_tenant(events), events.c.type == type, events.c.subject == subject
    )
    return session.execute(query.limit(1)).first() is not None


def claim_deliveries(
    session: SystemSession, *, at: datetime, claim_for: timedelta, limit: int
) -> list[Delivery]:
    """Take deliveries that are due, of any tenant, the longest due first.

    Args:
        session: Its own transaction, ended before anything is sent.
        at: Now.
        claim_for: How long nobody else may take them; longer than sending takes.
        limit: At most so many.
    """
    rows = session.execute(_due(at).limit(limit)).mappings().all()
    for row in rows:
        taking = {"attempts": row["attempts"] + 1, "due_at": at + claim_for}
        session.execute(update(deliveries).where(_same(row)).values(taking))
    return [_delivery(row, at) for row in rows]


def mark_delivered(
    session: WriteSession, sent: Delivery, *, at: datetime, answer: int
) -> None:
    """Say that the event arrived, even if another try has begun meanwhile.

    Args:
        session: Any transaction.
        sent: What was sent.
        at: Now.
        answer: HTTP status code of the receiver.
    """
    arrived = {
        "state": DeliveryState.DELIVERED,
        "due_at": None,
        "answer": answer,
        "error": None,
        "delivered_at": at,
    }
    # A replay counts from 0 again: what arrived before it was asked for is no answer.
    not_replayed = deliveries.c.attempts >= sent.attempt
    session.execute(update(deliveries).where(*_of(sent), not_replayed).values(arrived))


def mark_failed(
    session: WriteSession,
    sent: Delivery,
    *,
    at: datetime,
    error: str,
    answer: int | None = None,
) -> DeliveryState:
    """Say that the try failed: the next one is scheduled, or the delivery is dead.

    It changes nothing when another try has begun, or succeeded, meanwhile.

    Args:
        session: Any transaction.
        sent: What was sent.
        at: Now.
        error: Why, in a sentence.
        answer: HTTP status code of the receiver, when there was one.

    Returns:
        Open when it is tried again, else dead.
    """
    is_last = sent.attempt > len(RETRIES)
    state = DeliveryState.DEAD if is_last else DeliveryState.OPEN
    due_at = None if is_last else at + RETRIES[sent.attempt - 1]
    failed = {"state": state, "due_at": due_at, "answer": answer, "error": error}
    same_try = (
        deliveries.c.state == DeliveryState.OPEN,
        deliveries.c.attempts == sent.attempt,
    )
    session.execute(update(deliveries).where(*_of(sent), *same_try).values(failed))
    return state


def replay(
    session: WriteSession,
    endpoint_id: str,
    *,
    since: datetime,
    until: datetime,
    at: datetime,
) -> int:
    """Send an endpoint again what happened in [since, until), as far as it wants it.

    Events from before the endpoint was added, and dead deliveries, are sent too.

    Returns:
        How many are due now.

    Raises:
        NotFound: No such endpoint.
        Conflict: It is disabled.
    """
    endpoint = read_endpoint(session, endpoint_id)
    if endpoint.disabled_at is not None:
        raise Conflict(f"Endpoint {endpoint_id} is disabled; enable it first.")
    query = select(events.c.event_id, events.c.type).where(
        of_tenant(events), events.c.time >= since, events.c.time < until
    )
    rows = [
        _open(endpoint_id, row.event_id, at)
        for row in session.execute(query)
        if endpoint.wants(row.type)
    ]
    again = {"state": DeliveryState.OPEN, "attempts": 0, "due_at": at}
    sending = session.insert(deliveries).on_conflict_do_update(
        index_elements=["tenant_id", "endpoint_id", "event_id"],
        set_=again | {"answer": None, "error": None, "delivered_at": None},
    )
    if rows:
        session.execute(sending, rows)
    return len(rows)


def list_deliveries(
    session: ReadSession,
    endpoint_id: str,
    *,
    state: DeliveryState | None = None,
    limit: int = 100,
) -> list[DeliveryStatus]:
    """How deliveries to an endpoint are going, the newest event first."""
    same = and_(
        events.c.tenant_id == deliveries.c.tenant_id,
        events.c.event_id == deliveries.c.event_id,
    )
    shown = (n for n in DeliveryStatus.__slots__ if n not in ("event_id", "type"))
    query = (
        select(events.c.event_id, events.c.type, *(deliveries.c[n] for n in shown))
        .join_from(deliveries, events, same)
        .where(of_tenant(deliveries), deliveries.c.endpoint_id == endpoint_id)
        .order_by(events.c.time.desc(), events.c.event_id.desc())
        .limit(limit)
    )
    if state is not None:
        query = query.where(deliveries.c.state == state)
    return [
        DeliveryStatus(**{**row, "state": DeliveryState(row["state"])})
        for row in session.execute(query).mappings()
    ]


def purge_events(session: WriteSession, *, before: datetime) -> int:
    """Remove events older than an instant that nobody waits for; returns how many."""
    mine = and_(
        deliveries.c.tenant_id == events.c.tenant_id,
        deliveries.c.event_id == events.c.event_id,
    )
    waiting = exists().where(mine, deliveries.c.state == DeliveryState.OPEN)
    old = and_(of_tenant(events), events.c.time < before, ~waiting)
    gone = select(events.c.event_id).where(old)
    told = of_tenant(deliveries), deliveries.c.event_id.in_(gone)
    session.execute(delete(deliveries).where(*told))
    return session.execute(delete(events).where(old)).rowcount


def _open(endpoint_id: str, event_id: str, at: datetime) -> dict[str, Any]:
    return {
        "endpoint_id": endpoint_id,
        "event_id": event_id,
        "state": DeliveryState.OPEN,
        "due_at": at,
        "attempts": 0,
    }


def _of(sent: Delivery) -> tuple[ColumnElement[bool], ...]:
    return (
        of_tenant(deliveries),
        deliveries.c.endpoint_id == sent.endpoint_id,
        deliveries.c.event_id == sent.event.event_id,
    )


def _same(row: RowMapping) -> ColumnElement[bool]:
    names = ("tenant_id", "endpoint_id", "event_id")
    return and_(*(deliveries.c[name] == row[name] for name in names))


def _due(at: datetime) -> "Select[Any]":
    """What is due; on PostgreSQL, of what no other sender is looking at."""
    to_endpoint = and_(
        webhook_endpoints.c.tenant_id == deliveries.c.tenant_id,
        webhook_endpoints.c.endpoint_id == deliveries.c.endpoint_id,
    )
    to_event = and_(
        events.c.tenant_id == deliveries.c.tenant_id,
        events.c.event_id == deliveries.c.event_id,
    )
    shown = (events.c[name] for name in Event.__slots__)
    address = (
        webhook_endpoints.c[name]
        for name in ("endpoint_id", "url", "secret", "previous_secret")
    )
    until = webhook_endpoints.c.previous_secret_until
    return (
        select(deliveries.c.tenant_id, deliveries.c.attempts, until, *shown, *address)
        .join_from(deliveries, webhook_endpoints, to_endpoint)
        .join(events, to_event)
        .where(deliveries.c.due_at <= at, webhook_endpoints.c.disabled_at.is_(None))
        .order_by(deliveries.c.due_at)
        .with_for_update(skip_locked=True, of=deliveries)
    )


def _delivery(row: RowMapping, at: datetime) -> Delivery:
    until = row["previous_secret_until"]
    secrets: tuple[str, ...] = (row["secret"],)
    if until is not None and until > at:
        secrets = (row["secret"], row["previous_secret"])
    return Delivery(
        tenant_id=TenantId(row["tenant_id"]),
        endpoint_id=row["endpoint_id"],
        url=row["url"],
        secrets=secrets,
        event=Event(**{name: row[name] for name in Event.__slots__}),
        attempt=row["attempts"] + 1,
    )


_SEND = insert(deliveries)
