"""Leads that came in a span of time, and what became of them."""

from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa
from sqlalchemy import ColumnElement, and_, bindparam, case, func, select

from rightrep.domain.lead import LeadKind, Stage
from rightrep.store import schema
from rightrep.store.aliases import RecordKind
from rightrep.store.arrow import INT, TEXT, TIME, read_table
from rightrep.store.bulk import in_currency
from rightrep.store.guard import of_tenant
from rightrep.store.layouts import OUTCOME, Types
from rightrep.store.rates import get_rates
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant

OPEN_STAGES = tuple(stage for stage in Stage if stage not in (Stage.WON, Stage.LOST))
"""Stages that a lead goes through, earliest first."""


class Cohort(NamedTuple):
    """Leads of one span; duplicates that were merged into another lead left out.

    Attributes:
        leads: ``lead_id``, ``created_at``, ``channel`` and ``campaign`` as known last,
            ``furthest``: how many of ``OPEN_STAGES`` any word about it passed by.
        outcomes: How they closed, corrected ones too: ``event_id``, ``lead_id``,
            ``result``, ``closed_at``, ``recorded_at``, ``value`` (major units of the
            tenant's currency, null where no rate is known), ``value_currency``,
            ``replaces``.
    """

    leads: pa.Table
    outcomes: pa.Table


def read_cohort(session: ReadSession, *, first: datetime, before: datetime) -> Cohort:
    """Leads created in a span, as known now; work orders are none.

    Args:
        session: Where to read, in one snapshot.
        first: First instant of the span.
        before: First instant after it, and the present one.

    Raises:
        NotFound: The tenant was never made.
    """
    span = {"first": first, "before": before}
    outcomes = read_table(session, _OUTCOMES, _TOLD, span)
    rates = get_rates(session, get_tenant(session).currency)
    stated = outcomes["value_currency"]
    outcomes = in_currency(outcomes, "value", "closed_at", rates)
    return Cohort(
        read_table(session, _LEADS, _KNOWN, span),
        outcomes.append_column("value_currency", stated),
    )


_KNOWN: Types = {
    "lead_id": TEXT,
    "created_at": TIME,
    "channel": TEXT,
    "campaign": TEXT,
    "furthest": INT,
}
_TOLD: Types = {name: kind for name, kind in OUTCOME.items() if name != "decision_id"}
_FIRST, _BEFORE = (
    bindparam(name, type_=schema.leads.c.created_at.type)
    for name in ("first", "before")
)


def _came() -> "ColumnElement[bool]":
    """Leads of the span that stand for themselves."""
    merged = select(schema.merges.c.merged_id).where(
        of_tenant(schema.merges),
        schema.merges.c.kind == RecordKind.LEAD.value,
        schema.merges.c.undone_at.is_(None),
    )
    return and_(
        of_tenant(schema.leads),
        schema.leads.c.kind == LeadKind.LEAD.value,
        schema.leads.c.created_at >= _FIRST,
        schema.leads.c.created_at < _BEFORE,
        schema.leads.c.lead_id.not_in(merged),
    )


_TOLD_OF = schema.lead_versions.c
_OF_LEAD = and_(
    of_tenant(schema.lead_versions),
    _TOLD_OF.lead_id == schema.leads.c.lead_id,
    _TOLD_OF.valid_from < _BEFORE,
)
_PASSED = case(
    {stage.value: place for place, stage in enumerate(OPEN_STAGES)}
    | {Stage.WON.value: len(OPEN_STAGES) - 1},
    value=_TOLD_OF.stage,
    else_=0,
)
_FURTHEST = select(func.coalesce(func.max(_PASSED), 0)).where(_OF_LEAD)


def _last(name: str) -> "ColumnElement[Any]":
    """What was said last of each lead."""
    newest = select(_TOLD_OF[name]).where(_OF_LEAD)
    newest = newest.order_by(_TOLD_OF.valid_from.desc(), _TOLD_OF.recorded_at.desc())
    return newest.limit(1).scalar_subquery().label(name)


_LEADS = select(
    schema.leads.c.lead_id,
    schema.leads.c.created_at,
    _last("channel"),
    _last("campaign"),
    _FURTHEST.scalar_subquery().label("furthest"),
).where(_came())
_OUTCOMES = (
    select(*(schema.outcomes.c[name] for name in _TOLD))
    .join_from(
        schema.leads,
        schema.outcomes,
        and_(
            schema.outcomes.c.tenant_id == schema.leads.c.tenant_id,
            schema.outcomes.c.lead_id == schema.leads.c.lead_id,
        ),
    )
    .where(_came())
)
