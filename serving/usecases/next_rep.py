"""One lead now: the next best rep, told or given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypedDict

import numpy as np

from optimizer.online import Choice, choose, paced
from optimizer.policies import POLICIES
from optimizer.problem import UNASSIGNED, FloatArray, IntArray, Problem
from rightrep.domain.days import local_day
from rightrep.domain.decision import Cause, Decision, RunnerUp
from rightrep.domain.eligibility import CodeArray, Exclusion
from rightrep.domain.ids import DecisionId, LeadId, RepId, TenantId, new_id
from rightrep.domain.lottery import enters_lottery
from rightrep.domain.slots import ArmKey, SlotSplit
from rightrep.errors import AlreadyOwned, CapacityReached, NotFound
from rightrep.store import outbox, ownership, prices
from rightrep.store.aliases import resolve_lead
from rightrep.store.capacity import Limits, take_lead
from rightrep.store.decisions import given_since
from rightrep.store.exclusions import Exclusions
from rightrep.store.session import ReadSession, WriteSession
from serving.usecases.advice import Scores
from serving.usecases.arm_next import (
    ArmOfLead,
    arm_of_lead,
    codes_drawn,
    with_covariates,
)
from serving.usecases.arms import log_drawn
from serving.usecases.choosing import FALLBACK, LOTTERY, OPTIMAL
from serving.usecases.context import Context
from serving.usecases.lead_scores import scorer
from serving.usecases.planning import score
from serving.usecases.pricing import ask_for_prices, price_key
from serving.usecases.ruled_choice import NEEDS_MODEL, rank_one
from serving.usecases.ruling import (
    NOBODYS,
    Group,
    Ruling,
    as_seen,
    groups_of,
    ruled,
)
from serving.usecases.situation import Situation, problem_of, read_situation


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
    def rule_set(self) -> int | None:
        """Version of the rule set that decided, or None."""
        return None if self.ruling is None else self.ruling.rule_set.version

    @property
    def rule(self) -> str | None:
        """Name of the rule that matched, or None."""
        return None if self.ruling is None else self.ruling.rules[0]

    def excluded(self) -> dict[RepId, str]:
        """Reason code of every rep who may not have the lead."""
        return {
            rep_id: Exclusion(code).name.lower()
            for rep_id, code in zip(
                self.situation.rep_ids, self.codes()[0].tolist(), strict=True
            )
            if code
        }

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


def propose(
    context: Context,
    tenant_id: TenantId,
    name: str,
    *,
    barred: Mapping[RepId, Exclusion] | None = None,
) -> Proposal:
    """Who should have this lead now; nothing is written.

    Args:
        context: The parts of this process.
        tenant_id: Whose lead.
        name: The lead's id, ours or a CRM's; a merged one means its survivor.
        barred: Who must not have it, where it is taken from its owner; None asks for a
            lead that nobody has.

    Raises:
        NotFound: There is no such lead.
        AlreadyOwned: Somebody has it.
    """
    at = context.clock.now()
    # One snapshot for all that is read: each transaction costs as much as a query.
    with context.store.read(tenant_id) as session:
        lead_id = resolve_lead(session, name)
        owned = ownership.get_owner(session, lead_id)
        situation = read_situation(session, [lead_id], at=at, barred=barred)
        scored = scorer(context, tenant_id)
        situation, ruling = ruled(session, situation, context.win_rates, scored=scored)
        if not situation.leads:
            raise NotFound("lead", lead_id)
        if owned is not None and barred is None:
            raise AlreadyOwned(lead_id=lead_id, owner=owned.owner)
        arm, situation, ruling = arm_of_lead(
            session,
            situation,
            ruling,
            context.win_rates,
            only_known=barred is not None,
        )
        key = None if arm is None else arm.key
        priced = prices.latest_prices(session, at, arm=price_key(key))
        given = _given(session, situation, priced, key)
        scores, cannot = score(context, tenant_id, situation, session)
    expired = priced is not None and not priced.holds_at(at)
    if scores is not None and expired:
        cannot = "the shadow prices have expired"
    in_force = None if scores is None or expired else priced
    seed = _seed(lead_id) if arm is None or arm.key is None else arm.seed
    problem = problem_of(situation, scores, seed=seed)
    value = np.asarray(problem.value[0], dtype=np.float64)
    price = _price(situation, in_force, given)
    choice = choose(
        value * situation.waiting_weight[0],
        situation.eligible[0],
        situation.open_slots,
        price,
        waited=situation.waited,
        rng=np.random.default_rng(problem.seed),
    )
    return Proposal(
        situation=situation,
        scores=scores,
        value=value,
        price=price,
        plan_id=None if in_force is None else in_force.plan_id,
        wants_prices=scores is not None
        and in_force is None
        and (arm is None or arm.asks_for_prices),
        ruling=ruling,
        arm=None if arm is None else with_covariates(context, tenant_id, arm, scores),
        **_ranked(situation, problem, choice, cannot, ruling, arm),
    )


def _given(
    session: ReadSession,
    situation: Situation,
    priced: prices.PriceList | None,
    arm: ArmKey | None,
) -> IntArray:
    """Leads given to each rep since the prices were published; int64 (n_reps,)."""
    if priced is None or priced.step == 0:
        return np.zeros(len(situation.roster), dtype=np.int64)
    count = given_since(session, priced.published_at, arm=arm)
    return np.array([count.get(rep_id, 0) for rep_id in situation.rep_ids])


def _price(
    situation: Situation, in_force: prices.PriceList | None, given: IntArray
) -> FloatArray:
    """Price of each rep's slot; float64 (n_reps,), all 0 where none are in force.

    Who gets leads faster than planned becomes dearer until prices are solved again, so
    that a run of leads does not fall on one rep.
    """
    if in_force is None:
        return np.zeros(len(situation.roster))
    price, planned = (
        np.array([known.get(rep_id, 0.0) for rep_id in situation.rep_ids])
        for known in (in_force.shadow_price, in_force.planned)
    )
    return paced(price, planned, given, in_force.step)


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
    problem: Problem,
    choice: Choice,
    cannot: str | None,
    ruling: Ruling | None,
    arm: ArmOfLead | None,
) -> _Ranked:
    """Nobody, by lot, by the policy of a rule, by the fallback, by value minus price.

    Args:
        situation: One lead.
        problem: The same as arrays.
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
        ranked |= _by_group(situation, problem, group, ruling, cannot)
    elif cannot is not None or n_open < routing.min_candidates:
        first = int(POLICIES[FALLBACK](problem).rep_of[0])
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


def assign(
    session: WriteSession, proposal: Proposal, *, at: datetime, actor: str
) -> Decision | None:
    """Give the lead to the first of the ranking who still has a slot.

    Args:
        session: Where to write.
        proposal: Who should have it.
        at: Now.
        actor: Who asks.

    Returns:
        The decision; None when nobody could take the lead.

    Raises:
        AlreadyOwned: Somebody took it meanwhile.
        Conflict: Somebody drew it for another arm meanwhile.
    """
    situation, arm = proposal.situation, proposal.arm
    if arm is not None:
        stopped = log_drawn(session, arm.drawn, arm.covariates, at=at)
        if arm.key is not None and arm.key.experiment in stopped:
            proposal = replace(proposal, arm=None)
    if proposal.wants_prices and situation.routing.price_refresh_minutes > 0:
        ask_for_prices(session, at=at)
    if proposal.reason is not None:
        return None
    for chosen in proposal.ranking:
        attributes = situation.roster.attributes[chosen]
        decision = proposal.decision(chosen, at=at, actor=actor)
        try:
            take_lead(
                session,
                decision,
                limits=Limits.of(attributes, situation.counted),
                local_day=local_day(at, situation.tenant.time_zone),
                exclusions=Exclusions(situation.rep_ids, proposal.codes(chosen)),
                split=proposal.split,
            )
        except CapacityReached:
            continue
        outbox.emit(
            session,
            "rightrep.lead.assigned",
            {
                "lead_id": decision.lead_id,
                "rep_id": decision.rep_id,
                "decision_id": decision.decision_id,
                "policy": decision.policy,
            },
            at=at,
            subject=decision.lead_id,
        )
        return decision
    return None


def _seed(lead_id: LeadId) -> int:
    return int(lead_id.replace("-", "")[-12:], 16)
