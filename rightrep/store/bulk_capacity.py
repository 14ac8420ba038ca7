"""Taking the leads of a whole plan: its decisions stay columns from line to log."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from rightrep.domain.decision import Gift
from rightrep.domain.ids import RepId
from rightrep.domain.ownership import OwnershipKind
from rightrep.domain.slots import SlotSplit
from rightrep.store.capacity import Limits, Returned, take
from rightrep.store.copying import add_rows
from rightrep.store.exclusions import Exclusions, packed_rows, save_roster
from rightrep.store.schema import decisions
from rightrep.store.session import WriteSession

Columns = Mapping[str, Sequence[Any]]


def gifts_of(made: Columns) -> list[Gift]:
    """What taking looks at of each decision.

    Args:
        made: Columns of ``decisions``, as they are in the program.
    """
    return list(map(Gift, *(made[name] for name in Gift._fields)))


def take_columns(
    session: WriteSession,
    made: Columns,
    *,
    limits: Mapping[RepId, Limits],
    local_day: date,
    exclusions: Exclusions,
    split: SlotSplit | None = None,
) -> list[Returned]:
    """Carry out a plan: as ``capacity.take_leads``, of decisions by column.

    Args:
        session: Where to write.
        made: Columns of ``decisions`` without roster and exclusions; their ids were
            made in this transaction.
        limits: Limits by rep; a rep who is not there has none.
        local_day: Day of the tenant's zone whose intake they use up.
        exclusions: Codes of each decision, in the same order.
        split: How slots are shared between arms, or None.

    Returns:
        The decisions that could not be carried out, and why; the rest stands.
    """
    roster = save_roster(session, exclusions.reps)

    def log(carried: Sequence[int], its: Exclusions | None) -> None:
        stands = {name: [of[k] for k in carried] for name, of in made.items()}
        stands["roster"] = [roster] * len(carried)
        stands["exclusions"] = [] if its is None else packed_rows(its.codes)
        add_rows(session, decisions, stands)

    return take(
        session,
        gifts_of(made),
        log,
        limits=limits,
        local_day=local_day,
        kind=OwnershipKind.ASSIGNED,
        exclusions=exclusions,
        split=split,
    )
