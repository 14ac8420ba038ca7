"""Plans as they are kept: previewed, then committed line by line."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from rightrep.domain.ids import DecisionId, LeadId, RepId
from rightrep.domain.lead import LeadKind


class LineState(StrEnum):
    """What became of one lead of a plan."""

    PREVIEWED = "previewed"
    """Has a rep; not yet acted on."""
    UNASSIGNED = "unassigned"
    """The plan found nobody for it."""
    COMMITTED = "committed"
    """The rep has it; a decision says so."""
    OWNED = "owned"
    """Somebody else took it meanwhile."""
    FULL = "full"
    """The rep had no slot left when it was committed."""
    EXCLUDED = "excluded"
    """The rep may not take it any more: left, on leave, declined."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredPlan:
    """What a policy chose for a batch, and how good that is.

    Attributes:
        plan_id: Our id.
        job_id: The job that made it, or None.
        policy: Name of the policy.
        actor: Who asked.
        as_of: The instant its features are of; aware UTC.
        created_at: When it was made; aware UTC.
        value: Expected value in minor units of the tenant's currency, or None.
        bound: Proven upper bound on the value of any plan, same unit, or None.
        gap: Bound minus value, over the bound; None without a bound.
        model_version: Model that predicted, or None.
        columns_version: Contract version of the lines' feature rows, or None.
        rule_set: Version of the rule set in force, or None.
        roster: Version of the roster that the lines' exclusions refer to, or None.
        fallback: Why the fallback policy answered, or None.
        problem: Summary of the problem: numbers of leads, reps, slots; JSON.
        baselines: What other policies make of the same leads: figures by policy.
        committed_at: When committing it began, or None; aware UTC.
        committed_by: Who committed it, or None.
        kind: Kind of all its leads.
    """

    plan_id: str
    policy: str
    actor: str
    as_of: datetime
    created_at: datetime
    job_id: str | None = None
    value: float | None = None
    bound: float | None = None
    gap: float | None = None
    model_version: str | None = None
    columns_version: str | None = None
    rule_set: int | None = None
    roster: str | None = None
    fallback: str | None = None
    problem: Mapping[str, Any]
    baselines: Mapping[str, Mapping[str, float]]
    committed_at: datetime | None = None
    committed_by: str | None = None
    kind: LeadKind = LeadKind.LEAD


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanRep:
    """What a plan means for one rep.

    Attributes:
        rep_id: The rep.
        capacity: Slots the rep had.
        floor: Leads the plan kept for the rep.
        load: Leads the rep had been given before, in the window.
        given: Leads the plan gives.
        shortfall: Leads promised by the rep's floor that could not be kept.
        shadow_price: Value lost if one open slot is taken, in minor units; None when
            the policy has no prices.
        binding: Whether capacity or floor left no slack.
    """

    rep_id: RepId
    capacity: int
    floor: int
    load: int
    given: int
    shortfall: int = 0
    shadow_price: float | None = None
    binding: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class SettledLine:
    """What became of a line when it was committed.

    Attributes:
        lead_id: The lead.
        state: Committed, owned, full or excluded.
        decision_id: The decision; with committed, and only then.
    """

    lead_id: LeadId
    state: LineState
    decision_id: DecisionId | None = None
