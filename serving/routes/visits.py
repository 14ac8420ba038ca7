"""A rep's day of visits: the route, what is left out, and what is on the way."""

from datetime import date, datetime, time
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, BeforeValidator, Field

from optimizer.visits import Skipped
from rightrep.domain.ids import LeadId, RepId, TenantId
from rightrep.domain.lead import LeadKind
from rightrep.domain.roles import Role
from rightrep.errors import Conflict, InvalidInput, NotAllowed, NotFound
from rightrep.store.aliases import RecordKind, resolve_rep
from rightrep.store.session import ReadSession
from serving.dependencies import Caller, Parts, allow
from serving.errors import may_raise
from serving.models import Body, Key, Word, text_only
from serving.routes.feedback import ids_of
from serving.routes.followup import FIRST, LAST, AnyDay
from serving.security import Principal
from serving.usecases.context import Context
from serving.usecases.visits import DayPlan, Stop, VisitRequest, plan_day

router = APIRouter(prefix="/v1/reps", tags=["follow-up"])
_MAY = [Depends(allow(Role.SERVICE, Role.MANAGER, Role.REP))]
_ASKED = may_raise(NotFound, NotAllowed, Conflict, InvalidInput)

North = Annotated[float, Field(ge=-90, le=90)]
East = Annotated[float, Field(ge=-180, le=180)]
Minutes = Annotated[int, Field(ge=0, le=1_440)]
Clock = Annotated[time, Field(strict=False), BeforeValidator(text_only)]


class PlaceIn(Body):
    """A position."""

    latitude: North
    longitude: East


class StopIn(PlaceIn):
    """A lead to visit."""

    lead: Key
    minutes: Minutes | None = Field(default=None, description="Time spent there.")
    opens: Clock | None = Field(default=None, description="Earliest start.")
    closes: Clock | None = Field(default=None, description="Latest start.")


class VisitsIn(Body):
    """A day of visits to leads whose positions are told here."""

    day: Annotated[date, Field(strict=False), BeforeValidator(text_only)] = Field(
        ge=FIRST, le=LAST
    )
    start: PlaceIn
    end: PlaceIn | None = Field(default=None, description="The start by default.")
    minutes: Minutes = Field(default=45, description="Where a lead names none.")
    max_extra_minutes: Minutes = 60
    leads: list[StopIn] = Field(min_length=1, max_length=200)
    kind: Word[LeadKind] = Field(
        default=LeadKind.LEAD, description="Of these leads: one for all."
    )


class VisitOut(BaseModel):
    """One visit."""

    lead_id: str
    begin: datetime = Field(description="On the rep's clocks.")


class LeftOutOut(BaseModel):
    """A lead that is not visited."""

    lead_id: str
    reason: Skipped


class OnTheWayOut(BaseModel):
    """A lead of a public pool that the rep may claim and visit."""

    lead_id: str
    after: int = Field(description="Visits before it.")
    extra_minutes: float = Field(description="How much later the day would end.")


class VisitsOut(BaseModel):
    """A rep's day."""

    rep_id: str
    departure: datetime
    arrival: datetime
    visits: list[VisitOut] = Field(description="In order.")
    left_out: list[LeftOutOut]
    unplaced: list[str] = Field(description="Own leads without a position.")
    nearby: list[OnTheWayOut] = Field(description="Cheapest first.")
    value: float = Field(description="Expected value of the visits, minor units.")
    bound: float = Field(description="No route could earn more.")

    @classmethod
    def of(cls, rep_id: RepId, found: DayPlan) -> "VisitsOut":
        """As callers see it."""
        plan = found.plan
        order = zip(plan.order.tolist(), plan.begin.tolist(), strict=True)
        return cls(
            rep_id=rep_id,
            departure=found.at(plan.departure),
            arrival=found.at(plan.arrival),
            visits=[
                VisitOut(lead_id=found.leads[k], begin=found.at(at)) for k, at in order
            ],
            left_out=[
                LeftOutOut(lead_id=found.leads[k], reason=reason)
                for k, reason in plan.skipped.items()
            ],
            unplaced=list(found.unplaced),
            nearby=[
                OnTheWayOut(
                    lead_id=lead_id,
                    after=place.after,
                    extra_minutes=round(place.extra_seconds / 60, 1),
                )
                for lead_id, place in found.pool
            ],
            value=plan.prize,
            bound=plan.bound,
        )


@router.get("/{rep_id}/visits", responses=_ASKED, dependencies=_MAY)
def get_visits(
    rep_id: Key,
    caller: Caller,
    parts: Parts,
    day: Annotated[AnyDay, Query(description="By the rep's clocks.")],
    latitude: Annotated[North, Query(description="Where the day starts and ends.")],
    longitude: Annotated[East, Query()],
    minutes: Annotated[int, Query(ge=0, le=1_440)] = 45,
    max_extra_minutes: Annotated[int, Query(ge=0, le=1_440)] = 60,
    kind: Annotated[
        Word[LeadKind], Query(description="Leads, or work orders.")
    ] = LeadKind.LEAD,
) -> VisitsOut:
    """The route over a rep's leads by their own fields; a rep sees the own day."""
    asked = VisitRequest(
        day=day,
        start=(latitude, longitude),
        minutes=minutes,
        max_extra_minutes=max_extra_minutes,
        kind=kind,
    )
    with parts.store.read(caller.tenant_id) as session:
        known = _rep(session, caller, rep_id)
    return _planned(parts, caller.tenant_id, known, asked)


@router.post("/{rep_id}/visits", responses=_ASKED, dependencies=_MAY)
def post_visits(rep_id: Key, body: VisitsIn, caller: Caller, parts: Parts) -> VisitsOut:
    """The same for leads, positions and windows told here; nothing is written."""
    with parts.store.read(caller.tenant_id) as session:
        known = _rep(session, caller, rep_id)
        names = ids_of(session, RecordKind.LEAD, [one.lead for one in body.leads])
    asked = VisitRequest(
        day=body.day,
        start=_place(body.start),
        end=None if body.end is None else _place(body.end),
        minutes=body.minutes,
        max_extra_minutes=body.max_extra_minutes,
        kind=body.kind,
        given={
            LeadId(names[one.lead]): Stop(
                position=_place(one),
                minutes=one.minutes,
                opens=one.opens,
                closes=one.closes,
            )
            for one in body.leads
        },
    )
    return _planned(parts, caller.tenant_id, known, asked)


def _rep(session: ReadSession, caller: Principal, name: str) -> RepId:
    """Our id of a rep whose day the caller may see.

    Raises:
        NotFound: There is no such rep.
        NotAllowed: A rep asks for somebody else's day.
    """
    rep_id = resolve_rep(session, name)
    caller.require_rep(rep_id)
    return rep_id


def _planned(
    parts: Context, tenant_id: TenantId, rep_id: RepId, asked: VisitRequest
) -> VisitsOut:
    return VisitsOut.of(rep_id, plan_day(parts, tenant_id, rep_id, asked))


def _place(told: PlaceIn) -> tuple[float, float]:
    return told.latitude, told.longitude
