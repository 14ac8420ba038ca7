"""One lead's story and one decision's reasons, for the pages behind the first one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rightrep.domain.decision import Decision
from rightrep.domain.eligibility import Exclusion
from rightrep.domain.ids import DecisionId, LeadId, RepId
from rightrep.domain.lead import Lead
from rightrep.domain.plan import LineState
from rightrep.domain.tenant import Tenant
from rightrep.store import plans
from rightrep.store.aliases import resolve_lead
from rightrep.store.decisions import get_decision, list_decisions
from rightrep.store.leads import get_lead
from rightrep.store.models import PublishedModel
from rightrep.store.ownership import Ownership, get_owner
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant
from serving.usecases.board import (
    PlanView,
    find_plan,
    leads_of,
    owners_of,
    reps_of,
    view_plan,
)
from serving.usecases.board_history import LeadHistory, read_history
from serving.usecases.board_names import Names, read_names
from serving.usecases.board_reasons import (
    Unassigned,
    by_reason,
    read_unassigned,
    reps_by_reason,
)
from serving.usecases.explaining import published_by

DECISIONS_SHOWN = 20

Grouped = Sequence[tuple[Exclusion, Sequence[RepId]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class UnassignedPage:
    """Leads that a plan gives to nobody.

    Attributes:
        tenant: Whose.
        plan: The plan, or None when there is none.
        unassigned: The leads, or None without a plan.
        names: What to call the people in it.
    """

    tenant: Tenant
    plan: PlanView | None
    unassigned: Unassigned | None
    names: Names


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionPage:
    """Some decisions.

    Attributes:
        decisions: Newest first.
        cursor: Where the next page starts; None after the last.
        names: What to call the people in them.
    """

    decisions: Sequence[Decision]
    cursor: str | None
    names: Names


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionStory:
    """One decision with every reason.

    Attributes:
        decision: The record.
        excluded: Reps who could not be chosen by reason, most frequent first.
        model: The model that predicted it; None without, or when it is gone.
        names: What to call the people in it.
    """

    decision: Decision
    excluded: Grouped
    model: PublishedModel | None
    names: Names


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanLine:
    """What the latest plan says of one lead.

    Attributes:
        plan: The plan and its unit.
        state: What became of the lead.
        rep_id: Who gets it, or None.
        p_convert: Chance to win; None without model.
        value: Expected value, in the plan's unit; None likewise.
        reasons: Every rep by what stood in the way, as ``board_reasons`` sorts them.
    """

    plan: PlanView
    state: LineState
    rep_id: RepId | None
    p_convert: float | None
    value: float | None
    reasons: Grouped


@dataclass(frozen=True, kw_only=True, slots=True)
class LeadStory:
    """One lead: who has it, what the plan says, what was decided.

    Attributes:
        lead: What is known about it now.
        owner: Who has it, or None.
        line: The latest plan's word; None when the lead is not in it.
        decisions: Newest first.
        excluded: Of the newest one, reps by the reason that bars them.
        model: The model that predicted it, or None.
        history: Everything that happened.
        names: What to call the people in it.
    """

    lead: Lead
    owner: Ownership | None
    line: PlanLine | None
    decisions: Sequence[Decision]
    excluded: Grouped
    model: PublishedModel | None
    history: LeadHistory
    names: Names


def read_unassigned_page(
    session: ReadSession,
    *,
    plan_id: str | None,
    after: int,
    limit: int,
    at: datetime,
    named: bool,
) -> UnassignedPage:
    """Leads that a plan gives to nobody.

    Args:
        session: Where to read.
        plan_id: A plan; the latest when not given.
        after: Number of the line before the page.
        limit: Leads on a page; positive.
        at: Now.
        named: Whether the reader may see names.

    Raises:
        NotFound: No such plan.
    """
    header = find_plan(session, plan_id)
    found = None
    if header is not None:
        found = read_unassigned(session, header, limit=limit, after=after)
    return UnassignedPage(
        tenant=get_tenant(session),
        plan=None if header is None else view_plan(session, header),
        unassigned=found,
        names=read_names(
            session, reps=owners_of(found), leads=leads_of(found), at=at, named=named
        ),
    )


def read_decisions(
    session: ReadSession, *, at: datetime, named: bool, limit: int, cursor: str | None
) -> DecisionPage:
    """A page of decisions.

    Raises:
        InvalidInput: The cursor was not made here.
    """
    page = list_decisions(session, limit=limit, cursor=cursor, reasons=True)
    return DecisionPage(
        decisions=page.decisions,
        cursor=page.cursor,
        names=read_names(
            session,
            reps=reps_of(page.decisions),
            leads=[decision.lead_id for decision in page.decisions],
            at=at,
            named=named,
        ),
    )


def read_decision(
    session: ReadSession, decision_id: DecisionId, *, at: datetime, named: bool
) -> DecisionStory:
    """One decision with every reason.

    Raises:
        NotFound: There is no such decision.
    """
    decision = get_decision(session, decision_id)
    return DecisionStory(
        decision=decision,
        excluded=by_reason(decision.excluded),
        model=published_by(session, decision),
        names=read_names(
            session,
            reps=[*reps_of([decision]), *decision.excluded],
            leads=[decision.lead_id],
            at=at,
            named=named,
        ),
    )


def read_lead(
    session: ReadSession, name: str, *, at: datetime, named: bool
) -> LeadStory:
    """One lead's story.

    Args:
        session: Where to read.
        name: Our id of the lead, or the CRM's.
        at: Now.
        named: Whether the reader may see names.

    Raises:
        NotFound: There is no such lead.
    """
    lead_id = resolve_lead(session, name)
    owner = get_owner(session, lead_id)
    line = _line(session, lead_id)
    made = list_decisions(session, limit=DECISIONS_SHOWN, lead_id=lead_id, reasons=True)
    lead = get_lead(session, lead_id, as_of=at)
    history = read_history(session, lead, made.decisions)
    last = next(iter(made.decisions), None)
    people = [*reps_of(made.decisions), *history.people]
    if last is not None:
        people += last.excluded
    if owner is not None:
        people.append(owner.owner)
    if line is not None:
        people += [rep_id for _, reps in line.reasons for rep_id in reps]
        people += [line.rep_id] if line.rep_id else []
    return LeadStory(
        lead=lead,
        owner=owner,
        line=line,
        decisions=made.decisions,
        excluded=() if last is None else by_reason(last.excluded),
        model=None if last is None else published_by(session, last),
        history=history,
        names=read_names(session, reps=people, leads=[lead_id], at=at, named=named),
    )


def _line(session: ReadSession, lead_id: LeadId) -> PlanLine | None:
    plan = find_plan(session, None)
    if plan is None:
        return None
    lines = plans.read_lines(session, plan.plan_id, lead_id=lead_id).to_pylist()
    if not lines:
        return None
    line = lines[0]
    return PlanLine(
        plan=view_plan(session, plan),
        state=LineState(line["state"]),
        rep_id=line["rep_id"],
        p_convert=line["p_convert"],
        value=line["value"],
        reasons=reps_by_reason(session, plan, line["exclusions"]),
    )
