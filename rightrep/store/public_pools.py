"""Leads without owner: who is in a public pool since when, and who had them before."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    Integer,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    true,
)

from rightrep.domain.days import day_bounds
from rightrep.domain.decision import Cause
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.lead import LeadKind
from rightrep.domain.ownership import OwnershipKind
from rightrep.store.aliases import RecordKind
from rightrep.store.guard import of_tenant
from rightrep.store.private_pools import groups_of
from rightrep.store.schema import (
    decisions,
    leads,
    merges,
    outcomes,
    ownership,
    ownership_events,
)
from rightrep.store.session import ReadSession
from rightrep.store.sets import any_of, batches
from rightrep.store.types import UtcDateTime

PAGE = 1_000


def free_leads(
    session: ReadSession, *, kind: LeadKind | None = None, after: str = ""
) -> Iterator[list[LeadId]]:
    """Open leads without owner in the order of their ids, by the page.

    Leads that were merged away, or are closed, are in no pool.

    Args:
        session: Where to read.
        kind: Leads, or work orders, which have an index of their own; None is both.
        after: Ids up to this one are left out.
    """
    statement = _FREE[kind]
    while True:
        found = session.execute(statement, {"after": after, "limit": PAGE}).all()
        yield [LeadId(row.lead_id) for row in found]
        if len(found) < PAGE:
            return
        after = found[-1].lead_id


def former_owners(
    session: ReadSession, lead_ids: Iterable[LeadId]
) -> dict[LeadId, dict[RepId, datetime]]:
    """Every rep who owned a lead and does no more, and when each last ceased to.

    However they lost it; what was undone never happened. A lead that others were merged
    into has their former owners too.
    """
    groups = groups_of(session, list(lead_ids))
    root = {member: lead for lead, members in groups.items() for member in members}
    found: dict[LeadId, dict[RepId, datetime]] = {lead_id: {} for lead_id in groups}
    for batch in batches(list(root)):
        for row in session.execute(_FORMER, {"ids": list(batch)}):
            lost = found[root[row.lead_id]]
            lost[row.previous_owner] = max(
                row.lost_at, lost.get(row.previous_owner, row.lost_at)
            )
    return found


def claims_on(
    session: ReadSession, rep_id: RepId, day: date, zone: str
) -> dict[str, int]:
    """Leads a rep claimed on a local day, by pool.

    Args:
        session: Where to read; exact once the rep's load is locked.
        rep_id: The rep.
        day: Day of the tenant's zone.
        zone: That zone.
    """
    start, end = day_bounds(day, zone)
    asked = {"rep_id": rep_id, "start": start, "end": end}
    return {row.rule: row.claimed for row in session.execute(_CLAIMED, asked)}


def _free(kind: LeadKind | None) -> "Select[Any]":
    # Spelled out: an index of tickets alone is no use to a parameter.
    mine = leads.c.kind == literal_column(f"'{kind}'") if kind else true()
    later = outcomes.alias()
    replaced = select(later.c.event_id).where(
        of_tenant(later), later.c.replaces == outcomes.c.event_id
    )
    closed = select(outcomes.c.event_id).where(
        of_tenant(outcomes), outcomes.c.lead_id == leads.c.lead_id, ~replaced.exists()
    )
    merged = select(merges.c.merge_id).where(
        of_tenant(merges),
        merges.c.kind == RecordKind.LEAD.value,
        merges.c.merged_id == leads.c.lead_id,
        merges.c.undone_at.is_(None),
    )
    same = and_(
        ownership.c.tenant_id == leads.c.tenant_id,
        ownership.c.lead_id == leads.c.lead_id,
    )
    return (
        select(leads.c.lead_id)
        .outerjoin_from(leads, ownership, same)
        .where(
            of_tenant(leads),
            mine,
            leads.c.lead_id > bindparam("after"),
            ownership.c.owner.is_(None),
            ~closed.exists(),
            ~merged.exists(),
        )
        .order_by(leads.c.lead_id)
        .limit(bindparam("limit", type_=Integer()))
    )


_FREE = {kind: _free(kind) for kind in (None, *LeadKind)}
_FORMER = (
    select(
        ownership_events.c.lead_id,
        ownership_events.c.previous_owner,
        func.max(ownership_events.c.happened_at, type_=UtcDateTime()).label("lost_at"),
    )
    .where(
        of_tenant(ownership_events),
        ownership_events.c.lead_id.in_(any_of("ids")),
        ownership_events.c.previous_owner.is_not(None),
        or_(
            ownership_events.c.owner.is_(None),
            ownership_events.c.owner != ownership_events.c.previous_owner,
        ),
        ownership_events.c.kind != OwnershipKind.MERGED.value,
        ownership_events.c.kind != OwnershipKind.UNDONE.value,
    )
    .group_by(ownership_events.c.lead_id, ownership_events.c.previous_owner)
)
_CLAIMED = (
    select(decisions.c.rule, func.count().label("claimed"))
    .where(
        of_tenant(decisions),
        decisions.c.rep_id == bindparam("rep_id"),
        decisions.c.decided_at >= bindparam("start", type_=UtcDateTime()),
        decisions.c.decided_at < bindparam("end", type_=UtcDateTime()),
        decisions.c.cause == Cause.CLAIM.value,
    )
    .group_by(decisions.c.rule)
)
