"""What a manager sees first: today's plan, who is loaded how, what was decided.

Everything here comes out of records; nothing is worked out anew, so every figure can
name the record it came from.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rightrep.domain.days import local_day
from rightrep.domain.decision import Decision
from rightrep.domain.hours import on_leave
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.lead import LeadKind
from rightrep.domain.plan import LineState, PlanRep, StoredPlan
from rightrep.domain.rep import RepStatus
from rightrep.domain.roster import RosterEntry
from rightrep.domain.routing import Objective, Routing
from rightrep.domain.tenant import Tenant
from rightrep.store import plans
from rightrep.store.decisions import list_decisions
from rightrep.store.models import PublishedModel, champion
from rightrep.store.reps import roster
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant
from serving.usecases.board_names import Names, read_names
from serving.usecases.board_reasons import Unassigned, read_unassigned

WINDOW_DAYS = 60
"""Days in which a win counts as long as no model says how many."""
UNASSIGNED_SHOWN = 8
DECISIONS_SHOWN = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyFigure:
    """What one policy makes of the plan's leads, by the model's own numbers.

    Attributes:
        policy: Its name.
        value: Expected value, in the plan's unit.
        more: Expected value of the plan beyond it; negative when it expects more.
        more_share: The same over its value; None when that is 0.
    """

    policy: str
    value: float
    more: float
    more_share: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanView:
    """A plan as a manager looks at it.

    Attributes:
        header: The record.
        objective: What its values add up: money in minor units, or wins.
        lines: Leads by what became of them.
        baselines: Other policies on the same leads, the best first.
    """

    header: StoredPlan
    objective: Objective
    lines: Mapping[LineState, int]
    baselines: Sequence[PolicyFigure]

    @property
    def n_leads(self) -> int:
        """Leads the plan was made for."""
        return int(self.header.problem.get("n_leads", sum(self.lines.values())))

    @property
    def given(self) -> int:
        """Leads that the plan gives to somebody."""
        lines = sum(self.lines.values()) - self.lines.get(LineState.UNASSIGNED, 0)
        return int(self.header.problem.get("assigned", lines))

    @property
    def lottery(self) -> int:
        """Leads that were drawn by lot."""
        return int(self.header.problem.get("lottery", 0))

    @property
    def baseline(self) -> PolicyFigure | None:
        """The one that the plan is held against: round robin, else the best."""
        named = [figure for figure in self.baselines if figure.policy == "round_robin"]
        return next(iter([*named, *self.baselines]), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class RepLoad:
    """What a rep holds, may hold, and gets in a plan.

    Attributes:
        rep_id: The rep.
        team: Team, or None.
        status: Whether the rep takes leads.
        on_leave: Whether the rep was away when the plan was made.
        weight: Wanted load relative to others; positive.
        limit: Open leads the rep may hold; None is no limit.
        holds_now: Open leads at the moment.
        held: Open leads when the plan was made; at the moment where there is none.
        plan: What the plan means for the rep, or None.
    """

    rep_id: RepId
    team: str | None
    status: RepStatus
    on_leave: bool
    weight: float
    limit: int | None
    holds_now: int
    held: int
    plan: PlanRep | None

    @property
    def given(self) -> int:
        """Leads the plan gives."""
        return self.plan.given if self.plan else 0

    @property
    def takes_leads(self) -> bool:
        """Whether the rep could get a lead at all."""
        return self.status is RepStatus.ACTIVE and not self.on_leave

    @property
    def slot_price(self) -> float | None:
        """What one open slot is worth to the plan; None when it was not priced."""
        return self.plan.shadow_price if self.plan else None

    @property
    def spare(self) -> int | None:
        """Slots that the plan leaves open, the day's intake counted; None without."""
        return self.plan.capacity - self.plan.given if self.plan else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Board:
    """The first page.

    Attributes:
        tenant: Whose.
        at: When it was read.
        model: The champion, or None.
        plan: The plan shown, or None when there is none.
        is_latest: Whether no later plan was made.
        loads: Every rep who takes or holds leads: the dearest slots first.
        unassigned: The plan's leads that nobody gets, or None without a plan.
        decisions: The last ones, newest first.
        names: What to call the people on the page.
    """

    tenant: Tenant
    at: datetime
    model: PublishedModel | None
    plan: PlanView | None
    is_latest: bool
    loads: Sequence[RepLoad]
    unassigned: Unassigned | None
    decisions: Sequence[Decision]
    names: Names


def read_board(
    session: ReadSession, *, at: datetime, named: bool, plan_id: str | None = None
) -> Board:
    """The first page, in one snapshot.

    Args:
        session: Where to read.
        at: Now.
        named: Whether the reader may see names.
        plan_id: A plan; the latest when not given.

    Raises:
        NotFound: No such plan.
    """
    tenant = get_tenant(session)
    header = find_plan(session, plan_id)
    loads = read_loads(session, tenant, header, at=at)
    unassigned = None
    if header is not None:
        unassigned = read_unassigned(session, header, limit=UNASSIGNED_SHOWN)
    made = list_decisions(session, limit=DECISIONS_SHOWN, reasons=True).decisions
    latest = plans.list_plans(session, kind=LeadKind.LEAD, limit=1)
    return Board(
        tenant=tenant,
        at=at,
        model=champion(session),
        plan=None if header is None else view_plan(session, header),
        is_latest=header is None or header.plan_id == latest[0].plan_id,
        loads=loads,
        unassigned=unassigned,
        decisions=made,
        names=read_names(
            session,
            reps=[
                *(load.rep_id for load in loads),
                *owners_of(unassigned),
                *reps_of(made),
            ],
            leads=[*leads_of(unassigned), *(decision.lead_id for decision in made)],
            at=at,
            named=named,
        ),
    )


def find_plan(session: ReadSession, plan_id: str | None) -> StoredPlan | None:
    """The plan with this id; without one the latest that shared out leads, if any.

    Raises:
        NotFound: No such plan.
    """
    if plan_id is not None:
        return plans.read_plan(session, plan_id)
    newest = plans.list_plans(session, kind=LeadKind.LEAD, limit=1)
    return next(iter(newest), None)


def view_plan(session: ReadSession, header: StoredPlan) -> PlanView:
    """A plan with its lines counted and its baselines compared."""
    word = header.problem.get("objective", Objective.VALUE)
    return PlanView(
        header=header,
        objective=Objective(word),
        lines=plans.count_lines(session, header.plan_id),
        baselines=_compared(header),
    )


def read_loads(
    session: ReadSession,
    tenant: Tenant,
    header: StoredPlan | None,
    *,
    at: datetime,
    of: Collection[str] = (),
) -> list[RepLoad]:
    """Every rep who takes or holds leads: dearest slots first, then the fullest.

    Limits are those of when the plan was made.

    Args:
        session: Where to read.
        tenant: Whose.
        header: The plan, or None.
        at: Now.
        of: Reps who are listed even if they left.
    """
    day = local_day(at, tenant.time_zone)
    as_of = at if header is None else header.as_of
    meant: dict[RepId, PlanRep] = {}
    if header is not None:
        found = plans.read_plan_reps(session, header.plan_id)
        meant = {rep.rep_id: rep for rep in found}
    only = Routing.of(tenant.settings).counted(LeadKind.LEAD)
    entries = roster(session, as_of=as_of, local_day=day, only=only)
    zone = tenant.time_zone
    loads = [
        _load(entry, meant.get(entry.rep_id), zone=zone, at=as_of) for entry in entries
    ]
    listed = (load for load in loads if load.rep_id in of or _takes_part(load))
    return sorted(listed, key=_pressure)


def window_days(model: PublishedModel | None) -> int:
    """Days in which a win counts."""
    return WINDOW_DAYS if model is None else model.label_window_days


def reps_of(made: Sequence[Decision]) -> list[RepId]:
    """Reps who got the leads, and their runner-ups."""
    others = [other.rep_id for decision in made for other in decision.runner_ups]
    return [*(decision.rep_id for decision in made), *others]


def leads_of(unassigned: Unassigned | None) -> list[LeadId]:
    """Leads on the page."""
    return [line.lead_id for line in unassigned.leads] if unassigned else []


def owners_of(unassigned: Unassigned | None) -> list[RepId]:
    """Reps who have leads of the page by now."""
    lines = unassigned.leads if unassigned else ()
    return [line.owner for line in lines if line.owner is not None]


def _compared(header: StoredPlan) -> list[PolicyFigure]:
    if header.value is None:
        return []
    figures = []
    for policy, figure in header.baselines.items():
        value = figure["value"]
        more = header.value - value
        figures.append(
            PolicyFigure(
                policy=policy,
                value=value,
                more=more,
                more_share=more / value if value > 0 else None,
            )
        )
    return sorted(figures, key=lambda figure: -figure.value)


def _load(
    entry: RosterEntry, meant: PlanRep | None, *, zone: str, at: datetime
) -> RepLoad:
    what = entry.attributes
    return RepLoad(
        rep_id=entry.rep_id,
        team=what.team,
        status=what.status,
        on_leave=on_leave(what.leave, zone=what.time_zone or zone, at=at),
        weight=what.weight,
        limit=what.holding_limit,
        holds_now=entry.held,
        held=entry.held if meant is None else meant.load,
        plan=meant,
    )


def _takes_part(load: RepLoad) -> bool:
    busy = load.holds_now or load.held or load.given
    return load.status is not RepStatus.LEFT or bool(busy)


def _pressure(load: RepLoad) -> tuple[float, float]:
    full = (load.held + load.given) / load.limit if load.limit else 0.0
    return (-(load.slot_price or 0.0), -full)
