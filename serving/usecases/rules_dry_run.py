"""A rule set tried on days that are over: who would have got what.

Each day begins with what reps really held that morning; its leads then come one by one,
each at its own instant, and only the rule set decides. Nothing is written, and nobody
uses up a turn.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

import numpy as np

from optimizer.problem import FloatArray, Problem
from rightrep.domain.days import day_bounds, local_day
from rightrep.domain.eligibility import Exclusion, exclusions
from rightrep.domain.ids import LeadId, RepId, TenantId
from rightrep.domain.lead import LeadAttributes, LeadKind
from rightrep.domain.presence import month_of
from rightrep.domain.roster import Roster, micros
from rightrep.domain.rule_sets import ByHand, Rule, RuleSet, ToPool
from rightrep.errors import InvalidInput
from rightrep.store import leads as lead_store
from rightrep.store import reps, rule_facts
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant
from serving.usecases.choosing import FALLBACK
from serving.usecases.context import Context
from serving.usecases.lead_scores import scorer
from serving.usecases.planning import score
from serving.usecases.ruled_choice import NEEDS_MODEL, rank_one
from serving.usecases.ruling import (
    Group,
    Ruling,
    as_seen,
    groups_of,
    rule_on,
)
from serving.usecases.situation import (
    Situation,
    read_situation,
    rows_of,
    value_of,
)

MOST_DAYS = 31
MOST_LEADS = 2_000
_A_MOMENT = 1e-5
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


class Fate(StrEnum):
    """What a rule set makes of a lead."""

    ASSIGNED = "assigned"
    """A rep would have got it."""
    NO_RULE = "no_rule"
    """No rule matched."""
    NO_CANDIDATES = "no_candidates"
    """A rule matched, and nobody is its candidate."""
    NOBODY = "nobody"
    """There are candidates, and none of them may take it then."""
    BY_HAND = "by_hand"
    """It waits for a manager."""
    POOL = "pool"
    """It is left to a pool."""
    OTHER_POOL = "other_pool"
    """Its rule names a pool, and by the pools' conditions it is in another one."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a rule set makes of one lead.

    Attributes:
        fate: What becomes of it.
        rule: The rule that matched, or None.
        rep_id: Who would have got it, or None.
        policy: What would have chosen, or None.
        reason: The rule's own reason, or why nobody gets it.
    """

    fate: Fate
    rule: str | None
    rep_id: RepId | None
    policy: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Line:
    """One lead of a dry run.

    Attributes:
        lead_id: The lead.
        created_at: When it came.
        told: What the tried rule set makes of it.
        present: What the one in force makes of it; None where there is none.
    """

    lead_id: LeadId
    created_at: datetime
    told: Told
    present: Told | None

    @property
    def changes(self) -> bool:
        """Whether another rep gets it, or another fate awaits it."""
        before = self.present
        return before is None or (before.fate, before.rep_id) != (
            self.told.fate,
            self.told.rep_id,
        )


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a rule set makes of the leads of some days.

    Attributes:
        lines: One per lead, as they came.
        fates: Leads by fate.
        by_rule: Leads by rule; rules that no lead came to have 0.
        by_rep: Leads by rep who would have got them.
        changed: Leads that fare otherwise than under the rule set in force.
        is_cut: Whether there were more leads than could be tried.
        fallback: Why the fallback policy answered where a model was asked, or None.
    """

    lines: Sequence[Line]
    fates: Mapping[Fate, int]
    by_rule: Mapping[str, int]
    by_rep: Mapping[RepId, int]
    changed: int
    is_cut: bool
    fallback: str | None


def dry_run(
    context: Context,
    tenant_id: TenantId,
    tried: RuleSet,
    present: RuleSet | None,
    *,
    first: date,
    last: date,
    limit: int = MOST_LEADS,
    kind: LeadKind = LeadKind.LEAD,
) -> DryRun:
    """Try a rule set on the leads that came on some days; nothing is written.

    Args:
        context: The parts of this process.
        tenant_id: Whose leads.
        tried: The rule set.
        present: The one to compare with, or None.
        first: First local day.
        last: Last local day; today at the latest.
        limit: Most leads to try, the first ones.
        kind: Leads, or work orders.

    Raises:
        InvalidInput: The days are in the wrong order, too many, or not begun.
    """
    with context.store.read(tenant_id) as session:
        zone = get_tenant(session).time_zone
    days = _days(first, last, local_day(context.clock.now(), zone))
    lines: list[Line] = []
    fallback: str | None = None
    is_cut = False
    for day in days:
        room = limit - len(lines)
        if room <= 0:
            is_cut = True
            break
        seen, cannot, more = _tried_on(
            context, tenant_id, (day, kind), tried, present, room
        )
        lines += seen
        fallback, is_cut = fallback or cannot, is_cut or more
    named = Counter(line.told.rule for line in lines)
    return DryRun(
        lines=lines,
        fates=Counter(line.told.fate for line in lines),
        by_rule={rule.name: named[rule.name] for rule in tried.rules},
        by_rep=Counter(line.told.rep_id for line in lines if line.told.rep_id),
        changed=sum(line.changes for line in lines),
        is_cut=is_cut,
        fallback=fallback,
    )


def _days(first: date, last: date, today: date) -> list[date]:
    if last < first:
        raise InvalidInput("The last day is before the first.", field="last")
    if last > today:
        raise InvalidInput(
            "The leads of that day have not come yet.",
            field="last",
            remedy="Name a day that has begun.",
        )
    count = (last - first).days + 1
    if count > MOST_DAYS:
        raise InvalidInput(f"Name at most {MOST_DAYS} days.", field="first")
    return [first + timedelta(days=n) for n in range(count)]


def _tried_on(
    context: Context,
    tenant_id: TenantId,
    came_on: tuple[date, LeadKind],
    tried: RuleSet,
    present: RuleSet | None,
    room: int,
) -> tuple[list[Line], str | None, bool]:
    """One day under both rule sets, why no model answered, and whether it was cut."""
    with context.store.read(tenant_id) as session:
        situation, came, more = _morning(session, *came_on, context.clock.now(), room)
        rulings = [
            rule_on(
                session,
                situation,
                rules,
                context.win_rates,
                scored=scorer(context, tenant_id),
                each_at=came,
            )[1]
            for rules in (tried, present)
            if rules is not None
        ]
    value: FloatArray | None = None
    cannot: str | None = None
    asked = {group.policy for ruling in rulings for group in groups_of(ruling)}
    if asked & NEEDS_MODEL:
        scores, cannot = score(context, tenant_id, situation)
        value = None if scores is None else value_of(situation, scores)
    told = [_Replay(situation, ruling, value).told(came) for ruling in rulings]
    others: Sequence[Told | None] = told[1] if present else [None] * len(came)
    lines = [
        Line(lead_id, at, mine, other)
        for lead_id, at, mine, other in zip(
            situation.lead_ids, came, told[0], others, strict=True
        )
    ]
    return lines, cannot, more


def _morning(
    session: ReadSession, day: date, kind: LeadKind, now: datetime, room: int
) -> tuple[Situation, list[datetime], bool]:
    """The leads of a day, and reps with what they held when it began.

    Leads are as they were known when the day ended; one nothing was known of then is
    as it is known now, and so are reps: rules are tried with the team there is.
    """
    zone = get_tenant(session).time_zone
    start, end = day_bounds(day, zone)
    at = min(end - timedelta(microseconds=1), now)
    came = rule_facts.leads_created(session, start, end, limit=room + 1, kind=kind)
    created = dict(came[:room])
    situation = read_situation(session, list(created), at=at)
    team = reps.roster(
        session,
        as_of=now,
        local_day=day,
        zone=zone,
        calendar=situation.routing.calendar or None,
        only=situation.counted,
    )
    unknown = [
        lead.lead_id for lead in situation.leads if lead.attributes == LeadAttributes()
    ]
    later = {
        lead.lead_id: lead for lead in lead_store.get_leads(session, unknown, as_of=now)
    }
    found = [later.get(lead.lead_id, lead) for lead in situation.leads]
    only, before = situation.counted, day - timedelta(days=1)
    held = rule_facts.held_at(session, start, only=only)
    given = rule_facts.last_given_at(session, start)
    month = rule_facts.given_on_days(session, month_of(day)[0], before, only=only)
    taken: Counter[RepId] = Counter()
    for (rep, _), count in month.items():
        taken[rep] += count
    last = [micros(given.get(rep, _EVER)) for rep in team.rep_ids]
    roster = replace(
        team,
        held=np.array([held.get(rep, 0) for rep in team.rep_ids], np.int64),
        taken_today=np.zeros(len(team), np.int64),
        taken_this_month=np.array([taken[rep] for rep in team.rep_ids], np.int64),
        waited=np.maximum(micros(at) - np.maximum(team.back_since, last), 0) / 1e6,
    )
    columns = replace(
        situation.columns,
        language=[lead.attributes.language for lead in found],
        region=[lead.attributes.region for lead in found],
        product=[lead.attributes.product for lead in found],
        barred=(),
    )
    codes = np.zeros((len(found), len(roster)), dtype=np.uint8)
    morning = replace(
        situation, leads=found, roster=roster, codes=codes, columns=columns
    )
    return morning, [created[i] for i in morning.lead_ids], len(came) > room


class _Replay:
    """One day under one rule set, lead by lead."""

    def __init__(
        self, situation: Situation, ruling: Ruling, value: FloatArray | None
    ) -> None:
        self._situation, self._ruling, self._value = situation, ruling, value
        self._morning = situation.roster
        self._given = np.zeros(len(situation.roster), dtype=np.int64)
        self._last = situation.at.timestamp() - situation.roster.waited
        morning = ruling.past.given.copy()
        morning[:, -1:] = 0
        self._past = replace(ruling.past, given=morning)

    def told(self, came: Sequence[datetime]) -> list[Told]:
        """What becomes of each lead."""
        groups = groups_of(self._ruling)
        return [
            self._one(i, at, next((g for g in groups if g.leads[i]), None))
            for i, at in enumerate(came)
        ]

    def _one(self, i: int, at: datetime, group: Group | None) -> Told:
        rule = self._ruling.rule_of(i)
        why = self._ruling.why_not(i)
        if rule is None:
            return Told(Fate.NO_RULE, None, None, None, why or "")
        if why is not None or group is None:
            return Told(self._left(i, rule), rule.name, None, None, why or "")
        if group.policy in NEEDS_MODEL and self._value is None:
            group = replace(group, policy=FALLBACK)
        roster = self._roster()
        slots = roster.open_slots
        problem = self._problem(i, at, roster)
        alone = replace(group, leads=np.ones(1, dtype=np.bool_))
        past = replace(self._past, previous_rep=self._past.previous_rep[[i]])
        seen = as_seen(problem, alone, past, slots + self._given, before=self._given)
        ranked = rank_one(seen, alone)
        if not ranked.reps:
            reason = "None of its candidates may take it then."
            return Told(Fate.NOBODY, rule.name, None, None, reason)
        chosen = ranked.reps[0]
        self._take(chosen, at)
        rep_id = roster.rep_ids[chosen]
        return Told(Fate.ASSIGNED, rule.name, rep_id, ranked.told, rule.reason)

    def _left(self, i: int, rule: Rule) -> Fate:
        """What becomes of a lead that its rule gives to nobody."""
        if isinstance(rule.choice, ByHand):
            return Fate.BY_HAND
        if isinstance(rule.choice, ToPool):
            same = self._ruling.pools[i] == rule.choice.pool
            return Fate.POOL if same else Fate.OTHER_POOL
        return Fate.NO_CANDIDATES

    def _roster(self) -> Roster:
        """The reps with what they were given in the morning and since."""
        morning, given = self._morning, self._given
        return replace(
            morning,
            held=morning.held + given,
            taken_today=morning.taken_today + given,
            taken_this_month=morning.taken_this_month + given,
        )

    def _problem(self, i: int, at: datetime, roster: Roster) -> Problem:
        situation, rule = self._situation, self._ruling.rule_of(i)
        rules = situation.routing.eligibility
        codes = exclusions(
            rows_of(situation.columns, np.array([i])),
            roster,
            rules if rule is None else rule.constraints.applied(rules),
            at=at,
        )
        candidates = self._ruling.routed.candidates[[i]]
        n_reps = len(roster)
        return Problem(
            np.ones((1, n_reps)) if self._value is None else self._value[[i]],
            (codes == Exclusion.ELIGIBLE) & candidates,
            np.minimum(roster.open_slots, 1),
            np.zeros(n_reps, dtype=np.int64),
            load=roster.held,
            weight=roster.team.weight,
            waited=at.timestamp() - self._last,
            seed=int(situation.lead_ids[i].replace("-", "")[-12:], 16),
        )

    def _take(self, chosen: int, at: datetime) -> None:
        self._given[chosen] += 1
        # Behind everybody, those as well who joined after the lead had come.
        self._last[chosen] = max(at.timestamp(), self._last.max() + _A_MOMENT)
