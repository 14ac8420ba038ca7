"""What each channel cost on each day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import bindparam, select

from rightrep.domain.money import Money
from rightrep.store.guard import of_tenant
from rightrep.store.money import money_columns, money_of
from rightrep.store.schema import channel_costs
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.sets import batches


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelCost:
    """Money spent on a channel on one day.

    Attributes:
        channel: As leads name it.
        day: Day of the tenant's zone.
        cost: What was spent.
    """

    channel: str
    day: date
    cost: Money


def save_channel_costs(session: WriteSession, costs: Sequence[ChannelCost]) -> int:
    """Set what was spent; a channel's day that is known is set anew.

    Returns:
        How many of them were not known just so.
    """
    if not costs:
        return 0
    days = [cost.day for cost in costs]
    known = set(list_channel_costs(session, first=min(days), last=max(days)))
    costs = [cost for cost in costs if cost not in known]
    statement = session.insert(channel_costs)
    statement = statement.on_conflict_do_update(
        index_elements=list(channel_costs.primary_key),
        set_={
            name: statement.excluded[name] for name in ("cost_minor", "cost_currency")
        },
    )
    rows = [
        {"channel": c.channel, "day": c.day, **money_columns("cost", c.cost)}
        for c in sorted(costs, key=lambda cost: (cost.channel, cost.day))
    ]
    for batch in batches(rows):
        session.execute(statement, batch)
    return len(rows)


def list_channel_costs(
    session: ReadSession, *, first: date, last: date
) -> list[ChannelCost]:
    """What was spent from the first to the last day, both included."""
    rows = session.execute(_BETWEEN, {"first": first, "last": last}).mappings()
    return [
        ChannelCost(channel=row["channel"], day=row["day"], cost=cost)
        for row in rows
        if (cost := money_of("cost", row)) is not None
    ]


_DAY = channel_costs.c.day.type
_BETWEEN = (
    select(channel_costs)
    .where(
        of_tenant(channel_costs),
        channel_costs.c.day.between(
            bindparam("first", type_=_DAY), bindparam("last", type_=_DAY)
        ),
    )
    .order_by(channel_costs.c.day, channel_costs.c.channel)
)
