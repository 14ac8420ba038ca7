"""Former owners who may not have a lead again yet."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from rightrep.domain.claims import cooling_until
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.lead import Lead
from rightrep.domain.pools import place_of
from rightrep.domain.protection import as_instants
from rightrep.domain.tenant import Tenant
from rightrep.store.pools import pools_in_force
from rightrep.store.public_pools import former_owners
from rightrep.store.session import ReadSession


def cooling_reps(
    session: ReadSession, found: Sequence[Lead], tenant: Tenant, at: datetime
) -> dict[LeadId, set[RepId]]:
    """Former owners of each lead who are cooling down at an instant.

    Args:
        session: Where to read.
        found: The leads.
        tenant: Whose leads.
        at: Now; aware.

    Returns:
        Reps by lead; leads for which nobody is cooling down are left out.
    """
    pools = pools_in_force(session)
    if all(pool.cool_down_days is None for pool in pools):
        return {}
    former = former_owners(session, [lead.lead_id for lead in found])
    place = place_of(pools, found)
    pairs = [
        (lead.lead_id, rep_id, lost_at, k)
        for lead, k in zip(found, place.tolist(), strict=True)
        for rep_id, lost_at in former[lead.lead_id].items()
    ]
    lost = as_instants([lost_at for _, _, lost_at, _ in pairs])
    pool = np.array([k for *_, k in pairs], dtype=np.intp)
    until = cooling_until(lost, pool, pools, tenant.time_zone)
    cooling: dict[LeadId, set[RepId]] = {}
    # A comparison with NaT is false: without cool-down nobody cools down.
    for row in np.flatnonzero(as_instants([at])[0] < until):
        lead_id, rep_id, *_ = pairs[row]
        cooling.setdefault(lead_id, set()).add(rep_id)
    return cooling
