"""A batch shared out by arms: leads that are no units first, then arm by arm.

Each arm shares its own leads out over its own slots by its own policy; what comes out
is one plan again, of which every line names its arm.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from optimizer.problem import UNASSIGNED, IntArray, Plan
from optimizer.verify import total_value
from rightrep.domain.experiment import AS_RULED, Experiment
from rightrep.domain.slots import ArmKey
from rightrep.errors import InfeasiblePlan
from serving.usecases.advice import Scores
from serving.usecases.arm_views import (
    Arming,
    codes_seen,
    ruling_of,
    seed_of,
    view_of,
)
from serving.usecases.arms import NO_ARM
from serving.usecases.choosing import Chosen, choose_batch
from serving.usecases.fair_shares import in_words
from serving.usecases.situation import Situation, problem_of


@dataclass(frozen=True, eq=False)
class ArmPart:
    """The leads of one arm in a batch, or those of none, shared out.

    Attributes:
        rows: Their places in the batch; int64 (n_rows,).
        arm: Their arm, or None.
        situation: They and the reps, as the arm saw them.
        scores: What the model says of them, or None.
        chosen: What was chosen.
    """

    rows: IntArray
    arm: ArmKey | None
    situation: Situation
    scores: Scores | None
    chosen: Chosen


def share_by_arms(
    situation: Situation,
    scores: Scores | None,
    arming: Arming,
    *,
    policy: str,
    seed: int,
    no_model: str | None = None,
    instead: str | None = None,
) -> list[ArmPart]:
    """Share out a batch, each arm's leads by the arm's policy.

    Args:
        situation: The whole batch.
        scores: What the model says, or None.
        arming: Who is in which arm, and where the arms stand.
        policy: The tenant's policy, for arms that have none of their own.
        seed: Seed of the draws of leads without arm.
        no_model: Why there are no scores.
        instead: Policy in place of those that rules let choose in such arms, or None.

    Raises:
        InfeasiblePlan: Fairness limits of an arm collide.
    """
    parts: list[ArmPart] = []
    slots = situation.open_slots.copy()
    outside = np.flatnonzero(arming.drawn.place == NO_ARM)
    if outside.size:
        ruling = None if arming.ruling is None else ruling_of(arming.ruling, outside)
        some, its = situation.of_leads(outside), _of(scores, outside)
        chosen = choose_batch(
            some, its, policy=policy, seed=seed, no_model=no_model, ruling=ruling
        )
        parts.append(ArmPart(outside, None, some, its, chosen))
        slots -= given_of(chosen.plan, slots.size)
    for place, experiment, arm in arming.arms:
        rows = np.flatnonzero(arming.drawn.place == place)
        seen, ruling = view_of(arming, situation, place, rows=rows, open_slots=slots)
        key, its = arming.drawn.in_force.keys[place], _of(scores, rows)
        terms = arming.fair.get(key)
        try:
            chosen = choose_batch(
                seen,
                its,
                policy=policy if arm.policy == AS_RULED else arm.policy,
                seed=seed_of(experiment, arm.arm, seen, seed),
                no_model=no_model,
                fair=terms,
                ruling=ruling,
                instead=instead if arm.policy == AS_RULED else None,
            )
        except InfeasiblePlan as error:
            if terms is None:
                raise
            raise in_words(seen, terms, error) from error
        if chosen.turns is not None:
            seen = replace(seen, codes=codes_seen(seen.codes, chosen.turns))
        parts.append(ArmPart(rows, key, seen, its, chosen))
    return parts


def given_of(plan: Plan, n_reps: int) -> IntArray:
    """Leads that a plan gives each rep; int64 (n_reps,)."""
    reps = plan.rep_of[plan.rep_of != UNASSIGNED]
    return np.bincount(reps, minlength=n_reps).astype(np.int64)


def together(
    situation: Situation, scores: Scores | None, parts: Sequence[ArmPart]
) -> tuple[Situation, Chosen]:
    """The batch as a whole: codes as each arm saw them, and what was chosen.

    Prices and proofs are each arm's own, so the whole has none.
    """
    n_leads = len(situation.leads)
    codes = situation.codes.copy()
    rep_of = np.full(n_leads, UNASSIGNED, dtype=np.int64)
    propensity, weight = np.full(n_leads, np.nan), np.ones(n_leads)
    policy = [""] * n_leads
    for part in parts:
        codes[part.rows] = part.situation.codes
        rep_of[part.rows] = part.chosen.plan.rep_of
        propensity[part.rows] = part.chosen.plan.propensity
        weight[part.rows] = part.chosen.weight
        for i, told in zip(part.rows.tolist(), part.chosen.policy, strict=True):
            policy[i] = told
    fallback = (part.chosen.fallback for part in parts)
    ruling = (part.chosen.ruling for part in parts)
    problem = problem_of(situation, scores)
    plan = Plan(rep_of, propensity)
    weighed = replace(problem, value=problem.value * weight[:, None])
    chosen = Chosen(
        problem=problem,
        plan=plan,
        policy=policy,
        shadow_price=None,
        bound=None,
        solved_value=total_value(weighed, plan),
        fallback=next((why for why in fallback if why is not None), None),
        weight=weight,
        ruling=next((one for one in ruling if one is not None), None),
    )
    return replace(situation, codes=codes), chosen


def in_figures(parts: Sequence[ArmPart]) -> dict[str, dict[str, object]]:
    """What a plan's header keeps of each arm; JSON."""
    found: dict[str, dict[str, object]] = {}
    for part in parts:
        if part.arm is None:
            continue
        chosen = part.chosen
        assigned = int((chosen.plan.rep_of != UNASSIGNED).sum())
        found[f"{part.arm.experiment}/{part.arm.arm}"] = {
            "leads": int(part.rows.size),
            "assigned": assigned,
            "slots": int(chosen.problem.capacity.sum()),
            "fallback": chosen.fallback,
        }
    return found


def experiment_of(arming: Arming) -> Experiment | None:
    """The experiment that runs, or None where a holdout stands alone."""
    return arming.drawn.in_force.experiment


def _of(scores: Scores | None, rows: IntArray) -> Scores | None:
    return None if scores is None else scores.of_leads(rows)
