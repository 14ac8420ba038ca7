"""Decisions: one lead given to one rep, logged, never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rightrep.domain.ids import DecisionId, LeadId, RepId


class Cause(StrEnum):
    """What made us decide."""

    REQUEST = "request"
    BATCH = "batch"
    IMPORT = "import"
    MANUAL = "manual"
    CLAIM = "claim"
    RECYCLE = "recycle"
    DECLINED = "declined"
    HANDOVER = "handover"
    CUSTOMER = "customer"
    """A new lead of a customer whom a rep has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunnerUp:
    """A rep who could have had the lead.

    Attributes:
        rep_id: The rep.
        p_convert: Chance to win within the label window, in [0, 1]; None without model.
        value: Expected value in minor units of the tenant's currency; None likewise.
        shadow_price: Price of one slot of the rep, same unit; None when not priced.
    """

    rep_id: RepId
    p_convert: float | None
    value: float | None
    shadow_price: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """One lead given to one rep.

    Attributes:
        decision_id: Our id.
        lead_id: The lead.
        rep_id: The rep.
        decided_at: When; aware UTC.
        recorded_at: When it was known here; equal to ``decided_at`` for our own.
        cause: What made us decide.
        actor: Who asked: an API key's id, a job's id, or "import".
        policy: Name of the policy that chose.
        rule_set: Version of the rule set in force, or None.
        rule: Name of the rule that matched, or None.
        experiment: Experiment, or None.
        arm: Arm, or None.
        propensity: Probability of this rep known at a lottery's draw, in (0, 1]; None
            where nothing was drawn.
        p_convert: Chance to win within the label window, in [0, 1]; None without model.
        value: Expected value in minor units of the tenant's currency; None likewise.
        shadow_price: Price of the slot taken, same unit; None when not priced.
        model_version: Model that predicted, or None.
        fallback: Why the fallback policy answered, or None when it did not.
        columns_version: Contract version of ``feature_row``, or None.
        feature_row: The chosen pair's columns; float32 (n_columns,), or None.
        runner_ups: Best first, the chosen one left out.
        excluded: Reason code of every roster rep who could not be chosen.
        roster: Version of the roster that ``excluded`` refers to, or None.
    """

    decision_id: DecisionId
    lead_id: LeadId
    rep_id: RepId
    decided_at: datetime
    recorded_at: datetime
    cause: Cause
    actor: str
    policy: str
    rule_set: int | None = None
    rule: str | None = None
    experiment: str | None = None
    arm: str | None = None
    propensity: float | None = None
    p_convert: float | None = None
    value: float | None = None
    shadow_price: float | None = None
    model_version: str | None = None
    fallback: str | None = None
    columns_version: str | None = None
    feature_row: NDArray[np.float32] | None = None
    runner_ups: Sequence[RunnerUp] = ()
    excluded: Mapping[RepId, str] = field(default_factory=dict)
    roster: str | None = None


class Gift(NamedTuple):
    """What taking a lead looks at of its decision, where the rest stays in columns.

    Attributes:
        decision_id: As of ``Decision``, like the rest.
        lead_id: The lead.
        rep_id: The rep.
        decided_at: When; aware UTC.
        cause: What made us decide.
        actor: Who asked.
        policy: Name of the policy that chose.
        experiment: Experiment, or None.
        arm: Arm, or None.
        propensity: Probability of this rep known at a lottery's draw, or None.
    """

    decision_id: DecisionId
    lead_id: LeadId
    rep_id: RepId
    decided_at: datetime
    cause: Cause
    actor: str
    policy: str
    experiment: str | None
    arm: str | None
    propensity: float | None


Given = Decision | Gift
