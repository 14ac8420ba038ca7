"""Rows of channel costs landed."""

from collections.abc import Sequence

from rightrep.intake.records import CostRow
from rightrep.store.channel_costs import ChannelCost, save_channel_costs
from rightrep.store.session import WriteSession
from serving.usecases.import_leads import TWICE
from serving.usecases.import_run import Landed, Run


def land_costs(
    session: WriteSession, rows: Sequence[CostRow], run: Run
) -> Landed[CostRow]:
    """Land a batch of costs; a channel's day that is known is set anew.

    Args:
        session: Where to write.
        rows: The rows, in the file's order.
        run: The import.
    """
    landed: Landed[CostRow] = Landed()
    otherwise = run.told.otherwise(
        [(row.channel, row.day) for row in rows], [row.cost for row in rows]
    )
    costs = {}
    for row, is_other in zip(rows, otherwise, strict=True):
        if is_other:
            landed.refuse(row, "cost", TWICE)
            continue
        cost = ChannelCost(channel=row.channel, day=row.day, cost=row.cost)
        landed.unchanged += cost in costs
        costs[cost] = row
    new = save_channel_costs(session, list(costs))
    landed.landed += new
    landed.unchanged += len(costs) - new
    return landed
