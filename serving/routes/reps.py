"""Reps: made and brought up to date by the CRM."""

from dataclasses import asdict
from datetime import date, datetime, time
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, BeforeValidator, Field, model_validator

from features.shrinkage import LEVEL
from features.standings import Standing
from rightrep.calendars import require_calendar
from rightrep.domain.days import local_day, zone_of
from rightrep.domain.ids import RepId
from rightrep.domain.rep import Leave, Rep, RepAttributes, RepStatus, Shift
from rightrep.domain.roles import Role
from rightrep.errors import InvalidInput, ModelUnavailable, NotAllowed, NotFound
from rightrep.store import aliases, reps
from rightrep.store.session import WriteSession
from rightrep.store.tenants import get_tenant
from serving.dependencies import Caller, Parts, Reading, Writing, allow
from serving.errors import may_raise
from serving.models import Body, Key, Text, Word, text_only
from serving.usecases.rep_ratings import ProfileColumn, in_words, rate_rep

router = APIRouter(prefix="/v1/reps", tags=["reps"])

Day = Annotated[date, Field(strict=False), BeforeValidator(text_only)]
Minute = Annotated[time, Field(strict=False), BeforeValidator(text_only)]
Tags = Annotated[list[Text], Field(max_length=100)]


class ShiftIn(Body):
    """Working hours of one weekday."""

    weekday: int = Field(ge=0, le=6, description="0 is Monday.")
    start: Minute
    end: Minute

    @model_validator(mode="after")
    def _in_order(self) -> "ShiftIn":
        if self.start.tzinfo or self.end.tzinfo or self.end <= self.start:
            raise ValueError("a shift ends after it starts, in times without a zone")
        return self


class LeaveIn(Body):
    """Days away."""

    first: Day
    last: Day

    @model_validator(mode="after")
    def _in_order(self) -> "LeaveIn":
        if self.last < self.first:
            raise ValueError("leave ends before it starts")
        return self


class RepIn(Body):
    """A rep as the CRM knows them; a field left out is not known."""

    external_id: Key
    name: Text
    team: Text | None = None
    manager: Text | None = None
    region: Text | None = None
    languages: Tags = Field(default=[], description="BCP 47; none is no limit.")
    products: Tags = Field(default=[], description="May sell; none is all.")
    industries: Tags = Field(default=[], description="Knows.")
    hired_on: Day | None = None
    holding_limit: int | None = Field(default=None, ge=0, le=1_000_000)
    intake_per_day: int | None = Field(default=None, ge=0, le=1_000_000)
    intake_per_month: int | None = Field(default=None, ge=0, le=1_000_000)
    weight: float = Field(default=1.0, gt=0, le=1_000)
    time_zone: Text | None = Field(default=None, examples=["Asia/Shanghai"])
    calendar: Text | None = Field(
        default=None, examples=["CN", "DE-BY"], description="Whose holidays."
    )
    shifts: list[ShiftIn] = Field(default=[], max_length=50)
    leave: list[LeaveIn] = Field(default=[], max_length=100)
    status: Word[RepStatus] = RepStatus.ACTIVE

    def to_attributes(self) -> RepAttributes:
        """What changes about a rep, in RightRep's own terms."""
        if self.time_zone is not None:
            zone_of(self.time_zone)
        if self.calendar is not None:
            require_calendar(self.calendar)
        return RepAttributes(
            team=self.team,
            manager=self.manager,
            region=self.region,
            languages=frozenset(self.languages),
            products=frozenset(self.products),
            industries=frozenset(self.industries),
            hired_on=self.hired_on,
            holding_limit=self.holding_limit,
            intake_per_day=self.intake_per_day,
            intake_per_month=self.intake_per_month,
            weight=self.weight,
            time_zone=self.time_zone,
            calendar=self.calendar,
            shifts=tuple(Shift(s.weekday, s.start, s.end) for s in self.shifts),
            leave=tuple(Leave(away.first, away.last) for away in self.leave),
            status=self.status,
        )


class RepsIn(Body):
    """Reps to make or to bring up to date."""

    source: Key = Field(default="crm", description="Whose ids these are.")
    reps: list[RepIn] = Field(min_length=1, max_length=1_000)


class RepIds(BaseModel):
    """A rep's two ids."""

    external_id: str
    rep_id: str


class RepsOut(BaseModel):
    """What became of the reps."""

    changed: int = Field(description="Reps of which something changed.")
    reps: list[RepIds]


class RepOut(BaseModel):
    """A rep as of now."""

    rep_id: str
    name: str | None = Field(description="Not told to analysts.")
    team: str | None
    region: str | None
    status: RepStatus
    held: int = Field(description="Open leads owned.")
    holding_limit: int | None
    taken_today: int = Field(description="Leads given on this local day.")
    intake_per_day: int | None


class RosterOut(BaseModel):
    """Every rep."""

    reps: list[RepOut]


class StandingOut(BaseModel):
    """How often a rep wins leads of one kind, over the rate of the team."""

    scope: str = Field(description="overall, or what the segment is of.")
    segment: str | None = Field(description="The leads' value; null for bands.")
    band: tuple[float | None, float | None] | None = Field(
        description="Ends of a band of deal values or company sizes."
    )
    ratio: float | None = Field(
        description="Wins over what the leads let expect, over the same of the group, "
        "shrunk to 1; null where the group won too little to be compared with."
    )
    low: float | None = Field(description="Lower end of the interval.")
    high: float | None = Field(description="Upper end of the interval.")
    differs: bool = Field(description="Whether the interval leaves out 1.")
    compared_with: Literal["team", "all"]
    n_leads: int = Field(description="Leads whose label window has ended.")
    n_won: int
    n_drawn: int = Field(description="Of the leads, those the rep got by lot.")
    words: dict[str, str] = Field(description="The same in words: en and zh.")

    @classmethod
    def of(cls, standing: Standing, currency: str) -> "StandingOut":
        """As callers see it."""
        known = asdict(standing)
        return cls(
            **{name: known[name] for name in known if name != "with_team"},
            differs=standing.differs,
            compared_with="team" if standing.with_team else "all",
            words=in_words(standing, currency),
        )


class RatingOut(BaseModel):
    """A rep's rating as of now."""

    rep_id: str
    as_of: datetime
    model_version: str = Field(description="Whose expectations wins are held against.")
    level: float = Field(description="Share of true ratios inside their intervals.")
    standings: list[StandingOut] = Field(description="Overall first, then segments.")
    profile: list[ProfileColumn] = Field(
        description="The model's columns of the rep: speed, load, tenure, satisfaction."
    )


@router.post(
    "",
    response_model=RepsOut,
    dependencies=[Depends(allow(Role.SERVICE))],
)
def post_reps(body: RepsIn, call: Writing) -> Response:
    """Make reps or bring them up to date; sending the same again changes nothing."""
    names = [rep.external_id for rep in body.reps]
    if len(set(names)) != len(names):
        raise InvalidInput(
            "One rep is named twice in this request.", field="reps.external_id"
        )
    attributes = [rep.to_attributes() for rep in body.reps]

    def work(session: WriteSession) -> RepsOut:
        at = call.clock.now()
        kind = aliases.RecordKind.REP
        ids = aliases.ensure_ids(session, kind, body.source, names, at=at)
        given = [
            Rep(
                rep_id=RepId(ids[rep.external_id]),
                name=rep.name,
                created_at=at,
                attributes=known,
            )
            for rep, known in zip(body.reps, attributes, strict=True)
        ]
        return RepsOut(
            changed=reps.upsert_reps(session, given, at=at),
            reps=[RepIds(external_id=name, rep_id=ids[name]) for name in names],
        )

    return call.once(work)


@router.get("")
def get_reps(session: Reading, caller: Caller, parts: Parts) -> RosterOut:
    """Every rep with present load; a rep sees only the own row."""
    at = parts.clock.now()
    today = local_day(at, get_tenant(session).time_zone)
    names = {rep.rep_id: rep.name for rep in reps.list_reps(session, as_of=at)}
    shown = [
        RepOut(
            rep_id=entry.rep_id,
            name=None if caller.role is Role.ANALYST else names[entry.rep_id],
            team=entry.attributes.team,
            region=entry.attributes.region,
            status=entry.attributes.status,
            held=entry.held,
            holding_limit=entry.attributes.holding_limit,
            taken_today=entry.taken_today,
            intake_per_day=entry.attributes.intake_per_day,
        )
        for entry in reps.roster(session, as_of=at, local_day=today)
        if caller.role is not Role.REP or entry.rep_id == caller.rep_id
    ]
    return RosterOut(reps=shown)


@router.get(
    "/{rep_id}/rating",
    responses=may_raise(NotAllowed, NotFound, ModelUnavailable),
    dependencies=[Depends(allow(Role.MANAGER, Role.REP))],
)
def get_rating(rep_id: Key, caller: Caller, parts: Parts) -> RatingOut:
    """How often a rep wins, over the team's rate, in words; a rep sees the own one."""
    with parts.store.read(caller.tenant_id) as session:
        known = RepId(aliases.resolve(session, aliases.RecordKind.REP, rep_id))
    caller.require_rep(known)
    rating = rate_rep(parts, caller.tenant_id, known)
    return RatingOut(
        rep_id=rating.rep_id,
        as_of=rating.as_of,
        model_version=rating.model_version,
        level=LEVEL,
        standings=[StandingOut.of(one, rating.currency) for one in rating.standings],
        profile=list(rating.profile),
    )
