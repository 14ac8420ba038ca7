"""Dated remarks: written down, and told to whoever has the lead on that day."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from rightrep.domain.activity import Activity, ActivityKind
from rightrep.domain.days import local_day
from rightrep.domain.event import Event
from rightrep.domain.followup import WorkTime, remind_from
from rightrep.domain.ids import LeadId, RepId, TenantId, new_id
from rightrep.errors import InvalidInput
from rightrep.store import outbox, ownership, remarks
from rightrep.store.session import WriteSession
from rightrep.store.tenants import get_tenant
from serving.usecases.context import Context

DUE = "rightrep.remark.due"


def make_remark(
    session: WriteSession,
    lead_id: LeadId,
    text: str,
    remind_on: date,
    *,
    rep_id: RepId | None,
    at: datetime,
    actor: str,
) -> str:
    """Write down what was said of a lead and when to come back to it.

    Args:
        session: Where to write.
        lead_id: The lead.
        text: The words; personal.
        remind_on: Today or later, by the tenant's days.
        rep_id: The rep who heard it, or None.
        at: Now.
        actor: Who writes it down.

    Returns:
        The remark's id.

    Raises:
        NotFound: There is no such lead.
        InvalidInput: The day has passed, or nothing is said.
    """
    if remind_on < local_day(at, get_tenant(session).time_zone):
        raise InvalidInput(
            "The day of the reminder has passed.",
            field="remind_on",
            remedy="Give today or a later day.",
        )
    if not text.strip():
        raise InvalidInput("The remark is empty.", field="text")
    said = Activity(
        event_id=new_id(at),
        kind=ActivityKind.NOTE,
        lead_id=lead_id,
        rep_id=rep_id,
        happened_at=at,
        recorded_at=at,
        note=text,
    )
    remarks.add_remark(session, said, remind_on=remind_on, actor=actor)
    return said.event_id


def tell_due(
    context: Context,
    tenant_id: TenantId,
    works: Mapping[RepId, WorkTime],
    at: datetime,
) -> int:
    """Tell owners of remarks whose day has come, once they work; each once.

    A lead without owner waits for one.

    Returns:
        Remarks told.
    """
    with context.store.write(tenant_id) as session:
        # A day begins up to 14 hours earlier elsewhere than in the tenant's zone.
        until = local_day(at, get_tenant(session).time_zone) + timedelta(days=1)
        found = remarks.remarks_due(session, until)
        owners = ownership.get_owners(session, {one.lead_id for one in found})
        due = {
            one.remark_id: (one, owned.owner)
            for one in found
            if (owned := owners.get(one.lead_id)) is not None
            and owned.owner in works
            and remind_from(one.remind_on, works[owned.owner]) <= at
        }
        ours = remarks.mark_told(
            session, [(own, owner) for own, (_, owner) in due.items()], at
        )
        told = [
            Event(
                event_id=new_id(at),
                type=DUE,
                subject=one.lead_id,
                time=at,
                data={
                    "remark_id": one.remark_id,
                    "lead_id": one.lead_id,
                    "rep_id": owner,
                    "remind_on": one.remind_on.isoformat(),
                },
            )
            for one, owner in due.values()
            if one.remark_id in ours
        ]
        outbox.emit_all(session, told, at=at)
    return len(told)
