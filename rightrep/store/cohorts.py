"""Leads that came in a span of time, and what became of them."""

from datetime import datetime
from typing import NamedTuple

import pyarrow as pa
from sqlalchemy import ColumnElement, and_, bindparam, select

from rightrep.domain.lead import LeadKind
from rightrep.store import schema
from rightrep.store.aliases import RecordKind
from rightrep.store.arrow import TEXT, TIME, read_table
from rightrep.store.bulk import in_currency
from rightrep.store.guard import of_tenant
from rightrep.store.layouts import OUTCOME, Types
from rightrep.store.rates import get_rates
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant


class Cohort(NamedTuple):
    """Leads of one span; duplicates that were merged into another lead left out.

    Attributes:
        versions: What was known of them when: ``lead_id``, ``created_at``,
            ``valid_from``, ``recorded_at``, ``channel``, ``campaign``, ``stage``; one
            row with nulls where nothing was.
        outcomes: How they closed, corrected ones too: ``event_id``, ``lead_id``,
            ``result``, ``closed_at``, ``recorded_at``, ``value`` (major units of the
            tenant's currency, null where no rate is known), ``value_currency``,
            ``replaces``.
    """

    versions: pa.Table
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
        read_table(session, _VERSIONS, _KNOWN, span),
        outcomes.append_column("value_currency", stated),
    )


_KNOWN: Types = {
    "lead_id": TEXT,
    "created_at": TIME,
    "valid_from": TIME,
    "recorded_at": TIME,
    "channel": TEXT,
    "campaign": TEXT,
    "stage": TEXT,
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


_OF_LEAD = and_(
    schema.lead_versions.c.tenant_id == schema.leads.c.tenant_id,
    schema.lead_versions.c.lead_id == schema.leads.c.lead_id,
    schema.lead_versions.c.valid_from < _BEFORE,
)
_VERSIONS = (
    select(
        schema.leads.c.lead_id,
        schema.leads.c.created_at,
        *(schema.lead_versions.c[name] for name in [*_KNOWN][2:]),
    )
    .select_from(schema.leads.outerjoin(schema.lead_versions, _OF_LEAD))
    .where(_came())
)
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
