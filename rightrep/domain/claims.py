"""Claims: what stands between a rep and the leads of a public pool, over columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from rightrep.domain.eligibility import CodeArray, Exclusion
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.pools import Pool
from rightrep.domain.protection import NEVER, Instants, as_instants, end_of
from rightrep.domain.rep import RepAttributes


class Obstacle(StrEnum):
    """Why a rep cannot claim one lead; the rest of the batch stands."""

    OWNED = "owned"
    CLOSED = "closed"
    POOL = "pool"
    COOL_DOWN = "cool_down"
    RING = "ring"
    FRESH = "fresh"
    LANGUAGE = "language"
    TERRITORY = "territory"
    PRODUCT = "product"


SENTENCES = {
    Obstacle.OWNED: "Somebody has taken it.",
    Obstacle.CLOSED: "It is won or lost.",
    Obstacle.POOL: "It is in a pool that is not open to the rep.",
    Obstacle.COOL_DOWN: "The rep owned it before and is cooling down.",
    Obstacle.RING: "The rep is in a ring that passes it round; ask a manager.",
    Obstacle.FRESH: "It has just come into the pool.",
    Obstacle.LANGUAGE: "The rep does not speak the lead's language.",
    Obstacle.TERRITORY: "The rep has another region.",
    Obstacle.PRODUCT: "The rep may not sell this product.",
}
UNFIT = {
    Exclusion.LANGUAGE: Obstacle.LANGUAGE,
    Exclusion.TERRITORY: Obstacle.TERRITORY,
    Exclusion.PRODUCT: Obstacle.PRODUCT,
}
"""Hard rules that a claim has to keep, and what they are here."""


@dataclass(frozen=True, eq=False, kw_only=True)
class WantedLeads:
    """Leads that one rep would like to have; n_leads entries each.

    Attributes:
        lead_id: Ids.
        owner: The rep who has each, or None.
        closed: Whether it is won or lost; bool (n_leads,).
        pool: Index of its public pool; (n_leads,).
        entered_at: When it came there; (n_leads,).
        lost_at: When this rep last ceased to own it; NaT is never; (n_leads,).
        in_ring: Whether an open alarm says that this rep passes it round; bool
            (n_leads,).
        codes: ``Exclusion`` of the rep with each lead; uint8 (n_leads,).
    """

    lead_id: Sequence[LeadId]
    owner: Sequence[RepId | None]
    closed: NDArray[np.bool_]
    pool: NDArray[np.intp]
    entered_at: Instants
    lost_at: Instants
    in_ring: NDArray[np.bool_]
    codes: CodeArray


def obstacles(
    wanted: WantedLeads,
    pools: Sequence[Pool],
    rep: RepAttributes,
    *,
    zone: str,
    at: datetime,
) -> tuple[list[Obstacle | None], Instants]:
    """What stands between a rep and each lead.

    Args:
        wanted: The leads; n_leads entries.
        pools: The tenant's pools in order.
        rep: Who would like to have them.
        zone: IANA zone of the tenant.
        at: Now; aware.

    Returns:
        The first obstacle of each lead, None where it may be claimed, and until when
        it lasts if nothing else happens; NaT where time does not help; (n_leads,).
    """
    now = as_instants([at])[0]
    cool, fresh = _cool_until(wanted, pools, zone), _fresh_until(wanted, pools)
    is_open = np.array([pool.is_open_to(rep) for pool in pools])[wanted.pool]
    until = np.full(len(wanted.lead_id), NEVER)
    found: list[Obstacle | None] = []
    for i, owner in enumerate(wanted.owner):
        obstacle: Obstacle | None = None
        if owner is not None:
            obstacle = Obstacle.OWNED
        elif wanted.closed[i]:
            obstacle = Obstacle.CLOSED
        elif not is_open[i]:
            obstacle = Obstacle.POOL
        elif int(wanted.codes[i]) in UNFIT:
            obstacle = UNFIT[Exclusion(int(wanted.codes[i]))]
        elif wanted.in_ring[i]:
            obstacle = Obstacle.RING
        elif now < cool[i]:
            obstacle, until[i] = Obstacle.COOL_DOWN, np.fmax(cool[i], fresh[i])
        elif now < fresh[i]:
            obstacle, until[i] = Obstacle.FRESH, fresh[i]
        found.append(obstacle)
    return found, until


def cooling_until(
    lost_at: Instants, pool: NDArray[np.intp], pools: Sequence[Pool], zone: str
) -> Instants:
    """Until when reps who ceased to own leads may not have them again.

    Args:
        lost_at: When each ceased to; NaT is never; (n,).
        pool: Index of each lead's public pool; (n,).
        pools: The tenant's pools in order.
        zone: IANA zone of the tenant.

    Returns:
        (n,); NaT where there is no cool-down.
    """
    until = np.full(len(lost_at), NEVER)
    for k in np.unique(pool):
        days = pools[k].cool_down_days
        if days is not None:
            rows = pool == k
            until[rows] = end_of(days, pools[k].counting, lost_at[rows], zone)
    return until


def _cool_until(wanted: WantedLeads, pools: Sequence[Pool], zone: str) -> Instants:
    return cooling_until(wanted.lost_at, wanted.pool, pools, zone)


def _fresh_until(wanted: WantedLeads, pools: Sequence[Pool]) -> Instants:
    hours = np.array([pool.fresh_hours for pool in pools])[wanted.pool]
    waited = (hours * 3.6e9).astype("timedelta64[us]")
    return np.asarray(wanted.entered_at + waited)
