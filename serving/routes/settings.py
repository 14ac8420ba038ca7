"""Settings of the tenant: how its leads are shared out, how its models learn."""

from typing import Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from rightrep.domain.roles import Role
from rightrep.errors import InvalidInput
from serving.dependencies import Reading, Writing, allow
from serving.errors import may_raise
from serving.models import Body
from serving.usecases.handover_settings import handover_in_force, set_handover
from serving.usecases.learning_settings import learning_in_force, set_learning
from serving.usecases.routing_settings import routing_in_force, set_routing
from serving.usecases.tier_settings import set_tiers, tiers_in_force

router = APIRouter(prefix="/v1/settings", tags=["settings"])

READERS = [Depends(allow(Role.SERVICE, Role.MANAGER, Role.ANALYST))]
CHANGERS = [Depends(allow(Role.MANAGER))]
REFUSED = may_raise(InvalidInput)


class RoutingIn(Body):
    """Routing settings, as a whole."""

    routing: dict[str, Any] = Field(
        description="Settings by name; those left out take their defaults.",
        examples=[{"fairness": {"load_band": 0.3, "floor": 2}}],
    )


class RoutingOut(BaseModel):
    """Routing settings in force."""

    routing: dict[str, Any] = Field(description="Every setting, defaults included.")


@router.get("/routing", dependencies=READERS)
def get_routing(session: Reading) -> RoutingOut:
    """How leads are shared out now."""
    return RoutingOut(routing=routing_in_force(session))


@router.put(
    "/routing",
    response_model=RoutingOut,
    responses=REFUSED,
    dependencies=CHANGERS,
)
def put_routing(body: RoutingIn, call: Writing) -> Response:
    """Share leads out like this from now on, instead of as before."""
    return call.once(
        lambda session: RoutingOut(
            routing=set_routing(session, body.routing, **call.stamp())
        )
    )


class LearningIn(Body):
    """Settings of learning and of recurring jobs, as a whole."""

    learning: dict[str, Any] = Field(
        default={},
        description="When a challenger is good enough, and what counts as drift.",
        examples=[{"drift_psi": 0.25, "value_margin": 0.1}],
    )
    schedule: dict[str, Any] = Field(
        default={},
        description="Recurring jobs by kind; null never runs.",
        examples=[{"retrain": {"at": "02:00", "every_days": 7}, "drift": None}],
    )


class LearningOut(BaseModel):
    """Settings of learning and of recurring jobs in force."""

    learning: dict[str, Any] = Field(description="Every setting, defaults included.")
    schedule: dict[str, Any] = Field(description="Every recurring job; null is off.")


@router.get("/learning", dependencies=READERS)
def get_learning(session: Reading) -> LearningOut:
    """How models are judged and watched, and when recurring jobs run."""
    return LearningOut(**learning_in_force(session))


@router.put(
    "/learning",
    response_model=LearningOut,
    responses=REFUSED,
    dependencies=[Depends(allow(Role.ANALYST))],
)
def put_learning(body: LearningIn, call: Writing) -> Response:
    """Judge, watch and run like this from now on, instead of as before."""
    return call.once(
        lambda session: LearningOut(**set_learning(session, body.model_dump()))
    )


class TiersIn(Body):
    """Thresholds of the lead score, as a whole."""

    tiers: dict[str, Any] = Field(
        description="Thresholds by tier; those left out take their defaults.",
        examples=[{"opportunity": 80, "follow_up": 40}],
    )


class TiersOut(BaseModel):
    """Thresholds of the lead score in force."""

    tiers: dict[str, Any] = Field(description="Every threshold, defaults included.")


@router.get("/tiers", dependencies=READERS)
def get_tiers(session: Reading) -> TiersOut:
    """From which lead score on a lead is in which tier."""
    return TiersOut(tiers=tiers_in_force(session))


@router.put(
    "/tiers",
    response_model=TiersOut,
    responses=REFUSED,
    dependencies=CHANGERS,
)
def put_tiers(body: TiersIn, call: Writing) -> Response:
    """Tell tiers apart like this from now on, instead of as before."""
    return call.once(lambda session: TiersOut(tiers=set_tiers(session, body.tiers)))


class HandoverIn(Body):
    """Settings of handovers and of service reps, as a whole."""

    handover: dict[str, Any] = Field(
        description="Settings by name; those left out take their defaults.",
        examples=[{"undo_days": 14, "service_team": "service"}],
    )


class HandoverOut(BaseModel):
    """Settings of handovers and of service reps in force."""

    handover: dict[str, Any] = Field(description="Every setting, defaults included.")


@router.get("/handover", dependencies=READERS)
def get_handover_settings(session: Reading) -> HandoverOut:
    """How long handovers can be undone, and who looks after won customers."""
    return HandoverOut(handover=handover_in_force(session))


@router.put(
    "/handover",
    response_model=HandoverOut,
    responses=REFUSED,
    dependencies=CHANGERS,
)
def put_handover_settings(body: HandoverIn, call: Writing) -> Response:
    """Hand over and serve like this from now on, instead of as before."""
    return call.once(
        lambda session: HandoverOut(handover=set_handover(session, body.handover))
    )
