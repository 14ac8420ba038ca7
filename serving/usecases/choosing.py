"""From a situation to a plan: the lottery first, then the policy, then the reasons."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.online import draw_lottery
from optimizer.optimum import solve
from optimizer.policies import POLICIES
from optimizer.problem import (
    UNASSIGNED,
    BoolArray,
    FloatArray,
    IntArray,
    Plan,
    Problem,
)
from optimizer.verify import total_value
from rightrep.domain.decision import RunnerUp
from rightrep.domain.lottery import enters_lottery
from rightrep.errors import InvalidInput, SolverStopped
from serving.usecases.advice import Scores
from serving.usecases.situation import Situation, problem_of

OPTIMAL = "optimal"
FALLBACK = "least_loaded"
LOTTERY = "lottery"
_BLOCK = 4096
_SAME_WORTH = 1e-9
_NEEDS_MODEL = frozenset({OPTIMAL, "greedy"})


@dataclass(frozen=True, eq=False)
class Chosen:
    """What was chosen for a batch, with its proof and its reasons.

    Attributes:
        problem: The batch as arrays.
        plan: Rep and propensity of each lead.
        policy: Policy of each lead: the one asked for, the lottery or the fallback.
        shadow_price: Price of each rep's slot, unit of value; None when not priced.
        bound: Proven bound on the value of the leads the policy shared out; None when
            the policy proves nothing.
        solved_value: Value of the plan on those leads.
        fallback: Why the fallback policy answered, or None.
    """

    problem: Problem
    plan: Plan
    policy: Sequence[str]
    shadow_price: FloatArray | None
    bound: float | None
    solved_value: float
    fallback: str | None

    @property
    def gap(self) -> float | None:
        """Bound minus value, over the bound; None without bound."""
        if self.bound is None:
            return None
        return max(0.0, self.bound - self.solved_value) / max(abs(self.bound), 1e-12)


def choose_batch(
    situation: Situation,
    scores: Scores | None,
    *,
    policy: str,
    seed: int,
    no_model: str | None = None,
) -> Chosen:
    """Share out a batch.

    Args:
        situation: Leads, roster and rules.
        scores: What the model says, or None.
        policy: Name of a policy.
        seed: Seed of every draw.
        no_model: Why there are no scores.

    Raises:
        InvalidInput: There is no such policy.
    """
    if policy not in POLICIES:
        raise InvalidInput(
            f"There is no policy {policy!r}.",
            field="policy",
            remedy=f"Give one of {', '.join(POLICIES)}.",
        )
    problem = problem_of(situation, scores, seed=seed)
    lottery = enters_lottery(
        situation.lead_ids,
        salt=situation.routing.lottery_salt,
        share=situation.routing.exploration_share,
    )
    drawn, rest = draw_lottery(problem, lottery, np.random.default_rng(problem.seed))
    fallback = None
    if policy in _NEEDS_MODEL and scores is None:
        policy, fallback = FALLBACK, no_model or "no model"
    shadow_price, bound = None, None
    if policy == OPTIMAL:
        try:
            priced = solve(rest)
            solved = _evenest(rest, priced.plan)
            shadow_price, bound = priced.shadow_price, priced.bound
        except SolverStopped as error:
            policy, fallback = FALLBACK, str(error)
    if policy != OPTIMAL:
        solved = POLICIES[policy](rest)
    return Chosen(
        problem=problem,
        plan=_merged(drawn, solved, lottery),
        policy=[LOTTERY if by_lot else policy for by_lot in lottery],
        shadow_price=shadow_price,
        bound=bound,
        solved_value=total_value(rest, solved),
        fallback=fallback,
    )


def runner_ups(
    situation: Situation, scores: Scores | None, chosen: Chosen
) -> list[list[RunnerUp]]:
    """Who else could have had each lead, best first, with the numbers.

    Capacity is not looked at: a runner-up may be full in this plan, and its price
    then says what that is worth.

    Returns:
        At most ``routing.runner_ups`` of them for each lead.
    """
    price = chosen.shadow_price
    best = _next_best(chosen, situation.routing.runner_ups)
    ids = situation.rep_ids
    value, p = chosen.problem.value, None if scores is None else scores.p_convert
    return [
        [
            RunnerUp(
                rep_id=ids[j],
                p_convert=None if p is None else float(p[i, j]),
                value=None if p is None else float(value[i, j]),
                shadow_price=None if price is None else float(price[j]),
            )
            for j in row
            if j != UNASSIGNED
        ]
        for i, row in enumerate(best.tolist())
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
        net = np.where(eligible, chosen.problem.value[rows] - price, -np.inf)
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
