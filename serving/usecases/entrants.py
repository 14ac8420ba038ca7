"""What can be compared: policies by name, and rule sets by version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from experiments.replay import BY_LOT, CERTAIN
from optimizer.policies import POLICIES
from optimizer.problem import BoolArray
from rightrep.domain.eligibility import Exclusion
from rightrep.domain.rule_sets import ByPolicy, Choice, RuleSet, Sticky
from rightrep.errors import InvalidInput
from rightrep.store.rules import StoredRules, list_rule_sets, rules_in_force
from rightrep.store.session import ReadSession
from serving.rule_models import rule_set_of
from serving.usecases.advice import Chances
from serving.usecases.choosing import OPTIMAL, Chosen, choose_batch
from serving.usecases.fair_shares import FairTerms
from serving.usecases.ruling import (
    OVER_TIME,
    LeadScorer,
    Ruling,
    by_one_policy,
    rule_on,
)
from serving.usecases.situation import Situation
from serving.usecases.win_rates import WinRateBook

LOTS = frozenset({"random", "round_robin_lot", "performance"})
"""Policies that draw lots."""


@dataclass(frozen=True, eq=False, slots=True)
class Entrant:
    """A policy by itself, or a rule set.

    Attributes:
        name: What it is called in tables.
        policy: The policy, or None where rules choose.
        stored: The rule set as it is kept, or None.
    """

    name: str
    policy: str | None
    stored: StoredRules | None = None

    @property
    def rule_set(self) -> RuleSet | None:
        """The rules; those of a policy that goes over time, else None."""
        if self.stored is not None:
            return rule_set_of(self.stored.version, self.stored.rules)
        if self.policy in OVER_TIME:
            return by_one_policy(self.policy)
        return None

    @property
    def as_json(self) -> Mapping[str, Any] | None:
        """The rule set as JSON has it; None for a policy by itself."""
        if self.stored is None:
            return None
        return {"version": self.stored.version, "rules": list(self.stored.rules)}

    @property
    def n_plans(self) -> int:
        """Plans that tell its chances: several where it draws lots."""
        rules = () if self.rule_set is None else self.rule_set.rules
        named = {self.policy, *(_policy_of(rule.choice) for rule in rules)}
        return BY_LOT if named & LOTS else CERTAIN


def _policy_of(choice: Choice) -> str | None:
    match choice:
        case ByPolicy(name):
            return name
        case Sticky(otherwise):
            return otherwise
        case _:
            return None


def entrants_of(
    session: ReadSession,
    policies: Sequence[str],
    versions: Sequence[int],
    *,
    baseline: str,
) -> list[Entrant]:
    """What was named; every policy and the rule set in force where nothing was.

    Args:
        session: Where to read.
        policies: Names of policies.
        versions: Versions of rule sets.
        baseline: Policy that gains are over; it takes part, named or not.

    Raises:
        InvalidInput: There is no such policy, or no such rule set.
    """
    for name in (*policies, baseline):
        if name not in POLICIES:
            raise InvalidInput(
                f"There is no policy {name!r}.",
                field="policy",
                remedy=f"Give one of {', '.join(POLICIES)}.",
            )
    stored = {one.version: one for one in list_rule_sets(session)}
    for version in versions:
        if version not in stored:
            raise InvalidInput(
                f"There is no rule set {version}.",
                field="rules",
                remedy=f"Give one of {', '.join(map(str, stored))}."
                if stored
                else "None was ever kept.",
            )
    rules = [stored[version] for version in versions]
    if not policies and not versions:
        policies = list(POLICIES)
        present = rules_in_force(session)
        rules = [] if present is None else [present]
    named = dict.fromkeys([baseline, *policies])
    return [
        *(Entrant(name, name) for name in named),
        *(Entrant(f"rules {one.version}", None, one) for one in rules),
    ]


class Field:
    """The entrants on one batch: what each of them would make of it."""

    def __init__(
        self,
        session: ReadSession,
        situation: Situation,
        chances: Chances | None,
        book: WinRateBook,
        *,
        fair: FairTerms | None = None,
        each_at: Sequence[datetime] | None = None,
        only: BoolArray | None = None,
        scored: LeadScorer,
    ) -> None:
        """The batch.

        Args:
            session: Where rules read what they ask; used while entrants are added.
            situation: Leads, roster and why pairs may not be.
            chances: What leads are shared out by, or None without a model.
            book: Win rates.
            fair: What is fair, or None.
            each_at: Now of each lead, where it is not the same for all.
            only: Pairs beyond which no rule may go; bool (n_leads, n_reps).
            scored: Asked where a rule asks for scores.
        """
        routing = replace(situation.routing, exploration_share=0.0)
        self._situation = replace(situation, routing=routing)
        self._session, self._book, self._each_at = session, book, each_at
        self._chances, self._fair, self._only = chances, fair, only
        self._scored = scored
        self._ruled: dict[str, tuple[Situation, Ruling | None]] = {}
        self._over_time: Ruling | None = None

    def add(self, entrant: Entrant) -> None:
        """Read what an entrant asks of the store."""
        situation, rule_set = self._situation, entrant.rule_set
        if rule_set is None:
            self._ruled[entrant.name] = situation, None
            return
        if entrant.stored is None:
            # Policies over time ask all the same of the past.
            ruling = self._over_time or self._rule_on(rule_set)[1]
            self._over_time = ruling
            self._ruled[entrant.name] = situation, replace(ruling, rule_set=rule_set)
            return
        self._ruled[entrant.name] = self._rule_on(rule_set)

    def _rule_on(self, rule_set: RuleSet) -> tuple[Situation, Ruling]:
        situation = self._situation
        codes, ruling = rule_on(
            self._session,
            situation,
            rule_set,
            self._book,
            scored=self._scored,
            each_at=self._each_at,
        )
        if self._only is not None:
            barred = ~self._only & (codes == Exclusion.ELIGIBLE)
            codes[barred] = Exclusion.NOT_A_CANDIDATE
        return replace(situation, codes=codes), ruling

    def choose(self, entrant: Entrant, *, seed: int) -> Chosen:
        """What an entrant that was added makes of the batch."""
        situation, ruling = self._ruled[entrant.name]
        return choose_batch(
            situation,
            self._chances,
            policy=entrant.policy or OPTIMAL,
            seed=seed,
            fair=self._fair,
            ruling=ruling,
        )
