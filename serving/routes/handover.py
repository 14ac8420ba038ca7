"""Handovers: leads of reps who leave, or of a team, move together and can go back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from rightrep.domain.handover import Handover, HandoverLine, MoveState
from rightrep.domain.ids import RepId
from rightrep.domain.lead import Scalar
from rightrep.domain.roles import Role
from rightrep.errors import Conflict, InvalidInput, NotFound
from rightrep.store import handover as stored
from rightrep.store.session import ReadSession, WriteSession
from serving.dependencies import Parts, Reading, Writing, allow
from serving.errors import may_raise
from serving.models import After, Body, Key, Text
from serving.routes.jobs import JobOut, queued
from serving.usecases.handover import (
    HandoverRequest,
    MadeHandover,
    keep_handover,
    preview_handover,
    reps_named,
)
from serving.usecases.handover_moves import (
    HANDOVER,
    HANDOVER_UNDO,
    require_not_undone,
    require_undoable,
)

router = APIRouter(
    prefix="/v1/handovers",
    tags=["ownership"],
    dependencies=[Depends(allow(Role.SERVICE, Role.MANAGER))],
)


class HandoverIn(Body):
    """Which leads go where; nothing moves before the commit."""

    from_reps: list[Key] = Field(
        default=[], max_length=1_000, description="Whose open leads."
    )
    from_team: Text | None = Field(
        default=None, description="Of every rep of this team."
    )
    to_reps: list[Key] = Field(
        default=[], max_length=1_000, description="Who may get them."
    )
    to_team: Text | None = Field(
        default=None,
        description="Every rep of this team; without reps or a team, everybody else.",
    )
    policy: Text | None = Field(
        default=None, description="Null is the rules in force, or the tenant's policy."
    )
    leads: dict[Text, list[Scalar]] = Field(
        default={},
        max_length=20,
        description="Values a lead's attribute must be one of; all must hold.",
        examples=[{"region": ["华东"]}],
    )
    leaves: bool = Field(
        default=False, description="The commit marks the reps as left too."
    )
    reason: Annotated[Text, Field(min_length=1, description="Why, in your words.")]


class HandoverOut(BaseModel):
    """A handover as of now."""

    handover_id: str
    created_at: datetime
    reason: str
    policy: str
    from_reps: list[str]
    to_reps: list[str]
    leads: dict[str, list[Scalar]]
    leaves: bool
    fallback: str | None = Field(description="Why the fallback policy answered.")
    committed_at: datetime | None
    finished_at: datetime | None
    undo_until: datetime | None
    undone_at: datetime | None
    states: dict[MoveState, int] = Field(description="Leads by what became of them.")
    by_rep: dict[str, int] = Field(description="Leads that each new rep gets.")

    @classmethod
    def of(
        cls, one: Handover, states: Mapping[MoveState, int], reps: Mapping[RepId, int]
    ) -> "HandoverOut":
        """As callers see it."""
        return cls(
            handover_id=one.handover_id,
            created_at=one.created_at,
            reason=one.reason,
            policy=one.policy,
            from_reps=list(one.from_reps),
            to_reps=list(one.to_reps),
            leads={name: list(values) for name, values in one.leads.items()},
            leaves=one.leaves,
            fallback=one.fallback,
            committed_at=one.committed_at,
            finished_at=one.finished_at,
            undo_until=one.undo_until,
            undone_at=one.undone_at,
            states=dict(states),
            by_rep=dict(reps),
        )


class HandoversOut(BaseModel):
    """Handovers, the newest first."""

    handovers: list[HandoverOut]


class HandoverLeadOut(BaseModel):
    """One lead of a handover."""

    line: int
    lead_id: str
    from_rep: str
    to_rep: str | None
    state: MoveState
    why: list[str] = Field(description="Why nobody can take it, the commonest first.")
    policy: str
    p_convert: float | None
    value: float | None = Field(description="Minor units of the tenant's currency.")
    decision_id: str | None

    @classmethod
    def of(cls, line: HandoverLine) -> "HandoverLeadOut":
        """As callers see it."""
        return cls(
            line=line.line,
            lead_id=line.lead_id,
            from_rep=line.from_rep,
            to_rep=line.to_rep,
            state=line.state,
            why=list(line.why),
            policy=line.policy,
            p_convert=line.p_convert,
            value=line.value,
            decision_id=line.decision_id,
        )


class HandoverLeadsOut(BaseModel):
    """A page of a handover's leads."""

    leads: list[HandoverLeadOut]
    next_after: int | None = Field(description="`after` of the next page.")


@router.post(
    "",
    response_model=HandoverOut,
    status_code=201,
    responses=may_raise(InvalidInput, NotFound),
)
def post_handover(body: HandoverIn, call: Writing, parts: Parts) -> Response:
    """Preview a handover: who would get which lead, and which ones nobody can take."""

    def prepare() -> MadeHandover:
        tenant_id = call.principal.tenant_id
        with parts.store.read(tenant_id) as session:
            at = parts.clock.now()
            asked = HandoverRequest(
                from_reps=reps_named(
                    session,
                    body.from_reps,
                    body.from_team,
                    at=at,
                    may_have_left=True,
                ),
                to_reps=reps_named(session, body.to_reps, body.to_team, at=at),
                policy=body.policy,
                leads=body.leads,
                leaves=body.leaves,
                reason=body.reason,
                actor=call.principal.key_id,
            )
        return preview_handover(parts, tenant_id, asked)

    def work(session: WriteSession, made: MadeHandover) -> HandoverOut:
        keep_handover(session, made)
        return _out(session, made.handover)

    return call.prepared_once(prepare, work, status=201)


@router.get("")
def get_handovers(
    session: Reading, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> HandoversOut:
    """Handovers, the newest first."""
    found: Sequence[Handover] = stored.list_handovers(session, limit=limit)
    return HandoversOut(handovers=[_out(session, one) for one in found])


@router.get("/{handover_id}", responses=may_raise(NotFound))
def get_handover(handover_id: Key, session: Reading) -> HandoverOut:
    """One handover, and how far it is."""
    return _out(session, stored.read_handover(session, handover_id))


@router.get("/{handover_id}/leads", responses=may_raise(NotFound))
def get_handover_leads(
    handover_id: Key,
    session: Reading,
    state: MoveState | None = None,
    after: After = -1,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> HandoverLeadsOut:
    """Who gets which lead, what became of it, and why nobody can take some."""
    stored.read_handover(session, handover_id)
    lines = stored.read_lines(
        session, handover_id, state=state, after=after, limit=limit
    )
    return HandoverLeadsOut(
        leads=[HandoverLeadOut.of(line) for line in lines],
        next_after=lines[-1].line if len(lines) == limit else None,
    )


@router.post(
    "/{handover_id}/commit",
    response_model=JobOut,
    status_code=202,
    responses=may_raise(NotFound, Conflict),
)
def post_commit(handover_id: Key, call: Writing) -> Response:
    """Move every lead that still can be moved, as a job; each one once."""

    def work(session: WriteSession) -> JobOut:
        require_not_undone(stored.read_handover(session, handover_id))
        return _ask(session, call, HANDOVER, handover_id)

    return call.once(work, status=202)


@router.post(
    "/{handover_id}/undo",
    response_model=JobOut,
    status_code=202,
    responses=may_raise(NotFound, Conflict),
)
def post_undo(handover_id: Key, call: Writing) -> Response:
    """Give back every lead that has not closed or moved on since, as a job."""

    def work(session: WriteSession) -> JobOut:
        handover = stored.read_handover(session, handover_id)
        require_undoable(handover, call.clock.now())
        return _ask(session, call, HANDOVER_UNDO, handover_id)

    return call.once(work, status=202)


def _ask(session: WriteSession, call: Writing, kind: str, handover_id: str) -> JobOut:
    args = {"handover_id": handover_id, "actor": call.principal.key_id}
    return queued(session, call, kind, args, open_key=handover_id)


def _out(session: ReadSession, one: Handover) -> HandoverOut:
    states = stored.count_lines(session, one.handover_id)
    return HandoverOut.of(one, states, stored.count_by_rep(session, one.handover_id))
