"""Who should have one lead now, best first, and why: a pure function of an outlook."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TypedDict

import numpy as np

from optimizer.online import Choice, choose
from optimizer.policies import POLICIES
from optimizer.problem import UNASSIGNED, FloatArray, Problem
from rightrep.domain.decision import Cause, Decision, RunnerUp
from rightrep.domain.eligibility import CodeArray, Exclusion
from rightrep.domain.ids import DecisionId, LeadId, RepId, new_id
from rightrep.domain.lottery import enters_lottery
from rightrep.domain.slots import ArmKey, SlotSplit
from rightrep.store.capacity import Limits
from serving.usecases.advice import Scores
from serving.usecases.arm_next import ArmOfLead, arm_of_lead, codes_drawn
from serving.usecases.choosing import FALLBACK, LOTTERY, OPTIMAL
from serving.usecases.outlook import Outlook
from serving.usecases.ruled_choice import NEEDS_MODEL, rank_one
from serving.usecases.ruling import NOBODYS, Group, Ruling, as_seen, groups_of
from serving.usecases.situation import Situation, problem_of, value_of

_REASONS = [code.name.lower() for code in Exclusion]


@dataclass(frozen=True, eq=False)
class Proposal:
    """Who should have one lead, best first, and why.

    Attributes:
        situation: What it was made in; one lead.
        scores: What the model says, or None.
        ranking: Reps in the order they are tried; empty when nobody may.
        policy: What put them in that order.
        propensity: Probability of the first at a lottery's draw; NaN otherwise.
        value: Expected value with each rep; float64 (n_reps,).
        price: Shadow price of each rep's slot; float64 (n_reps,).
        plan_id: The plan the prices come from, or None when they are all 0.
        wants_prices: Whether there are no prices in force, though there is a model.
        fallback: Why the fallback policy answered, or None.
        reason: Why nobody gets the lead, or None.
        ruling: What the rule set in force says, or None without one.
        arm: The lead's arm while an experiment runs or a holdout stands, or None.
        drawn_codes: Codes as a lot in turn saw them when it drew the first, or None.
        covariates: What the lead is logged with where it is drawn, by experiment.
    """

    situation: Situation
    scores: Scores | None
    ranking: Sequence[int]
    policy: str
    propensity: float
    value: FloatArray
    price: FloatArray
    plan_id: str | None
    wants_prices: bool
    fallback: str | None
    reason: str | None
    ruling: Ruling | None = None
    arm: ArmOfLead | None = None
    drawn_codes: CodeArray | None = None
    covariates: Mapping[str, Sequence[float] | None] = field(default_factory=dict)

    @property
    def arm_key(self) -> ArmKey | None:
        """The arm that decides, or None."""
        return None if self.arm is None else self.arm.key

    @property
    def split(self) -> SlotSplit | None:
        """How slots are shared between arms; None for a lead that has no arm."""
        if self.arm is None or self.arm.key is None:
            return None
        return self.arm.split

    def codes(self, chosen: int | None = None) -> CodeArray:
        """Codes of the lead, given to one of the ranking; uint8 (1, n_reps).

        Args:
            chosen: Who gets it; the first of the ranking when not given.
        """
        is_first = chosen is None or chosen == self.ranking[0]
        if self.drawn_codes is not None and is_first:
            return self.drawn_codes
        return self.situation.codes

    @property
    def asks_for_prices(self) -> bool:
        """Whether prices are to be solved, if this is more than a dry run."""
        return self.wants_prices and self.situation.routing.price_refresh_minutes > 0

    def limits(self, chosen: int) -> Limits:
        """Limits of one of the ranking."""
        situation = self.situation
        return Limits.of(situation.roster.attributes[chosen], situation.counted)

    @property
    def rule_set(self) -> int | None:
        """Version of the rule set that decided, or None."""
        return None if self.ruling is None else self.ruling.rule_set.version

    @property
    def rule(self) -> str | None:
        """Name of the rule that matched, or None."""
        return None if self.ruling is None else self.ruling.rules[0]

    def excluded(self) -> dict[RepId, str]:
        """Reason code of every rep who may not have the lead."""
        codes, rep_ids = self.codes()[0], self.situation.rep_ids
        return {rep_ids[j]: _REASONS[codes[j]] for j in np.flatnonzero(codes).tolist()}

    def runner_ups(self, chosen: int) -> list[RunnerUp]:
        """The next best after the chosen one, with their numbers."""
        may = self.codes(chosen)[0] == Exclusion.ELIGIBLE
        others = [j for j in self.ranking if j != chosen and may[j]]
        p = None if self.scores is None else self.scores.p_convert[0]
        return [
            RunnerUp(
                rep_id=self.situation.rep_ids[j],
                p_convert=None if p is None else float(p[j]),
                value=None if p is None else float(self.value[j]),
                shadow_price=None if self.plan_id is None else float(self.price[j]),
            )
            for j in others[: self.situation.routing.runner_ups]
        ]

    def decision(
        self,
        chosen: int,
        *,
        at: datetime,
        actor: str,
        cause: Cause = Cause.REQUEST,
    ) -> Decision:
        """The record of giving the lead to one of the ranking."""
        scores, first, arm = self.scores, chosen == self.ranking[0], self.arm_key
        row = None
        if scores is not None:
            row = scores.feature_rows(np.array([0]), np.array([chosen]))[0]
        return Decision(
            decision_id=DecisionId(new_id(at)),
            lead_id=self.situation.lead_ids[0],
            rep_id=self.situation.rep_ids[chosen],
            decided_at=at,
            recorded_at=at,
            cause=cause,
            actor=actor,
            # A lottery whose winner was taken meanwhile is no draw with a known chance.
            policy=self.policy if first or self.policy != LOTTERY else FALLBACK,
            rule_set=self.rule_set,
            rule=self.rule,
            experiment=None if arm is None else arm.experiment,
            arm=None if arm is None else arm.arm,
            propensity=None
            if not first or np.isnan(self.propensity)
            else self.propensity,
            p_convert=None if scores is None else float(scores.p_convert[0, chosen]),
            value=None if scores is None else float(self.value[chosen]),
            shadow_price=None if self.plan_id is None else float(self.price[chosen]),
            model_version=None if scores is None else scores.model_version,
            fallback=self.fallback,
            columns_version=None if scores is None else scores.columns_version,
            feature_row=row,
            runner_ups=self.runner_ups(chosen),
        )


def propose_one(outlook: Outlook, lead: int) -> Proposal:
    """Who should have one of the leads.

    Args:
        outlook: What is known, with what was given before.
        lead: Its place in the outlook's situation.
    """
    arm, situation, ruling = arm_of_lead(
        outlook.arming, outlook.situation, outlook.ruling, lead
    )
    scores, cannot = outlook.scores, outlook.cannot
    if scores is not None:
        scores = scores.of_lead(lead)
    key = None if arm is None else arm.key
    priced = outlook.priced(key)
    expired = priced is not None and not priced.listed.holds_at(situation.at)
    if scores is not None and expired:
        cannot = "the shadow prices have expired"
    in_force = None if scores is None or expired else priced
    seed = _seed(situation.lead_ids[0]) if arm is None or key is None else arm.seed
    value = value_of(situation, scores)[0]
    problem = partial(problem_of, situation, scores, seed=seed)
    price = np.zeros(value.size) if in_force is None else in_force.now
    choice = choose(
        value * situation.waiting_weight[0],
        situation.eligible[0],
        situation.open_slots,
        price,
        waited=situation.waited,
        rng=np.random.default_rng(seed),
    )
    return Proposal(
        situation=situation,
        scores=scores,
        value=value,
        price=price,
        plan_id=None if in_force is None else in_force.listed.plan_id,
        wants_prices=scores is not None
        and in_force is None
        and (arm is None or arm.asks_for_prices),
        ruling=ruling,
        arm=arm,
        covariates=outlook.covariates,
        **_ranked(situation, problem, choice, cannot, ruling, arm),
    )


class _Ranked(TypedDict):
    """The part of a proposal that says who, and by which policy."""

    ranking: Sequence[int]
    policy: str
    propensity: float
    fallback: str | None
    reason: str | None
    drawn_codes: CodeArray | None


def _ranked(
    situation: Situation,
    problem: Callable[[], Problem],
    choice: Choice,
    cannot: str | None,
    ruling: Ruling | None,
    arm: ArmOfLead | None,
) -> _Ranked:
    """Nobody, by lot, by the policy of a rule, by the fallback, by value minus price.

    Args:
        situation: One lead.
        problem: Gives the same as arrays, for policies; most leads need none.
        choice: The best by value minus price.
        cannot: Why the model or the prices cannot answer, or None.
        ruling: What the rule set in force says, or None.
        arm: The lead's arm, or None.
    """
    routing, n_open = situation.routing, choice.ranking.size
    ranked = _Ranked(
        ranking=[int(j) for j in choice.ranking],
        policy=OPTIMAL,
        propensity=np.nan,
        fallback=None,
        reason=None,
        drawn_codes=None,
    )
    why_not = None if ruling is None else ruling.why_not(0)
    may_draw = ruling is None or bool(ruling.drawable[0])
    if why_not is not None:
        ranked["policy"], ranked["reason"] = NOBODYS, why_not
    elif n_open == 0:
        ranked["reason"] = "Nobody may take this lead now; see each rep's reason."
    elif (
        may_draw
        and enters_lottery(
            situation.lead_ids,
            salt=routing.lottery_salt,
            share=routing.exploration_share,
        )[0]
    ):
        order = np.random.default_rng().permutation(choice.ranking)
        ranked["ranking"] = [int(j) for j in order]
        ranked["policy"], ranked["propensity"] = LOTTERY, 1.0 / n_open
    elif (group := _group_of(ruling, arm)) is not None:
        ranked |= _by_group(situation, problem(), group, ruling, cannot)
    elif cannot is not None or n_open < routing.min_candidates:
        first = int(POLICIES[FALLBACK](problem()).rep_of[0])
        others = [j for j in ranked["ranking"] if j != first]
        ranked["ranking"], ranked["policy"] = [first, *others], FALLBACK
        ranked["fallback"] = cannot or f"only {n_open} reps may take the lead"
    elif choice.rep == UNASSIGNED:
        ranked["reason"] = "Every open slot is worth more than this lead; it waits."
    return ranked


def _group_of(ruling: Ruling | None, arm: ArmOfLead | None) -> Group | None:
    """The lead as a group of its rule's or arm's policy; None is the optimal one."""
    if ruling is not None:
        group = groups_of(ruling)[0]
        return None if group.policy == OPTIMAL and not group.sticky else group
    policy = None if arm is None else arm.policy
    if policy is None or policy == OPTIMAL:
        return None
    return Group(policy, policy, np.ones(1, dtype=np.bool_))


def _by_group(
    situation: Situation,
    problem: Problem,
    group: Group,
    ruling: Ruling | None,
    cannot: str | None,
) -> _Ranked:
    """Whom the policy of the lead's rule, or of its arm, gives it."""
    fallback, seen = None, problem
    if group.policy in NEEDS_MODEL and cannot is not None:
        group, fallback = replace(group, policy=FALLBACK), cannot
    if ruling is not None:
        nothing = np.zeros(problem.n_reps, dtype=np.int64)
        slots = situation.open_slots
        seen = as_seen(problem, group, ruling.past, slots, before=nothing)
    found = rank_one(seen, group)
    first = found.reps[0] if found.reps else UNASSIGNED
    return _Ranked(
        ranking=found.reps,
        policy=found.told,
        propensity=found.propensity,
        fallback=fallback,
        reason=None if found.reps else "Its rule leaves it to wait; see the rule.",
        drawn_codes=codes_drawn(situation, seen, first, group.policy),
    )


def _seed(lead_id: LeadId) -> int:
    return int(lead_id.replace("-", "")[-12:], 16)
