"""Acting on a plan: every lead that still can be given; the others come back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from rightrep.domain.days import local_day
from rightrep.domain.decision import Cause, Decision
from rightrep.domain.eligibility import Exclusion
from rightrep.domain.event import Event
from rightrep.domain.ids import DecisionId, LeadId, RepId, new_id, new_ids
from rightrep.domain.plan import LineState, SettledLine, StoredPlan
from rightrep.errors import AlreadyOwned, CapacityReached, Conflict
from rightrep.store import outbox, plans
from rightrep.store.capacity import Limits, Returned, take_leads
from rightrep.store.exclusions import Exclusions
from rightrep.store.runner_ups import KeptRunnerUps
from rightrep.store.session import WriteSession
from serving.usecases.arm_commits import drawn_codes, in_other_arms
from serving.usecases.arms import arms_in_force
from serving.usecases.choosing import FALLBACK, LOTTERY
from serving.usecases.ruling import LeadScorer, ruled
from serving.usecases.situation import read_situation
from serving.usecases.win_rates import WinRateBook

_CHUNK = 2_000
_FOR_TAKING = frozenset(
    {
        Exclusion.ELIGIBLE,
        Exclusion.HOLDING_LIMIT,
        Exclusion.INTAKE_LIMIT,
        Exclusion.MONTH_LIMIT,
    }
)
"""Limits are counted where leads are taken; everything else is looked at before."""


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
) -> list[Decision]:
    return [
        Decision(
            decision_id=DecisionId(decision_id),
            lead_id=LeadId(line["lead_id"]),
            rep_id=RepId(line["rep_id"]),
            decided_at=at,
            recorded_at=at,
            cause=Cause.BATCH,
            actor=actor,
            policy=line["policy"]
            or (header.policy if line["propensity"] is None else LOTTERY),
            rule_set=header.rule_set,
            rule=line["rule"],
            experiment=line["experiment"],
            arm=line["arm"],
            propensity=line["propensity"],
            p_convert=line["p_convert"],
            value=line["value"],
            shadow_price=line["shadow_price"],
            model_version=header.model_version,
            fallback=header.fallback if _is_fallback(line) else None,
            columns_version=header.columns_version,
            feature_row=None
            if line["feature_row"] is None
            else np.frombuffer(line["feature_row"], "<f4").astype(np.float32),
            runner_ups=KeptRunnerUps(line["runner_ups"]),
        )
        for decision_id, line in zip(
            new_ids(at, lines.num_rows), lines.to_pylist(), strict=True
        )
    ]


def _is_fallback(line: Mapping[str, Any]) -> bool:
    """Whether a plan's fallback, if there was one, is about this line.

    Beside a fallback in one arm the others have their own policies.
    """
    return line["arm"] is None or line["policy"] == FALLBACK


def _carry_out(
    session: WriteSession,
    made: Sequence[Decision],
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
    elsewhere = set()
    if in_force is not None:
        elsewhere = in_other_arms(session, made, in_force, since=header.as_of)
    situation = read_situation(session, [d.lead_id for d in made], at=at)
    if made[0].rule_set is not None:
        version = made[0].rule_set
        situation, _ = ruled(session, situation, book, scored=scored, version=version)
    row = {lead_id: i for i, lead_id in enumerate(situation.lead_ids)}
    column = {rep_id: j for j, rep_id in enumerate(situation.rep_ids)}
    stands: list[Decision] = []
    barred: list[Decision] = []
    for decision in made:
        i, j = row.get(decision.lead_id), column.get(decision.rep_id)
        gone = i is None or j is None or int(situation.codes[i, j]) not in _FOR_TAKING
        gone = gone or decision.lead_id in elsewhere
        (barred if gone else stands).append(decision)
    limits = {
        entry.rep_id: Limits.of(entry.attributes, situation.counted)
        for entry in situation.roster
    }
    codes = situation.codes[[row[decision.lead_id] for decision in stands]]
    codes = drawn_codes(session, header, lines, stands, situation.rep_ids, codes)
    returned = take_leads(
        session,
        stands,
        limits=limits,
        local_day=local_day(at, situation.tenant.time_zone),
        exclusions=Exclusions(situation.rep_ids, codes),
        split=None if in_force is None else in_force.split,
    )
    outbox.emit_all(session, _assigned(stands, returned, at), at=at)
    excluded = [
        SettledLine(lead_id=decision.lead_id, state=LineState.EXCLUDED)
        for decision in barred
    ]
    return [*_settled(stands, returned), *excluded]


def _settled(
    made: Sequence[Decision], returned: Sequence[Returned]
) -> list[SettledLine]:
    why = {one.decision.lead_id: one.why for one in returned}
    settled = []
    for decision in made:
        reason = why.get(decision.lead_id)
        if reason is None:
            settled.append(
                SettledLine(
                    lead_id=decision.lead_id,
                    state=LineState.COMMITTED,
                    decision_id=decision.decision_id,
                )
            )
            continue
        state = LineState.EXCLUDED
        if isinstance(reason, AlreadyOwned):
            state = LineState.OWNED
        elif isinstance(reason, CapacityReached):
            state = LineState.FULL
        settled.append(SettledLine(lead_id=decision.lead_id, state=state))
    return settled


def _assigned(
    made: Sequence[Decision], returned: Sequence[Returned], at: datetime
) -> list[Event]:
    refused = {one.decision.lead_id for one in returned}
    return [
        Event(
            event_id=new_id(at),
            type="rightrep.lead.assigned",
            subject=decision.lead_id,
            time=at,
            data={
                "lead_id": decision.lead_id,
                "rep_id": decision.rep_id,
                "decision_id": decision.decision_id,
                "policy": decision.policy,
            },
        )
        for decision in made
        if decision.lead_id not in refused
    ]
