"""Shadow prices in force: from a plan, for a window, until they expire.

The batch publishes them, one lead now reads them. Expired means re-solve, else answer
by the fallback policy: this module never gives a price that is no longer good.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import bindparam, insert, select

from rightrep.domain.ids import RepId, TenantId, new_id
from rightrep.errors import InvalidInput
from rightrep.store.guard import of_tenant
from rightrep.store.schema_plans import price_lists, prices
from rightrep.store.session import ReadSession, WriteSession

NO_ARM = ""
_KEPT: dict[tuple[TenantId, str], tuple[str, "PriceList"]] = {}
"""The last list read of each tenant and arm, by its id: a list never changes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceList:
    """What a slot of each rep costs in a window.

    Attributes:
        plan_id: The plan they come from.
        window_start: Start of the window, included.
        window_end: End of the window, left out.
        published_at: Since when they count.
        expires_at: From when they do not; later than ``published_at``.
        shadow_price: Value lost if one open slot is taken, in minor units of the
            tenant's currency, by rep; possibly negative.
        arm: Arm of the running experiment whose slots these are; ``NO_ARM`` for all.
        step: Change of a rep's price per lead ahead of plan, same unit; 0 is none.
        planned: Part of the leads expected from publication on that each rep has slots
            for, in [0, 1], by rep; 0 where not told.
    """

    plan_id: str
    window_start: datetime
    window_end: datetime
    published_at: datetime
    expires_at: datetime
    shadow_price: Mapping[RepId, float]
    arm: str = NO_ARM
    step: float = 0.0
    planned: Mapping[RepId, float] = field(default_factory=dict)

    def holds_at(self, at: datetime) -> bool:
        """Whether the prices are still good."""
        return at < min(self.expires_at, self.window_end)


def publish_prices(session: WriteSession, published: PriceList) -> None:
    """Put a price list in force; it takes the place of its arm's earlier ones.

    Raises:
        InvalidInput: The window or the time in force is empty.
    """
    if published.window_end <= published.window_start:
        raise InvalidInput("The window ends before it starts.", field="window_end")
    if published.expires_at <= published.published_at:
        raise InvalidInput("The prices expire at once.", field="expires_at")
    list_id = new_id(published.published_at)
    header = {name: getattr(published, name) for name in _HEADER}
    session.execute(insert(price_lists), header | {"list_id": list_id})
    rows = [
        {
            "list_id": list_id,
            "rep_id": rep_id,
            "shadow_price": float(price),
            "planned": float(published.planned.get(rep_id, 0.0)),
        }
        for rep_id, price in published.shadow_price.items()
    ]
    if rows:
        session.execute(insert(prices), rows)


def prices_at(
    session: ReadSession, at: datetime, *, arm: str = NO_ARM
) -> PriceList | None:
    """The prices in force at an instant; None when there are none, or they expired.

    Args:
        session: Whose.
        at: When.
        arm: Whose slots.
    """
    latest = latest_prices(session, at, arm=arm)
    return latest if latest is not None and latest.holds_at(at) else None


def latest_prices(
    session: ReadSession, at: datetime, *, arm: str = NO_ARM
) -> PriceList | None:
    """The last prices published by an instant, expired or not; None without any.

    Only the latest list counts: when it has expired, an older one that lasts longer
    does not come back.

    Args:
        session: Whose.
        at: When.
        arm: Whose slots.
    """
    row = session.execute(_LATEST, {"at": at, "arm": arm}).mappings().first()
    if row is None:
        return None
    kept = _KEPT.get((session.tenant_id, arm))
    if kept is not None and kept[0] == row["list_id"]:
        return kept[1]
    header = {name: row[name] for name in _HEADER}
    rows = session.execute(_PRICES, {"list_id": row["list_id"]}).all()
    found = PriceList(
        **header,
        shadow_price={RepId(one.rep_id): one.shadow_price for one in rows},
        planned={RepId(one.rep_id): one.planned for one in rows if one.planned},
    )
    _KEPT[session.tenant_id, arm] = (row["list_id"], found)
    return found


_BY_REP = ("shadow_price", "planned")
_HEADER = tuple(name for name in PriceList.__slots__ if name not in _BY_REP)
_LATEST = (
    select(price_lists)
    .where(
        of_tenant(price_lists),
        price_lists.c.arm == bindparam("arm"),
        price_lists.c.published_at
        <= bindparam("at", type_=price_lists.c.published_at.type),
        price_lists.c.window_start
        <= bindparam("at", type_=price_lists.c.window_start.type),
    )
    .order_by(price_lists.c.published_at.desc(), price_lists.c.list_id.desc())
    .limit(1)
)
_PRICES = select(prices.c.rep_id, *(prices.c[name] for name in _BY_REP)).where(
    of_tenant(prices), prices.c.list_id == bindparam("list_id")
)
