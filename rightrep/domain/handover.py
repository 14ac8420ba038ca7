"""Handovers: leads of reps who leave, or of a team, moved together and undoable."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rightrep.domain.eligibility import SENTENCES, CodeArray, Exclusion
from rightrep.domain.given import require_known, require_number, require_text
from rightrep.domain.ids import DecisionId, LeadId, RepId
from rightrep.domain.lead import Lead, LeadKind, Scalar
from rightrep.domain.pools import Pool, in_order, place_of
from rightrep.errors import InvalidInput

SETTING = "handover"
"""Name of these settings among ``Tenant.settings``."""
MOST_DAYS = 366
SERVICE_POLICIES = ("least_loaded", "round_robin")
"""Policies that need no model, no weights and no draw."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HandoverRules:
    """What holds for handovers, as a tenant sets it.

    Attributes:
        undo_days: Days after the commit in which it can be undone; in [0, 366].
        service_team: Team that looks after customers once a deal is won; empty is
            none.
        service_policy: What chooses among its reps, by customers instead of leads;
            one of ``SERVICE_POLICIES``.

    Raises:
        InvalidInput: A value makes no sense.
    """

    undo_days: float = 7.0
    service_team: str = ""
    service_policy: str = SERVICE_POLICIES[0]

    def __post_init__(self) -> None:
        name = f"{SETTING}.undo_days"
        require_number(self.undo_days, name, low=0, high=MOST_DAYS)
        require_text(self.service_team, f"{SETTING}.service_team")
        if self.service_policy not in SERVICE_POLICIES:
            raise InvalidInput(
                f"Service reps cannot be chosen by {self.service_policy!r}.",
                field=f"{SETTING}.service_policy",
                remedy=f"Give one of {', '.join(SERVICE_POLICIES)}.",
            )

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON; ``of`` reads them back."""
        return asdict(self)

    @property
    def undo_for(self) -> timedelta:
        """For how long a handover can be undone."""
        return timedelta(days=self.undo_days)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "HandoverRules":
        """From a tenant's settings; what is not set takes its default.

        Raises:
            InvalidInput: A name is unknown or a value makes no sense.
        """
        names = {one.name for one in fields(cls)}
        return cls(**require_known(settings.get(SETTING, {}), names, SETTING))


class MoveState(StrEnum):
    """What became of one lead of a handover."""

    PREVIEWED = "previewed"
    """Has somebody who would get it; not yet acted on."""
    UNASSIGNED = "unassigned"
    """Nobody can take it; it stays where it is."""
    MOVED = "moved"
    """The new rep has it; a decision says so."""
    CHANGED = "changed"
    """It closed or changed hands between preview and commit."""
    FULL = "full"
    """The new rep had no slot left when it was committed."""
    EXCLUDED = "excluded"
    """The new rep may not take it any more: left, on leave, declined."""
    RETURNED = "returned"
    """The handover was undone, and it went back."""
    KEPT = "kept"
    """The handover was undone, but it had closed or moved on: nothing was done."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Handover:
    """A handover as a whole.

    Attributes:
        handover_id: Our id.
        created_at: When it was previewed; aware UTC.
        actor: Who previewed it.
        reason: Why, in words.
        policy: What shared the leads out: a policy, or "rules".
        from_reps: Whose leads.
        to_reps: Who may get them.
        leads: Values that a lead's attribute must be one of, by attribute; none takes
            every open lead.
        leaves: Whether the reps are marked as left with the commit.
        rule_set: Version of the rule set that chose, or None.
        model_version: Model that predicted, or None.
        fallback: Why the fallback policy answered, or None.
        status_before: Status of each rep whom the commit marked as left.
        committed_at: When committing it began, or None.
        committed_by: Who committed it, or None.
        undo_until: Until when it can be undone; None before the commit.
        finished_at: When its last lead was settled, or None.
        undone_at: When undoing it began, or None.
        undone_by: Who undid it, or None.
    """

    handover_id: str
    created_at: datetime
    actor: str
    reason: str
    policy: str
    from_reps: Sequence[RepId]
    to_reps: Sequence[RepId]
    leads: Mapping[str, Sequence[Scalar]] = field(default_factory=dict)
    leaves: bool = False
    rule_set: int | None = None
    model_version: str | None = None
    fallback: str | None = None
    status_before: Mapping[RepId, str] = field(default_factory=dict)
    committed_at: datetime | None = None
    committed_by: str | None = None
    undo_until: datetime | None = None
    finished_at: datetime | None = None
    undone_at: datetime | None = None
    undone_by: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HandoverLine:
    """One lead of a handover.

    Attributes:
        line: Its number, from 0.
        lead_id: The lead.
        from_rep: Who had it.
        to_rep: Who gets it; None where nobody can.
        state: What became of it.
        why: Why nobody can take it, in sentences; empty where somebody can.
        policy: What chose the rep.
        p_convert: Chance to win within the label window, in [0, 1]; None without model.
        value: Expected value in minor units of the tenant's currency; None likewise.
        decision_id: The decision that moved it, or None.
        decision_before: The decision behind its ownership before that, or None.
    """

    line: int
    lead_id: LeadId
    from_rep: RepId
    to_rep: RepId | None
    state: MoveState
    why: Sequence[str] = ()
    policy: str
    p_convert: float | None = None
    value: float | None = None
    decision_id: DecisionId | None = None
    decision_before: DecisionId | None = None


def chosen_by(
    conditions: Mapping[str, Sequence[Scalar]], leads: Sequence[Lead]
) -> NDArray[np.bool_]:
    """Which leads meet every condition, as a pool's would; bool (n_leads,).

    Raises:
        InvalidInput: A condition names an unknown attribute, or no value.
    """
    if not conditions:
        return np.ones(len(leads), dtype=np.bool_)
    chosen = [
        Pool.of(f"chosen {kind}", {"leads": conditions, "kind": kind})
        for kind in LeadKind
    ]
    return np.asarray(place_of(in_order(chosen), leads) < len(chosen))


def why_nobody(codes: CodeArray) -> tuple[str, ...]:
    """Why no candidate took a lead, in sentences, the commonest first.

    Args:
        codes: ``Exclusion`` of each candidate; uint8 (n_reps,). Who may take the lead
            and did not get it was filled up by the other leads.
    """
    told = [Exclusion(code) or Exclusion.HOLDING_LIMIT for code in codes.tolist()]
    return tuple(
        f"{count} {'rep' if count == 1 else 'reps'}: {SENTENCES[code]}"
        for code, count in Counter(told).most_common()
    )
