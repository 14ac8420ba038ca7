"""Policies replayed on the lottery's decisions, window by window.

A policy that plans has no choice per lead: which rep one lead gets depends on what
other leads of the batch want, and on the slots. So a window's randomised leads are a
batch: the policy shares them out among the reps who were open to each at its draw, with
as many slots each as the lottery was expected to fill. From this plan comes the chance
of each pair, and from there each decision counts by itself
(``experiments.off_policy``), with the propensity of its own draw.

This is right as far as a lead's outcome depends on its own rep alone: a window's reward
is then the sum over its leads, and the policy's chances for single leads are all that
matters of its joint plan (the additivity of Swaminathan et al., 2017, "Off-policy
evaluation for slate recommendation"). A plan must not know the draws that judge it: it
is made of what was known before them, slots included. What stays unseen is what a
policy would have changed for later windows: every window begins in the world that was
logged. Capacity couples leads in that sense too, and no estimate here sees it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.off_policy import (
    BoolArray,
    Estimate,
    FloatArray,
    IntArray,
    Lottery,
    cross_fitted,
    doubly_robust,
    ips,
    linear_in,
    snips,
)
from rightrep.errors import InvalidInput

NOBODY = -1
"""A lead that the policy leaves to nobody."""

CERTAIN, BY_LOT = 1, 8
"""Plans per window for policies that draw no lots, and for those that do."""

ESTIMATORS = ("ips", "snips", "doubly_robust", "gain")
"""What is estimated, each with its interval."""

_ROUNDING = 1e-9

Choose = Callable[[IntArray, int], IntArray]
"""Rep of each of a window's rows, or ``NOBODY``, given the rows and a seed."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Logged:
    """Randomised decisions, and what a model that had not seen them says; n, m reps.

    Attributes:
        rep: Rep drawn; int64 (n,).
        propensity: Its probability at the draw; float64 (n,).
        drawable: Reps the lottery could have drawn; bool (n, m).
        won: Whether the lead was won within the label window; bool (n,).
        worth: Money if won, in major units, as known at the draw; float64 (n,).
        p_convert: Chance of each drawable pair, 0 elsewhere; float64 (n, m).
        window: Window of each decision; int64 (n,), ascending.
        unit: What decisions are alike in; int64 (n,).
    """

    rep: IntArray
    propensity: FloatArray
    drawable: BoolArray
    won: BoolArray
    worth: FloatArray
    p_convert: FloatArray
    window: IntArray
    unit: IntArray

    @property
    def n_rows(self) -> int:
        """Decisions."""
        return int(self.rep.size)

    @property
    def windows(self) -> list[IntArray]:
        """Rows of each window, in order of time."""
        starts = np.flatnonzero(np.diff(self.window)) + 1
        return np.split(np.arange(self.n_rows), starts)

    def lottery(self, *, in_money: bool) -> Lottery:
        """The decisions with their rewards: money, or wins."""
        worth = self.worth if in_money else np.ones(self.n_rows)
        return Lottery(
            rep=self.rep,
            propensity=self.propensity,
            reward=self.won * worth,
            drawable=self.drawable,
            unit=self.unit,
        )

    def weights(self, chance: FloatArray, clip: float = np.inf) -> FloatArray:
        """Importance weight of each decision under a policy; float64 (n,)."""
        drawn = chance[np.arange(self.n_rows), self.rep]
        return np.minimum(drawn / self.propensity, clip)


@dataclass(frozen=True, eq=False, kw_only=True)
class Judged:
    """What the decisions say of one policy, in one kind of reward.

    Attributes:
        ips: Inverse propensity weights.
        snips: The same, self-normalised.
        doubly_robust: With a model of the reward fitted on other decisions.
        gain: By how much it earns more than the baseline, doubly robust.
        believed: What the model that chose expects of its own choices; it flatters.
        judged: What a model fitted on other decisions expects of them.
    """

    ips: Estimate
    snips: Estimate
    doubly_robust: Estimate
    gain: Estimate
    believed: float
    judged: float


def equal_slots(drawable: BoolArray) -> IntArray:
    """Slots of each rep in one window: the leads that lots are expected to give.

    Each lead is drawn among its reps with equal chances; a rep's sum of chances is
    rounded up. All leads can be placed within these slots, since the chances
    themselves do it in parts and the network has whole solutions.

    Args:
        drawable: Reps open to each lead; bool (n_leads, n_reps), a rep in each row.

    Returns:
        int64 (n_reps,).
    """
    chance = drawable / np.maximum(drawable.sum(axis=1, keepdims=True), 1)
    expected: FloatArray = chance.sum(axis=0)
    return np.ceil(expected - _ROUNDING).astype(np.int64)


def replay(
    logged: Logged, choose: Choose, *, n_plans: int, seed: int = 0
) -> FloatArray:
    """Chance that a policy gives each lead to each rep, window by window.

    A policy that draws lots is asked for several plans; the share of them that give a
    lead to a rep is right on average for its chance, and so is every estimate from it.

    Args:
        logged: The decisions.
        choose: The policy; it is given the rows of one window.
        n_plans: Plans per window.
        seed: Of the policy's own lots.

    Returns:
        float64 (n, m); a row sums to less than 1 where nobody may get the lead.
    """
    chance = np.zeros(logged.drawable.shape)
    for rows in logged.windows:
        for k in range(n_plans):
            rep_of = choose(rows, seed + k)
            given = rep_of != NOBODY
            chance[rows[given], rep_of[given]] += 1.0 / n_plans
    return chance


def judge_policies(
    logged: Logged,
    chances: Mapping[str, FloatArray],
    baseline: str,
    *,
    in_money: bool,
    clip: float = np.inf,
) -> dict[str, Judged]:
    """What each policy would have earned per lead, side by side.

    The reward model is linear in the choosing model's expectation and cross-fitted on
    the decisions, so that no decision's reward is in what judges it; a plan's value is
    thus never taken from the model that chose it.

    Args:
        logged: The decisions.
        chances: Chances of each policy; float64 (n, m) each.
        baseline: The policy that gains are over.
        in_money: Whether a win counts its money, or one.
        clip: Weights above are cut off there.

    Raises:
        InvalidInput: There are no decisions.
    """
    if logged.n_rows == 0:
        raise InvalidInput("There are no randomised decisions to judge by.")
    lottery = logged.lottery(in_money=in_money)
    believed = logged.p_convert * (logged.worth[:, None] if in_money else 1.0)
    features: Sequence[FloatArray] = [believed]
    if in_money:
        features = [believed, np.broadcast_to(logged.worth[:, None], believed.shape)]
    expected = cross_fitted(lottery, linear_in(lottery, *features))
    return {
        name: Judged(
            ips=ips(lottery, chance, clip=clip),
            snips=snips(lottery, chance, clip=clip),
            doubly_robust=doubly_robust(lottery, chance, expected, clip=clip),
            gain=doubly_robust(
                lottery, chance, expected, against=chances[baseline], clip=clip
            ),
            believed=float((chance * believed).sum() / logged.n_rows),
            judged=float((chance * expected).sum() / logged.n_rows),
        )
        for name, chance in chances.items()
    }


def estimates(
    judged: Mapping[str, Mapping[str, Judged]], name: str, baseline: str
) -> dict[str, float | None]:
    """Every figure of a policy by name; estimates are None without enough decisions.

    Args:
        judged: What is known of each policy, by kind of reward.
        name: The policy.
        baseline: The policy that gains are over.

    Returns:
        ``REWARD.ESTIMATOR`` with ``.low`` and ``.high``, ``REWARD.believed`` and
        ``REWARD.judged``.
    """
    figures: dict[str, float | None] = {}
    for reward, by_name in judged.items():
        found, base = by_name[name], by_name[baseline]
        for kind in ESTIMATORS:
            one: Estimate = getattr(found, kind)
            enough = one.enough and (kind != "gain" or base.ips.enough)
            ends = {"": one.value, ".low": one.low, ".high": one.high}
            figures |= {
                f"{reward}.{kind}{end}": value if enough else None
                for end, value in ends.items()
            }
        figures[f"{reward}.believed"] = found.believed
        figures[f"{reward}.judged"] = found.judged
    return figures


def spread(chance: FloatArray, *, weight: FloatArray, quality: FloatArray) -> float:
    """How far the shares of a plan are from the weights: max |share - weight|.

    Args:
        chance: Chance of each pair; float64 (n, m).
        weight: Wanted share of each rep, any scale; float64 (m,).
        quality: What each lead counts, ones for load; float64 (n,).
    """
    given = quality @ chance
    total = float(given.sum())
    share = given / total if total > 0 else np.zeros(given.size)
    wanted = weight / max(float(weight.sum()), np.finfo(float).tiny)
    return float(np.abs(share - wanted).max(initial=0.0))
