"""Fair shares of a batch: a tenant's rules as the optimizer takes them, and its answer.

Loads and promised floors are counted over the rules' window of local days, what was
given before this batch included. Floors that cannot be kept together are kept as far
as a maximum flow goes; the rest is told as each rep's shortfall.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np

from optimizer.fairness import Fairness, FairPlan, solve_fair
from optimizer.problem import IntArray, Problem
from optimizer.transport import max_kept_floors
from rightrep.domain.days import local_day
from rightrep.domain.eligibility import Exclusion
from rightrep.domain.fairness import FairnessRules
from rightrep.domain.ids import RepId
from rightrep.domain.lead import LeadKind
from rightrep.domain.money import minor_digits
from rightrep.domain.routing import Objective
from rightrep.errors import InfeasiblePlan
from rightrep.store import reps
from rightrep.store.aliases import RecordKind, aliases_of
from rightrep.store.session import ReadSession
from serving.usecases.routing_settings import require_reps
from serving.usecases.situation import Situation

_AWAY = (Exclusion.LEFT, Exclusion.PAUSED, Exclusion.ON_LEAVE)
_REP = re.compile(r"\brep (\d+)\b")
_WORTH = re.compile(r"worth (-?[\d,]+)")


@dataclass(frozen=True, eq=False)
class FairTerms:
    """A tenant's fairness rules on one situation.

    Attributes:
        rules: What was set.
        load: Leads each rep was given in the window before; int64 (n_reps,).
        owed: Leads promised to each rep in the window, given or not; int64 (n_reps,).
        promised: Those of them still to be given; int64 (n_reps,).
        group: Team of each rep, as its place in ``teams``; int64 (n_reps,).
        teams: Names of the teams; None is no team.
        names: What the CRM calls each rep, else our id.
    """

    rules: FairnessRules
    load: IntArray
    owed: IntArray
    promised: IntArray
    group: IntArray
    teams: Sequence[str | None]
    names: Sequence[str]

    @property
    def fairness(self) -> Fairness:
        """The bands and the dial, as the optimizer takes them."""
        rules = self.rules
        return Fairness(
            load_band=rules.load_band,
            quality_band=rules.quality_band,
            group_band=rules.group_band,
            dial=rules.dial,
        )

    def of_arm(self, owed: IntArray, given: IntArray) -> "FairTerms":
        """The same for one arm of an experiment, which counts its own leads only.

        Args:
            owed: The arm's part of what is promised; int64 (n_reps,).
            given: Leads it gave each rep in the window; int64 (n_reps,).
        """
        left = np.maximum(owed - given, 0)
        return replace(self, load=given, owed=owed, promised=left)

    def on(self, problem: Problem) -> Problem:
        """The problem with the window's loads, the teams and the floors."""
        return replace(
            problem,
            load=self.load,
            group=self.group,
            floor=np.minimum(self.promised, problem.capacity),
        )


@dataclass(frozen=True, eq=False)
class FairAnswer:
    """What fairness made of a batch.

    Attributes:
        terms: What was asked for.
        plan: The plan with its proof.
        kept: Floors that the plan keeps, leads given by lot included; int64 (n_reps,).
    """

    terms: FairTerms
    plan: FairPlan
    kept: IntArray

    @property
    def shortfall(self) -> IntArray:
        """Promised leads that cannot be given; int64 (n_reps,)."""
        return self.terms.promised - self.kept

    def summary(self, rep_ids: Sequence[RepId]) -> dict[str, Any]:
        """What a plan's header keeps of it; JSON.

        Args:
            rep_ids: The reps, in the problem's order.
        """
        rules, binding = self.terms.rules, self.plan.binding
        names: Mapping[str, Sequence[str]] = {
            "load": rep_ids,
            "quality": rep_ids,
            "group": [team or "" for team in self.terms.teams],
        }
        return {
            "load_band": rules.load_band,
            "group_band": rules.group_band,
            "quality_band": rules.quality_band,
            "dial": rules.dial,
            "window_days": rules.window_days,
            "spread": self.plan.spread,
            "promised": int(self.terms.promised.sum()),
            "shortfall": int(self.shortfall.sum()),
            "binding": {
                limit: [names[limit][k] for k in np.flatnonzero(places).tolist()]
                for limit, places in binding.items()
            },
        }


def window(rules: FairnessRules) -> timedelta:
    """How long before today the window's first day is."""
    return timedelta(days=rules.window_days - 1)


def given_in_window(session: ReadSession, situation: Situation) -> IntArray:
    """Leads each rep was given in the window, work orders left out; int64 (n_reps,)."""
    today = local_day(situation.at, situation.tenant.time_zone)
    first = today - window(situation.routing.fairness)
    given = reps.taken_since(session, first, only=LeadKind.LEAD)
    return np.array([given.get(rep, 0) for rep in situation.rep_ids], dtype=np.int64)


def read_terms(session: ReadSession, situation: Situation) -> FairTerms | None:
    """The tenant's fairness rules on this situation; None where nothing is asked for.

    They are about leads: work orders are no part of anybody's share.

    Raises:
        InvalidInput: A floor is promised to somebody who is no rep.
    """
    rules = situation.routing.fairness
    if not rules.is_set or not situation.leads or not situation.roster:
        return None
    if situation.kind is LeadKind.TICKET:
        return None
    load = given_in_window(session, situation)
    owed = _promised(session, situation)
    team = [entry.attributes.team for entry in situation.roster]
    teams = list(dict.fromkeys(team))
    return FairTerms(
        rules=rules,
        load=load,
        owed=owed,
        promised=np.maximum(owed - load, 0),
        group=np.array([teams.index(name) for name in team], dtype=np.int64),
        teams=teams,
        names=_names(session, situation.rep_ids),
    )


def solve_fairly(problem: Problem, terms: FairTerms) -> tuple[FairPlan, IntArray]:
    """The most valuable plan that is fair, and the floors that it keeps.

    Args:
        problem: The batch after ``terms.on`` and after the lottery.
        terms: What is fair.

    Raises:
        InfeasiblePlan: The limits collide.
        SolverStopped: No whole plan within the quality band was found in time.
    """
    kept = max_kept_floors(problem).kept
    return solve_fair(replace(problem, floor=kept), terms.fairness), kept


def in_words(
    situation: Situation, terms: FairTerms, error: InfeasiblePlan
) -> InfeasiblePlan:
    """The same error with the CRM's ids of the reps and amounts in the currency."""

    def rep(found: re.Match[str]) -> str:
        return f"rep {terms.names[int(found[1])]}"

    def worth(found: re.Match[str]) -> str:
        amount = int(found[1].replace(",", ""))
        if situation.routing.objective is Objective.CONVERSIONS:
            return f"worth {amount:,} wins"
        currency = situation.tenant.currency
        return f"worth {amount / 10 ** minor_digits(currency):,.0f} {currency}"

    def told(sentence: str) -> str:
        return _WORTH.sub(worth, _REP.sub(rep, sentence))

    remedies = [told(sentence) for sentence in error.remedies]
    said = str(error).removesuffix(" ".join(error.remedies)).rstrip()
    return InfeasiblePlan(
        owed=error.owed,
        reachable=error.reachable,
        reps=error.reps,
        remedies=remedies,
        reason=told(said),
    )


def _names(session: ReadSession, rep_ids: Sequence[RepId]) -> list[str]:
    named = aliases_of(session, RecordKind.REP, rep_ids)
    return [named[rep_id][0][1] if named[rep_id] else rep_id for rep_id in rep_ids]


def _promised(session: ReadSession, situation: Situation) -> IntArray:
    """Leads promised to each rep in the window; 0 to those who are away."""
    rules = situation.routing.fairness
    by_rep = require_reps(session, rules.floors)
    away = np.isin(situation.codes[0], _AWAY)
    owed = [by_rep.get(rep, rules.floor) for rep in situation.rep_ids]
    return np.where(away, 0, np.array(owed, dtype=np.int64))
