"""What rules look at: leads as columns, reps with what the past says about them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import numpy as np

from optimizer.problem import UNASSIGNED, BoolArray, FloatArray, IntArray
from rightrep.domain.days import local_day
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.lead import Lead, LeadKind, Scalar
from rightrep.domain.lead_table import (
    LEAD_FIELDS,
    OWN,
    Coded,
    FieldKind,
    InstantArray,
    LeadTable,
    naive_utc,
)
from rightrep.domain.money import Money
from rightrep.domain.presence import (
    even_allowance,
    month_so_far,
    present_days,
)
from rightrep.domain.roster import UNLIMITED, Roster
from rightrep.domain.tenant import Tenant
from rightrep.domain.tier import Tiers
from rightrep.errors import InvalidInput
from rightrep.store import rule_facts
from rightrep.store.health import health_of_leads
from rightrep.store.rates import Rates, get_rates
from rightrep.store.reps import status_changes
from rightrep.store.session import ReadSession

SCORED = frozenset({"lead_score", "tier"})
"""Fields that the published model knows."""


def lead_table(
    session: ReadSession,
    found: Sequence[Lead],
    *,
    tenant: Tenant,
    at: datetime,
    fields: Collection[str],
    previous: Mapping[LeadId, RepId],
    lead_scores: Mapping[LeadId, int],
    each_at: Sequence[datetime] | None = None,
) -> LeadTable:
    """Leads as the rules see them.

    Args:
        session: Where to read.
        found: The leads; n_leads entries.
        tenant: Whose; money is in its currency.
        at: Now.
        fields: Fields that the rules ask about; the others are left out.
        previous: Who served each lead's customer before.
        lead_scores: Score of each lead that has one, where ``SCORED`` are asked about.
        each_at: Now of each lead, where it is not the same for all.
    """
    words = {"kind": Coded.of(lead.kind.value for lead in found)}
    numbers: dict[str, FloatArray] = {}
    rates = get_rates(session, tenant.currency)
    day = local_day(at, tenant.time_zone)
    for name in set(fields) - words.keys():
        kind = LEAD_FIELDS.get(name, FieldKind.SCALAR)
        if kind is FieldKind.SCALAR:
            own = name.removeprefix(OWN)
            words[name] = Coded.of(
                lead.attributes.attributes.get(own) for lead in found
            )
        elif name == "health":
            ids = [lead.lead_id for lead in found]
            score = {i: one.score for i, one in health_of_leads(session, ids).items()}
            numbers[name] = np.array([score.get(i, np.nan) for i in ids], np.float64)
        elif name == "churn_alarm":
            ids = [lead.lead_id for lead in found]
            alarmed = {
                i
                for i, one in health_of_leads(session, ids).items()
                if one.alarmed_since is not None
            }
            words[name] = Coded.of(i in alarmed for i in ids)
        elif name == "lead_score":
            told = [lead_scores.get(lead.lead_id, np.nan) for lead in found]
            numbers[name] = np.array(told, np.float64)
        elif name == "tier":
            tiers = Tiers.of(tenant.settings)
            words[name] = Coded.of(
                tiers.tier_of(lead_scores[lead.lead_id]).value
                if lead.lead_id in lead_scores
                else None
                for lead in found
            )
        elif kind is FieldKind.FLAG:
            words[name] = Coded.of(lead.lead_id in previous for lead in found)
        elif kind is FieldKind.TEXT:
            words[name] = Coded.of(_text(lead, name) for lead in found)
        elif name == "satisfaction":
            ids = [lead.lead_id for lead in found]
            said = rule_facts.last_survey_scores(session, ids, as_of=at)
            numbers[name] = np.array([said.get(i, np.nan) for i in ids], np.float64)
        elif kind is FieldKind.NUMBER:
            numbers[name] = np.array(
                [_number(lead, name, rates, day) for lead in found], np.float64
            )
    return LeadTable(
        n_leads=len(found),
        at=at,
        zone=tenant.time_zone,
        words=words,
        numbers=numbers,
        instants={"created_at": _instants(lead.created_at for lead in found)},
        each_at=None if each_at is None else _instants(each_at),
    )


def _instants(times: Iterable[datetime]) -> InstantArray:
    return np.array([naive_utc(at) for at in times], dtype="datetime64[us]")


def _text(lead: Lead, name: str) -> Scalar:
    found = getattr(lead.attributes, name)
    return None if found is None else str(found)


def _number(lead: Lead, name: str, rates: Rates, day: date) -> float:
    """A number, money in major units; NaN where it is not known or has no rate."""
    found = getattr(lead.attributes, name)
    if isinstance(found, Money):
        try:
            return float(rates.convert(found, day).major)
        except InvalidInput:
            return float("nan")
    return float("nan") if found is None else float(found)


@dataclass(frozen=True, eq=False)
class Past:
    """What policies over time take over from the days before.

    Attributes:
        settled: How far each rep has settled in; float64 (n_reps,), in [0, 1].
        given: Leads each rep was given on each day of the month so far; int64
            (n_reps, n_days).
        present: Whether the rep took leads that day; bool (n_reps, n_days).
        even_slots: Leads an evenly spread month still allows up to today; float64
            (n_reps,), inf without a limit.
        win_rate: Shrunk win rates; float64 (n_reps,).
        previous_rep: Who served each lead's customer before, or -1; int64 (n_leads,).
    """

    settled: FloatArray
    given: IntArray
    present: BoolArray
    even_slots: FloatArray
    win_rate: FloatArray
    previous_rep: IntArray

    def after_gift(self, rep: int) -> "Past":
        """The same after one of the reps was given one more lead today."""
        given, even = self.given.copy(), self.even_slots.copy()
        given[rep, -1] += 1
        even[rep] = max(even[rep] - 1.0, 0.0)
        return replace(self, given=given, even_slots=even)


def read_past(
    session: ReadSession,
    roster: Roster,
    *,
    tenant: Tenant,
    at: datetime,
    settled: FloatArray,
    win_rate: FloatArray,
    previous: Sequence[RepId | None],
    only: LeadKind | None = None,
) -> Past:
    """What policies over time take over from the days before.

    Args:
        session: Where to read.
        roster: The reps; n_reps entries.
        tenant: Whose; a month of its zone is one cycle.
        at: Now.
        settled: How far each rep has settled in; float64 (n_reps,).
        win_rate: Shrunk win rates; float64 (n_reps,).
        previous: Who served each lead's customer before; n_leads entries.
        only: Kind of the leads given that count; None is any.
    """
    ends = month_so_far(at, tenant.time_zone)
    first, today = min(ends), max(ends)
    taken = rule_facts.given_on_days(session, first, today, only=only)
    changes = status_changes(session, as_of=at)
    given = np.zeros((len(roster), len(ends)), dtype=np.int64)
    present = np.zeros(given.shape, dtype=np.bool_)
    for j, entry in enumerate(roster):
        given[j] = [taken.get((entry.rep_id, day), 0) for day in ends]
        joined_at, mine = entry.joined_at or at, changes.get(entry.rep_id, ())
        present[j] = present_days(joined_at, mine, entry.attributes.leave, ends)
    place = roster.team.place
    return Past(
        settled=settled,
        given=given,
        present=present,
        even_slots=_even_slots(roster, today),
        win_rate=win_rate,
        previous_rep=np.array(
            [place.get(rep, UNASSIGNED) if rep else UNASSIGNED for rep in previous],
            dtype=np.int64,
        ),
    )


def _even_slots(roster: Roster, today: date) -> FloatArray:
    limit = roster.team.intake_per_month
    left = np.maximum(even_allowance(limit, today) - roster.taken_this_month, 0)
    return np.where(limit < UNLIMITED, left, np.inf)
