"""Feedback: outcomes, activities, and who really has a lead."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from rightrep.domain.activity import Activity, ActivityKind
from rightrep.domain.ids import DecisionId, LeadId, RepId
from rightrep.domain.outcome import Outcome, Result, reason_code, remark_of
from rightrep.domain.roles import Role
from rightrep.errors import Conflict, InvalidInput, KeyReused, NotFound
from rightrep.store.aliases import RecordKind, resolve_lead, resolve_many, resolve_rep
from rightrep.store.session import ReadSession, WriteSession
from serving.dependencies import Writing, allow
from serving.errors import may_raise
from serving.models import Body, Instant, Key, LongText, MoneyIn, Text, Word
from serving.usecases import feedback

router = APIRouter(prefix="/v1/feedback", tags=["feedback"])

_KNOWN = may_raise(NotFound, InvalidInput, KeyReused, Conflict)


class OutcomeIn(Body):
    """How one lead closed."""

    event_id: Key = Field(description="Same message, same id.")
    lead: Key
    result: Word[Result]
    closed_at: Instant
    decision: Key | None = Field(
        default=None, description="The decision it judges; the lead's last by default."
    )
    value: MoneyIn | None = Field(default=None, description="Money won.")
    reason: Text | None = Field(
        default=None,
        description="Up to three plain words; what people say goes into the note.",
        examples=["no_budget"],
    )
    note: LongText | None = Field(default=None, description="Personal; erasable.")
    replaces: Key | None = Field(
        default=None, description="event_id of the outcome that this one corrects."
    )


class OutcomesIn(Body):
    """Closed leads."""

    outcomes: list[OutcomeIn] = Field(min_length=1, max_length=1_000)


class ActivityIn(Body):
    """One thing that happened between a rep and a lead."""

    event_id: Key = Field(description="Same message, same id.")
    kind: Word[ActivityKind]
    lead: Key
    rep: Key | None = None
    happened_at: Instant
    result: Text | None = Field(default=None, examples=["reached"])
    score: Annotated[float | None, Field(ge=-100, le=100)] = None
    latitude: Annotated[float | None, Field(ge=-90, le=90)] = None
    longitude: Annotated[float | None, Field(ge=-180, le=180)] = None
    note: LongText | None = Field(default=None, description="Personal; erasable.")


class ActivitiesIn(Body):
    """Things that happened."""

    activities: list[ActivityIn] = Field(min_length=1, max_length=1_000)


class OwnershipIn(Body):
    """The CRM's word on who has a lead."""

    lead: Key
    word: Word[feedback.Word]
    rep: Key | None = Field(
        default=None,
        description="Who has it (confirmed, overridden; null is nobody) or declined.",
    )
    cause: Text = Field(default="crm", description="Why, in a word.")


class Receipt(BaseModel):
    """What became of the messages."""

    recorded: list[bool] = Field(
        description="For each message in order: false when it was seen before."
    )


class OwnerOut(BaseModel):
    """Who has the lead now."""

    lead_id: str
    owner: str | None


@router.post(
    "/outcomes",
    status_code=201,
    response_model=Receipt,
    responses=_KNOWN,
    dependencies=[Depends(allow(Role.SERVICE, Role.MANAGER))],
)
def post_outcomes(body: OutcomesIn, call: Writing) -> Response:
    """Log how leads closed. Sending the same message again changes nothing."""

    def work(session: WriteSession) -> Receipt:
        at = call.clock.now()
        told = body.outcomes
        leads = ids_of(session, RecordKind.LEAD, [o.lead for o in told])
        named = [o.decision for o in told if o.decision]
        decisions = ids_of(session, RecordKind.DECISION, named)
        told_outcomes = [
            Outcome(
                event_id=o.event_id,
                lead_id=LeadId(leads[o.lead]),
                decision_id=DecisionId(decisions[o.decision]) if o.decision else None,
                result=o.result,
                closed_at=o.closed_at,
                recorded_at=max(at, o.closed_at),
                value=o.value.to_domain() if o.value else None,
                reason=_code(o),
                replaces=o.replaces,
            )
            for o in told
        ]
        remarks = [
            remark_of(outcome, o.note)
            for outcome, o in zip(told_outcomes, told, strict=True)
            if o.note
        ]
        recorded = feedback.log_outcomes(session, told_outcomes, at=at)
        feedback.log_activities(session, remarks)
        return Receipt(recorded=recorded)

    return call.once(work, status=201)


@router.post(
    "/activities",
    status_code=201,
    response_model=Receipt,
    responses=_KNOWN,
    dependencies=[Depends(allow(Role.SERVICE, Role.MANAGER, Role.REP))],
)
def post_activities(body: ActivitiesIn, call: Writing) -> Response:
    """Log what happened. Sending the same message again changes nothing."""

    def work(session: WriteSession) -> Receipt:
        at = call.clock.now()
        told = body.activities
        leads = ids_of(session, RecordKind.LEAD, [a.lead for a in told])
        reps = ids_of(session, RecordKind.REP, [a.rep for a in told if a.rep])
        for rep_id in reps.values():
            call.principal.require_rep(RepId(rep_id))
        return Receipt(
            recorded=feedback.log_activities(
                session,
                [
                    Activity(
                        event_id=a.event_id,
                        kind=a.kind,
                        lead_id=LeadId(leads[a.lead]),
                        rep_id=RepId(reps[a.rep]) if a.rep else call.principal.rep_id,
                        happened_at=a.happened_at,
                        recorded_at=max(at, a.happened_at),
                        result=a.result,
                        score=a.score,
                        latitude=a.latitude,
                        longitude=a.longitude,
                        note=a.note,
                    )
                    for a in told
                ],
            )
        )

    return call.once(work, status=201)


@router.post(
    "/ownership",
    response_model=OwnerOut,
    responses=_KNOWN,
    dependencies=[Depends(allow(Role.SERVICE, Role.MANAGER))],
)
def post_ownership(body: OwnershipIn, call: Writing) -> Response:
    """Confirm our decision, or say who has the lead instead."""

    def work(session: WriteSession) -> OwnerOut:
        lead_id = resolve_lead(session, body.lead)
        rep_id = None if body.rep is None else resolve_rep(session, body.rep)
        owner = feedback.hear_owner(
            session,
            lead_id,
            body.word,
            rep_id=rep_id,
            **call.stamp(),
            cause=body.cause,
        )
        return OwnerOut(lead_id=lead_id, owner=owner)

    return call.once(work)


def ids_of(session: ReadSession, kind: RecordKind, names: list[str]) -> dict[str, str]:
    """Our ids of all these names.

    Raises:
        NotFound: One of them names nothing.
    """
    found = resolve_many(session, kind, names)
    for name in names:
        if name not in found:
            raise NotFound(kind.value, name)
    return found


def _code(told: OutcomeIn) -> str | None:
    """The reason's code.

    Raises:
        InvalidInput: It is a remark.
    """
    code = reason_code(told.reason)
    if told.reason is not None and code is None:
        raise InvalidInput(
            "The reason is no code.",
            field="reason",
            remedy="Give up to three plain words such as no_budget; send anything else "
            "as `note`.",
        )
    return code
