"""Plans kept: the header, the reps, a line for each lead, and prices in force."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from optimizer.problem import UNASSIGNED, FloatArray
from rightrep.domain.plan import PlanRep
from rightrep.domain.slots import ArmKey
from rightrep.errors import Conflict
from rightrep.store import outbox, plans, prices
from rightrep.store.exclusions import save_roster
from rightrep.store.session import WriteSession
from rightrep.store.types import to_json
from serving.usecases.advice import Scores
from serving.usecases.arms import log_drawn
from serving.usecases.choosing import Chosen, runner_ups
from serving.usecases.planning import MadePlan
from serving.usecases.pricing import ask_for_prices, expiry, price_key
from serving.usecases.situation import Situation
from serving.usecases.trade_off import ask_for_curve


def keep_plan(session: WriteSession, made: MadePlan) -> None:
    """Write a plan down: header, reps and a line for each lead; prices in force.

    Leads that were drawn for an arm are logged with it.

    Raises:
        Conflict: A lead was drawn for another arm meanwhile, or an experiment was
            stopped; make a new plan.
    """
    situation, chosen = made.situation, made.chosen
    if made.drawn is not None:
        stopped = log_drawn(session, made.drawn, made.covariates, at=situation.at)
        if stopped:
            raise Conflict(
                f"Experiment {min(stopped)!r} was stopped while the plan was made. "
                "Make a new plan."
            )
    kept = save_roster(session, situation.rep_ids)
    header = replace(made.header, roster=kept)
    plans.save_plan(session, header, _plan_reps(situation, chosen))
    lines = _lines_by_arms(made) if made.parts else _lines(made)
    plans.save_lines(session, header.plan_id, lines, exclusions=situation.codes)
    for arm, price in _prices(made):
        _publish(session, made, price, arm)
    if not made.parts:
        ask_for_curve(session, header, situation, chosen.fair)
    outbox.emit(
        session,
        "rightrep.plan.made",
        {"plan_id": header.plan_id, "policy": header.policy},
        at=situation.at,
        subject=header.plan_id,
    )


def _prices(made: MadePlan) -> list[tuple[ArmKey | None, FloatArray]]:
    """Prices of the whole, or of each arm that has any."""
    parts = [(part.arm, part.chosen) for part in made.parts] or [(None, made.chosen)]
    return [
        (arm, chosen.shadow_price)
        for arm, chosen in parts
        if chosen.shadow_price is not None and (arm is not None or not made.parts)
    ]


def _publish(
    session: WriteSession, made: MadePlan, price: FloatArray, arm: ArmKey | None
) -> None:
    """Prices of the plan in force; futures are added as soon as a worker can."""
    situation = made.situation
    routing, at = situation.routing, situation.at
    window_end = at + timedelta(hours=routing.price_hours)
    in_force = prices.PriceList(
        plan_id=made.header.plan_id,
        window_start=at,
        window_end=window_end,
        published_at=at,
        expires_at=expiry(routing, published_at=at, window_end=window_end),
        shadow_price=dict(zip(situation.rep_ids, price.tolist(), strict=True)),
        arm=price_key(arm),
    )
    prices.publish_prices(session, in_force)
    if routing.price_refresh_minutes > 0:
        ask_for_prices(session, at=at)


def _plan_reps(situation: Situation, chosen: Chosen) -> list[PlanRep]:
    problem = chosen.problem
    given = chosen.plan.rep_of[chosen.plan.rep_of != UNASSIGNED]
    count = np.bincount(given, minlength=problem.n_reps)
    short = np.zeros(problem.n_reps, np.int64)
    if chosen.fair is not None:
        short = chosen.fair.shortfall
    held = (count >= problem.capacity) | (
        (problem.floor > 0) & (count <= problem.floor)
    )
    return [
        PlanRep(
            rep_id=entry.rep_id,
            capacity=int(problem.capacity[j]),
            floor=int(problem.floor[j]),
            load=entry.held,
            given=int(count[j]),
            shortfall=int(short[j]),
            shadow_price=None
            if chosen.shadow_price is None
            else float(chosen.shadow_price[j]),
            binding=bool(held[j]),
        )
        for j, entry in enumerate(situation.roster)
    ]


def _lines(made: MadePlan) -> pa.Table:
    situation, scores, chosen = made.situation, made.scores, made.chosen
    rep_of = chosen.plan.rep_of
    given = np.flatnonzero(rep_of != UNASSIGNED)
    rep_ids = np.array([*situation.rep_ids, None], dtype=object)
    others = runner_ups(situation, scores, chosen)
    columns: dict[str, Any] = {
        "lead_id": pa.array(situation.lead_ids, pa.string()),
        "rep_id": pa.array(rep_ids[rep_of], pa.string()),
        "propensity": chosen.plan.propensity,
        "runner_ups": [to_json(row) for row in others],
        "policy": pa.array(chosen.policy, pa.string()),
    }
    if chosen.ruling is not None:
        columns["rule"] = pa.array(chosen.ruling.rules, pa.string())
    if scores is not None:
        columns |= _numbers(scores, chosen, given)
    return pa.table(columns)


def _lines_by_arms(made: MadePlan) -> pa.Table:
    """The lines of every part, each with its arm, in the order of the batch."""
    tables = []
    for part in made.parts:
        lines = _lines(MadePlan(made.header, part.situation, part.scores, part.chosen))
        named = ("", "") if part.arm is None else (part.arm.experiment, part.arm.arm)
        for column, name in zip(("experiment", "arm"), named, strict=True):
            same = pa.array([name or None] * lines.num_rows, pa.string())
            lines = lines.append_column(column, same)
        tables.append(lines)
    order = np.argsort(np.concatenate([part.rows for part in made.parts]))
    return pa.concat_tables(tables, promote_options="default").take(order)


def _numbers(
    scores: Scores, chosen: Chosen, given: np.ndarray[Any, np.dtype[np.int64]]
) -> dict[str, Any]:
    """The chosen pairs' numbers; missing where nobody was chosen."""
    n_leads, rep = chosen.problem.n_leads, chosen.plan.rep_of[given]
    p, value, price = (np.full(n_leads, np.nan) for _ in range(3))
    p[given] = scores.p_convert[given, rep]
    value[given] = chosen.problem.value[given, rep]
    if chosen.shadow_price is not None:
        price[given] = chosen.shadow_price[rep]
    rows: list[bytes | None] = [None] * n_leads
    features = scores.feature_rows(given, rep).astype("<f4")
    for i, row in zip(given.tolist(), features, strict=True):
        rows[i] = row.tobytes()
    return {
        "p_convert": p,
        "value": value,
        "shadow_price": price,
        "feature_row": pa.array(rows, pa.binary()),
    }
