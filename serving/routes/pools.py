"""Public pools: their settings, their leads, and the clock that fills them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from rightrep.domain.claims import Obstacle
from rightrep.domain.lead import LeadKind, Scalar, Stage
from rightrep.domain.pools import Counting, Pool
from rightrep.domain.roles import Role
from rightrep.errors import Conflict, InvalidInput, NotAllowed, NotFound
from rightrep.store.pools import pool_history
from rightrep.store.session import WriteSession
from serving.dependencies import Caller, Parts, Reading, Writing, allow
from serving.errors import may_raise
from serving.models import Body, Key, MoneyOut, Text, Word
from serving.routes.jobs import JobOut, queued
from serving.usecases.pool_recycling import RECYCLE
from serving.usecases.pool_views import PublicLead, open_pools, public_leads
from serving.usecases.pools import change_pool, remove_pool

router = APIRouter(prefix="/v1/pools", tags=["pools"])


class ProtectionIn(Body):
    """How long an owner keeps a lead."""

    follow_up_days: int | None = Field(
        default=None, description="Since the later of receipt and last follow-up."
    )
    win_days: int | None = Field(default=None, description="Since receipt.")


class PoolIn(Body):
    """A pool's settings, as a whole; what is left out takes its default."""

    kind: Word[LeadKind] | None = Field(
        default=None,
        description="Leads, or work orders; leads by default, except in `tickets`.",
    )
    position: int = Field(default=0, description="Pools are asked in this order.")
    leads: dict[Text, list[Scalar]] = Field(
        default={},
        max_length=20,
        description="Values a lead's attribute must be one of; all must hold.",
        examples=[{"region": ["华东"], "attributes.segment": ["SMB"]}],
    )
    teams: list[Text] = Field(default=[], description="May claim; none is every team.")
    regions: list[Text] = Field(default=[], description="Likewise, by region.")
    counting: Word[Counting] = Field(
        default=Counting.CALENDAR_DAYS,
        description="Whole local days, or 24 hours each.",
    )
    protection: ProtectionIn = Field(
        default=ProtectionIn(), description="For grades that are not named."
    )
    grades: dict[Text, ProtectionIn] = Field(default={}, max_length=100)
    warning_days: int = Field(default=3, description="Drops are told so far ahead.")
    holding_limit: int | None = Field(
        default=None, description="Of reps who have no limit of their own."
    )
    won_exempt: bool = Field(
        default=True, description="A won lead stops counting against the limit."
    )
    claims_per_day: int | None = None
    fresh_hours: float = Field(
        default=0.0, description="A lead that has just come cannot be claimed so long."
    )
    cool_down_days: int | None = Field(
        default=None, description="No former owner may claim it so long."
    )
    untouched_hours: float | None = Field(
        default=None,
        description="A high score untouched so long goes to the next best rep.",
        examples=[48],
    )
    untouched_score: int = Field(default=80, description="What is a high score.")


class PoolChange(Body):
    """New settings and why."""

    settings: PoolIn
    reason: Text = Field(default="", description="Why, for the history.")


class PoolOut(BaseModel):
    """A public pool."""

    pool: str
    settings: PoolIn


class PoolsOut(BaseModel):
    """Public pools in the order in which they are asked."""

    pools: list[PoolOut]


class PoolVersionOut(BaseModel):
    """One version of a pool's settings."""

    version: int
    settings: PoolIn | None = Field(description="Null took the pool away.")
    actor: str
    reason: str
    created_at: datetime


class PoolHistoryOut(BaseModel):
    """Every version, the newest first."""

    versions: list[PoolVersionOut]


class ChangedOut(BaseModel):
    """The version that holds from now on."""

    pool: str
    version: int


class PublicLeadOut(BaseModel):
    """A lead in a public pool, without the people behind it."""

    lead_id: str
    created_at: datetime
    entered_at: datetime = Field(description="Since when it is in the pool.")
    obstacle: Obstacle | None = Field(
        description="Why the rep who asks cannot claim it; null when they can."
    )
    until: datetime | None = Field(description="Until when, where time helps.")
    industry: str | None
    company_size: float | None
    region: str | None
    language: str | None
    product: str | None
    deal_value: MoneyOut | None
    channel: str | None
    stage: Stage
    grade: str | None
    attributes: dict[str, Scalar]

    @classmethod
    def of(cls, found: PublicLead) -> "PublicLeadOut":
        """As callers see it."""
        known, left_out = found.lead.attributes, found.left_out
        return cls(
            lead_id=found.lead.lead_id,
            created_at=found.lead.created_at,
            entered_at=found.entered_at,
            obstacle=None if left_out is None else left_out.obstacle,
            until=None if left_out is None else left_out.until,
            industry=known.industry,
            company_size=known.company_size,
            region=known.region,
            language=known.language,
            product=known.product,
            deal_value=MoneyOut.of(known.deal_value),
            channel=known.channel,
            stage=known.stage,
            grade=known.grade,
            attributes=dict(known.attributes),
        )


class PublicLeadsOut(BaseModel):
    """A page of a pool."""

    leads: list[PublicLeadOut]
    next_after: str | None = Field(description="`after` of the next page.")


@router.get("", responses=may_raise(NotFound))
def get_pools(session: Reading, caller: Caller, parts: Parts) -> PoolsOut:
    """Every public pool; a rep sees those that are open to them."""
    found = open_pools(session, caller.rep_id, at=parts.clock.now())
    return PoolsOut(
        pools=[PoolOut(pool=pool.pool, settings=_settings(pool)) for pool in found]
    )


@router.put(
    "/{pool}",
    response_model=ChangedOut,
    responses=may_raise(InvalidInput, Conflict),
    dependencies=[Depends(allow(Role.ADMIN))],
)
def put_pool(pool: Key, body: PoolChange, call: Writing) -> Response:
    """Make a pool, or put new settings in force as a whole."""
    made = Pool.of(pool, body.settings.model_dump(mode="json"))

    def work(session: WriteSession) -> ChangedOut:
        version = change_pool(session, made, reason=body.reason, **call.stamp())
        return ChangedOut(pool=pool, version=version)

    return call.once(work)


@router.delete(
    "/{pool}",
    response_model=ChangedOut,
    responses=may_raise(NotFound, Conflict),
    dependencies=[Depends(allow(Role.ADMIN))],
)
def delete_pool(
    pool: Key,
    call: Writing,
    reason: Annotated[Text, Query(description="Why, for the history.")] = "",
) -> Response:
    """Take a pool away; its leads are in the next one whose conditions hold."""

    def work(session: WriteSession) -> ChangedOut:
        version = remove_pool(session, pool, reason=reason, **call.stamp())
        return ChangedOut(pool=pool, version=version)

    return call.once(work)


@router.get(
    "/{pool}/versions",
    dependencies=[Depends(allow(Role.MANAGER, Role.ANALYST))],
)
def get_versions(pool: Key, session: Reading) -> PoolHistoryOut:
    """Every version of a pool's settings, who wrote it and why."""
    return PoolHistoryOut(
        versions=[
            PoolVersionOut(
                version=one.version,
                settings=None if one.pool is None else _settings(one.pool),
                actor=one.actor,
                reason=one.reason,
                created_at=one.created_at,
            )
            for one in pool_history(session, pool)
        ]
    )


@router.get("/{pool}/leads", responses=may_raise(NotFound, NotAllowed))
def get_pool_leads(
    pool: Key,
    session: Reading,
    caller: Caller,
    parts: Parts,
    after: Annotated[str, Query(max_length=36)] = "",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> PublicLeadsOut:
    """Leads in a public pool; a rep sees which of them may be claimed, and when."""
    found = public_leads(
        session,
        pool,
        at=parts.clock.now(),
        rep_id=caller.rep_id,
        after=after,
        limit=limit,
    )
    return PublicLeadsOut(
        leads=[PublicLeadOut.of(one) for one in found],
        next_after=found[-1].lead.lead_id if len(found) == limit else None,
    )


@router.post(
    "/recycle",
    status_code=202,
    response_model=JobOut,
    dependencies=[Depends(allow(Role.MANAGER))],
)
def post_recycle(call: Writing) -> Response:
    """Look at every owned lead now: what is due drops back, what is coming is told."""
    return call.once(
        lambda session: queued(session, call, RECYCLE, open_key=RECYCLE),
        status=202,
    )


def _settings(pool: Pool) -> PoolIn:
    told: Mapping[str, Any] = pool.to_json()
    return PoolIn.model_validate(told)
