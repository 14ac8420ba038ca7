"""A pointer that moves: every move is a row, the last one counts.

Moves are numbered from 1, so that their order needs no clock, and two movers at once
cannot both be the last.
"""

from collections.abc import Mapping

from sqlalchemy import Table, func, select

from rightrep.errors import Conflict
from rightrep.store.guard import of_tenant
from rightrep.store.session import WriteSession

Values = Mapping[str, object]


def append_numbered(
    session: WriteSession, table: Table, number: str, values: Values, *, within: Values
) -> int:
    """Add a row with the next number.

    Args:
        session: Where to write.
        table: Its key is the tenant, the columns of ``within``, and ``number``.
        number: Column that counts.
        values: The other columns.
        within: What it counts within.

    Returns:
        The number it got.

    Raises:
        Conflict: Somebody else added one at the same moment.
    """
    same = [table.c[name] == value for name, value in within.items()]
    last = select(func.max(table.c[number])).where(of_tenant(table), *same)
    following: int = (session.execute(last).scalar_one() or 0) + 1
    adding = session.insert(table).on_conflict_do_nothing().returning(table.c[number])
    row = {**values, **within, number: following}
    if session.execute(adding, row).first() is None:
        raise Conflict("Somebody else made the same change at the same moment.")
    return following
