"""Who looks after a customer once a deal is won."""

from datetime import datetime

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from rightrep.domain.roles import Role
from rightrep.errors import NotFound
from rightrep.store.aliases import resolve_lead
from serving.dependencies import Parts, Reading, allow
from serving.errors import may_raise
from serving.models import Key
from serving.usecases.service import look_at_service

router = APIRouter(prefix="/v1", tags=["ownership"])


class ServiceOut(BaseModel):
    """Who looks after a customer, or would from a win on."""

    customer_id: str
    rep_id: str | None
    since: datetime | None = Field(description="Null where it is not so yet.")
    why: list[str] = Field(description="Why nobody can, the commonest first.")


@router.get(
    "/leads/{lead_id}/service",
    responses=may_raise(NotFound),
    dependencies=[Depends(allow(Role.SERVICE, Role.MANAGER, Role.ANALYST))],
)
def get_service(lead_id: Key, session: Reading, parts: Parts) -> ServiceOut:
    """Who looks after a lead's customer, or would if the lead were won now."""
    known = resolve_lead(session, lead_id)
    found = look_at_service(session, known, at=parts.clock.now())
    return ServiceOut(
        customer_id=found.customer_id,
        rep_id=found.rep_id,
        since=found.since,
        why=list(found.why),
    )
