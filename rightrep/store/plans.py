"""Plans on disk: the header, what it means for each rep, and a line for each lead.

Lines are many: they go in and come out as Arrow tables. A previewed plan is committed
line by line; each line says what became of it, so a commit that was interrupted goes on
where it stopped.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import repeat
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from rightrep.domain.eligibility import CodeArray
from rightrep.domain.lead import LeadKind
from rightrep.domain.plan import LineState, PlanRep, SettledLine, StoredPlan
from rightrep.errors import Conflict, InvalidInput, NotFound
from rightrep.store.copying import copy_in
from rightrep.store.exclusions import packed_rows
from rightrep.store.guard import of_tenant
from rightrep.store.schema_plans import plan_lines, plan_reps, plans
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import batches

LINES = pa.schema(
    [
        ("line", pa.int32()),
        ("lead_id", pa.string()),
        ("rep_id", pa.string()),
        ("state", pa.string()),
        ("propensity", pa.float64()),
        ("p_convert", pa.float64()),
        ("value", pa.float64()),
        ("shadow_price", pa.float64()),
        ("rule", pa.string()),
        ("policy", pa.string()),
        ("experiment", pa.string()),
        ("arm", pa.string()),
        ("runner_ups", pa.string()),
        ("exclusions", pa.binary()),
        ("feature_row", pa.binary()),
        ("decision_id", pa.string()),
    ]
)
"""A plan's lines, in the plan's order. ``rep_id`` is null where nobody takes the lead;
``policy`` is what chose, null where the plan's own did; ``value`` and ``shadow_price``
are in minor units of the tenant's currency; ``runner_ups`` as ``runner_ups_text``
writes them; ``feature_row`` is float32, little endian, in the
contract's order; ``exclusions`` are packed codes in the roster's order.
"""

_GIVEN = [
    name
    for name in LINES.names
    if name not in ("line", "state", "exclusions", "decision_id")
]


def save_plan(
    session: WriteSession, plan: StoredPlan, reps: Sequence[PlanRep] = ()
) -> None:
    """Keep a plan's header and what it means for each rep; its lines follow."""
    row = {name: getattr(plan, name) for name in StoredPlan.__slots__}
    session.execute(insert(plans), row)
    rows = [
        {name: getattr(rep, name) for name in PlanRep.__slots__}
        | {"plan_id": plan.plan_id}
        for rep in reps
    ]
    if rows:
        session.execute(insert(plan_reps), rows)


def save_lines(
    session: WriteSession,
    plan_id: str,
    lines: pa.Table,
    *,
    first: int = 0,
    exclusions: CodeArray | None = None,
) -> None:
    """Add lines to a plan.

    Args:
        session: The transaction of ``save_plan``, or a later one.
        plan_id: The plan.
        lines: Columns of ``LINES`` by name, those that are not given are null; without
            line, state, exclusions and decision_id, which come from elsewhere.
        first: Number of the first of these lines in the plan.
        exclusions: ``Exclusion`` codes; uint8 (n_lines, n_reps) in the order of the
            plan's roster.

    Raises:
        InvalidInput: The exclusions are not one row per line.
    """
    if exclusions is not None and exclusions.shape[0] != lines.num_rows:
        raise InvalidInput(
            f"There are {exclusions.shape[0]} rows of exclusions for "
            f"{lines.num_rows} lines."
        )
    columns = [column.to_pylist() for column in _plain(lines).columns]
    rep_id, runner_ups = (_GIVEN.index(name) for name in ("rep_id", "runner_ups"))
    columns[runner_ups] = [text or "[]" for text in columns[runner_ups]]
    packs: list[bytes | None] = [None] * lines.num_rows
    if exclusions is not None:
        packs = list(packed_rows(exclusions))
    states = [_first_state(rep) for rep in columns[rep_id]]
    numbers = range(first, first + lines.num_rows)
    rows = zip(repeat(plan_id), numbers, states, packs, *columns, strict=False)
    names = ["plan_id", "line", "state", "exclusions", *_GIVEN]
    copy_in(session, plan_lines, names, rows)


def read_lines(
    session: ReadSession,
    plan_id: str,
    *,
    state: LineState | None = None,
    lead_id: str | None = None,
    after: int = -1,
    limit: int | None = None,
) -> pa.Table:
    """Lines of a plan as a table with the columns of ``LINES``, in order.

    Args:
        session: Whose.
        plan_id: The plan.
        state: Only lines in this state.
        lead_id: Only the line of this lead.
        after: Only lines with a higher number: the last one of the page before.
        limit: At most so many; all when not given.
    """
    query = (
        select(*(plan_lines.c[name] for name in LINES.names))
        .where(_lines_of(plan_id), plan_lines.c.line > after)
        .order_by(plan_lines.c.line)
        .limit(limit)
    )
    if state is not None:
        query = query.where(plan_lines.c.state == state)
    if lead_id is not None:
        query = query.where(plan_lines.c.lead_id == lead_id)
    rows = session.execute(query).all()
    columns = zip(*rows, strict=True) if rows else [()] * len(LINES)
    arrays = [
        pa.array(column, type=field.type)
        for column, field in zip(columns, LINES, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=LINES)


def read_plan(session: ReadSession, plan_id: str) -> StoredPlan:
    """A plan's header.

    Raises:
        NotFound: No such plan.
    """
    row = session.execute(_own().where(plans.c.plan_id == plan_id)).mappings().first()
    if row is None:
        raise NotFound("plan", plan_id)
    return _header(row)


def list_plans(
    session: ReadSession, *, kind: LeadKind | None = None, limit: int = 100
) -> list[StoredPlan]:
    """Plans' headers, the newest first; of leads of one kind, or of any."""
    query = _own().order_by(plans.c.created_at.desc(), plans.c.plan_id.desc())
    if kind is not None:
        query = query.where(plans.c.kind == kind.value)
    return [_header(row) for row in session.execute(query.limit(limit)).mappings()]


def _header(row: RowMapping) -> StoredPlan:
    return StoredPlan(**{**row, "kind": LeadKind(row["kind"])})


def read_plan_reps(session: ReadSession, plan_id: str) -> list[PlanRep]:
    """What a plan means for each rep, by rep id."""
    query = (
        select(*(plan_reps.c[name] for name in PlanRep.__slots__))
        .where(of_tenant(plan_reps), plan_reps.c.plan_id == plan_id)
        .order_by(plan_reps.c.rep_id)
    )
    return [PlanRep(**row) for row in session.execute(query).mappings()]


def count_lines(session: ReadSession, plan_id: str) -> dict[LineState, int]:
    """How many lines of a plan are in each state; states without lines left out."""
    query = (
        select(plan_lines.c.state, func.count().label("lines"))
        .where(_lines_of(plan_id))
        .group_by(plan_lines.c.state)
    )
    rows = session.execute(query).mappings()
    return {LineState(row["state"]): row["lines"] for row in rows}


def count_exclusions(
    session: ReadSession, plan_id: str, state: LineState
) -> dict[bytes | None, int]:
    """Lines of a plan in a state by their packed exclusions: many share one."""
    query = (
        select(plan_lines.c.exclusions, func.count().label("lines"))
        .where(_lines_of(plan_id), plan_lines.c.state == state)
        .group_by(plan_lines.c.exclusions)
    )
    return {row.exclusions: row.lines for row in session.execute(query)}


def add_to_summary(
    session: WriteSession, plan_id: str, found: Mapping[str, Any]
) -> None:
    """Add to a plan's ``problem`` what was worked out of it later; JSON.

    Raises:
        NotFound: No such plan.
    """
    summary = {**read_plan(session, plan_id).problem, **found}
    mine = (of_tenant(plans), plans.c.plan_id == plan_id)
    session.execute(update(plans).where(*mine).values(problem=summary))


def begin_commit(
    session: WriteSession, plan_id: str, *, actor: str, at: datetime
) -> None:
    """Say that a plan is being committed; the same actor may say it again.

    Raises:
        NotFound: No such plan.
        Conflict: Somebody else commits it, or did.
    """
    mine = (
        of_tenant(plans),
        plans.c.plan_id == plan_id,
        plans.c.committed_at.is_(None),
    )
    values = {"committed_at": at, "committed_by": actor}
    if session.execute(update(plans).where(*mine).values(values)).rowcount:
        return
    plan = read_plan(session, plan_id)
    if plan.committed_by != actor:
        raise Conflict(f"Plan {plan_id} is committed by {plan.committed_by} already.")


def settle_lines(
    session: WriteSession, plan_id: str, settled: Iterable[SettledLine]
) -> None:
    """Say what became of lines, in the transaction that made it so.

    A line that is settled stays as it is.
    """
    rows = [
        {
            "of_lead": line.lead_id,
            "of_plan": plan_id,
            "state": line.state,
            "decision_id": line.decision_id,
        }
        for line in settled
    ]
    for batch in batches(rows):
        session.execute(_SETTLE, batch)


def purge_lines(session: WriteSession, *, before: datetime) -> int:
    """Remove lines of plans made before an instant, keep headers; returns how many."""
    old = select(plans.c.plan_id).where(of_tenant(plans), plans.c.created_at < before)
    theirs = delete(plan_lines).where(
        of_tenant(plan_lines), plan_lines.c.plan_id.in_(old)
    )
    return session.execute(theirs).rowcount


_SETTLE = (
    update(plan_lines)
    .where(
        of_tenant(plan_lines),
        plan_lines.c.plan_id == bindparam("of_plan"),
        plan_lines.c.lead_id == bindparam("of_lead"),
        plan_lines.c.state == LineState.PREVIEWED,
    )
    .values(state=bindparam("state"), decision_id=bindparam("decision_id"))
)


def _first_state(rep_id: str | None) -> LineState:
    return LineState.UNASSIGNED if rep_id is None else LineState.PREVIEWED


def _own() -> "Select[Any]":
    shown = (plans.c[name] for name in StoredPlan.__slots__)
    return select(*shown).where(of_tenant(plans))


def _lines_of(plan_id: str) -> "ColumnElement[bool]":
    return and_(of_tenant(plan_lines), plan_lines.c.plan_id == plan_id)


def _plain(lines: pa.Table) -> pa.Table:
    """The columns a caller gives, in ``LINES``' types; NaN is null."""
    columns = []
    for name in _GIVEN:
        kind = LINES.field(name).type
        if name not in lines.column_names:
            columns.append(pa.nulls(lines.num_rows, kind))
            continue
        column = lines.column(name).cast(kind)
        if pa.types.is_floating(kind):
            column = pc.if_else(pc.is_nan(column), None, column)
        columns.append(column)
    return pa.table(columns, names=_GIVEN)
