"""Owners that a leads file tells, as the ownership events that brought them about."""

from bisect import bisect_right, insort
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rightrep.domain.ids import LeadId, RepId, derived_id
from rightrep.domain.ownership import OwnershipEvent, OwnershipKind
from rightrep.store.ownership import add_ownership_events, get_events_of
from rightrep.store.session import WriteSession
from serving.usecases.import_run import ACTOR, Run


@dataclass(frozen=True, slots=True)
class ToldOwner:
    """Who has a lead, as one row says.

    Attributes:
        at: Since when the row is true; aware UTC.
        owner: The rep, or None when the row names none.
        closed: Whether the row says that the lead is won or lost.
        left: Whether the row before it in the file named an owner and this one, which
            dates itself, names none: the owner gave the lead back. An empty cell alone
            says nothing.
    """

    at: datetime
    owner: RepId | None
    closed: bool
    left: bool


class OwnerHistory:
    """Who had each lead when, as far as is known; grows as more is told."""

    def __init__(self, session: WriteSession, lead_ids: Iterable[LeadId]) -> None:
        """Read what happened to these leads."""
        self._events = get_events_of(session, dict.fromkeys(lead_ids))
        for events in self._events.values():
            events.sort(key=_when)

    def state(self, lead_id: LeadId, at: datetime) -> tuple[RepId | None, bool]:
        """Who had a lead at an instant, and whether it was closed."""
        events = self._events.get(lead_id, [])
        place = bisect_right(events, at, key=_when)
        if not place:
            return None, False
        return events[place - 1].owner, events[place - 1].kind is OwnershipKind.CLOSED

    def add(self, event: OwnershipEvent) -> None:
        """Take in one more event."""
        insort(self._events.setdefault(event.lead_id, []), event, key=_when)


def tell_owners(
    session: WriteSession,
    told: Mapping[LeadId, Sequence[ToldOwner]],
    known: Container[LeadId],
    run: Run,
) -> set[LeadId]:
    """Log the changes of owner that rows tell; what is known already adds nothing.

    Args:
        session: Where to write.
        told: Rows of each lead; leads of which no row names an owner may be left out.
        known: Leads that were there before; nothing has happened to others.
        run: The import.

    Returns:
        Leads of which an owner was news.
    """
    history = OwnerHistory(session, [lead for lead in told if lead in known])
    events = [
        event
        for lead_id, rows in told.items()
        for row in sorted(rows, key=lambda row: row.at)
        for event in _events(lead_id, row, history, run)
    ]
    add_ownership_events(session, events)
    return {event.lead_id for event in events}


def _events(
    lead_id: LeadId, row: ToldOwner, history: OwnerHistory, run: Run
) -> Iterator[OwnershipEvent]:
    before, is_closed = history.state(lead_id, row.at)
    for kind, owner in _steps(row, before, is_closed=is_closed):
        event = OwnershipEvent(
            event_id=derived_id(row.at, f"{lead_id} {kind} {owner}"),
            lead_id=lead_id,
            kind=kind,
            owner=owner,
            previous_owner=before,
            decision_id=None,
            cause=f"told by {run.source}",
            actor=ACTOR,
            happened_at=row.at,
        )
        history.add(event)
        before = owner
        yield event


def _steps(
    row: ToldOwner, owner: RepId | None, *, is_closed: bool
) -> Iterator[tuple[OwnershipKind, RepId | None]]:
    if row.owner is not None and row.owner != owner:
        kind = OwnershipKind.TRANSFERRED if owner else OwnershipKind.ASSIGNED
        owner = row.owner
        yield kind, owner
    if row.left and not row.closed and owner is not None:
        yield OwnershipKind.DROPPED, None
        owner = None
    if row.closed and not is_closed and owner is not None:
        yield OwnershipKind.CLOSED, owner


def _when(event: OwnershipEvent) -> datetime:
    return event.happened_at
