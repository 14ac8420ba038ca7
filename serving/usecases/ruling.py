"""What a rule set makes of leads and reps, and what each policy then sees of it.

A batch is shared out rule by rule: leads whose rules name the same policy go together,
in the order of the first of their rules, since a policy looks at all of its leads at
once. One lead now is the same on one row.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from optimizer.over_time import credit_over_days, head_start
from optimizer.problem import BoolArray, IntArray, Problem
from rightrep.domain.candidates import EVERYBODY, Candidates, Staff
from rightrep.domain.conditions import In, fields_of
from rightrep.domain.days import local_day
from rightrep.domain.eligibility import CodeArray, Exclusion, exclusions
from rightrep.domain.handover import HandoverRules
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.lead import LeadKind
from rightrep.domain.pools import place_of
from rightrep.domain.rule_sets import (
    NO_RULE,
    ByHand,
    ByPolicy,
    Choice,
    Fixed,
    Routed,
    Rule,
    RuleSet,
    Sticky,
    ToPool,
    route,
)
from rightrep.store import rule_facts
from rightrep.store.pools import pools_in_force
from rightrep.store.rules import read_rule_set
from rightrep.store.service import service_reps_of_leads
from rightrep.store.session import ReadSession
from serving.rule_models import rule_set_of
from serving.usecases.rule_inputs import SCORED, Past, lead_table, read_past
from serving.usecases.rules import rule_set_in_force
from serving.usecases.situation import Situation, rows_of
from serving.usecases.win_rates import WinRateBook

STICKY, FIXED = "sticky", "fixed"
LeadScorer = Callable[[Situation], Mapping[LeadId, int]]
"""Scores of a situation's leads, 0 to 100; leads without one are left out."""
NOBODYS = "none"
"""Policy of leads that no policy looks at: no rule, a manager's, a pool's."""
OVER_TIME = frozenset({"weighted", "least_loaded", "most_free", "performance", STICKY})
"""Policies that take something over from the days before."""


@dataclass(frozen=True, eq=False)
class Ruling:
    """What a rule set makes of a situation's leads.

    Attributes:
        rule_set: The rules; none at all where the tenant has no rule set in force.
        routed: Rule and candidates of each lead.
        past: What policies over time take over from the days before.
        pools: Public pool that each lead is in by the pools' conditions; empty where no
            rule leaves leads in a pool.
    """

    rule_set: RuleSet
    routed: Routed
    past: Past
    pools: Sequence[str] = ()

    def rule_of(self, lead: int) -> Rule | None:
        """The rule that decides a lead, or None."""
        place = int(self.routed.rule[lead])
        return None if place == NO_RULE else self.rule_set.rules[place]

    @property
    def drawable(self) -> BoolArray:
        """Leads that a lottery may have: a policy would choose; bool (n_leads,)."""
        may = [isinstance(rule.choice, ByPolicy) for rule in self.rule_set.rules]
        return np.asarray(np.array([*may, False], dtype=np.bool_)[self.routed.rule])

    @property
    def rules(self) -> list[str | None]:
        """Name of each lead's rule, None where none matched or none is kept."""
        kept = self.rule_set.version is not None
        names = [rule.name if kept else None for rule in self.rule_set.rules]
        return [[*names, None][place] for place in self.routed.rule.tolist()]

    def after_gift(self, rep: int) -> "Ruling":
        """The same for the other leads, after one went to a rep."""
        return replace(self, past=self.past.after_gift(rep))

    def why_not(self, lead: int) -> str | None:
        """Why nobody is asked about a lead, or None where a policy chooses."""
        rule = self.rule_of(lead)
        if rule is None:
            return "No rule matched this lead."
        if isinstance(rule.choice, ByHand):
            return f"Rule {rule.name!r} leaves it to a manager."
        if isinstance(rule.choice, ToPool):
            return _left_in_pool(rule.name, rule.choice.pool, self.pools[lead])
        if self.routed.is_empty[lead]:
            return f"Rule {rule.name!r} matched and nobody is its candidate."
        return None


def _left_in_pool(rule: str, meant: str, pool: str) -> str:
    """A rule places no lead: which pool shows it is said by the pools' conditions."""
    if pool == meant:
        return f"Rule {rule!r} leaves it in pool {pool!r}."
    return (
        f"Rule {rule!r} leaves it to pool {meant!r}, but by their conditions it is in "
        f"pool {pool!r}; give the rule and the pool the same ones."
    )


def rule_on(
    session: ReadSession,
    situation: Situation,
    rule_set: RuleSet,
    book: WinRateBook,
    *,
    scored: LeadScorer = lambda _situation: {},
    each_at: Sequence[datetime] | None = None,
) -> tuple[CodeArray, Ruling]:
    """Apply a rule set to a situation; nothing is written.

    Args:
        session: Where to read.
        situation: Leads and roster.
        rule_set: The rules.
        book: Win rates.
        scored: Asked where a rule asks for scores.
        each_at: Now of each lead, where it is not the same for all.

    Returns:
        Why each pair may not be, the rules' candidates and constraints applied; and
        what the rules say.
    """
    tenant, at, entries = situation.tenant, situation.at, situation.roster
    rules = rule_set.rules
    previous = _served_before(session, situation)
    fields = _fields(rules)
    segments = _segments(rules)
    rates = book.rates(session, tenant, situation.rep_ids, segments, at=at)
    table = lead_table(
        session,
        situation.leads,
        tenant=tenant,
        at=at,
        fields=fields | segments,
        previous=previous,
        lead_scores=scored(situation) if fields & SCORED else {},
        each_at=each_at,
    )
    staff = Staff(entries, local_day(at, tenant.time_zone), rates)
    past = read_past(
        session,
        entries,
        tenant=tenant,
        at=at,
        settled=situation.settled,
        win_rate=rates.overall,
        previous=[previous.get(lead_id) for lead_id in situation.lead_ids],
        only=situation.counted,
    )
    pools = _pools(session, situation, rules)
    ruling = Ruling(rule_set, route(rules, table, staff), past, pools)
    return _codes(situation, ruling), ruling


def ruled(
    session: ReadSession,
    situation: Situation,
    book: WinRateBook,
    *,
    scored: LeadScorer = lambda _situation: {},
    version: int | None = None,
) -> tuple[Situation, Ruling | None]:
    """A situation under the rule set in force; itself where there is none.

    Without one, work orders go by ``after_sale``.

    Args:
        session: Where to read.
        situation: Leads and roster.
        book: Win rates.
        scored: Asked where a rule asks for scores.
        version: A version to go by; the one in force when not given.
    """
    if version is None:
        rule_set = rule_set_in_force(session)
    else:
        kept = read_rule_set(session, version)
        rule_set = rule_set_of(kept.version, kept.rules)
    if rule_set is None and situation.kind is LeadKind.TICKET:
        rule_set = after_sale(HandoverRules.of(situation.tenant.settings))
    if rule_set is None:
        return situation, None
    codes, ruling = rule_on(session, situation, rule_set, book, scored=scored)
    return replace(situation, codes=codes), ruling


def after_sale(rules: HandoverRules) -> RuleSet:
    """Who gets work orders without rules: the service rep, else the service team."""
    team = rules.service_team
    candidates = Candidates(teams=(team,)) if team else EVERYBODY
    rule = Rule(
        name="work orders",
        when=In("kind", (LeadKind.TICKET.value,)),
        candidates=candidates,
        choice=Sticky(rules.service_policy),
    )
    return RuleSet((rule,))


def asks_for_scores(session: ReadSession, version: int) -> bool:
    """Whether a kept rule set asks for what the published model knows.

    Raises:
        NotFound: No such version.
    """
    kept = read_rule_set(session, version)
    return bool(_fields(rule_set_of(kept.version, kept.rules).rules) & SCORED)


def already(scores: Mapping[LeadId, int]) -> LeadScorer:
    """What tells scores that were worked out before."""
    return lambda _situation: scores


def _served_before(
    session: ReadSession, situation: Situation
) -> Mapping[LeadId, RepId]:
    """Who served each lead's customer before; after the sale, the service rep."""
    ids = situation.lead_ids
    previous = rule_facts.served_before(session, ids, as_of=situation.at)
    if situation.kind is LeadKind.LEAD:
        return previous
    return previous | service_reps_of_leads(session, ids)


def _pools(
    session: ReadSession, situation: Situation, rules: Sequence[Rule]
) -> Sequence[str]:
    """Public pool of each lead, where a rule leaves leads in one."""
    if not any(isinstance(rule.choice, ToPool) for rule in rules):
        return ()
    pools = pools_in_force(session)
    return [pools[k].pool for k in place_of(pools, situation.leads).tolist()]


def _segments(rules: Sequence[Rule]) -> set[str]:
    wanted = [rule.candidates.win_rate for rule in rules]
    return {one.segment for one in wanted if one is not None and one.segment}


def _fields(rules: Sequence[Rule]) -> set[str]:
    asked = {name for rule in rules for name in fields_of(rule.when)}
    return asked | {match.lead for rule in rules for match in rule.candidates.match}


def _codes(situation: Situation, ruling: Ruling) -> CodeArray:
    """Eligibility under each lead's rule; who is no candidate is not eligible."""
    codes = situation.codes.copy()
    for place, rule in enumerate(ruling.rule_set.rules):
        chosen = np.flatnonzero(ruling.routed.rule == place)
        if chosen.size and rule.constraints.eligibility:
            codes[chosen] = exclusions(
                rows_of(situation.columns, chosen),
                situation.roster,
                rule.constraints.applied(situation.routing.eligibility),
                at=situation.at,
            )
    outside = (codes == Exclusion.ELIGIBLE) & ~ruling.routed.candidates
    codes[outside] = Exclusion.NOT_A_CANDIDATE
    return codes


@dataclass(frozen=True, eq=False)
class Group:
    """Leads that one policy looks at together.

    Attributes:
        policy: Its name in the registry.
        sticky: Whether returning customers go back to their rep first.
        told: How decisions name it.
        leads: Its leads; bool (n_leads,).
        even_month: Whether the intake per month is spread over its days.
    """

    policy: str | None
    told: str
    leads: BoolArray
    sticky: bool = False
    even_month: bool = False


def groups_of(ruling: Ruling, *, instead: str | None = None) -> list[Group]:
    """Leads by policy, in the order of the first rule of each.

    Leads without a rule, left to a manager or to a pool are in no group. A weighted
    cycle is its rule's own, so each weighted rule is a group.

    Args:
        ruling: What the rules say.
        instead: Policy in place of those that rules let choose, or None.
    """
    groups: dict[tuple[object, ...], Group] = {}
    for place, rule in enumerate(ruling.rule_set.rules):
        named = _named(rule.choice, instead)
        if named is None:
            continue
        policy, told, is_sticky = named
        even = rule.constraints.even_month
        key = (policy, told, even, place if policy == "weighted" else None)
        mine = np.asarray(ruling.routed.rule == place)
        before = groups.get(key)
        groups[key] = Group(
            policy,
            told,
            mine if before is None else before.leads | mine,
            sticky=is_sticky,
            even_month=even,
        )
    return [group for group in groups.values() if group.leads.any()]


def _named(choice: Choice, instead: str | None) -> tuple[str | None, str, bool] | None:
    """Policy, how decisions name it, and whether it is sticky; None is nobody's."""
    match choice:
        case ByPolicy(name):
            policy = instead or name
            return policy, policy, False
        case Sticky(otherwise):
            return otherwise, STICKY, True
        case Fixed():
            return "round_robin", FIXED, False
        case _:
            return None


def as_seen(
    problem: Problem, group: Group, past: Past, slots: IntArray, *, before: IntArray
) -> Problem:
    """A batch as the policy of a group sees it.

    Args:
        problem: All leads and what is left of every rep's slots.
        group: Whose leads.
        past: The days before.
        slots: Leads each rep could take before this batch; int64 (n_reps,).
        before: Leads each rep was given in this batch already; int64 (n_reps,).

    Returns:
        The group's leads alone are eligible, for anybody.
    """
    eligible = problem.eligible & group.leads[:, None]
    members = eligible.any(axis=0)
    n_reps = problem.n_reps
    weight = np.ones(n_reps) if problem.weight is None else problem.weight
    load = np.zeros(n_reps, np.int64) if problem.load is None else problem.load
    capacity = problem.capacity
    if group.policy == "most_free":
        # The problem's slots are cut to the number of leads, which this policy is not.
        capacity = np.where(capacity > 0, slots - before, 0)
    if group.even_month:
        allowed = np.maximum(past.even_slots - before, 0)
        capacity = np.minimum(capacity, allowed).astype(np.int64)
    start = np.zeros(n_reps, np.int64)
    start[members] = head_start(load[members], weight[members], past.settled[members])
    given = past.given.copy()
    given[:, -1:] += before[:, None]
    credit = np.zeros(n_reps)
    credit[members] = credit_over_days(
        given[members], past.present[members], weight[members]
    )
    return replace(
        problem,
        eligible=eligible,
        capacity=capacity,
        floor=np.minimum(problem.floor, capacity),
        previous_rep=past.previous_rep,
        win_rate=past.win_rate,
        head_start=start,
        credit=credit,
    )


def by_one_policy(name: str) -> RuleSet:
    """The rule set of a tenant without rules whose policy goes over time."""
    choice: Choice = Sticky("round_robin") if name == STICKY else ByPolicy(name)
    return RuleSet((Rule(name=name, choice=choice),))
