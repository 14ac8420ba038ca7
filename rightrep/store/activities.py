"""Activities, and their notes in a table of their own, where they can be erased."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, select

from rightrep.domain.activity import Activity, ActivityKind
from rightrep.domain.ids import LeadId
from rightrep.errors import KeyReused
from rightrep.store.events import add_events, reused_ids
from rightrep.store.guard import of_tenant
from rightrep.store.leads import require_leads
from rightrep.store.schema import activities, notes
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of, batches, digest

_BODY = (
    "lead_id",
    "rep_id",
    "happened_at",
    "result",
    "score",
    "latitude",
    "longitude",
)


def record_activity(session: WriteSession, activity: Activity) -> bool:
    """Log one activity; a message seen before changes nothing.

    Returns:
        Whether it was new.

    Raises:
        NotFound: There is no such lead.
        KeyReused: The id is known with another body.
    """
    return record_activities(session, [activity])[0]


def record_activities(session: WriteSession, told: Sequence[Activity]) -> list[bool]:
    """Log activities; messages seen before change nothing.

    Returns:
        Whether each was new.

    Raises:
        NotFound: There is no such lead.
        KeyReused: An id is known with another body.
    """
    require_leads(session, (activity.lead_id for activity in told))
    new = add_events(session, activities, [_row(activity) for activity in told])
    written = [
        {"event_id": a.event_id, "lead_id": a.lead_id, "note": a.note}
        for a, is_new in zip(told, new, strict=True)
        if is_new and a.note is not None
    ]
    for batch in batches(written):
        session.execute(session.insert(notes), batch)
    _compare_notes(
        session, [a for a, is_new in zip(told, new, strict=True) if not is_new]
    )
    return new


def reused_activities(session: WriteSession, told: Sequence[Activity]) -> set[str]:
    """Event ids of these activities that are known with another body."""
    return reused_ids(session, activities, [_row(activity) for activity in told])


def list_activities(session: ReadSession, lead_id: LeadId) -> list[Activity]:
    """What happened with a lead, newest first; erased notes are None."""
    return [
        Activity(
            **{name: row[name] for name in (*_BODY, "event_id", "recorded_at", "note")},
            kind=ActivityKind(row["kind"]),
        )
        for row in session.execute(_OF_LEAD, {"lead_id": lead_id}).mappings()
    ]


def _row(activity: Activity) -> dict[str, Any]:
    body = {name: getattr(activity, name) for name in _BODY}
    body["kind"] = activity.kind.value
    # The note stays out of the hash: what is erased must not be guessed from it.
    return {
        **body,
        "event_id": activity.event_id,
        "recorded_at": activity.recorded_at,
        "digest": digest(body),
    }


def _compare_notes(session: WriteSession, again: Sequence[Activity]) -> None:
    """Refuse another note under a known id, as long as the first one is kept."""
    for batch in batches(again):
        ids = {"ids": [activity.event_id for activity in batch]}
        known = {row.event_id: row.note for row in session.execute(_NOTES, ids)}
        for activity in batch:
            first = known.get(activity.event_id)
            if None not in (first, activity.note) and first != activity.note:
                raise KeyReused(activity.event_id)


_NOTES = select(notes.c.event_id, notes.c.note).where(
    of_tenant(notes), notes.c.event_id.in_(any_of("ids"))
)
_OF_LEAD = (
    select(activities, notes.c.note)
    .outerjoin_from(
        activities,
        notes,
        (notes.c.tenant_id == activities.c.tenant_id)
        & (notes.c.event_id == activities.c.event_id),
    )
    .where(of_tenant(activities), activities.c.lead_id == bindparam("lead_id"))
    .order_by(activities.c.happened_at.desc(), activities.c.event_id.desc())
)
