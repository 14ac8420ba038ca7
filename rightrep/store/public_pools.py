"""Leads without owner: who is in a public pool since when, and who had them before."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
)

from rightrep.domain.days import day_bounds
from rightrep.domain.decision import Cause
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.lead import LeadAttributes, LeadKind, Scalar
from rightrep.domain.ownership import OwnershipKind
from rightrep.domain.pools import Pool, is_own
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
from rightrep.store.versions import known_then

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
    yield from _pages(session, _FREE[kind], {}, after, PAGE)


def free_leads_in(
    session: ReadSession,
    pools: Sequence[Pool],
    place: int,
    *,
    as_of: datetime,
    after: str = "",
    page: int = PAGE,
) -> Iterator[list[LeadId]]:
    """Open leads without owner that may be in a pool, in the order of their ids.

    What the database can tell by a lead's columns is left out here, so that a page of a
    small pool does not read the leads of the others; ``domain.pools`` tells the rest,
    the tenant's own fields.

    Args:
        session: Where to read.
        pools: From ``domain.pools.in_order``.
        place: Index of the pool.
        as_of: Attributes are those of then.
        after: Ids up to this one are left out.
        page: Leads of a page; positive.
    """
    mine = _may_be_in(pools, place)
    statement = _FREE[pools[place].kind].where(*mine)
    yield from _pages(session, statement, {"as_of": as_of}, after, page)


def _pages(
    session: ReadSession,
    statement: "Select[Any]",
    asked: Mapping[str, Any],
    after: str,
    page: int,
) -> Iterator[list[LeadId]]:
    while True:
        limits = {"after": after, "limit": page}
        found = session.execute(statement, {**asked, **limits}).all()
        yield [LeadId(row.lead_id) for row in found]
        if len(found) < page:
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


def _may_be_in(pools: Sequence[Pool], place: int) -> "list[ColumnElement[bool]]":
    """What a lead's columns have to be for a pool.

    A pool that is asked before takes a lead for sure only if no own field is asked for.
    """
    mine = pools[place]
    columns = {name: one for name, one in mine.leads.items() if not is_own(name)}
    return [_meets(columns)] + [
        not_(_meets(pool.leads))
        for pool in pools[:place]
        if pool.kind is mine.kind and not any(map(is_own, pool.leads))
    ]


def _meets(conditions: Mapping[str, Sequence[Scalar]]) -> "ColumnElement[bool]":
    """That columns have these values; never unknown, so that it can be negated."""
    met: list[ColumnElement[bool]] = [true()]
    for name, values in conditions.items():
        column = _known(name)
        texts = [value for value in values if isinstance(value, str)]
        given = func.coalesce(column.in_(texts), false())
        met.append(or_(given, column.is_(None)) if None in values else given)
    return and_(*met)


def _known(name: str) -> "ColumnElement[Any]":
    """An attribute of a lead as it was known then."""
    # It names the owner's row, so that SQLite looks only at leads without owner: of
    # 200,000 leads that is a twentieth.
    lead_id = func.coalesce(ownership.c.lead_id, leads.c.lead_id)
    told = known_then(name, lead_id, leads, ownership)
    return (
        func.coalesce(told, LeadAttributes().stage.value) if name == "stage" else told
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
