"""Follow-up: what owners have to do by when, how fast they are, what they were told."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from rightrep.domain import followup as domain
from rightrep.domain.days import local_day
from rightrep.domain.followup import FollowUpTask, TaskState, WeekSummary
from rightrep.domain.ids import RepId
from rightrep.domain.roles import Role
from rightrep.domain.tier import Tier
from rightrep.errors import InvalidInput, NotAllowed, NotFound
from rightrep.store.remarks import Remark, list_remarks
from rightrep.store.session import WriteSession
from rightrep.store.tenants import get_tenant
from serving.dependencies import Caller, Parts, Reading, Writing, allow
from serving.errors import may_raise
from serving.models import Body, Key, LongText, Text
from serving.routes.jobs import JobOut, queued
from serving.routes.ownership import own_lead, reps_asked
from serving.routes.reps import Day
from serving.usecases.followup import (
    FOLLOW_UP,
    rules_in_force,
    set_rules,
    tasks_to_do,
)
from serving.usecases.followup_weeks import responses, week_summaries
from serving.usecases.remarks import make_remark

router = APIRouter(prefix="/v1", tags=["follow-up"])
# A year outside this range is a slip, and calendars end.
FIRST, LAST = date(2000, 1, 1), date(2199, 12, 31)
AnyDay = Annotated[date, Field(ge=FIRST, le=LAST)]
_READERS = [Depends(allow(Role.SERVICE, Role.MANAGER, Role.ANALYST, Role.REP))]
_WRITERS = [Depends(allow(Role.SERVICE, Role.MANAGER, Role.REP))]
_ASKED = may_raise(NotFound, NotAllowed, InvalidInput)


class TaskOut(BaseModel):
    """A lead that its owner has to touch."""

    task_id: str
    lead_id: str
    rep_id: str
    tier: Tier
    lead_score: int | None = Field(description="Null where no model scored the lead.")
    opened_at: datetime = Field(description="When the lead came to the rep.")
    due_at: datetime
    state: TaskState
    reminded_at: datetime | None
    breached_at: datetime | None = Field(description="When the breach was told.")

    @classmethod
    def of(cls, task: FollowUpTask, at: datetime) -> "TaskOut":
        """As callers see it."""
        return cls(
            task_id=task.stretch.task_id,
            lead_id=task.stretch.lead_id,
            rep_id=task.stretch.rep_id,
            tier=task.tier,
            lead_score=task.lead_score,
            opened_at=task.stretch.opened_at,
            due_at=task.due_at,
            state=task.state(at),
            reminded_at=task.reminded_at,
            breached_at=task.breached_at,
        )


class RepTasksOut(BaseModel):
    """How many tasks a rep has."""

    rep_id: str
    open: int = Field(description="Not due yet.")
    overdue: int


class TasksOut(BaseModel):
    """Tasks still to be done."""

    reps: list[RepTasksOut] = Field(description="Every rep asked about.")
    tasks: list[TaskOut] = Field(description="Due first.")


class ResponseOut(BaseModel):
    """How fast leads were touched after they came."""

    n_tasks: int = Field(description="Leads that came, with a task.")
    n_touched: int
    n_judged: int = Field(
        description="Touched, or not by the due time; the rest is open or went away."
    )
    n_in_time: int = Field(description="Of those judged, touched by the due time.")
    in_time_share: float | None = Field(description="In [0, 1].")
    median_hours: float | None = Field(
        description="Over all tasks; null where fewer than half were touched."
    )

    @classmethod
    def of(cls, found: domain.Response) -> "ResponseOut":
        """As callers see it."""
        return cls(
            n_tasks=found.n_tasks,
            n_touched=found.n_touched,
            n_judged=found.n_judged,
            n_in_time=found.n_in_time,
            in_time_share=found.in_time_share,
            median_hours=found.median_hours,
        )


class RepResponseOut(BaseModel):
    """How fast one rep is."""

    rep_id: str
    response: ResponseOut


class ResponsesOut(BaseModel):
    """How fast reps are."""

    reps: list[RepResponseOut]


class WeekOut(BaseModel):
    """What a rep did in a week."""

    rep_id: str
    week: date = Field(description="Its Monday.")
    activities: dict[str, int] = Field(description="How many of each kind.")
    leads_touched: int
    leads_received: int
    won: int
    lost: int
    tickets_touched: int = Field(description="Work orders among the activities.")
    tickets_received: int
    resolved: int = Field(description="Work orders that are done.")
    unresolved: int = Field(description="Work orders that were closed without.")
    response: ResponseOut = Field(description="To the leads received.")

    @classmethod
    def of(cls, found: WeekSummary) -> "WeekOut":
        """As callers see it."""
        return cls(
            rep_id=found.rep_id,
            week=found.week,
            activities=dict(found.activities),
            leads_touched=found.leads_touched,
            leads_received=found.leads_received,
            won=found.won,
            lost=found.lost,
            tickets_touched=found.tickets_touched,
            tickets_received=found.tickets_received,
            resolved=found.resolved,
            unresolved=found.unresolved,
            response=ResponseOut.of(found.response),
        )


class WeeksOut(BaseModel):
    """One week of each rep."""

    reps: list[WeekOut]


class RemarkIn(Body):
    """What was said of a lead, and when to come back to it."""

    text: LongText = Field(
        description="Personal; erasable.", examples=["budget frozen until Q4"]
    )
    remind_on: Day = Field(
        ge=FIRST, le=LAST, description="The owner is reminded on this day."
    )


class RemarkOut(BaseModel):
    """A dated remark."""

    remark_id: str
    lead_id: str
    text: str | None = Field(description="Null once it is erased.")
    remind_on: date
    made_at: datetime
    told_at: datetime | None = Field(description="When the owner was reminded.")
    told_to: str | None

    @classmethod
    def of(cls, found: Remark) -> "RemarkOut":
        """As callers see it."""
        return cls(
            remark_id=found.remark_id,
            lead_id=found.lead_id,
            text=found.text,
            remind_on=found.remind_on,
            made_at=found.made_at,
            told_at=found.told_at,
            told_to=found.told_to,
        )


class RemarksOut(BaseModel):
    """Dated remarks of a lead, by day."""

    remarks: list[RemarkOut]


class FollowUpIn(Body):
    """Settings of follow-up, as a whole; what is left out takes its default."""

    follow_up: dict[str, Any] = Field(
        examples=[{"hours": {"opportunity": 24}, "counting": "working_hours"}]
    )


class FollowUpOut(BaseModel):
    """Settings of follow-up in force."""

    follow_up: dict[str, Any] = Field(description="Every setting.")


@router.get("/tasks", responses=_ASKED, dependencies=_READERS)
def get_tasks(
    caller: Caller,
    parts: Parts,
    rep: Key | None = None,
    team: Text | None = None,
    overdue: Annotated[bool, Query(description="Only what is overdue.")] = False,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> TasksOut:
    """Leads that a rep, or every rep of a team, has to touch; a rep sees own tasks."""
    at = parts.clock.now()
    with parts.store.read(caller.tenant_id) as session:
        whose = reps_asked(session, caller, rep, team, at)
    found = [
        TaskOut.of(task, at) for task in tasks_to_do(parts, caller.tenant_id, whose)
    ]
    late = [task for task in found if task.state is TaskState.OVERDUE]
    shown = late if overdue else found
    return TasksOut(reps=_counts(whose, found), tasks=shown[:limit])


@router.get("/response-times", responses=_ASKED, dependencies=_READERS)
def get_response_times(
    session: Reading,
    caller: Caller,
    parts: Parts,
    rep: Key | None = None,
    team: Text | None = None,
    days: Annotated[
        int, Query(ge=1, le=366, description="Leads that came since.")
    ] = 30,
) -> ResponsesOut:
    """How fast leads were touched after they came; a rep sees own figures."""
    at = parts.clock.now()
    whose = reps_asked(session, caller, rep, team, at)
    found = responses(session, whose, days=days, at=at)
    return ResponsesOut(
        reps=[
            RepResponseOut(rep_id=rep_id, response=ResponseOut.of(one))
            for rep_id, one in found.items()
        ]
    )


@router.get("/weeks", responses=_ASKED, dependencies=_READERS)
def get_weeks(
    session: Reading,
    caller: Caller,
    parts: Parts,
    rep: Key | None = None,
    team: Text | None = None,
    day: Annotated[AnyDay | None, Query(description="Any day of the week.")] = None,
) -> WeeksOut:
    """What each rep did in a week, this one by default; a rep sees the own one."""
    at = parts.clock.now()
    whose = reps_asked(session, caller, rep, team, at)
    asked = day or local_day(at, get_tenant(session).time_zone)
    found = week_summaries(session, whose, asked, at=at)
    return WeeksOut(reps=[WeekOut.of(one) for one in found])


@router.post(
    "/tasks/look",
    status_code=202,
    response_model=JobOut,
    dependencies=[Depends(allow(Role.MANAGER))],
)
def post_look(call: Writing) -> Response:
    """Open tasks and tell what has come due now, as a job."""
    return call.once(
        lambda session: queued(session, call, FOLLOW_UP, open_key=FOLLOW_UP),
        status=202,
    )


@router.post(
    "/leads/{lead_id}/remarks",
    status_code=201,
    response_model=RemarkOut,
    responses=may_raise(NotFound, InvalidInput),
    dependencies=_WRITERS,
)
def post_remark(lead_id: Key, body: RemarkIn, call: Writing) -> Response:
    """Write down what was said; whoever has the lead on that day is reminded."""

    def work(session: WriteSession) -> RemarkOut:
        known = own_lead(session, call.principal, lead_id)
        made = make_remark(
            session,
            known,
            body.text,
            body.remind_on,
            rep_id=call.principal.rep_id,
            **call.stamp(),
        )
        found = list_remarks(session, known)
        return next(RemarkOut.of(one) for one in found if one.remark_id == made)

    return call.once(work, status=201)


@router.get(
    "/leads/{lead_id}/remarks", responses=may_raise(NotFound), dependencies=_WRITERS
)
def get_remarks(lead_id: Key, session: Reading, caller: Caller) -> RemarksOut:
    """Dated remarks of a lead, by day; a rep sees those of own leads."""
    known = own_lead(session, caller, lead_id)
    return RemarksOut(
        remarks=[RemarkOut.of(one) for one in list_remarks(session, known)]
    )


@router.get(
    "/settings/follow-up",
    dependencies=[Depends(allow(Role.SERVICE, Role.MANAGER, Role.ANALYST))],
)
def get_follow_up(session: Reading) -> FollowUpOut:
    """When follow-ups are due."""
    return FollowUpOut(follow_up=rules_in_force(session))


@router.put(
    "/settings/follow-up",
    response_model=FollowUpOut,
    responses=may_raise(InvalidInput),
    dependencies=[Depends(allow(Role.MANAGER))],
)
def put_follow_up(body: FollowUpIn, call: Writing) -> Response:
    """Have them due like this from now on; open tasks move along at the next look."""
    return call.once(
        lambda session: FollowUpOut(follow_up=set_rules(session, body.follow_up))
    )


def _counts(whose: list[RepId], found: list[TaskOut]) -> list[RepTasksOut]:
    tally = {rep_id: [0, 0] for rep_id in whose}
    for task in found:
        tally[RepId(task.rep_id)][task.state is TaskState.OVERDUE] += 1
    return [
        RepTasksOut(rep_id=rep_id, open=count, overdue=late)
        for rep_id, (count, late) in tally.items()
    ]
