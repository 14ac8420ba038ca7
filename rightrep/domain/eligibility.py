"""Who may take which lead: each rule once, over columns.

A rule looks at one rep, or at one rep and one lead attribute. All of them give codes,
so the same call answers "may this pair be chosen?" and "why not?". One lead is the same
call on one row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.rep import RepStatus
from rightrep.domain.roster import STATUSES, BoolArray, Declared, Roster, primary

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
    ARM_LIMIT = 14
    HAD_TURN = 15


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
    Exclusion.ARM_LIMIT: "Has no slot left for this arm of the experiment today.",
    Exclusion.HAD_TURN: "Had their turn in this cycle of the lot.",
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
    leads: LeadColumns, roster: Roster, rules: EligibilityRules, *, at: datetime
) -> CodeArray:
    """Why each rep may not take each lead.

    Args:
        leads: Lead columns; n_leads entries each.
        roster: The reps; n_reps entries.
        rules: Rules in force.
        at: The instant asked about; aware.

    Returns:
        ``Exclusion`` codes; uint8 (n_leads, n_reps), 0 where the pair is eligible.
    """
    team = roster.team
    alone = _alone(roster, rules, at)
    codes = np.broadcast_to(alone, (len(leads.lead_id), alone.size)).copy()
    if rules.language:
        spoken = [None if not one else primary(one) for one in leads.language]
        _bar(codes, spoken, team.languages, Exclusion.LANGUAGE)
    if rules.territory:
        _bar(codes, leads.region, team.regions, Exclusion.TERRITORY)
    if rules.product:
        _bar(codes, leads.product, team.products, Exclusion.PRODUCT)
    for i, rep_id, code in leads.barred:
        j = team.place.get(rep_id)
        if j is not None and codes[i, j] == Exclusion.ELIGIBLE:
            codes[i, j] = code
    return codes


def _alone(roster: Roster, rules: EligibilityRules, at: datetime) -> CodeArray:
    """Why each rep may not take any lead; uint8 (n_reps,)."""
    team = roster.team
    alone = _OF_STATUS[team.status]

    def bar(found: BoolArray, code: Exclusion) -> None:
        alone[found & (alone == Exclusion.ELIGIBLE)] = code

    bar(team.on_leave(at), Exclusion.ON_LEAVE)
    for reached, code in _limits_reached(roster):
        bar(reached, code)
    if rules.within_hours is not None:
        bar(~team.work_within(at, rules.within_hours), Exclusion.OFF_HOURS)
    return alone


def _limits_reached(roster: Roster) -> list[tuple[BoolArray, Exclusion]]:
    """Who is at each limit, in the order in which limits are told."""
    team = roster.team
    return [
        (roster.held >= team.holding_limit, Exclusion.HOLDING_LIMIT),
        (roster.taken_today >= team.intake_per_day, Exclusion.INTAKE_LIMIT),
        (roster.taken_this_month >= team.intake_per_month, Exclusion.MONTH_LIMIT),
    ]


def after_gift(codes: CodeArray, roster: Roster, rep: int) -> CodeArray:
    """Why each rep may not take each lead, after one of them was given another lead.

    Args:
        codes: Before that; uint8 (n_leads, n_reps).
        roster: The reps after it.
        rep: Who was given it: present, and at no limit before.
    """
    codes = codes.copy()
    for reached, code in reversed(_limits_reached(roster)):
        if reached[rep]:
            # A limit is told before whatever concerns a single lead.
            codes[:, rep] = code
    return codes


_OF_STATUS: CodeArray = np.array(
    [
        {RepStatus.LEFT: Exclusion.LEFT, RepStatus.PAUSED: Exclusion.PAUSED}.get(
            status, Exclusion.ELIGIBLE
        )
        for status in STATUSES
    ],
    dtype=np.uint8,
)


def _bar(
    codes: CodeArray, wanted: Sequence[str | None], by: Declared, code: Exclusion
) -> None:
    """Write ``code`` where a still eligible rep does not take the lead's value."""
    place: dict[str, int] = {}
    row = np.array(
        [-1 if not one else place.setdefault(one, len(place)) for one in wanted],
        dtype=np.int64,
    )
    if not place or not codes.size:
        return
    refused = ~np.array([by.allow(value) for value in place], dtype=np.bool_)
    known = row >= 0
    part = codes[known]
    part[refused[row[known]] & (part == Exclusion.ELIGIBLE)] = code
    codes[known] = part
