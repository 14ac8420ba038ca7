"""Dated remarks: on which day an owner wants to be reminded of what was said.

The text is the note of a note activity under the same id, where it is erased with the
person's other notes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, Row, bindparam, select, update

from rightrep.domain.activity import Activity
from rightrep.domain.ids import LeadId, RepId
from rightrep.store.activities import record_activity
from rightrep.store.aliases import RecordKind, resolve_many
from rightrep.store.guard import of_tenant
from rightrep.store.private_pools import groups_of
from rightrep.store.rows import insert_new
from rightrep.store.schema import notes, outcomes
from rightrep.store.schema_followup import remarks
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import any_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Remark:
    """What was said of a lead, and when to come back to it.

    Attributes:
        remark_id: Id of the activity that holds the text.
        lead_id: The lead.
        remind_on: The day of the reminder.
        made_at: When it was written down; aware UTC.
        text: The words; None once they are erased.
        told_at: When the reminder was told, or None.
        told_to: The owner who was told, or None.
    """

    remark_id: str
    lead_id: LeadId
    remind_on: date
    made_at: datetime
    text: str | None = None
    told_at: datetime | None = None
    told_to: RepId | None = None


def add_remark(
    session: WriteSession, said: Activity, *, remind_on: date, actor: str
) -> bool:
    """Keep a remark, and the activity that it is.

    Args:
        session: Where to write.
        said: The activity with the text.
        remind_on: The day of the reminder.
        actor: Who wrote it down.

    Returns:
        Whether it was new.

    Raises:
        NotFound: There is no such lead.
        KeyReused: The id is known with another body.
    """
    record_activity(session, said)
    row = {
        "event_id": said.event_id,
        "lead_id": said.lead_id,
        "remind_on": remind_on,
        "actor": actor,
        "made_at": said.recorded_at,
    }
    return bool(insert_new(session, remarks, [row]))


def list_remarks(session: ReadSession, lead_id: LeadId) -> list[Remark]:
    """Dated remarks of a lead, and of those merged into it, by day."""
    members = groups_of(session, [lead_id])[lead_id]
    return [_remark(row) for row in session.execute(_OF_LEADS, {"ids": members})]


def remarks_due(session: ReadSession, until: date) -> list[Remark]:
    """Remarks not told yet, of leads neither won nor lost, up to a day.

    A merged lead's remark is about the survivor.
    """
    found = [_remark(row) for row in session.execute(_DUE, {"until": until})]
    standing = resolve_many(
        session, RecordKind.LEAD, sorted({one.lead_id for one in found})
    )
    return [
        Remark(
            remark_id=one.remark_id,
            lead_id=LeadId(standing.get(one.lead_id, one.lead_id)),
            remind_on=one.remind_on,
            made_at=one.made_at,
        )
        for one in found
    ]


def mark_told(
    session: WriteSession, told: Sequence[tuple[str, RepId]], at: datetime
) -> set[str]:
    """Mark remarks as told to owners; gives those that were not told before."""
    ours: set[str] = set()
    for remark_id, rep_id in told:
        marked = session.execute(_MARK, {"own": remark_id, "to": rep_id, "now": at})
        ours |= set(marked.scalars())
    return ours


def _remark(row: Row[Any]) -> Remark:
    return Remark(
        remark_id=row.event_id,
        lead_id=LeadId(row.lead_id),
        remind_on=row.remind_on,
        made_at=row.made_at,
        text=row.note,
        told_at=row.told_at,
        told_to=None if row.told_to is None else RepId(row.told_to),
    )


_EVERY = (
    select(remarks, notes.c.note)
    .outerjoin_from(
        remarks,
        notes,
        (notes.c.tenant_id == remarks.c.tenant_id)
        & (notes.c.event_id == remarks.c.event_id),
    )
    .where(of_tenant(remarks))
    .order_by(remarks.c.remind_on, remarks.c.event_id)
)
_LATER = outcomes.alias()
_REPLACED = select(_LATER.c.event_id).where(
    of_tenant(_LATER), _LATER.c.replaces == outcomes.c.event_id
)
_CLOSED = select(outcomes.c.event_id).where(
    of_tenant(outcomes), outcomes.c.lead_id == remarks.c.lead_id, ~_REPLACED.exists()
)
_OF_LEADS = _EVERY.where(remarks.c.lead_id.in_(any_of("ids")))
_DUE = _EVERY.where(
    remarks.c.told_at.is_(None),
    remarks.c.remind_on <= bindparam("until", type_=Date()),
    ~_CLOSED.exists(),
)
_MARK = (
    update(remarks)
    .where(
        of_tenant(remarks),
        remarks.c.event_id == bindparam("own"),
        remarks.c.told_at.is_(None),
    )
    .values(
        told_at=bindparam("now", type_=remarks.c.told_at.type), told_to=bindparam("to")
    )
    .returning(remarks.c.event_id)
)
