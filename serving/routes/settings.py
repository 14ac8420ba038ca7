"""Settings of the tenant: how its leads are shared out."""

from typing import Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from rightrep.domain.roles import Role
from rightrep.errors import InvalidInput
from rightrep.store.session import WriteSession
from serving.dependencies import Reading, Writing, allow
from serving.errors import may_raise
from serving.models import Body
from serving.usecases.routing_settings import routing_in_force, set_routing

router = APIRouter(prefix="/v1/settings", tags=["settings"])


class RoutingIn(Body):
    """Routing settings, as a whole."""

    routing: dict[str, Any] = Field(
        description="Settings by name; those left out take their defaults.",
        examples=[{"fairness": {"load_band": 0.3, "floor": 2}}],
    )


class RoutingOut(BaseModel):
    """Routing settings in force."""

    routing: dict[str, Any] = Field(description="Every setting, defaults included.")


@router.get(
    "/routing",
    dependencies=[Depends(allow(Role.SERVICE, Role.MANAGER, Role.ANALYST))],
)
def get_routing(session: Reading) -> RoutingOut:
    """How leads are shared out now."""
    return RoutingOut(routing=routing_in_force(session))


@router.put(
    "/routing",
    response_model=RoutingOut,
    responses=may_raise(InvalidInput),
    dependencies=[Depends(allow(Role.MANAGER))],
)
def put_routing(body: RoutingIn, call: Writing) -> Response:
    """Share leads out like this from now on, instead of as before."""

    def work(session: WriteSession) -> RoutingOut:
        return RoutingOut(routing=set_routing(session, body.routing))

    return call.once(work)
