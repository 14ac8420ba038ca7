"""What fairness costs: a plan's value against its spread, as a job after the plan.

The curve takes a solve for each of its points, so no plan waits for it. The job states
the plan's problem again from what was kept: the roster and the exclusions, every rep's
slots, the model's answers as of the plan; what cannot be read back, the leads given in
the window before, it is told when it is asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from optimizer.fairness import Fairness, TradePoint, tradeoff
from optimizer.problem import UNASSIGNED, IntArray, Plan, Problem
from optimizer.shares import Shares
from optimizer.transport import max_kept_floors
from optimizer.verify import loads, total_value
from rightrep.domain.eligibility import Exclusion
from rightrep.domain.ids import LeadId, RepId, TenantId
from rightrep.domain.job import Job
from rightrep.domain.plan import PlanRep, StoredPlan
from rightrep.domain.rep import RepAttributes
from rightrep.domain.routing import Objective
from rightrep.errors import ModelUnavailable
from rightrep.store import jobs, plans, reps
from rightrep.store.exclusions import get_rosters, unpacked
from rightrep.store.session import ReadSession, WriteSession
from serving.usecases.advice import Scores
from serving.usecases.context import Context
from serving.usecases.fair_shares import FairAnswer, given_in_window
from serving.usecases.situation import Situation
from serving.worker import Effect, Task

TRADE_OFF = "trade_off"
"""Kind of the job, and where a plan's summary keeps the curve."""
POINTS = 11
FEW_POINTS = 5
MANY_PAIRS = 5_000_000
"""Pairs of a batch from which on the curve has fewer points."""
_LOOKED_THROUGH = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """Value against spread, for the leads and slots of one plan.

    Attributes:
        points: From dial 0 to dial 1; values in the plan's unit.
        value: Expected value of the plan itself.
        spread: Its spread, in [0, 1].
        made_at: When it was worked out; aware UTC.
    """

    points: Sequence[TradePoint]
    value: float
    spread: float
    made_at: datetime

    @classmethod
    def of(cls, plan: StoredPlan) -> "Curve | None":
        """The curve kept with a plan; None while there is none."""
        kept = plan.problem.get(TRADE_OFF)
        if kept is None:
            return None
        return cls(
            points=[TradePoint(**point) for point in kept["points"]],
            value=kept["value"],
            spread=kept["spread"],
            made_at=datetime.fromisoformat(kept["made_at"]),
        )

    def kept(self) -> Mapping[str, Any]:
        """As a plan's summary keeps it; JSON."""
        return {
            "points": [point._asdict() for point in self.points],
            "value": self.value,
            "spread": self.spread,
            "made_at": self.made_at.isoformat(),
        }


def ask_for_curve(
    session: WriteSession,
    plan: StoredPlan,
    situation: Situation,
    fair: FairAnswer | None,
) -> None:
    """Have a plan's curve worked out, where its pairs have values.

    Args:
        session: The transaction that keeps the plan, before it is committed.
        plan: The plan.
        situation: What it was made in.
        fair: What fairness made of it, or None.
    """
    if plan.value is None or not plan.problem["n_leads"]:
        return
    rules = situation.routing.fairness
    args = {
        "plan_id": plan.plan_id,
        "load": given_in_window(session, situation).tolist(),
        "promised": [] if fair is None else fair.terms.promised.tolist(),
        "bands": {
            "load_band": rules.load_band,
            "quality_band": rules.quality_band,
            "group_band": rules.group_band,
        },
    }
    jobs.enqueue(
        session, TRADE_OFF, args, at=situation.at, once_key=plan.plan_id, max_attempts=2
    )


def job_of(session: ReadSession, plan_id: str) -> Job | None:
    """The job that works out a plan's curve; None where none was asked for."""
    found = jobs.list_jobs(session, kind=TRADE_OFF, limit=_LOOKED_THROUGH)
    return next((one for one in found if one.args["plan_id"] == plan_id), None)


def job(context: Context, task: Task) -> Effect:
    """Work out the curve of a plan and keep it with the plan."""
    args = task.args
    task.report(0.0, "scoring")
    with context.store.read(task.tenant_id) as session:
        stated = _Stated.read(session, args["plan_id"])
    scores = _scores(context, task.tenant_id, stated)
    problem = _problem(stated, scores, args)
    curve = _curve(problem, stated.plan, args["bands"], task, context.clock.now())

    def effect(session: WriteSession) -> object:
        plan_id = stated.header.plan_id
        plans.add_to_summary(session, plan_id, {TRADE_OFF: curve.kept()})
        return {"plan_id": plan_id, "points": len(curve.points)}

    return effect


@dataclass(frozen=True, eq=False)
class _Stated:
    """A plan as it was kept."""

    header: StoredPlan
    rep_ids: Sequence[RepId]
    attributes: Sequence[RepAttributes]
    meant: Sequence[PlanRep]
    lines: pa.Table

    @classmethod
    def read(cls, session: ReadSession, plan_id: str) -> "_Stated":
        header = plans.read_plan(session, plan_id)
        rosters = get_rosters(session, [header.roster or ""])
        rep_ids = rosters[header.roster or ""]
        known = {
            rep.rep_id: rep.attributes
            for rep in reps.get_reps(session, rep_ids, as_of=header.as_of)
        }
        meant = {rep.rep_id: rep for rep in plans.read_plan_reps(session, plan_id)}
        return cls(
            header,
            rep_ids,
            [known[rep_id] for rep_id in rep_ids],
            [meant[rep_id] for rep_id in rep_ids],
            plans.read_lines(session, plan_id),
        )

    @property
    def lead_ids(self) -> list[LeadId]:
        return [LeadId(lead) for lead in self.lines["lead_id"].to_pylist()]

    @property
    def plan(self) -> Plan:
        place = {rep_id: j for j, rep_id in enumerate(self.rep_ids)}
        given = self.lines["rep_id"].to_pylist()
        rep_of = [UNASSIGNED if rep is None else place[rep] for rep in given]
        return Plan.certain(np.array(rep_of, dtype=np.int64))

    @property
    def groups(self) -> IntArray:
        """Team of each rep, as a number; int64 (n_reps,)."""
        teams = [what.team for what in self.attributes]
        known = list(dict.fromkeys(teams))
        return np.array([known.index(team) for team in teams], dtype=np.int64)


def _scores(context: Context, tenant_id: TenantId, stated: _Stated) -> Scores:
    """What the plan's model says of its pairs, as of the plan."""
    header = stated.header
    adviser = context.advisers.get(tenant_id, rep_ids=stated.rep_ids)
    if adviser is None or adviser.version != header.model_version:
        raise ModelUnavailable("Another model answers by now than made the plan.")
    own = context.advisers.own_of(adviser, tenant_id, stated.lead_ids)
    return adviser.scores(stated.lead_ids, stated.rep_ids, at=header.as_of, own=own)


def _problem(stated: _Stated, scores: Scores, args: Mapping[str, Any]) -> Problem:
    """The plan's problem, its window's loads and its promised floors."""
    worth = scores.p_convert.astype(np.float64)
    if stated.header.problem["objective"] == Objective.VALUE:
        worth = worth * scores.deal_value_minor[:, None]
    codes = np.stack([unpacked(row) for row in stated.lines["exclusions"].to_pylist()])
    load, promised = (np.array(args[name], np.int64) for name in ("load", "promised"))
    problem = Problem(
        worth,
        codes == Exclusion.ELIGIBLE,
        np.array([rep.capacity for rep in stated.meant], dtype=np.int64),
        np.zeros(len(stated.rep_ids), dtype=np.int64),
        load=load,
        weight=np.array([what.weight for what in stated.attributes]),
        group=stated.groups,
        quality=scores.quality,
    )
    if not promised.size:
        return problem
    owed = replace(problem, floor=np.minimum(promised, problem.capacity))
    return replace(problem, floor=max_kept_floors(owed).kept)


def _curve(
    problem: Problem,
    plan: Plan,
    bands: Mapping[str, Any],
    task: Task,
    at: datetime,
) -> Curve:
    points = POINTS if problem.eligible.size < MANY_PAIRS else FEW_POINTS
    return Curve(
        points=tradeoff(
            problem,
            points,
            Fairness(**bands),
            report=lambda share: task.report(share, "solving"),
        ),
        value=total_value(problem, plan),
        spread=Shares.of(problem).spread(loads(problem, plan)),
        made_at=at,
    )
