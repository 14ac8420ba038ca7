"""Webhooks: who is told of what, and how the telling goes."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from rightrep.domain.event import DeliveryState
from rightrep.domain.roles import Role
from rightrep.errors import Conflict, InvalidInput, NotFound
from rightrep.store import endpoints, outbox
from rightrep.store.session import WriteSession
from serving.dependencies import Parts, Reading, Writing, allow
from serving.errors import may_raise
from serving.models import Body, Instant, Key, Text
from serving.webhooks import checked_address

router = APIRouter(
    prefix="/v1/webhooks", tags=["webhooks"], dependencies=[Depends(allow(Role.ADMIN))]
)

OVERLAP = timedelta(hours=24)


class EndpointIn(Body):
    """An address that wants to be told."""

    url: Annotated[str, Field(max_length=2_000, examples=["https://crm.example/in"])]
    types: list[Text] = Field(
        default=[],
        max_length=50,
        description="Types of events; none is all.",
        examples=[["rightrep.lead.assigned"]],
    )


class ReplayIn(Body):
    """What to send again."""

    since: Instant
    until: Instant


class EndpointOut(BaseModel):
    """An address that is told."""

    endpoint_id: str
    url: str
    types: list[str]
    created_at: datetime
    disabled_at: datetime | None
    disabled_because: str | None

    @classmethod
    def of(cls, endpoint: endpoints.Endpoint) -> "EndpointOut":
        """As callers see it."""
        return cls(
            endpoint_id=endpoint.endpoint_id,
            url=endpoint.url,
            types=list(endpoint.types),
            created_at=endpoint.created_at,
            disabled_at=endpoint.disabled_at,
            disabled_because=endpoint.disabled_because,
        )


class EndpointsOut(BaseModel):
    """Every address."""

    endpoints: list[EndpointOut]


class SecretOut(BaseModel):
    """What the receiver verifies with; shown now and never again."""

    endpoint_id: str
    secret: str = Field(description="Standard Webhooks: `whsec_` and base64.")


class Due(BaseModel):
    """How much is on its way."""

    due: int


class DeliveryOut(BaseModel):
    """How the delivery of one event goes."""

    event_id: str
    type: str
    state: DeliveryState
    attempts: int
    due_at: datetime | None
    answer: int | None = Field(description="Last HTTP status code.")
    error: str | None
    delivered_at: datetime | None


class DeliveriesOut(BaseModel):
    """Deliveries, the newest event first."""

    deliveries: list[DeliveryOut]


@router.post(
    "", status_code=201, response_model=SecretOut, responses=may_raise(InvalidInput)
)
def post_webhook(body: EndpointIn, call: Writing, parts: Parts) -> Response:
    """Tell an address from now on; the answer holds the secret."""
    checked_address(body.url, allow_private=parts.settings.webhooks_allow_private)

    def work(session: WriteSession) -> SecretOut:
        made = endpoints.add_endpoint(
            session, body.url, types=body.types, at=call.clock.now()
        )
        return SecretOut(endpoint_id=made.endpoint.endpoint_id, secret=made.secret)

    return call.once(work, status=201)


@router.get("")
def get_webhooks(session: Reading) -> EndpointsOut:
    """Every address that is told."""
    found = endpoints.list_endpoints(session)
    return EndpointsOut(endpoints=[EndpointOut.of(one) for one in found])


@router.get("/{endpoint_id}/deliveries", responses=may_raise(NotFound))
def get_deliveries(
    endpoint_id: Key,
    session: Reading,
    state: DeliveryState | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> DeliveriesOut:
    """How deliveries to one address go."""
    endpoints.read_endpoint(session, endpoint_id)
    found = outbox.list_deliveries(session, endpoint_id, state=state, limit=limit)
    return DeliveriesOut(
        deliveries=[
            DeliveryOut(
                **{name: getattr(one, name) for name in DeliveryOut.model_fields}
            )
            for one in found
        ]
    )


@router.post(
    "/{endpoint_id}/secret", response_model=SecretOut, responses=may_raise(NotFound)
)
def post_secret(endpoint_id: Key, call: Writing) -> Response:
    """A new secret; for a day deliveries are signed with both."""

    def work(session: WriteSession) -> SecretOut:
        secret = endpoints.rotate_secret(
            session, endpoint_id, at=call.clock.now(), overlap=OVERLAP
        )
        return SecretOut(endpoint_id=endpoint_id, secret=secret)

    return call.once(work)


@router.post(
    "/{endpoint_id}/disable", response_model=EndpointOut, responses=may_raise(NotFound)
)
def post_disable(endpoint_id: Key, call: Writing) -> Response:
    """Send nothing more to an address."""

    def work(session: WriteSession) -> EndpointOut:
        endpoints.disable_endpoint(
            session, endpoint_id, at=call.clock.now(), because="by request"
        )
        return EndpointOut.of(endpoints.read_endpoint(session, endpoint_id))

    return call.once(work)


@router.post(
    "/{endpoint_id}/enable", response_model=EndpointOut, responses=may_raise(NotFound)
)
def post_enable(endpoint_id: Key, call: Writing) -> Response:
    """Send to an address again, from the next event on."""

    def work(session: WriteSession) -> EndpointOut:
        endpoints.enable_endpoint(session, endpoint_id)
        return EndpointOut.of(endpoints.read_endpoint(session, endpoint_id))

    return call.once(work)


@router.post(
    "/{endpoint_id}/replay",
    response_model=Due,
    responses=may_raise(NotFound, Conflict, InvalidInput),
)
def post_replay(endpoint_id: Key, body: ReplayIn, call: Writing) -> Response:
    """Send an address again what happened in a span of time."""
    if body.until <= body.since:
        raise InvalidInput("The span ends before it starts.", field="until")

    def work(session: WriteSession) -> Due:
        due = outbox.replay(
            session,
            endpoint_id,
            since=body.since,
            until=body.until,
            at=call.clock.now(),
        )
        return Due(due=due)

    return call.once(work)
