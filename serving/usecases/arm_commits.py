"""Plans of arms when they are acted on: leads in their arms, lots as drawn."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa

from rightrep.domain.decision import Given
from rightrep.domain.eligibility import CodeArray, Exclusion
from rightrep.domain.experiment import AS_RULED, LOT
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.plan import StoredPlan
from rightrep.domain.slots import ArmKey
from rightrep.store.arm_slots import arm_of
from rightrep.store.exclusions import get_rosters, unpacked
from rightrep.store.experiments import arms_of_leads, drawn_after
from rightrep.store.session import ReadSession
from serving.usecases.arms import InForce


def in_other_arms(
    session: ReadSession,
    made: Sequence[Given],
    in_force: InForce,
    *,
    since: datetime,
) -> set[LeadId]:
    """Leads that are logged in another arm than the one that would have them.

    Args:
        session: Where to read.
        made: The decisions of a plan.
        in_force: What decides about arms now.
        since: When the plan was made: a lead that was drawn later for an arm with a
            policy of its own is not given by a plan that knew nothing of it.
    """
    found = set()
    for name in {one.experiment for one in made if one.experiment is not None}:
        mine = [one for one in made if one.experiment == name]
        logged = arms_of_leads(session, name, [one.lead_id for one in mine])
        found |= {
            one.lead_id for one in mine if logged.get(one.lead_id, one.arm) != one.arm
        }
    own = {
        key
        for (_, arm), key in zip(in_force.arms, in_force.keys, strict=True)
        if arm.policy != AS_RULED
    }
    for name in {key.experiment for key in own}:
        others = [one.lead_id for one in made if one.experiment != name]
        later = drawn_after(session, name, others, since)
        found |= {lead for lead, arm in later.items() if ArmKey(name, arm) in own}
    return found


def drawn_codes(
    session: ReadSession,
    header: StoredPlan,
    lines: pa.Table,
    made: Sequence[Given],
    reps: Sequence[RepId],
    codes: CodeArray,
) -> CodeArray:
    """Codes of decisions, those of a lot in turn as they were when it was drawn.

    Args:
        session: Where to read.
        header: The plan.
        lines: Its lines.
        made: The decisions.
        reps: The present roster.
        codes: What would hold now; uint8 (n_decisions, n_reps).
    """
    lots = [
        place
        for place, one in enumerate(made)
        if arm_of(one) is not None and one.policy == LOT and one.propensity is not None
    ]
    if not lots or header.roster is None:
        return codes
    then = get_rosters(session, [header.roster])[header.roster]
    packs = dict(
        zip(lines["lead_id"].to_pylist(), lines["exclusions"].to_pylist(), strict=True)
    )
    place_then = {rep: j for j, rep in enumerate(then)}
    column = np.array([place_then.get(rep, len(then)) for rep in reps], dtype=np.int64)
    drawn = codes.copy()
    for place in lots:
        row = unpacked(packs[made[place].lead_id])
        # Who joined since could not be drawn.
        known = np.append(row, np.uint8(Exclusion.NOT_A_CANDIDATE))
        drawn[place] = known[column]
    return drawn
