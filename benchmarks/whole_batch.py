"""A whole batch, from rows in the store to decisions in the store, reasons written.

2,759 leads x 82 reps, against the same steps done naively: the pairs' table built by a
cross join in pandas, LightGBM over it, min-cost flow arc by arc, leads given one by
one. Both leave owners, loads, decisions with their reasons and messages behind.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta

import numpy as np
import pandas as pd
from ortools.graph.python.min_cost_flow import SimpleMinCostFlow

from benchmarks.common import Figure, Row, options, publish, side_by_side
from benchmarks.served_market import TENANT, ServedMarket, served_market
from experiments.simulate import MarketSettings
from features.columns import feature_rows
from rightrep.clock import FixedClock
from rightrep.domain.days import local_day
from rightrep.domain.decision import Cause, Decision, RunnerUp
from rightrep.domain.eligibility import Exclusion
from rightrep.domain.ids import DecisionId, new_id
from rightrep.store import bulk, outbox
from rightrep.store.capacity import Limits, take_lead
from rightrep.store.session import WriteSession
from serving.usecases.committing import commit_plan
from serving.usecases.keeping import keep_plan
from serving.usecases.planning import PlanRequest, make_plan
from serving.usecases.situation import Situation, read_situation

N_LEADS, N_REPS = 2_759, 82
BAR = 20.0


class _Undone(Exception):
    """Ends a transaction without keeping it, so that every run does the same work."""


def ours(served: ServedMarket) -> None:
    """Plan and commit as ``rightrep plan --commit`` does."""
    context = served.context
    made = make_plan(context, TENANT, PlanRequest(policy="optimal", actor="benchmark"))
    with _undone(served) as session:
        keep_plan(session, made)
        commit_plan(
            session, made.header.plan_id, at=context.clock.now(), actor="benchmark"
        )


def naive(served: ServedMarket) -> None:
    """The same outcome by the straight way."""
    context = served.context
    at = context.clock.now()
    with context.store.read(TENANT) as session:
        ids = bulk.open_leads(session, as_of=at)
        situation = read_situation(session, ids, at=at)
    adviser = context.advisers.get(TENANT, rep_ids=situation.rep_ids)
    assert adviser is not None
    known = adviser.scores(situation.lead_ids, situation.rep_ids, at=at).columns
    leads = pd.DataFrame({"lead": range(len(situation.leads))})
    reps = pd.DataFrame({"rep": range(len(situation.roster))})
    pairs = leads.merge(reps, how="cross")
    rows = feature_rows(
        known.leads,
        known.reps,
        known.affinity,
        lead=pairs["lead"].to_numpy(),
        rep=pairs["rep"].to_numpy(),
    )
    pairs["p"] = adviser.model.predict_proba(rows)[:, 1]
    pairs["value"] = pairs["p"] * known.deal_value[pairs["lead"]]
    pairs["may"] = situation.codes.ravel() == Exclusion.ELIGIBLE
    chosen = _flow(pairs[pairs["may"]], situation.open_slots, len(leads))
    with _undone(served) as session:
        for lead, rep in chosen:
            _write(session, situation, pairs, lead, rep)


@contextmanager
def _undone(served: ServedMarket) -> Iterator[WriteSession]:
    """One transaction, undone at its end."""
    with suppress(_Undone), served.context.store.write(TENANT) as session:
        yield session
        raise _Undone


def _flow(
    pairs: pd.DataFrame, slots: np.ndarray[tuple[int], np.dtype[np.int64]], n: int
) -> list[tuple[int, int]]:
    flow = SimpleMinCostFlow()
    sink = n + len(slots)
    arcs = {}
    columns = (pairs[name].tolist() for name in ("lead", "rep", "value"))
    for lead, rep, value in zip(*columns, strict=True):
        cost = -round(1e4 * value)
        arc = flow.add_arc_with_capacity_and_unit_cost(lead, n + rep, 1, cost)
        arcs[arc] = (lead, rep)
    for lead in range(n):
        flow.add_arc_with_capacity_and_unit_cost(lead, sink, 1, 0)
        flow.set_node_supply(lead, 1)
    for rep, count in enumerate(slots.tolist()):
        flow.add_arc_with_capacity_and_unit_cost(n + rep, sink, min(count, n), 0)
    flow.set_node_supply(sink, -n)
    assert flow.solve() == flow.OPTIMAL
    return [pair for arc, pair in arcs.items() if flow.flow(arc) > 0]


def _write(
    session: WriteSession,
    situation: Situation,
    pairs: pd.DataFrame,
    lead: int,
    rep: int,
) -> None:
    """One lead given, with its reasons: slot, owner, event, decision, message."""
    decision = _decision(situation, pairs, lead, rep)
    take_lead(
        session,
        decision,
        limits=Limits.of(situation.roster.attributes[rep]),
        local_day=local_day(situation.at, situation.tenant.time_zone),
    )
    outbox.emit(
        session,
        "rightrep.lead.assigned",
        {"lead_id": decision.lead_id, "rep_id": decision.rep_id},
        at=situation.at,
        subject=decision.lead_id,
    )


def _decision(
    situation: Situation, pairs: pd.DataFrame, lead: int, rep: int
) -> Decision:
    mine = pairs[pairs["lead"] == lead].sort_values("value", ascending=False)
    others = mine[mine["rep"] != rep].head(situation.routing.runner_ups)
    return Decision(
        decision_id=DecisionId(new_id(situation.at)),
        lead_id=situation.lead_ids[lead],
        rep_id=situation.rep_ids[rep],
        decided_at=situation.at,
        recorded_at=situation.at,
        cause=Cause.BATCH,
        actor="benchmark",
        policy="optimal",
        p_convert=float(mine[mine["rep"] == rep]["p"].iloc[0]),
        value=float(mine[mine["rep"] == rep]["value"].iloc[0]),
        runner_ups=_runner_ups(situation, others),
        excluded={
            situation.rep_ids[j]: Exclusion(code).name.lower()
            for j, code in enumerate(situation.codes[lead].tolist())
            if code
        },
    )


def _runner_ups(situation: Situation, others: pd.DataFrame) -> list[RunnerUp]:
    columns = (others[name].tolist() for name in ("rep", "p", "value"))
    return [
        RunnerUp(
            rep_id=situation.rep_ids[rep], p_convert=p, value=value, shadow_price=None
        )
        for rep, p, value in zip(*columns, strict=True)
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and publish."""
    chosen = options(__doc__ or "", argv, repetitions=3, quick_repetitions=1)
    n_leads = 800 if chosen.quick else N_LEADS
    n_reps = 30 if chosen.quick else N_REPS
    share = 0.2
    settings = MarketSettings(
        n_leads=round(n_leads / share), n_reps=n_reps, backlog_share=share, seed=3
    )
    with served_market(settings) as served:
        ours(served)  # the adviser is made once and kept, as a server keeps it
        gc.freeze()  # as the commands do
        median = side_by_side(
            {"RightRep": lambda: ours(served), "naive": lambda: naive(served)},
            chosen.repetitions,
        )
        cold = _cold(served)
        leads = int(served.market.unassigned.size)
    ratio = median["naive"] / median["RightRep"]
    rows: list[Row] = [
        {"pipeline": name, "seconds": value, "times faster": median["naive"] / value}
        for name, value in {**median, "RightRep, first run": cold}.items()
    ]
    return publish(
        Figure(
            name="whole_batch",
            value=ratio,
            bar=BAR,
            holds=ratio >= BAR,
            rows=rows,
            title=f"{leads:,} leads x {n_reps} reps, store to store (a peer: 81 s)",
            notes=[
                "both end in one transaction that is undone, so that runs are alike",
                "the naive pipeline is given the profiles; it keeps no plan, and gives "
                "lead by lead with the store's function for one lead",
                "the first run also reads the whole history and rates every rep",
            ],
            extra={"seconds": median["RightRep"], "cold_seconds": cold},
        ),
        quick=chosen.quick,
    )


def _cold(served: ServedMarket) -> float:
    """Seconds of the first run of a process: the history is read and rated."""
    clock = served.context.clock
    assert isinstance(clock, FixedClock)
    clock.move(timedelta(hours=1))
    return side_by_side({"cold": lambda: ours(served)}, 1)["cold"]


if __name__ == "__main__":
    raise SystemExit(main())
