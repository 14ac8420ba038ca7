"""Acting on a plan: every lead that still can be given; the others come back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from optimizer.problem import BoolArray
from rightrep.domain.days import local_day
from rightrep.domain.decision import Cause, Gift
from rightrep.domain.eligibility import CodeArray, Exclusion
from rightrep.domain.event import Event
from rightrep.domain.ids import new_ids
from rightrep.domain.plan import LineState, SettledLine, StoredPlan
from rightrep.errors import AlreadyOwned, CapacityReached, Conflict
from rightrep.store import outbox, plans
from rightrep.store.bulk_capacity import gifts_of, take_columns
from rightrep.store.capacity import Limits, Refused, Returned
from rightrep.store.exclusions import Exclusions
from rightrep.store.session import WriteSession
from serving.usecases.arm_commits import drawn_codes, in_other_arms
from serving.usecases.arms import arms_in_force
from serving.usecases.choosing import FALLBACK, LOTTERY
from serving.usecases.ruling import LeadScorer, ruled
from serving.usecases.situation import Situation, read_situation
from serving.usecases.win_rates import WinRateBook

_CHUNK = 10_000
_FOR_TAKING = [
    Exclusion.ELIGIBLE,
    Exclusion.HOLDING_LIMIT,
    Exclusion.INTAKE_LIMIT,
    Exclusion.MONTH_LIMIT,
]
"""Limits are counted where leads are taken; everything else is looked at before."""
_GONE = 255
_OF_LINE = (
    "lead_id",
    "rep_id",
    "policy",
    "rule",
    "experiment",
    "arm",
    "propensity",
    "p_convert",
    "value",
    "shadow_price",
    "runner_ups",
    "feature_row",
)


def commit_plan(
    session: WriteSession,
    plan_id: str,
    *,
    at: datetime,
    actor: str,
    atomic: bool = False,
    scored: LeadScorer = lambda _situation: {},
) -> dict[LineState, int]:
    """Act on a plan: every line that still can be; the others come back.

    Args:
        session: Where to write.
        plan_id: A previewed plan.
        at: Now.
        actor: Who commits.
        atomic: Refuse all when one line cannot be.
        scored: Asked where a rule asks for scores.

    Returns:
        Lines by what became of them.

    Raises:
        NotFound: No such plan.
        Conflict: Somebody else commits it, or ``atomic`` and a line cannot be.
    """
    plans.begin_commit(session, plan_id, actor=actor, at=at)
    header = plans.read_plan(session, plan_id)
    lines = plans.read_lines(session, plan_id, state=LineState.PREVIEWED)
    book = WinRateBook()
    for start in range(0, lines.num_rows, _CHUNK):
        some = lines.slice(start, _CHUNK)
        made = _decisions(some, header, at=at, actor=actor)
        settled = _carry_out(session, made, header, some, book, scored, at=at)
        lost = [line for line in settled if line.state is not LineState.COMMITTED]
        if lost and atomic:
            raise Conflict(
                f"Lead {lost[0].lead_id} and {len(lost) - 1} others cannot be given "
                f"any more ({lost[0].state.value}). Nothing was changed; make a new "
                "plan."
            )
        plans.settle_lines(session, plan_id, settled)
    return plans.count_lines(session, plan_id)


def _decisions(
    lines: pa.Table, header: StoredPlan, *, at: datetime, actor: str
) -> dict[str, list[Any]]:
    """Columns of ``decisions``, one entry per line."""
    n_lines = lines.num_rows
    of = {name: lines[name].to_pylist() for name in _OF_LINE}
    everywhere = {
        "decided_at": at,
        "recorded_at": at,
        "cause": Cause.BATCH,
        "actor": actor,
        "rule_set": header.rule_set,
        "model_version": header.model_version,
        "columns_version": header.columns_version,
    }
    return {
        **of,
        **{name: [same] * n_lines for name, same in everywhere.items()},
        "decision_id": list(new_ids(at, n_lines)),
        "policy": [
            policy or (header.policy if propensity is None else LOTTERY)
            for policy, propensity in zip(of["policy"], of["propensity"], strict=True)
        ],
        "fallback": [
            header.fallback if _is_fallback(arm, policy) else None
            for arm, policy in zip(of["arm"], of["policy"], strict=True)
        ],
        "runner_ups": [orjson.Fragment(text) for text in of["runner_ups"]],
    }


def _is_fallback(arm: str | None, policy: str | None) -> bool:
    """Whether a plan's fallback, if there was one, is about this line.

    Beside a fallback in one arm the others have their own policies.
    """
    return arm is None or policy == FALLBACK


def _carry_out(
    session: WriteSession,
    made: Mapping[str, Sequence[Any]],
    header: StoredPlan,
    lines: pa.Table,
    book: WinRateBook,
    scored: LeadScorer,
    *,
    at: datetime,
) -> list[SettledLine]:
    """Give the leads that still can be given, and say what became of each.

    They are given by the rule set of the plan, be another one in force by now; and by
    their arms, within the slots that these still have.
    """
    in_force = arms_in_force(session)
    gifts = gifts_of(made)
    situation = read_situation(session, made["lead_id"], at=at)
    if header.rule_set is not None:
        version = header.rule_set
        situation, _ = ruled(session, situation, book, scored=scored, version=version)
    codes = _codes(situation, gifts)
    may = np.isin(codes[np.arange(len(gifts)), _column(situation, gifts)], _FOR_TAKING)
    if in_force is not None:
        elsewhere = in_other_arms(session, gifts, in_force, since=header.as_of)
        may &= [gift.lead_id not in elsewhere for gift in gifts]
    stands = np.flatnonzero(may).tolist()
    given = [gifts[place] for place in stands]
    reps = situation.rep_ids
    codes = drawn_codes(session, header, lines, given, reps, codes[stands, :-1])
    returned = take_columns(
        session,
        {name: [of[place] for place in stands] for name, of in made.items()},
        limits={
            entry.rep_id: Limits.of(entry.attributes, situation.counted)
            for entry in situation.roster
        },
        local_day=local_day(at, situation.tenant.time_zone),
        exclusions=Exclusions(reps, codes),
        split=None if in_force is None else in_force.split,
    )
    outbox.emit_all(session, _assigned(given, returned, at), at=at)
    return _settled(gifts, may, returned)


def _codes(situation: Situation, gifts: Sequence[Gift]) -> CodeArray:
    """Codes of each decision's lead, and one that bars for a rep who is not there.

    Returns:
        uint8 (n_decisions, n_reps + 1); a lead that is not there is barred altogether.
    """
    row = {lead_id: i for i, lead_id in enumerate(situation.lead_ids)}
    codes = np.pad(situation.codes, ((0, 1), (0, 1)), constant_values=_GONE)
    return codes[[row.get(gift.lead_id, -1) for gift in gifts]]


def _column(situation: Situation, gifts: Sequence[Gift]) -> list[int]:
    """Place of each decision's rep; the last one of ``_codes`` for nobody."""
    place = situation.roster.team.place
    return [place.get(gift.rep_id, -1) for gift in gifts]


def _settled(
    gifts: Sequence[Gift], may: BoolArray, returned: Sequence[Returned]
) -> list[SettledLine]:
    why = {one.decision.lead_id: one.why for one in returned}
    states = [
        _state(why.get(gift.lead_id)) if asked else LineState.EXCLUDED
        for gift, asked in zip(gifts, may.tolist(), strict=True)
    ]
    return [
        SettledLine(
            lead_id=gift.lead_id,
            state=state,
            decision_id=gift.decision_id if state is LineState.COMMITTED else None,
        )
        for gift, state in zip(gifts, states, strict=True)
    ]


def _state(why: Refused | None) -> LineState:
    if why is None:
        return LineState.COMMITTED
    if isinstance(why, AlreadyOwned):
        return LineState.OWNED
    return LineState.FULL if isinstance(why, CapacityReached) else LineState.EXCLUDED


def _assigned(
    given: Sequence[Gift], returned: Sequence[Returned], at: datetime
) -> list[Event]:
    refused = {one.decision.lead_id for one in returned}
    told = [gift for gift in given if gift.lead_id not in refused]
    return [
        Event(
            event_id=event_id,
            type="rightrep.lead.assigned",
            subject=gift.lead_id,
            time=at,
            data={
                "lead_id": gift.lead_id,
                "rep_id": gift.rep_id,
                "decision_id": gift.decision_id,
                "policy": gift.policy,
            },
        )
        for event_id, gift in zip(new_ids(at, len(told)), told, strict=True)
    ]
