"""From a situation to a plan: the lottery first, then the policy, then the reasons."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from optimizer.online import draw_lottery
from optimizer.optimum import solve
from optimizer.over_time import left_over
from optimizer.policies import POLICIES, look_at_turns
from optimizer.problem import (
    UNASSIGNED,
    BoolArray,
    FloatArray,
    IntArray,
    Plan,
    PricedPlan,
    Problem,
)
from optimizer.verify import total_value
from rightrep.domain.experiment import LOT
from rightrep.domain.ids import RepId
from rightrep.domain.lottery import enters_lottery
from rightrep.errors import InvalidInput, SolverStopped
from serving.usecases.advice import Chances, Scores
from serving.usecases.fair_shares import FairAnswer, FairTerms, solve_fairly
from serving.usecases.rule_inputs import Past
from serving.usecases.ruled_choice import NEEDS_MODEL, kept_first, merged, rest_of
from serving.usecases.ruling import (
    FIXED,
    NOBODYS,
    STICKY,
    Group,
    Ruling,
    as_seen,
    groups_of,
)
from serving.usecases.situation import Situation, problem_of

OPTIMAL = "optimal"
FALLBACK = "least_loaded"
LOTTERY = "lottery"
_BLOCK = 4096
Ranked = tuple[RepId, float | None, float | None, float | None]
_SAME_WORTH = 1e-9


@dataclass(frozen=True, eq=False)
class Chosen:
    """What was chosen for a batch, with its proof and its reasons.

    Attributes:
        problem: The batch as arrays; its floors are those the plan keeps.
        plan: Rep and propensity of each lead.
        policy: Policy of each lead: the one asked for, the lottery or the fallback.
        shadow_price: Price of each rep's slot, unit of value; None when not priced.
        bound: Proven bound on the value of the leads the policy shared out, waiting
            counted; None when the policy proves nothing.
        solved_value: Value of the plan on those leads, waiting counted.
        fallback: Why the fallback policy answered, or None.
        weight: What each lead's value was multiplied by for its waiting; float64
            (n_leads,).
        fair: What fairness made of it; None where it was not asked for, or another
            policy than the optimal one answered.
        ruling: What the rules say, or None.
        turns: What lots in turn saw at each draw, as ``policies.look_at_turns`` tells;
            uint8 (n_leads, n_reps). None where the batch is no arm's.
    """

    problem: Problem
    plan: Plan
    policy: Sequence[str]
    shadow_price: FloatArray | None
    bound: float | None
    solved_value: float
    fallback: str | None
    weight: FloatArray
    fair: FairAnswer | None = None
    ruling: Ruling | None = None
    turns: NDArray[np.uint8] | None = None

    @property
    def gap(self) -> float | None:
        """Bound minus value, over the bound; None without bound."""
        if self.bound is None:
            return None
        return max(0.0, self.bound - self.solved_value) / max(abs(self.bound), 1e-12)


def choose_batch(
    situation: Situation,
    scores: Chances | None,
    *,
    policy: str,
    seed: int,
    no_model: str | None = None,
    fair: FairTerms | None = None,
    ruling: Ruling | None = None,
    instead: str | None = None,
) -> Chosen:
    """Share out a batch.

    Args:
        situation: Leads, roster and rules.
        scores: What the model says, or None.
        policy: Name of a policy.
        seed: Seed of every draw.
        no_model: Why there are no scores.
        fair: What is fair, or None; the optimal policy alone knows of it.
        ruling: What the rules say; their policies go before ``policy``.
        instead: Policy in place of those that rules let choose, or None.

    Raises:
        InvalidInput: There is no such policy.
        InfeasiblePlan: Fairness limits collide.
    """
    if policy not in POLICIES:
        raise InvalidInput(
            f"There is no policy {policy!r}.",
            field="policy",
            remedy=f"Give one of {', '.join(POLICIES)}.",
        )
    problem = problem_of(situation, scores, seed=seed)
    weight = situation.waiting_weight
    wanted = replace(problem, value=problem.value * weight[:, None])
    if fair is not None:
        wanted = fair.on(wanted)
    lottery = enters_lottery(
        situation.lead_ids,
        salt=situation.routing.lottery_salt,
        share=situation.routing.exploration_share,
    )
    groups = [Group(policy, policy, np.ones(problem.n_leads, dtype=np.bool_))]
    if ruling is not None:
        lottery &= ruling.drawable
        groups = groups_of(ruling, instead=instead)
    drawn, rest = draw_lottery(wanted, lottery, np.random.default_rng(problem.seed))
    sharing = _Sharing(
        wanted,
        situation.open_slots,
        has_model=scores is not None,
        no_model=no_model,
        fair=fair,
    )
    for group in groups:
        sharing.share(rest, group, None if ruling is None else ruling.past)
        rest = sharing.rest
    found = sharing.optimal
    answer = None if found is None else found.fair
    is_whole = len(groups) == 1 and not groups[0].sticky
    return Chosen(
        problem=problem if answer is None else replace(problem, floor=answer.kept),
        plan=_merged(drawn, sharing.plan, lottery),
        policy=[
            LOTTERY if by_lot else told
            for by_lot, told in zip(lottery, sharing.told, strict=True)
        ],
        shadow_price=None if found is None else found.priced.shadow_price,
        bound=found.priced.bound if found is not None and is_whole else None,
        solved_value=total_value(wanted, sharing.plan),
        fallback=sharing.fallback,
        weight=weight,
        fair=answer,
        ruling=ruling,
        turns=sharing.turns,
    )


class _Sharing:
    """A batch being shared out, one policy after another."""

    def __init__(
        self,
        wanted: Problem,
        slots: IntArray,
        *,
        has_model: bool,
        no_model: str | None,
        fair: FairTerms | None,
    ) -> None:
        self._wanted, self._slots, self._fair = wanted, slots, fair
        self._has_model, self._no_model = has_model, no_model
        self.plan = Plan.certain(np.full(wanted.n_leads, UNASSIGNED, dtype=np.int64))
        self.told: list[str] = [NOBODYS] * wanted.n_leads
        self.optimal: _Optimal | None = None
        self.fallback: str | None = None
        self.rest = wanted
        self.turns: NDArray[np.uint8] | None = None

    def share(self, rest: Problem, group: Group, past: Past | None) -> None:
        """Share out the leads of a group, and leave the others.

        Args:
            rest: The batch with what was given taken off.
            group: Leads that one policy looks at.
            past: The days before; None where the policy does not ask for them.
        """
        seen = rest
        if past is not None:
            before = _load(rest) - _load(self._wanted)
            seen = as_seen(rest, group, past, self._slots, before=before)
        kept = kept_first(seen, group)[0]
        left = rest_of(seen, kept)
        solved, name = self._solve(left, group.policy)
        here = merged(kept, solved)
        by_policy = name or group.told
        for i in np.flatnonzero(group.leads).tolist():
            stays = group.sticky and kept.rep_of[i] != UNASSIGNED
            self.told[i] = STICKY if stays else by_policy
        if group.told == FIXED:
            self.told = [
                FIXED if mine else told
                for mine, told in zip(group.leads, self.told, strict=True)
            ]
        self.plan = merged(self.plan, here)
        self.rest = left_over(rest, here)
        if name == LOT and rest.had_turn is not None:
            self._note_turns(left, solved)

    def _note_turns(self, left: Problem, solved: Plan) -> None:
        """Keep what a lot in turn saw, and where its cycle stands."""
        seen, had_turn = look_at_turns(left, solved)
        self.turns = seen if self.turns is None else np.maximum(self.turns, seen)
        self.rest = replace(self.rest, had_turn=had_turn)

    def _solve(self, left: Problem, policy: str | None) -> tuple[Plan, str | None]:
        """The plan of a policy, or of the fallback, and which of them it was."""
        if policy in NEEDS_MODEL and not self._has_model:
            policy, self.fallback = FALLBACK, self._no_model or "no model"
        if policy == OPTIMAL:
            try:
                found = _optimal(self._wanted, left, self._fair)
            except SolverStopped as error:
                policy, self.fallback = FALLBACK, str(error)
            else:
                self.optimal = found
                return found.priced.plan, policy
        if policy is None:
            nobody = np.full(left.n_leads, UNASSIGNED, dtype=np.int64)
            return Plan.certain(nobody), None
        return POLICIES[policy](left), policy


def _load(problem: Problem) -> IntArray:
    return np.zeros(problem.n_reps, np.int64) if problem.load is None else problem.load


@dataclass(frozen=True, eq=False)
class _Optimal:
    """The best plan, and what fairness made of it where that was asked for."""

    priced: PricedPlan
    fair: FairAnswer | None = None


def _optimal(wanted: Problem, rest: Problem, fair: FairTerms | None) -> _Optimal:
    """Share out what the lottery left.

    Args:
        wanted: The whole batch.
        rest: The same after the lottery.
        fair: What is fair, or None.
    """
    if fair is None:
        priced = solve(rest)
        return _Optimal(replace(priced, plan=_evenest(rest, priced.plan)))
    plan, kept = solve_fairly(rest, fair)
    by_lot = np.minimum(_load(rest) - _load(wanted), wanted.floor)
    priced = PricedPlan(plan.plan, plan.shadow_price, plan.bound)
    return _Optimal(priced, FairAnswer(fair, plan, kept + by_lot))


def runner_ups(
    situation: Situation, scores: Scores | None, chosen: Chosen
) -> list[list[Ranked]]:
    """Who else could have had each lead, best first, as ``store.runner_ups`` keeps it.

    Capacity is not looked at: a runner-up may be full in this plan, and its price
    then says what that is worth.

    Returns:
        At most ``routing.runner_ups`` of them for each lead.
    """
    price = chosen.shadow_price
    best = _next_best(chosen, situation.routing.runner_ups)
    ids = situation.rep_ids
    lead = np.arange(len(best))[:, None]
    nothing: list[list[float | None]] = [[None] * best.shape[1]] * len(best)
    p = value = prices = nothing
    if scores is not None:
        p = scores.p_convert[lead, best].astype(np.float64).tolist()
        value = chosen.problem.value[lead, best].tolist()
    if price is not None:
        prices = price[best].tolist()
    return [
        [
            (ids[j], p_j, value_j, price_j)
            for j, p_j, value_j, price_j in zip(*row, strict=True)
            if j != UNASSIGNED
        ]
        for row in zip(best.tolist(), p, value, prices, strict=True)
    ]


def _next_best(chosen: Chosen, count: int) -> IntArray:
    """The best eligible reps but the chosen one; int64 (n_leads, count), padded."""
    n_leads, n_reps = chosen.problem.value.shape
    count = min(count, n_reps)
    if count == 0:
        return np.empty((n_leads, 0), dtype=np.int64)
    best = np.full((n_leads, count), UNASSIGNED, dtype=np.int64)
    price = np.zeros(n_reps) if chosen.shadow_price is None else chosen.shadow_price
    for start in range(0, n_leads, _BLOCK):
        rows = slice(start, min(start + _BLOCK, n_leads))
        eligible = chosen.problem.eligible[rows].copy()
        taken = chosen.plan.rep_of[rows]
        given = np.flatnonzero(taken != UNASSIGNED)
        eligible[given, taken[given]] = False
        value = chosen.problem.value[rows] * chosen.weight[rows, None]
        net = np.where(eligible, value - price, -np.inf)
        if count < n_reps:
            part = np.argpartition(-net, count - 1, axis=1)[:, :count]
        else:
            part = np.broadcast_to(np.arange(n_reps), net.shape)
        found = np.take_along_axis(net, part, axis=1)
        order = np.argsort(-found, axis=1, kind="stable")
        places = np.take_along_axis(part, order, axis=1)
        finite = np.isfinite(np.take_along_axis(found, order, axis=1))
        best[rows] = np.where(finite, places, UNASSIGNED)
    return best


def _merged(drawn: Plan, solved: Plan, lottery: BoolArray) -> Plan:
    return Plan(
        np.where(lottery, drawn.rep_of, solved.rep_of),
        np.where(lottery, drawn.propensity, solved.propensity),
    )


def _evenest(problem: Problem, best: Plan) -> Plan:
    """Of plans that are worth the same, the one that shares the load.

    Where reps do not differ, every plan is the best one; one that gives all leads to
    the first rep would be too.
    """
    even = POLICIES[FALLBACK](problem)
    worth = total_value(problem, best)
    slack = _SAME_WORTH * abs(worth)
    return even if total_value(problem, even) >= worth - slack else best
