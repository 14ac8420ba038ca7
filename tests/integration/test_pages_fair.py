"""Is it fair? Shares are those of the decisions, and the curve is the plan's own."""

import csv
import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from optimizer.fairness import solve_fair
from optimizer.shares import Fairness
from rightrep.domain.decision import Decision
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.roles import Role
from rightrep.store import jobs, plans
from rightrep.store.decisions import log_decisions
from rightrep.store.engine import Store
from serving.usecases import trade_off
from serving.usecases.keeping import keep_plan
from serving.usecases.planning import PlanRequest, make_plan
from serving.usecases.situation import problem_of
from serving.web.language import COOKIE
from tests.drawn_market import draw_model
from tests.integration.test_pages_board import read, signed_in
from tests.integration.test_pages_languages import ENGLISH_WORDS
from tests.serving_parts import ACME, Served, serve
from tests.store_records import decision

N_LEADS = 12


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    return signed_in(serve(store, tmp_path))


def market(served: Served) -> tuple[list[LeadId], list[RepId]]:
    """Leads, and three reps of whom the first is by far the best."""
    reps = [RepId(one) for one in served.add_reps("best", "mean", team="red")]
    reps += [RepId(one) for one in served.add_reps("new", team="blue", weight=2.0)]
    leads = [LeadId(x) for x in served.add_leads(*(f"L{k}" for k in range(N_LEADS)))]
    draw_model(served, dict(zip(reps, (0.5, 0.2, 0.1), strict=True)))
    return leads, reps


def give(served: Served, *pairs: tuple[LeadId, RepId]) -> list[Decision]:
    """Log who was given what, just now."""
    made = [decision(lead, rep, served.clock.now()) for lead, rep in pairs]
    with served.context.store.write(ACME) as session:
        log_decisions(session, made)
    return made


def planned(served: Served) -> str:
    made = make_plan(served.context, ACME, PlanRequest(policy="optimal"))
    with served.context.store.write(ACME) as session:
        keep_plan(session, made)
    return made.header.plan_id


def rows(served: Served, path: str = "/fair.csv") -> dict[str, dict[str, str]]:
    text = served.http.get(path).content.decode("utf-8-sig")
    return {row["name"]: row for row in csv.DictReader(io.StringIO(text))}


def test_a_period_without_decisions_says_so(served: Served) -> None:
    assert "There are no reps yet." in read(served, "/fair")
    served.add_reps("r1")

    shown = read(served, "/fair")

    assert "No lead was given in this period." in shown
    assert "There is no plan yet." in shown


def test_a_decision_moves_the_shares_of_its_rep_and_team(served: Served) -> None:
    leads, (best, mean, new) = market(served)
    give(served, (leads[0], best), (leads[1], mean), (leads[2], new))
    before = rows(served)

    give(served, (leads[3], best), (leads[4], best))

    after, shown = rows(served), read(served, "/fair")
    assert float(before["Rep best"]["load_share"]) == pytest.approx(1 / 3)
    assert float(after["Rep best"]["load_share"]) == pytest.approx(3 / 5)
    assert float(after["red"]["load_share"]) == pytest.approx(4 / 5)
    assert float(after["red"]["weight_share"]) == pytest.approx(2 / 4)
    assert "5 leads were given." in shown
    words = "Rep best: 60.0% of the leads, where the weight asks for 25.0%."
    assert words in shown
    assert "From 5 decisions of the log" in shown


def test_quality_is_the_chance_of_the_leads_given(served: Served) -> None:
    leads, (best, mean, _) = market(served)
    pairs = [(lead, best if k % 2 else mean) for k, lead in enumerate(leads)]
    give(served, *pairs)
    at = np.zeros(N_LEADS, dtype=np.int64)
    chance = served.context.advisers.get(ACME).quality_then(leads, at)  # type: ignore[union-attr]

    shown = rows(served)

    mine = chance[1::2].sum()
    assert float(shown["Rep best"]["quality_share"]) == pytest.approx(
        mine / chance.sum()
    )
    ratio = mine / (N_LEADS / 2) / chance.mean()
    assert float(shown["Rep best"]["quality_ratio"]) == pytest.approx(ratio)
    assert shown["Rep best"]["model_version"] == "drawn"


def test_leads_given_before_the_period_are_left_out(served: Served) -> None:
    leads, (best, _, new) = market(served)
    give(served, (leads[0], best))
    served.clock.move(timedelta(days=8))
    signed_in(served)
    give(served, (leads[1], new))

    week, month = rows(served, "/fair.csv?days=7"), rows(served, "/fair.csv?days=30")

    assert week["Rep best"]["leads_given"] == "0"
    assert month["Rep best"]["leads_given"] == "1"
    assert served.http.get("/fair?days=0").status_code == 422


def test_who_is_away_or_gone_has_leads_and_no_share(served: Served) -> None:
    leads, (best, mean, _) = market(served)
    give(served, (leads[0], best), (leads[1], mean))
    served.clock.move(timedelta(minutes=1))
    served.add_reps("best", status="left")

    shown = rows(served)

    assert shown["Rep best"]["leads_given"] == "1"
    assert shown["Rep best"]["load_share"] == ""
    assert float(shown["Rep mean"]["load_share"]) == 1.0


def test_the_curve_is_that_of_the_plan_and_the_plan_is_on_it(served: Served) -> None:
    market(served)
    plan_id = planned(served)
    waiting = read(served, "/fair")

    while served.work():
        pass

    with served.context.store.read(ACME) as session:
        plan = plans.read_plan(session, plan_id)
    curve = trade_off.Curve.of(plan)
    assert curve is not None
    assert "The curve waits for a worker." in waiting
    assert plan.value == pytest.approx(curve.value)
    assert curve.points[0].value == pytest.approx(curve.value)
    spreads = [point.spread for point in curve.points]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[-1] < spreads[0]
    shown = read(served, "/fair")
    assert f"the worst rep is {curve.spread:.1%} of all leads off the weight" in shown
    assert f"From plan {plan_id}" in shown
    told = served.get(f"/v1/assignments/plan/{plan_id}").json()["trade_off"]
    assert told["points"][0]["value"] == curve.points[0].value


def test_each_point_is_the_fairest_plan_at_its_dial(served: Served) -> None:
    leads, _ = market(served)
    made = make_plan(served.context, ACME, PlanRequest(policy="optimal"))
    with served.context.store.write(ACME) as session:
        keep_plan(session, made)
    problem = problem_of(made.situation, made.scores)
    problem = replace(problem, load=np.zeros(problem.n_reps, dtype=np.int64))

    while served.work():
        pass

    with served.context.store.read(ACME) as session:
        curve = trade_off.Curve.of(plans.read_plan(session, made.header.plan_id))
    assert curve is not None
    for point in curve.points[::5]:
        found = solve_fair(problem, Fairness(dial=point.dial))
        assert point.spread == pytest.approx(found.spread)
    assert problem.n_leads == len(leads)


def test_a_committed_plan_still_gets_its_curve(served: Served) -> None:
    market(served)
    body = {"policy": "optimal", "commit": True}
    answer = served.post("/v1/assignments/plan", body)
    assert answer.status_code == 202, answer.text

    while served.work():
        pass

    with served.context.store.read(ACME) as session:
        plan = plans.list_plans(session, limit=1)[0]
    curve = trade_off.Curve.of(plan)
    assert curve is not None
    assert curve.value == pytest.approx(plan.value)
    assert curve.points[0].value == pytest.approx(plan.value)


def test_a_curve_that_failed_says_why_in_both_languages(served: Served) -> None:
    market(served)
    planned(served)
    other = replace(served.context.advisers.get(ACME), version="other")  # type: ignore[type-var]
    object.__setattr__(served.context, "advisers", other)

    while served.work():
        pass

    with served.context.store.read(ACME) as session:
        job = jobs.list_jobs(session, kind=trade_off.TRADE_OFF)[0]
    assert job.state == "failed"
    shown = read(served, "/fair")
    assert "Another model answers by now than made the plan." in shown
    served.http.cookies.set(COOKIE, "zh")
    assert ENGLISH_WORDS.findall(read(served, "/fair").replace("rightrep", "")) == []


def test_a_plan_without_a_model_asks_for_no_curve(served: Served) -> None:
    served.add_reps("r1")
    served.add_leads("L1")
    planned(served)

    assert "made without a model" in read(served, "/fair")
    with served.context.store.read(ACME) as session:
        assert jobs.list_jobs(session, kind=trade_off.TRADE_OFF) == []


def test_an_analyst_sees_shares_and_no_names(store: Store, tmp_path: Path) -> None:
    served = signed_in(serve(store, tmp_path), Role.ANALYST)
    leads, (best, *_) = market(served)
    give(served, (leads[0], best))

    assert "Rep best" not in served.http.get("/fair").text
    assert best in rows(served)[f"rep {best[-8:]}"]["id"]
