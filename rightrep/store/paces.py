"""How long decisions about leads took to their first touch and to their end."""

from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import ScalarSelect, Select, and_, bindparam, func, select

from rightrep.store.arrow import TEXT, TIME, read_table
from rightrep.store.followup import NOT_FOLLOWED_UP
from rightrep.store.guard import of_tenant
from rightrep.store.kinds import only_leads
from rightrep.store.layouts import Types
from rightrep.store.schema import activities, decisions, outcomes
from rightrep.store.session import ReadSession


def first_touches(
    session: ReadSession, *, first: datetime, before: datetime
) -> pa.Table:
    """When the decisions of a span were touched first; none about work orders.

    Args:
        session: Where to read.
        first: First instant of the span.
        before: First instant after it.

    Returns:
        ``rep_id``, ``decided_at`` and ``at``: the first follow-up of that rep with the
        lead, null while there is none.
    """
    return read_table(session, _TOUCHES, _TYPES, {"first": first, "before": before})


def first_ends(session: ReadSession, *, first: datetime, before: datetime) -> pa.Table:
    """When the leads of a span's decisions ended; none about work orders.

    Args:
        session: Where to read.
        first: First instant of the span.
        before: First instant after it.

    Returns:
        ``rep_id``, ``decided_at`` and ``at``: won or lost, corrections applied, null
        while it is open.
    """
    return read_table(session, _ENDS, _TYPES, {"first": first, "before": before})


_TYPES: Types = {"rep_id": TEXT, "decided_at": TIME, "at": TIME}
_FIRST, _BEFORE = (
    bindparam(name, type_=decisions.c.decided_at.type) for name in ("first", "before")
)
_LATER = outcomes.alias()
_TOUCHED_AT = (
    select(func.min(activities.c.happened_at))
    .where(
        of_tenant(activities),
        activities.c.lead_id == decisions.c.lead_id,
        activities.c.rep_id == decisions.c.rep_id,
        activities.c.happened_at >= decisions.c.decided_at,
        *(activities.c.kind != kind.value for kind in NOT_FOLLOWED_UP),
    )
    .scalar_subquery()
)
_REPLACED = select(_LATER.c.event_id).where(
    of_tenant(_LATER), _LATER.c.replaces == outcomes.c.event_id
)
_CLOSED_AT = (
    select(func.min(outcomes.c.closed_at))
    .where(
        of_tenant(outcomes),
        and_(
            outcomes.c.lead_id == decisions.c.lead_id,
            outcomes.c.closed_at >= decisions.c.decided_at,
        ),
        ~_REPLACED.exists(),
    )
    .scalar_subquery()
)


def _times(at: "ScalarSelect[datetime]") -> "Select[Any]":
    return select(decisions.c.rep_id, decisions.c.decided_at, at.label("at")).where(
        of_tenant(decisions),
        decisions.c.decided_at >= _FIRST,
        decisions.c.decided_at < _BEFORE,
        only_leads(decisions.c.lead_id),
    )


_TOUCHES, _ENDS = _times(_TOUCHED_AT), _times(_CLOSED_AT)
