"""Rule sets: ordered rules, the first match wins.

A rule says which leads it is for, who its candidates are, which policy chooses among
them and which hard rules are in force. "No rule matched" and "the rule matched and its
candidates were empty" are different answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from rightrep.domain.candidates import (
    EVERYBODY,
    Candidates,
    Staff,
    candidates_of,
)
from rightrep.domain.conditions import ALWAYS, Condition, fields_of
from rightrep.domain.eligibility import EligibilityRules
from rightrep.domain.ids import RepId
from rightrep.domain.lead_table import BoolArray, IntArray, LeadTable

NO_RULE = -1
"""Place of the rule of a lead that none matched."""


@dataclass(frozen=True, slots=True)
class ByPolicy:
    """A policy chooses among the candidates.

    Attributes:
        name: Name of the policy; which there are, the optimizer says.
    """

    name: str


@dataclass(frozen=True, slots=True)
class Sticky:
    """The rep who served the customer before; else a policy chooses.

    Attributes:
        otherwise: Policy for leads whose rep is not available, or never was; None
            leaves them waiting.
    """

    otherwise: str | None = None


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always this rep, who is a candidate whatever the rule's candidates say.

    Attributes:
        rep_id: The rep.
    """

    rep_id: RepId


@dataclass(frozen=True, slots=True)
class ByHand:
    """A manager assigns; the lead waits for that."""


@dataclass(frozen=True, slots=True)
class ToPool:
    """The lead goes to a team's pool, where its manager or a claim chooses the rep.

    Attributes:
        pool: Name of the pool.
    """

    pool: str


Choice = ByPolicy | Sticky | Fixed | ByHand | ToPool
"""Who chooses the rep."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Constraints:
    """Hard rules of one rule, in place of the tenant's own.

    Attributes:
        eligibility: What is different, by name of ``EligibilityRules``.
        even_month: Spread a rep's intake per month evenly over its days.
    """

    eligibility: Mapping[str, bool | float | None] = field(default_factory=dict)
    even_month: bool = False

    def applied(self, rules: EligibilityRules) -> EligibilityRules:
        """The tenant's rules with these in their place."""
        return replace(rules, **self.eligibility)  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        name: Unique in its rule set; decisions name it.
        when: Leads it is for; work orders only where it asks for the kind.
        candidates: Reps it may give them to.
        choice: Who chooses among the reps.
        constraints: Hard rules in force.
        reason: Why, in a sentence that reps and managers read.
        of_pool: The pool whose own rule this is: asked about leads alone that a rule
            sent there, whatever their kind; None is a rule of the first step.
    """

    name: str
    when: Condition = ALWAYS
    candidates: Candidates = EVERYBODY
    choice: Choice
    constraints: Constraints = field(default_factory=Constraints)
    reason: str = ""
    of_pool: str | None = None


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Ordered rules.

    Attributes:
        rules: The first that matches a lead decides.
        version: Which version of the tenant's; None when it is not kept.
    """

    rules: tuple[Rule, ...]
    version: int | None = None


@dataclass(frozen=True, eq=False)
class Routed:
    """What a rule set makes of leads, before eligibility.

    Attributes:
        rule: Place of each lead's rule, or ``NO_RULE``; int64 (n_leads,).
        candidates: Who may be given it; bool (n_leads, n_reps).
    """

    rule: IntArray
    candidates: BoolArray

    @property
    def is_empty(self) -> BoolArray:
        """A rule matched and nobody is its candidate; bool (n_leads,)."""
        return np.asarray((self.rule != NO_RULE) & ~self.candidates.any(axis=1))


class Change(StrEnum):
    """What a rule is in a new rule set, compared with an old one."""

    SAME = "same"
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"


def match_rules(rules: Sequence[Rule], leads: LeadTable) -> IntArray:
    """Which rule decides each lead.

    Args:
        rules: In order.
        leads: The leads.

    A lead that its rule sends to a pool is then decided by the first of that pool's own
    rules that matches; where none does, it waits in the pool.

    Returns:
        Place of the rule that decides, or ``NO_RULE``; int64 (n_leads,).
    """
    rule = np.full(leads.n_leads, NO_RULE, dtype=np.int64)
    is_ticket = leads.is_ticket
    for place, each in enumerate(rules):
        open_still = rule == NO_RULE
        if not open_still.any():
            break
        if each.of_pool is None:
            mine = open_still & each.when.holds(leads)
            rule[mine if asks_kind(each) else mine & ~is_ticket] = place
    return _within_pools(rules, rule, leads)


def _within_pools(rules: Sequence[Rule], rule: IntArray, leads: LeadTable) -> IntArray:
    """The second step: leads in a pool by the pool's own rules."""
    sent_to = [
        each.choice.pool if isinstance(each.choice, ToPool) else None for each in rules
    ]
    pool = np.array([*sent_to, None], dtype=object)[rule]
    decided = rule.copy()
    for place in reversed(range(len(rules))):
        of_pool = rules[place].of_pool
        if of_pool is not None:
            mine = np.asarray(pool == of_pool, dtype=np.bool_)
            decided[mine & rules[place].when.holds(leads)] = place
    return decided


def asks_kind(rule: Rule) -> bool:
    """Whether a rule says which kind it is for; one that does not is for leads."""
    return "kind" in fields_of(rule.when)


def route(rules: Sequence[Rule], leads: LeadTable, staff: Staff) -> Routed:
    """Which rule decides each lead, and who its candidates are.

    Args:
        rules: In order.
        leads: The leads.
        staff: The reps.
    """
    rule = match_rules(rules, leads)
    grid = np.zeros((leads.n_leads, len(staff.entries)), dtype=np.bool_)
    for place, each in enumerate(rules):
        chosen = np.flatnonzero(rule == place)
        if chosen.size:
            wanted = each.candidates
            if isinstance(each.choice, Fixed):
                wanted = Candidates(reps=(each.choice.rep_id,))
            grid[chosen] = candidates_of(wanted, leads, chosen, staff)
    return Routed(rule, grid)


def compare(before: Sequence[Rule], after: Sequence[Rule]) -> dict[str, Change]:
    """What became of each rule, by name; rules of ``after`` first, in order.

    A rule has moved when it is the same and stands elsewhere among the rules that both
    have.
    """
    old = {rule.name: rule for rule in before}
    new = {rule.name: rule for rule in after}
    shared_before = [name for name in old if name in new]
    shared_after = [name for name in new if name in old]
    found: dict[str, Change] = {}
    for name, rule in new.items():
        if name not in old:
            found[name] = Change.ADDED
        elif old[name] != rule:
            found[name] = Change.CHANGED
        elif shared_before.index(name) != shared_after.index(name):
            found[name] = Change.MOVED
        else:
            found[name] = Change.SAME
    return found | {name: Change.REMOVED for name in old if name not in new}
