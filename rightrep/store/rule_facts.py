"""What rules and policies over time ask of the past: who served, who won, and when.

Each is one query over many leads or the whole roster, as of an instant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    func,
    null,
    select,
    union_all,
)

from rightrep.domain.activity import ActivityKind
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.lead import LeadKind
from rightrep.domain.outcome import RESULTS, Result
from rightrep.store import schema
from rightrep.store.guard import of_tenant
from rightrep.store.kinds import TICKETS, of_kind
from rightrep.store.session import ReadSession
from rightrep.store.sets import any_of, batches
from rightrep.store.versions import known_then


@dataclass(frozen=True, slots=True)
class Judged:
    """How a rep's leads of one segment closed.

    Attributes:
        rep_id: The rep.
        value: The segment, as the leads have it; None where it is not known.
        won: Leads won.
        judged: Leads won or lost.
    """

    rep_id: RepId
    value: str | None
    won: int
    judged: int


def served_before(
    session: ReadSession, lead_ids: Sequence[LeadId], *, as_of: datetime
) -> dict[LeadId, RepId]:
    """The rep who was last given another lead of each lead's customer.

    Of a work order, it is who was given another work order. Leads of new customers, and
    those whose customer is not known, are left out.
    """
    found: dict[LeadId, RepId] = {}
    for batch in batches(lead_ids):
        wanted = {"ids": list(batch), "as_of": as_of}
        for row in session.execute(_SERVED, wanted):
            found[row.lead_id] = row.owner
    return found


def last_survey_scores(
    session: ReadSession, lead_ids: Sequence[LeadId], *, as_of: datetime
) -> dict[LeadId, float]:
    """The last survey score of each lead's customer; never asked, left out."""
    found: dict[LeadId, float] = {}
    for batch in batches(lead_ids):
        wanted = {"ids": list(batch), "as_of": as_of}
        for row in session.execute(_SURVEYED, wanted):
            found[row.lead_id] = row.score
    return found


def count_judged(
    session: ReadSession, segment: str | None, *, as_of: datetime
) -> list[Judged]:
    """Leads won and lost by rep and by the value of a lead's attribute.

    Args:
        session: Where to read.
        segment: A column of ``lead_versions``; None takes all leads together.
        as_of: What was known then; corrected outcomes count as corrected.
    """
    rows = session.execute(_judged(segment), {"as_of": as_of})
    return [Judged(row.rep_id, row.value, row.won, row.judged) for row in rows]


def given_on_days(
    session: ReadSession, first: date, last: date, *, only: LeadKind | None = None
) -> dict[tuple[RepId, date], int]:
    """Leads each rep was given on each local day from ``first`` to ``last``.

    Args:
        session: Where to read.
        first: The first day.
        last: The last day.
        only: Leads of this kind; None is of any.
    """
    rows = session.execute(_GIVEN, {"first": first, "last": last})
    return {
        (row.rep_id, row.local_day): of_kind(row.taken, row.tickets, only)
        for row in rows
    }


def held_at(
    session: ReadSession, as_of: datetime, *, only: LeadKind | None = None
) -> dict[RepId, int]:
    """Open leads each rep owned at an instant; reps without any are left out.

    Args:
        session: Where to read.
        as_of: The instant.
        only: Leads of this kind; None is of any.
    """
    rows = session.execute(_HELD, {"as_of": as_of})
    held = {row.owner: of_kind(row.held, row.tickets, only) for row in rows}
    return {owner: count for owner, count in held.items() if count}


def last_given_at(session: ReadSession, as_of: datetime) -> dict[RepId, datetime]:
    """When each rep was last given a lead, up to an instant."""
    rows = session.execute(_LAST_GIVEN, {"as_of": as_of})
    return {row.owner: row.given_at for row in rows}


def leads_created(
    session: ReadSession,
    start: datetime,
    end: datetime,
    *,
    limit: int,
    kind: LeadKind = LeadKind.LEAD,
) -> list[tuple[LeadId, datetime]]:
    """Leads of a kind made in [start, end), oldest first, merged ones left out."""
    asked = {"start": start, "end": end, "limit": limit, "kind": kind.value}
    rows = session.execute(_CREATED, asked)
    return [(row.lead_id, row.created_at) for row in rows]


def _at(column: "Column[Any]", name: str = "as_of") -> "ColumnElement[Any]":
    return bindparam(name, type_=column.type)


def _related(*, same_kind: bool) -> "Select[Any]":
    """Every lead of the customers of the leads named by ``ids``, their own as well."""
    asked, other = schema.leads.alias("asked"), schema.leads.alias("other")
    own = select(asked.c.lead_id, asked.c.lead_id.label("other_id")).where(
        of_tenant(asked), asked.c.lead_id.in_(any_of("ids"))
    )
    others = (
        select(asked.c.lead_id, other.c.lead_id)
        .join_from(
            asked,
            other,
            and_(
                other.c.tenant_id == asked.c.tenant_id,
                other.c.customer_id == asked.c.customer_id,
                other.c.lead_id != asked.c.lead_id,
                *([other.c.kind == asked.c.kind] if same_kind else []),
            ),
        )
        .where(of_tenant(asked), asked.c.lead_id.in_(any_of("ids")))
    )
    return select(union_all(own, others).subquery())


def _served() -> "Select[Any]":
    related, events = _related(same_kind=True).subquery(), schema.ownership_events
    rank = func.row_number().over(
        partition_by=related.c.lead_id,
        order_by=(events.c.happened_at.desc(), events.c.event_id.desc()),
    )
    ranked = (
        select(related.c.lead_id, events.c.owner, rank.label("rank"))
        .join_from(related, events, events.c.lead_id == related.c.other_id)
        .where(
            of_tenant(events),
            related.c.lead_id != related.c.other_id,
            events.c.owner.is_not(None),
            events.c.happened_at <= _at(events.c.happened_at),
        )
        .subquery()
    )
    return select(ranked.c.lead_id, ranked.c.owner).where(ranked.c.rank == 1)


def _surveyed() -> "Select[Any]":
    related, told = _related(same_kind=False).subquery(), schema.activities
    rank = func.row_number().over(
        partition_by=related.c.lead_id,
        order_by=(told.c.happened_at.desc(), told.c.event_id.desc()),
    )
    ranked = (
        select(related.c.lead_id, told.c.score, rank.label("rank"))
        .join_from(related, told, told.c.lead_id == related.c.other_id)
        .where(
            of_tenant(told),
            told.c.kind == ActivityKind.SURVEY.value,
            told.c.score.is_not(None),
            told.c.happened_at <= _at(told.c.happened_at),
            told.c.recorded_at <= _at(told.c.recorded_at),
        )
        .subquery()
    )
    return select(ranked.c.lead_id, ranked.c.score).where(ranked.c.rank == 1)


def _judged(segment: str | None) -> "Select[Any]":
    """Standing outcomes, each by the rep of its decision, else by the owner."""
    told, later = schema.outcomes, schema.outcomes.alias("later")
    made, owned = schema.decisions, schema.ownership
    rep_id = func.coalesce(made.c.rep_id, owned.c.owner)
    joined = (
        told.outerjoin(
            later,
            and_(
                later.c.tenant_id == told.c.tenant_id,
                later.c.replaces == told.c.event_id,
                later.c.recorded_at <= _at(later.c.recorded_at),
            ),
        )
        .outerjoin(
            made,
            and_(
                made.c.tenant_id == told.c.tenant_id,
                made.c.decision_id == told.c.decision_id,
            ),
        )
        .outerjoin(
            owned,
            and_(
                owned.c.tenant_id == told.c.tenant_id,
                owned.c.lead_id == told.c.lead_id,
            ),
        )
    )
    value: ColumnElement[Any] = null()
    if segment is not None:
        value = known_then(segment, told.c.lead_id, told)
    judged = (
        select(
            rep_id.label("rep_id"),
            value.label("value"),
            case((told.c.result == Result.WON.value, 1), else_=0).label("won"),
        )
        .select_from(joined)
        .where(
            of_tenant(told),
            told.c.result.in_([result.value for result in RESULTS[LeadKind.LEAD]]),
            later.c.event_id.is_(None),
            told.c.closed_at <= _at(told.c.closed_at),
            told.c.recorded_at <= _at(told.c.recorded_at),
            rep_id.is_not(None),
        )
        .subquery()
    )
    return select(
        judged.c.rep_id,
        judged.c.value,
        func.sum(judged.c.won).label("won"),
        func.count().label("judged"),
    ).group_by(judged.c.rep_id, judged.c.value)


def _held() -> "Select[Any]":
    events = schema.ownership_events
    rank = func.row_number().over(
        partition_by=events.c.lead_id,
        order_by=(events.c.happened_at.desc(), events.c.revision.desc()),
    )
    is_ticket = case((events.c.lead_id.in_(TICKETS), 1), else_=0)
    ranked = (
        select(
            events.c.owner,
            events.c.holding,
            is_ticket.label("is_ticket"),
            rank.label("rank"),
        )
        .where(of_tenant(events), events.c.happened_at <= _at(events.c.happened_at))
        .subquery()
    )
    return (
        select(
            ranked.c.owner,
            func.count().label("held"),
            func.sum(ranked.c.is_ticket).label("tickets"),
        )
        .where(ranked.c.rank == 1, ranked.c.holding, ranked.c.owner.is_not(None))
        .group_by(ranked.c.owner)
    )


def _created() -> "Select[Any]":
    leads, merges = schema.leads, schema.merges
    merged = select(merges.c.merged_id).where(
        of_tenant(merges), merges.c.kind == "lead", merges.c.undone_at.is_(None)
    )
    return (
        select(leads.c.lead_id, leads.c.created_at)
        .where(
            of_tenant(leads),
            leads.c.kind == bindparam("kind"),
            leads.c.created_at >= _at(leads.c.created_at, "start"),
            leads.c.created_at < _at(leads.c.created_at, "end"),
            leads.c.lead_id.not_in(merged),
        )
        .order_by(leads.c.created_at, leads.c.lead_id)
        .limit(bindparam("limit"))
    )


_SERVED, _SURVEYED, _HELD, _CREATED = _served(), _surveyed(), _held(), _created()
_GIVEN = select(
    schema.rep_day.c.rep_id,
    schema.rep_day.c.local_day,
    schema.rep_day.c.taken,
    schema.rep_day.c.tickets,
).where(
    of_tenant(schema.rep_day),
    schema.rep_day.c.local_day >= _at(schema.rep_day.c.local_day, "first"),
    schema.rep_day.c.local_day <= _at(schema.rep_day.c.local_day, "last"),
)
_LAST_GIVEN = (
    select(
        schema.ownership_events.c.owner,
        func.max(schema.ownership_events.c.happened_at).label("given_at"),
    )
    .where(
        of_tenant(schema.ownership_events),
        schema.ownership_events.c.owner.is_not(None),
        schema.ownership_events.c.kind.not_in(("merged", "undone", "closed", "shared")),
        schema.ownership_events.c.happened_at
        <= _at(schema.ownership_events.c.happened_at),
    )
    .group_by(schema.ownership_events.c.owner)
)
