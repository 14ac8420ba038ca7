"""What happened since an experiment started, as Arrow: the tables of its report.

All of the tenant's rows since the start come out, not those of the units alone: a unit
may have been merged into another lead, whose outcome is then its own.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Column, ColumnElement, Table, bindparam, or_, select

from rightrep.domain.activity import ActivityKind
from rightrep.domain.experiment import Experiment
from rightrep.domain.outcome import Result
from rightrep.domain.ownership import OwnershipKind
from rightrep.store import bulk, schema
from rightrep.store.arrow import FLOAT, TEXT, TIME, read_table
from rightrep.store.experiments import read_units
from rightrep.store.guard import of_tenant, of_tenant_by_scan
from rightrep.store.kinds import only_leads
from rightrep.store.layouts import OUTCOME, Types
from rightrep.store.rates import get_rates
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant

TOUCHES = (
    ActivityKind.CALL,
    ActivityKind.MESSAGE,
    ActivityKind.MEETING,
    ActivityKind.VISIT,
)
"""Kinds of activity by which a rep touches a lead."""

_DECISION: Types = {
    "decision_id": TEXT,
    "lead_id": TEXT,
    "rep_id": TEXT,
    "decided_at": TIME,
    "p_convert": FLOAT,
}
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""Before anything happened."""

_EVENT: Types = {"lead_id": TEXT, "happened_at": TIME}


def read_evidence(
    session: ReadSession, started: Experiment, *, at: datetime
) -> Mapping[str, pa.Table]:
    """Units of an experiment and what was known at an instant of all that followed.

    Args:
        session: Where to read, in one snapshot.
        started: An experiment that has been started.
        at: Nothing recorded later is seen.

    Returns:
        ``units``, ``outcomes`` (wins and corrections; ``value`` in major units of the
        tenant's currency), ``merges`` that stand, ``decisions``, ``touches`` and
        ``overrides``, as ``experiments.evidence.Evidence`` names their columns.

    Raises:
        NotFound: The tenant was never made.
    """
    units = read_units(session, started.experiment)
    return {"units": units, **read_events(session, started.started_at or at, at=at)}


def read_events(
    session: ReadSession, since: datetime, *, at: datetime
) -> Mapping[str, pa.Table]:
    """What happened to any lead from one instant on, as was known at another.

    Nothing that is about a work order is among it.

    Args:
        session: Where to read, in one snapshot.
        since: Nothing that happened or was recorded earlier is seen; merges are.
        at: Nothing recorded later is seen.

    Returns:
        As ``read_evidence``, without units.

    Raises:
        NotFound: The tenant was never made.
    """
    outcomes, decisions = schema.outcomes, schema.decisions
    done, moved = schema.activities, schema.ownership_events
    merges = bulk.read_merges(session, at)
    stands = pc.is_null(merges["undone_at"])
    return {
        "outcomes": _outcomes(
            session,
            _from(outcomes.c.recorded_at, since),
            _until(outcomes.c.recorded_at, at),
        ),
        "merges": merges.filter(stands).select(["lead_id", "survivor_id"]),
        "decisions": _read(
            session,
            decisions,
            _DECISION,
            _from(decisions.c.decided_at, since),
            _until(decisions.c.recorded_at, at),
        ),
        "touches": _read(
            session,
            done,
            _EVENT,
            _from(done.c.happened_at, since),
            _until(done.c.recorded_at, at),
            _is_any(done.c.kind, *TOUCHES),
            done.c.rep_id.is_not(None),
        ),
        "overrides": _read(
            session,
            moved,
            _EVENT,
            _from(moved.c.happened_at, since),
            _until(moved.c.happened_at, at),
            _is_any(moved.c.kind, OwnershipKind.OVERRIDDEN),
        ),
    }


def _outcomes(session: ReadSession, *conditions: "ColumnElement[bool]") -> pa.Table:
    """Wins, and what takes the place of another outcome: nothing else is asked."""
    told = schema.outcomes.c
    asked = or_(_is_any(told.result, Result.WON), told.replaces.is_not(None))
    found = _read(session, schema.outcomes, OUTCOME, asked, *conditions)
    rates = get_rates(session, get_tenant(session).currency)
    return bulk.in_currency(found, "value", "closed_at", rates)


def _read(
    session: ReadSession, table: Table, types: Types, *conditions: "ColumnElement[bool]"
) -> pa.Table:
    mine = of_tenant(table) if session.is_postgresql else of_tenant_by_scan(table)
    query = select(*(table.c[name] for name in types)).where(
        mine, only_leads(table.c.lead_id), *conditions
    )
    return read_table(session, query, types)


# Parameters are named: an anonymous one has no name that a COPY could give it.
def _from(column: "Column[Any]", since: datetime) -> "ColumnElement[bool]":
    return column >= bindparam("since", since, column.type)


def _until(column: "Column[Any]", at: datetime) -> "ColumnElement[bool]":
    return column <= bindparam("until", at, column.type)


def _is_any(column: "Column[Any]", *words: str) -> "ColumnElement[bool]":
    return or_(*(column == bindparam(word, word, column.type) for word in words))
