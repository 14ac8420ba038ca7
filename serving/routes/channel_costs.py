"""Channel costs: what was spent on each channel on each day."""

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, BeforeValidator, Field

from rightrep.domain.days import local_day
from rightrep.domain.roles import Role
from rightrep.errors import InvalidInput
from rightrep.store.channel_costs import (
    ChannelCost,
    list_channel_costs,
    save_channel_costs,
)
from rightrep.store.session import WriteSession
from rightrep.store.tenants import get_tenant
from serving.dependencies import Parts, Reading, Writing, allow
from serving.errors import may_raise
from serving.models import Body, MoneyIn, MoneyOut, Text, text_only

router = APIRouter(prefix="/v1/channel-costs", tags=["channels"])

MOST_DAYS = 3_660
Day = Annotated[date, Field(strict=False), BeforeValidator(text_only)]


class CostIn(Body):
    """What a channel cost on one day."""

    channel: Annotated[Text, Field(min_length=1)] = Field(
        description="As leads name it."
    )
    day: Day = Field(description="Day of the tenant's zone.")
    cost: MoneyIn = Field(description="At least 0.")

    def to_domain(self) -> ChannelCost:
        """The cost, in RightRep's own terms.

        Raises:
            InvalidInput: It is negative.
        """
        cost = self.cost.to_domain()
        if cost.minor < 0:
            raise InvalidInput(
                f"The cost of {self.channel!r} on {self.day} is negative.",
                field="costs",
                remedy="Give 0 or more.",
            )
        return ChannelCost(channel=self.channel, day=self.day, cost=cost)


class CostsIn(Body):
    """Costs to set; each channel's day once."""

    costs: list[CostIn] = Field(min_length=1, max_length=10_000)

    def to_domain(self) -> list[ChannelCost]:
        """The costs.

        Raises:
            InvalidInput: One is negative, or a channel's day stands there twice.
        """
        costs = [cost.to_domain() for cost in self.costs]
        if len({(cost.channel, cost.day) for cost in costs}) < len(costs):
            raise InvalidInput(
                "A channel's day stands there twice.",
                field="costs",
                remedy="Add its costs up and send the sum.",
            )
        return costs


class CostOut(BaseModel):
    """What a channel cost on one day."""

    channel: str
    day: date
    cost: MoneyOut | None


class CostsReceipt(BaseModel):
    """What became of them."""

    changed: int = Field(description="Costs that were not known just so.")
    unchanged: int


@router.put(
    "",
    responses=may_raise(InvalidInput),
    dependencies=[Depends(allow(Role.SERVICE, Role.MANAGER))],
)
def put_costs(body: CostsIn, call: Writing) -> Response:
    """Set what channels cost; a channel's day that is known is set anew."""
    costs = body.to_domain()

    def work(session: WriteSession) -> CostsReceipt:
        changed = save_channel_costs(session, costs)
        return CostsReceipt(changed=changed, unchanged=len(costs) - changed)

    return call.once(work)


@router.get(
    "",
    responses=may_raise(InvalidInput),
    dependencies=[Depends(allow(Role.SERVICE, Role.MANAGER, Role.ANALYST))],
)
def get_costs(
    session: Reading,
    parts: Parts,
    first: Annotated[date | None, Query(description="30 days ago by default.")] = None,
    last: Annotated[date | None, Query(description="Today by default.")] = None,
) -> list[CostOut]:
    """What was spent from the first to the last day, both included."""
    today = local_day(parts.clock.now(), get_tenant(session).time_zone)
    last = last or today
    first = first or last - timedelta(days=30)
    if not timedelta(0) <= last - first <= timedelta(days=MOST_DAYS):
        raise InvalidInput(
            f"{first} to {last} are no days.",
            field="first",
            remedy=f"Ask for up to {MOST_DAYS:,} days, the first one first.",
        )
    return [
        CostOut(channel=one.channel, day=one.day, cost=MoneyOut.of(one.cost))
        for one in list_channel_costs(session, first=first, last=last)
    ]
