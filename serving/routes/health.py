"""Customer health: how customers do, and whose churn alarm is on."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from rightrep.domain.health import HealthPart
from rightrep.domain.ids import CustomerId
from rightrep.domain.roles import Role
from rightrep.errors import NotFound
from rightrep.store import health
from rightrep.store.aliases import RecordKind, resolve
from rightrep.store.health import CustomerHealth
from serving.dependencies import Caller, Reading, allow
from serving.errors import may_raise
from serving.models import Key
from serving.routes.ownership import own_lead

router = APIRouter(prefix="/v1", tags=["customer health"])

_WORDS = {
    HealthPart.RECENCY: "days since the last purchase",
    HealthPart.FREQUENCY: "purchases",
    HealthPart.MONETARY: "money spent, in the tenant's currency",
    HealthPart.ACTIVITY: "contacts and page views of late, older ones counting less",
    HealthPart.SATISFACTION: "mean survey score, older ones counting less",
}


class PartOut(BaseModel):
    """What one part adds to the score."""

    part: HealthPart
    points: float = Field(description="Added to the score.")
    most: float = Field(description="The most it could add.")
    words: str = Field(description="What the fact is.")
    fact: float | None = Field(description="Null where nothing is known.")


class HealthOut(BaseModel):
    """A customer's health as of the last look."""

    customer_id: str
    bought: bool = Field(description="False: never bought, so there is no score.")
    score: float | None = Field(description="From 0 to 100.")
    churn_alarm: bool
    alarmed_since: datetime | None
    looked_at: datetime | None
    parts: list[PartOut] = Field(description="What the score is the sum of.")

    @classmethod
    def of(cls, customer_id: str, found: CustomerHealth | None) -> "HealthOut":
        """As callers see it."""
        if found is None:
            return cls(
                customer_id=customer_id,
                bought=False,
                score=None,
                churn_alarm=False,
                alarmed_since=None,
                looked_at=None,
                parts=[],
            )
        return cls(
            customer_id=customer_id,
            bought=True,
            score=found.score,
            churn_alarm=found.alarmed_since is not None,
            alarmed_since=found.alarmed_since,
            looked_at=found.looked_at,
            parts=[
                PartOut(
                    part=part,
                    points=found.parts[part]["points"] or 0.0,
                    most=found.parts[part]["most"] or 0.0,
                    words=_WORDS[part],
                    fact=found.parts[part]["fact"],
                )
                for part in HealthPart
            ],
        )


class AlarmsOut(BaseModel):
    """Customers whose churn alarm is on."""

    customers: list[HealthOut] = Field(description="The newest alarm first.")


_INSIDERS = Depends(allow(Role.SERVICE, Role.MANAGER, Role.ANALYST))


@router.get("/customers/alarms", dependencies=[_INSIDERS])
def get_alarms(
    session: Reading, limit: Annotated[int, Query(ge=1, le=1_000)] = 100
) -> AlarmsOut:
    """Customers whose churn alarm is on."""
    found = health.list_alarmed(session, limit=limit)
    return AlarmsOut(customers=[HealthOut.of(one.customer_id, one) for one in found])


@router.get(
    "/customers/{customer_id}/health",
    responses=may_raise(NotFound),
    dependencies=[_INSIDERS],
)
def get_customer_health(customer_id: Key, session: Reading) -> HealthOut:
    """A customer's health as of the last look."""
    known = CustomerId(resolve(session, RecordKind.CUSTOMER, customer_id))
    return HealthOut.of(known, health.get_health(session, known))


@router.get("/leads/{lead_id}/health", responses=may_raise(NotFound))
def get_lead_health(lead_id: Key, session: Reading, caller: Caller) -> HealthOut:
    """Health of a lead's customer; a rep sees that of own leads only."""
    known = own_lead(session, caller, lead_id)
    customer_id = health.customer_of(session, known)
    if customer_id is None:
        raise NotFound("customer", lead_id)
    return HealthOut.of(customer_id, health.get_health(session, customer_id))
