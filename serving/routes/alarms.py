"""Alarms about cheating: what was noticed, with the evidence, and what became of it."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from rightrep.domain.collusion import AlarmKind, Severity
from rightrep.domain.roles import Role
from rightrep.errors import Conflict, NotFound
from rightrep.store import alarms
from rightrep.store.alarms import RaisedAlarm
from rightrep.store.session import WriteSession
from serving.dependencies import Reading, Writing, allow
from serving.errors import may_raise
from serving.models import Body, Key, Text
from serving.routes.jobs import JobOut, queued
from serving.usecases.cheating import CHEATING, in_words

router = APIRouter(prefix="/v1/alarms", tags=["alarms"])
_MANAGERS = Depends(allow(Role.MANAGER))


class AlarmOut(BaseModel):
    """Something that a manager should look at."""

    alarm_id: str
    kind: AlarmKind
    severity: Severity
    words: str = Field(description="The evidence, in a sentence.")
    rep_ids: list[str]
    lead_ids: list[str] = Field(description="The leads it is seen on.")
    first_at: datetime
    last_at: datetime
    chance: float = Field(description="Of at least this under honest habits.")
    facts: dict[str, float] = Field(description="Numbers of the evidence, by name.")
    raised_at: datetime
    seen_at: datetime = Field(description="When it was last noticed.")
    settled_at: datetime | None
    settled_by: str | None
    settled_because: str | None

    @classmethod
    def of(cls, raised: RaisedAlarm) -> "AlarmOut":
        """As callers see it."""
        alarm = raised.alarm
        return cls(
            alarm_id=raised.alarm_id,
            kind=alarm.kind,
            severity=alarm.severity,
            words=in_words(alarm),
            rep_ids=list(alarm.reps),
            lead_ids=list(alarm.leads),
            first_at=alarm.first_at,
            last_at=alarm.last_at,
            chance=alarm.chance,
            facts=dict(alarm.facts),
            raised_at=raised.raised_at,
            seen_at=raised.seen_at,
            settled_at=raised.settled_at,
            settled_by=raised.settled_by,
            settled_because=raised.settled_because,
        )


class AlarmsOut(BaseModel):
    """Alarms."""

    alarms: list[AlarmOut] = Field(description="Those seen last first.")


class SettleIn(Body):
    """What a manager made of an alarm."""

    because: Text = Field(examples=["spoke with both; leads were given back"])


@router.get("", dependencies=[_MANAGERS])
def get_alarms(
    session: Reading,
    settled: bool = False,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> AlarmsOut:
    """Open alarms, or settled ones."""
    found = alarms.list_alarms(session, settled=settled, limit=limit)
    return AlarmsOut(alarms=[AlarmOut.of(one) for one in found])


@router.get("/{alarm_id}", responses=may_raise(NotFound), dependencies=[_MANAGERS])
def get_alarm(alarm_id: Key, session: Reading) -> AlarmOut:
    """One alarm with its evidence."""
    return AlarmOut.of(alarms.get_alarm(session, alarm_id))


@router.post(
    "/search", response_model=JobOut, status_code=202, dependencies=[_MANAGERS]
)
def post_search(call: Writing) -> Response:
    """Look for cheating now, as a job; while one is open, that is the answer."""

    def work(session: WriteSession) -> JobOut:
        args = {"actor": call.principal.key_id}
        return queued(session, call, CHEATING, args, open_key=CHEATING)

    return call.once(work, status=202)


@router.post(
    "/{alarm_id}/settle",
    response_model=AlarmOut,
    responses=may_raise(NotFound, Conflict),
    dependencies=[_MANAGERS],
)
def post_settle(alarm_id: Key, body: SettleIn, call: Writing) -> Response:
    """Close an alarm: it bars nobody any more, and is raised on new evidence alone."""

    def work(session: WriteSession) -> AlarmOut:
        alarms.settle_alarm(
            session,
            alarm_id,
            because=body.because,
            **call.stamp(),
        )
        return AlarmOut.of(alarms.get_alarm(session, alarm_id))

    return call.once(work)
