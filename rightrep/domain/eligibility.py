"""Who may take which lead: each rule once, over columns.

A rule looks at one rep, or at one rep and one lead attribute. All of them give codes,
so the same call answers "may this pair be chosen?" and "why not?". One lead is the same
call on one row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rightrep.domain.hours import EVERY_WEEK, Calendar, on_leave, works_within
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.rep import RepAttributes, RepStatus

CodeArray = NDArray[np.uint8]


class Exclusion(IntEnum):
    """Why a rep may not take a lead; 0 is nothing in the way.

    When several apply, the lowest one is the answer.
    """

    ELIGIBLE = 0
    LEFT = 1
    PAUSED = 2
    ON_LEAVE = 3
    HOLDING_LIMIT = 4
    INTAKE_LIMIT = 5
    OFF_HOURS = 6
    LANGUAGE = 7
    TERRITORY = 8
    PRODUCT = 9
    DECLINED = 10
    COOL_DOWN = 11
    MONTH_LIMIT = 12
    NOT_A_CANDIDATE = 13


SENTENCES = {
    Exclusion.ELIGIBLE: "May take the lead.",
    Exclusion.LEFT: "Has left.",
    Exclusion.PAUSED: "Is paused.",
    Exclusion.ON_LEAVE: "Is on leave.",
    Exclusion.HOLDING_LIMIT: "Holds as many open leads as allowed.",
    Exclusion.INTAKE_LIMIT: "Got as many leads today as allowed.",
    Exclusion.OFF_HOURS: "Is not at work.",
    Exclusion.LANGUAGE: "Does not speak the lead's language.",
    Exclusion.TERRITORY: "Has another region.",
    Exclusion.PRODUCT: "May not sell this product.",
    Exclusion.DECLINED: "Declined this lead before.",
    Exclusion.COOL_DOWN: "Owned this lead before and is cooling down.",
    Exclusion.MONTH_LIMIT: "Got as many leads this month as allowed.",
    Exclusion.NOT_A_CANDIDATE: "Is no candidate of the rule that matched.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class EligibilityRules:
    """Which rules are in force.

    Attributes:
        language: The rep must speak the lead's language, where both are known.
        territory: The rep's region must be the lead's, where both are known.
        product: The rep must be allowed to sell the lead's product, where both are
            known.
        within_hours: The rep must work within so many hours; None asks for no hours.
    """

    language: bool = True
    territory: bool = False
    product: bool = True
    within_hours: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RosterEntry:
    """One rep as the rules see it.

    Attributes:
        rep_id: The rep.
        attributes: What is known about the rep now.
        held: Open leads the rep owns.
        taken_today: Leads the rep was given on this local day.
        taken_this_month: Leads the rep was given in this local month; counted where
            there is a limit.
        waited_seconds: Time since the rep was last given a lead, joined or came back.
        joined_at: When the rep was first known, or None.
        back_since: Since when the rep has taken leads without a break, or None.
        calendar: Holidays of the rep.
    """

    rep_id: RepId
    attributes: RepAttributes
    held: int = 0
    taken_today: int = 0
    taken_this_month: int = 0
    waited_seconds: float = 0.0
    joined_at: datetime | None = None
    back_since: datetime | None = None
    calendar: Calendar = EVERY_WEEK

    @property
    def open_slots(self) -> int | None:
        """Leads the rep may still take now; None is no limit."""
        rep, rooms = self.attributes, []
        if rep.holding_limit is not None:
            rooms.append(rep.holding_limit - self.held)
        if rep.intake_per_day is not None:
            rooms.append(rep.intake_per_day - self.taken_today)
        if rep.intake_per_month is not None:
            rooms.append(rep.intake_per_month - self.taken_this_month)
        return max(0, min(rooms)) if rooms else None


@dataclass(frozen=True, kw_only=True, slots=True)
class LeadColumns:
    """What the rules ask of leads, one entry per lead; None is not known.

    Attributes:
        lead_id: Ids.
        language: BCP 47 tags.
        region: Sales regions.
        product: Product interests.
        barred: (lead index, rep id, code) of single pairs ruled out: cool-downs and
            refusals.
    """

    lead_id: Sequence[LeadId]
    language: Sequence[str | None]
    region: Sequence[str | None]
    product: Sequence[str | None]
    barred: Sequence[tuple[int, RepId, Exclusion]] = field(default=())


def exclusions(
    leads: LeadColumns,
    roster: Sequence[RosterEntry],
    rules: EligibilityRules,
    *,
    zone: str,
    at: datetime,
) -> CodeArray:
    """Why each rep may not take each lead.

    Args:
        leads: Lead columns; n_leads entries each.
        roster: The reps; n_reps entries.
        rules: Rules in force.
        zone: IANA zone of reps that have none of their own.
        at: The instant asked about; aware.

    Returns:
        ``Exclusion`` codes; uint8 (n_leads, n_reps), 0 where the pair is eligible.
    """
    alone = np.array(
        [_alone(entry, rules, zone=zone, at=at) for entry in roster], dtype=np.uint8
    )
    codes = np.broadcast_to(alone, (len(leads.lead_id), len(roster))).copy()
    reps = [entry.attributes for entry in roster]
    if rules.language:
        _bar(codes, leads.language, reps, _speaks, Exclusion.LANGUAGE)
    if rules.territory:
        _bar(codes, leads.region, reps, _covers, Exclusion.TERRITORY)
    if rules.product:
        _bar(codes, leads.product, reps, _sells, Exclusion.PRODUCT)
    place = {entry.rep_id: j for j, entry in enumerate(roster)}
    for i, rep_id, code in leads.barred:
        j = place.get(rep_id)
        if j is not None and codes[i, j] == Exclusion.ELIGIBLE:
            codes[i, j] = code
    return codes


def _alone(
    entry: RosterEntry, rules: EligibilityRules, *, zone: str, at: datetime
) -> Exclusion:
    rep = entry.attributes
    here = rep.time_zone or zone
    if rep.status is RepStatus.LEFT:
        return Exclusion.LEFT
    if rep.status is RepStatus.PAUSED:
        return Exclusion.PAUSED
    if rep.leave and on_leave(rep.leave, zone=here, at=at):
        return Exclusion.ON_LEAVE
    if rep.holding_limit is not None and entry.held >= rep.holding_limit:
        return Exclusion.HOLDING_LIMIT
    if rep.intake_per_day is not None and entry.taken_today >= rep.intake_per_day:
        return Exclusion.INTAKE_LIMIT
    monthly = rep.intake_per_month
    if monthly is not None and entry.taken_this_month >= monthly:
        return Exclusion.MONTH_LIMIT
    if rules.within_hours is not None and not works_within(
        rep.shifts,
        rep.leave,
        zone=here,
        at=at,
        hours=rules.within_hours,
        calendar=entry.calendar,
    ):
        return Exclusion.OFF_HOURS
    return Exclusion.ELIGIBLE


def _speaks(rep: RepAttributes, language: str) -> bool:
    return not rep.languages or _primary(language) in _primaries(rep.languages)


@lru_cache(maxsize=1_024)
def _primary(language: str) -> str:
    return language.split("-", maxsplit=1)[0].lower()


@lru_cache(maxsize=1_024)
def _primaries(languages: frozenset[str]) -> frozenset[str]:
    return frozenset(map(_primary, languages))


def _covers(rep: RepAttributes, region: str) -> bool:
    return rep.region is None or rep.region == region


def _sells(rep: RepAttributes, product: str) -> bool:
    return not rep.products or product in rep.products


def _bar(
    codes: CodeArray,
    wanted: Sequence[str | None],
    reps: Sequence[RepAttributes],
    allows: Callable[[RepAttributes, str], bool],
    code: Exclusion,
) -> None:
    """Write ``code`` where a still eligible rep does not allow the lead's value."""
    place: dict[str, int] = {}
    row = np.array(
        [-1 if not w else place.setdefault(w, len(place)) for w in wanted],
        dtype=np.int64,
    )
    if not place or not reps:
        return
    refused = np.array(
        [[not allows(rep, value) for rep in reps] for value in place], dtype=np.bool_
    )
    known = row >= 0
    part = codes[known]
    part[refused[row[known]] & (part == Exclusion.ELIGIBLE)] = code
    codes[known] = part
