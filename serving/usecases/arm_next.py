"""One lead now, by its arm: the same arms and slots as a batch, one lead at a time."""

from dataclasses import dataclass

import numpy as np

from optimizer.policies import look_at_turns
from optimizer.problem import UNASSIGNED, IntArray, Plan, Problem
from rightrep.domain.eligibility import CodeArray
from rightrep.domain.experiment import AS_RULED, LOT, Arm
from rightrep.domain.slots import ArmKey, SlotSplit
from serving.usecases.arm_views import (
    Arming,
    codes_seen,
    ruling_of,
    seed_of,
    view_of,
)
from serving.usecases.arms import NO_ARM, Drawn
from serving.usecases.pricing import BY_PRICES
from serving.usecases.ruling import Ruling
from serving.usecases.situation import Situation


@dataclass(frozen=True, eq=False)
class ArmOfLead:
    """The arm of one lead that needs a rep.

    Attributes:
        drawn: The draw.
        key: The arm, or None for a lead that is no unit.
        arm: The same with its policy, or None likewise.
        seed: Seed of the arm's draw.
    """

    drawn: Drawn
    key: ArmKey | None
    arm: Arm | None
    seed: int

    @property
    def split(self) -> SlotSplit:
        """How every rep's slots are shared."""
        return self.drawn.in_force.split

    @property
    def policy(self) -> str | None:
        """The arm's own policy; None where the rules' counts."""
        if self.arm is None or self.arm.policy == AS_RULED:
            return None
        return self.arm.policy

    @property
    def asks_for_prices(self) -> bool:
        """Whether what the arm does goes by prices."""
        return self.arm is None or self.arm.policy in BY_PRICES


def arm_of_lead(
    arming: Arming | None, situation: Situation, ruling: Ruling | None, lead: int
) -> tuple[ArmOfLead | None, Situation, Ruling | None]:
    """The arm of one of a situation's leads, and that lead alone as its arm sees it.

    Args:
        arming: Where the arms stand; None where no experiment decides.
        situation: All leads.
        ruling: What the rules say of them, or None.
        lead: The place of the one.
    """
    one = np.array([lead], dtype=np.int64)
    if arming is None or arming.drawn.place[lead] == NO_ARM:
        seen = situation.of_leads(one)
        mine = None if ruling is None else ruling_of(ruling, one)
        if arming is None:
            return None, seen, mine
        return ArmOfLead(arming.drawn.only([lead]), None, None, 0), seen, mine
    drawn, place = arming.drawn, int(arming.drawn.place[lead])
    experiment, arm = drawn.in_force.arms[place]
    seen, mine = view_of(
        arming, situation, place, rows=one, open_slots=situation.open_slots
    )
    seed = seed_of(experiment, arm.arm, seen, 0)
    return ArmOfLead(drawn.only([lead]), drawn.key_of(lead), arm, seed), seen, mine


def codes_drawn(
    situation: Situation, problem: Problem, rep: int, policy: str | None
) -> CodeArray | None:
    """Codes as a lot in turn saw them when it drew a rep for an arm's lead.

    Args:
        situation: One lead.
        problem: The same as the lot saw it.
        rep: Whom it drew, or ``UNASSIGNED``.
        policy: What chose.

    Returns:
        uint8 (1, n_reps); None where no arm's lot in turn chose.
    """
    if policy != LOT or situation.share is None or rep == UNASSIGNED:
        return None
    chosen: IntArray = np.array([rep], dtype=np.int64)
    turns, _ = look_at_turns(problem, Plan.certain(chosen))
    return codes_seen(situation.codes, turns)
