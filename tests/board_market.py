"""A small market for the pages: reps, leads, a plan with prices, some decisions.

The chances are drawn, everything else is real: who may take what, the solver's plan,
its prices and bound, and the decisions that a commit writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pyarrow as pa

from optimizer.optimum import solve
from optimizer.policies import POLICIES
from optimizer.problem import UNASSIGNED
from optimizer.verify import total_value
from rightrep.domain.decision import RunnerUp
from rightrep.domain.ids import LeadId, RepId, new_id
from rightrep.domain.lead import Lead
from rightrep.domain.money import Money
from rightrep.domain.plan import LineState, PlanRep, StoredPlan
from rightrep.store import plans
from rightrep.store.exclusions import save_roster, unpacked
from rightrep.store.models import PublishedModel, promote, publish_model
from rightrep.store.runner_ups import runner_ups_text
from rightrep.store.session import ReadSession, WriteSession
from serving.usecases.committing import commit_plan
from serving.usecases.situation import Situation, problem_of, read_situation
from tests.serving_parts import Served

MODEL = "2026-03-01-a1b2c3"
BASELINES = ("round_robin", "least_loaded", "random")


@dataclass(frozen=True)
class Person:
    """A rep as the API takes one."""

    external_id: str
    name: str
    languages: Sequence[str]
    holding_limit: int
    team: str


REPS = (
    Person("R01", "王芳", ["zh"], 9, "华东一部"),
    Person("R02", "李伟", ["zh"], 8, "华东一部"),
    Person("R03", "Zhang Min 张敏", ["zh", "en"], 10, "华东一部"),
    Person("R04", "刘洋", ["zh"], 6, "华南二部"),
    Person("R05", "陈静", ["zh"], 7, "华南二部"),
    Person("R06", "Olivia Martin", ["en"], 6, "North America"),
    Person("R07", "James O'Neill", ["en"], 5, "North America"),
    Person("R08", "Søren Øst", ["en", "de"], 4, "Europe"),
    Person("R09", "赵磊", ["zh", "en"], 12, "华南二部"),
)
COMPANIES = ("上海明达科技有限公司", "Northwind Traders", "深圳云帆软件", "Ärzte GmbH")
LANGUAGES = ("zh", "en", "zh", "de")
PRODUCTS = ("CRM Suite", "Analytics", "Telephony")


def rep_rows() -> list[dict[str, object]]:
    """Bodies of ``POST /v1/reps``."""
    return [
        {
            "external_id": rep.external_id,
            "name": rep.name,
            "languages": rep.languages,
            "holding_limit": rep.holding_limit,
            "team": rep.team,
        }
        for rep in REPS
    ]


def lead_rows(count: int, *, first: int = 0) -> list[dict[str, object]]:
    """Bodies of ``POST /v1/leads``."""
    return [
        {
            "external_id": f"L{k:05d}",
            "created_at": f"2026-03-01T{8 + k % 10:02d}:{k % 60:02d}:00+08:00",
            "company": f"{COMPANIES[k % 4]} {k // 4 + 1}",
            "language": LANGUAGES[k % 4],
            "product": PRODUCTS[k % 3],
            "region": ("East China", "North America", "South China", "Europe")[k % 4],
            "deal_value": {"amount": str(20_000 + 7_919 * (k % 37)), "currency": "CNY"},
        }
        for k in range(first, first + count)
    ]


def add_model(session: WriteSession, *, at: datetime) -> None:
    """A published champion, as serving finds it."""
    model = PublishedModel(
        version=MODEL,
        path="models/champion.rr",
        sha256="0" * 64,
        columns_version="c1",
        label_window_days=60,
        metrics={"log_loss": 0.41},
        data_hash="d" * 16,
        trained_as_of=at,
        published_at=at,
    )
    publish_model(session, model)
    promote(session, MODEL, actor="test", reason="by hand", at=at)


def add_plan(
    session: WriteSession, lead_ids: Sequence[LeadId], *, at: datetime, seed: int = 3
) -> StoredPlan:
    """Share the leads out by the solver and keep the plan, as planning does."""
    situation = read_situation(session, lead_ids, at=at)
    chance = np.random.default_rng(seed).beta(2, 6, situation.codes.shape)
    minor = np.array([_minor(lead) for lead in situation.leads])
    problem = replace(problem_of(situation, None), value=chance * minor[:, None])
    priced = solve(problem)
    rep_of = priced.plan.rep_of
    value = total_value(problem, priced.plan)
    header = StoredPlan(
        plan_id=new_id(at),
        policy="optimal",
        actor="test",
        as_of=at,
        created_at=at,
        value=value,
        bound=priced.bound,
        gap=max(0.0, priced.bound - value) / priced.bound,
        model_version=MODEL,
        roster=save_roster(session, situation.rep_ids),
        problem={
            "n_leads": problem.n_leads,
            "n_reps": problem.n_reps,
            "assigned": int((rep_of != UNASSIGNED).sum()),
            "lottery": 0,
            "objective": "value",
        },
        baselines={
            name: {"value": total_value(problem, POLICIES[name](problem))}
            for name in BASELINES
        },
    )
    given = np.bincount(rep_of[rep_of != UNASSIGNED], minlength=problem.n_reps)
    meant = [
        PlanRep(
            rep_id=entry.rep_id,
            capacity=int(problem.capacity[j]),
            floor=0,
            load=entry.held,
            given=int(given[j]),
            shadow_price=float(priced.shadow_price[j]),
            binding=bool(given[j] >= problem.capacity[j]),
        )
        for j, entry in enumerate(situation.roster)
    ]
    plans.save_plan(session, header, meant)
    lines = _lines(situation, rep_of, chance, problem.value, priced.shadow_price)
    plans.save_lines(session, header.plan_id, lines, exclusions=situation.codes)
    return header


def settle_in(served: Served, count: int = 30) -> list[LeadId]:
    """Send the reps and some leads by the API; gives our ids of the leads."""
    answer = served.post("/v1/reps", {"reps": rep_rows()})
    assert answer.status_code == 200, answer.text
    return more_leads(served, count)


def more_leads(served: Served, count: int, *, first: int = 0) -> list[LeadId]:
    """Send some leads by the API; gives our ids."""
    answer = served.post("/v1/leads", {"leads": lead_rows(count, first=first)})
    assert answer.status_code == 200, answer.text
    return [LeadId(lead["lead_id"]) for lead in answer.json()["leads"]]


def waiting_leads(session: ReadSession, plan: StoredPlan) -> list[LeadId]:
    """Leads that a plan gives to nobody although somebody may take them."""
    lines = plans.read_lines(session, plan.plan_id, state=LineState.UNASSIGNED)
    return [
        LeadId(lead_id)
        for lead_id, packed in zip(
            lines["lead_id"].to_pylist(), lines["exclusions"].to_pylist(), strict=True
        )
        if not unpacked(packed).all()
    ]


def commit(session: WriteSession, plan: StoredPlan, *, at: datetime) -> None:
    """Act on a plan."""
    commit_plan(session, plan.plan_id, at=at, actor="test")


def _lines(
    situation: Situation,
    rep_of: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    chance: "np.ndarray[tuple[int, int], np.dtype[np.float64]]",
    value: "np.ndarray[tuple[int, int], np.dtype[np.floating]]",
    price: "np.ndarray[tuple[int], np.dtype[np.float64]]",
) -> pa.Table:
    ids = situation.rep_ids
    p, worth, paid = (np.full(rep_of.size, np.nan) for _ in range(3))
    runner_ups = []
    for i, j in enumerate(rep_of.tolist()):
        if j != UNASSIGNED:
            p[i], worth[i], paid[i] = chance[i, j], value[i, j], price[j]
        net = np.where(situation.eligible[i], value[i] - price, -np.inf)
        others = [k for k in np.argsort(-net).tolist() if k != j and net[k] > -np.inf]
        runner_ups.append(
            runner_ups_text(
                RunnerUp(
                    rep_id=RepId(ids[k]),
                    p_convert=float(chance[i, k]),
                    value=float(value[i, k]),
                    shadow_price=float(price[k]),
                )
                for k in others[:3]
            )
        )
    return pa.table(
        {
            "lead_id": pa.array(situation.lead_ids, pa.string()),
            "rep_id": pa.array(
                np.array([*ids, None], dtype=object)[rep_of], pa.string()
            ),
            "p_convert": p,
            "value": worth,
            "shadow_price": paid,
            "runner_ups": runner_ups,
        }
    )


def _minor(lead: Lead) -> float:
    worth = lead.attributes.deal_value
    assert isinstance(worth, Money)
    return float(worth.minor)
