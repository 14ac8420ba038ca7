"""Leads that a plan left without a rep, and why: counted, and rep by rep."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from rightrep.domain.eligibility import Exclusion
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.lead import Lead
from rightrep.domain.plan import LineState, StoredPlan
from rightrep.store import plans
from rightrep.store.exclusions import get_rosters, unpacked
from rightrep.store.leads import get_leads
from rightrep.store.ownership import get_owners
from rightrep.store.session import ReadSession


@dataclass(frozen=True, slots=True)
class Reason:
    """How many reps did not get a lead for one reason.

    Attributes:
        why: The reason; ``ELIGIBLE`` is a rep who may take the lead and whose slots
            all went to other leads.
        reps: Reps it holds for.
    """

    why: Exclusion
    reps: int


@dataclass(frozen=True, kw_only=True)
class UnassignedLead:
    """A lead that nobody gets in a plan.

    Attributes:
        lead_id: The lead.
        lead: What was known about it when the plan was made; None when nothing was.
        reasons: Why, most frequent first; the reps who may take it before all
            others, those who left not counted. Empty where none were kept.
        owner: Who has it by now, or None.
    """

    lead_id: LeadId
    lead: Lead | None
    reasons: Sequence[Reason]
    owner: RepId | None


@dataclass(frozen=True, kw_only=True)
class Unassigned:
    """Leads that nobody gets in a plan, one page of them.

    Attributes:
        total: How many there are.
        main: How many leads have which reason first, most frequent first.
        leads: This page.
        following: ``after`` of the next page; None on the last one.
    """

    total: int
    main: Sequence[tuple[Exclusion, int]]
    leads: Sequence[UnassignedLead]
    following: int | None


def read_unassigned(
    session: ReadSession, plan: StoredPlan, *, limit: int, after: int = -1
) -> Unassigned:
    """One page of the leads that nobody gets in a plan.

    Args:
        session: Where to read.
        plan: The plan.
        limit: Leads on a page; positive.
        after: Number of the line before the page.
    """
    kept = plans.count_exclusions(session, plan.plan_id, LineState.UNASSIGNED)
    main: Counter[Exclusion] = Counter()
    for packed, count in kept.items():
        reasons = _telling(reasons_of(packed))
        if reasons:
            main[reasons[0].why] += count
    lines = plans.read_lines(
        session,
        plan.plan_id,
        state=LineState.UNASSIGNED,
        after=after,
        limit=limit + 1,
    ).to_pylist()
    page = lines[:limit]
    ids = [LeadId(line["lead_id"]) for line in page]
    known = _leads(session, ids, plan.as_of)
    owners = get_owners(session, ids)
    return Unassigned(
        total=sum(kept.values()),
        main=main.most_common(),
        leads=[
            UnassignedLead(
                lead_id=lead_id,
                lead=known.get(lead_id),
                reasons=_telling(reasons_of(line["exclusions"])),
                owner=owners[lead_id].owner if lead_id in owners else None,
            )
            for lead_id, line in zip(ids, page, strict=True)
        ],
        following=page[-1]["line"] if len(lines) > limit else None,
    )


def reasons_of(packed: bytes | None) -> list[Reason]:
    """Reasons of one lead, from a line's packed codes."""
    if packed is None:
        return []
    count = np.bincount(unpacked(packed))
    found = [
        Reason(Exclusion(int(code)), int(count[code])) for code in np.flatnonzero(count)
    ]
    return sorted(found, key=lambda r: (r.why is not Exclusion.ELIGIBLE, -r.reps))


def _telling(reasons: list[Reason]) -> list[Reason]:
    """Without those who left, unless nobody else is there."""
    stayed = [reason for reason in reasons if reason.why is not Exclusion.LEFT]
    return stayed or reasons


def reps_by_reason(
    session: ReadSession, plan: StoredPlan, packed: bytes | None
) -> list[tuple[Exclusion, Sequence[RepId]]]:
    """Every rep of the plan's roster under the reason that holds, as ``reasons_of``."""
    if packed is None or plan.roster is None:
        return []
    roster = get_rosters(session, [plan.roster]).get(plan.roster, ())
    codes = unpacked(packed).tolist()
    return [
        (
            reason.why,
            [
                rep
                for rep, code in zip(roster, codes, strict=True)
                if code == reason.why
            ],
        )
        for reason in reasons_of(packed)
    ]


def by_reason(excluded: Mapping[RepId, str]) -> list[tuple[Exclusion, list[RepId]]]:
    """A decision's exclusions, the most frequent reason first."""
    found: dict[Exclusion, list[RepId]] = {}
    for rep_id, code in excluded.items():
        found.setdefault(Exclusion[code.upper()], []).append(rep_id)
    return sorted(found.items(), key=lambda item: -len(item[1]))


def _leads(
    session: ReadSession, lead_ids: Sequence[LeadId], as_of: datetime
) -> dict[LeadId, Lead]:
    return {lead.lead_id: lead for lead in get_leads(session, lead_ids, as_of=as_of)}
