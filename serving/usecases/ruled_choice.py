"""The policy of a rule at work: on a group of a batch, and on one lead now."""

from dataclasses import dataclass, replace

import numpy as np

from optimizer.over_time import keep_previous, left_over
from optimizer.policies import BY_VALUE, POLICIES
from optimizer.problem import UNASSIGNED, Plan, Problem
from serving.usecases.ruling import STICKY, Group

NEEDS_MODEL = BY_VALUE
"""Policies that go by what the model says."""

TRIED = 8
"""Reps who are tried in a policy's own order when somebody was faster."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """Whom a policy gives one lead, and whom it would next.

    Attributes:
        reps: Places of reps, best first; empty when nobody is open to the lead.
        told: How the decision names the policy.
        propensity: Probability of the first at a draw; NaN where nothing was drawn.
    """

    reps: list[int]
    told: str
    propensity: float


def rank_one(seen: Problem, group: Group) -> Ranked:
    """Whom the policy of a group gives one lead.

    Args:
        seen: One lead, as the policy sees it.
        group: Its group.
    """
    reps: list[int] = []
    told, propensity = group.told, np.nan
    eligible = seen.eligible.copy()
    while len(reps) < TRIED:
        plan, by_policy = _one(replace(seen, eligible=eligible), group)
        rep = int(plan.rep_of[0])
        if rep == UNASSIGNED:
            break
        if not reps:
            told, propensity = by_policy, float(plan.propensity[0])
        reps.append(rep)
        eligible[0, rep] = False
    return Ranked(reps, told, propensity)


def _one(seen: Problem, group: Group) -> tuple[Plan, str]:
    plan, told = kept_first(seen, group)
    if plan.rep_of[0] != UNASSIGNED or group.policy is None:
        return plan, told
    return POLICIES[group.policy](seen), group.policy if group.sticky else group.told


def kept_first(seen: Problem, group: Group) -> tuple[Plan, str]:
    """Returning customers back to their rep, where the group is sticky."""
    if group.sticky:
        return keep_previous(seen), STICKY
    nobody = np.full(seen.n_leads, UNASSIGNED, dtype=np.int64)
    return Plan.certain(nobody), STICKY


def merged(first: Plan, then: Plan) -> Plan:
    """Two plans for different leads as one; the first goes first."""
    mine = first.rep_of != UNASSIGNED
    return Plan(
        np.where(mine, first.rep_of, then.rep_of),
        np.where(mine, first.propensity, then.propensity),
    )


def rest_of(seen: Problem, kept: Plan) -> Problem:
    """What is left to a group's policy after returning customers went back."""
    return seen if (kept.rep_of == UNASSIGNED).all() else left_over(seen, kept)
