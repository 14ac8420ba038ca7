"""Fairness as a tenant sets it, through the API, on both databases."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rightrep.domain.roles import Role
from rightrep.store.engine import Store
from tests.drawn_market import draw_model
from tests.serving_parts import Served, serve

LEADS = [f"l{i:02d}" for i in range(12)]


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    """Three reps, the first far better than the others, and a drawn model."""
    served = serve(store, tmp_path)
    best, good, poor = served.add_reps("best", "good", "poor")
    draw_model(served, {best: 0.6, good: 0.3, poor: 0.1})
    served.add_leads(*LEADS)
    return served


def set_fairness(served: Served, **rules: object) -> Any:
    return served.call(
        "PUT", "/v1/settings/routing", {"routing": {"fairness": rules}}, role=Role.ADMIN
    )


def job_of(served: Served, **asked: object) -> dict[str, Any]:
    """Ask for a plan, do it; gives the job."""
    body = {"policy": "optimal", **asked}
    job_id = served.post("/v1/assignments/plan", body).json()["job_id"]
    while served.work():
        pass
    job: dict[str, Any] = served.get(f"/v1/jobs/{job_id}").json()
    return job


def plan_of(served: Served, **asked: object) -> dict[str, Any]:
    """A plan, done."""
    job = job_of(served, **asked)
    assert job["state"] == "done", job
    path = f"/v1/assignments/plan/{job['result']['plan_id']}"
    plan: dict[str, Any] = served.get(path).json()
    return plan


def given(plan: dict[str, Any]) -> list[int]:
    """Leads by rep, the most first."""
    return sorted((rep["given"] for rep in plan["reps"]), reverse=True)


def test_without_fairness_the_best_rep_gets_every_lead(served: Served) -> None:
    plan = plan_of(served)

    assert given(plan) == [12, 0, 0]
    assert plan["fairness"] is None


def test_a_load_band_keeps_every_share_near_its_weight(served: Served) -> None:
    assert set_fairness(served, load_band=0.25).status_code == 200

    plan = plan_of(served)

    assert given(plan) == [5, 4, 3]
    assert plan["fairness"]["spread"] == pytest.approx(1 / 12)
    assert plan["gap"] == pytest.approx(0, abs=1e-6)
    assert plan["bound"] >= plan["value"] * (1 - 1e-9)
    assert len(plan["fairness"]["binding"]["load"]) == 2


def test_what_a_rep_was_given_in_the_window_counts(served: Served) -> None:
    set_fairness(served, dial=1.0)
    for lead in ("l00", "l01", "l02"):
        assert served.next(lead).status_code == 200

    plan = plan_of(served)
    taken = {rep["rep_id"]: rep["given"] for rep in plan["reps"]}
    before = {rep["rep_id"]: rep["load"] for rep in plan["reps"]}

    assert max(before.values()) > 0
    assert {taken[rep] + before[rep] for rep in taken} == {4}


def test_a_window_of_days_ends_with_today(served: Served) -> None:
    for lead in ("l00", "l01", "l02"):
        assert served.next(lead).status_code == 200
    served.clock.move(timedelta(days=2))

    set_fairness(served, dial=1.0)
    of_today = plan_of(served)
    set_fairness(served, dial=1.0, window_days=7)
    of_the_week = plan_of(served)

    assert given(of_today) == [3, 3, 3]
    assert given(of_the_week) == [4, 4, 1]


def test_teams_are_kept_within_the_group_band(store: Store, tmp_path: Path) -> None:
    served = serve(store, tmp_path)
    best, other = served.add_reps("a1", "a2", team="A")
    (poor,) = served.add_reps("b1", team="B")
    draw_model(served, {best: 0.6, other: 0.3, poor: 0.1})
    served.add_leads(*LEADS)
    set_fairness(served, group_band=0.0)

    plan = plan_of(served)
    by_rep = {rep["rep_id"]: rep["given"] for rep in plan["reps"]}

    assert (by_rep[best] + by_rep[other], by_rep[poor]) == (8, 4)
    assert by_rep[other] == 0
    assert sorted(plan["fairness"]["binding"]["group"]) == ["A", "B"]


def test_a_quality_band_is_answered_with_bound_and_gap(served: Served) -> None:
    set_fairness(served, quality_band=0.2)

    plan = plan_of(served)

    assert all(3 <= rep["given"] <= 5 for rep in plan["reps"])
    assert plan["value"] <= plan["bound"] * (1 + 1e-9)
    assert 0 <= plan["gap"] < 0.2


def test_promised_floors_are_kept_as_far_as_they_can_be(served: Served) -> None:
    served.add_reps("full", intake_per_day=1)
    set_fairness(served, floor=2, floors={"poor": 3})

    plan = plan_of(served)
    by_floor = sorted(
        (rep["given"], rep["floor"], rep["shortfall"]) for rep in plan["reps"]
    )

    assert by_floor == [(1, 1, 1), (2, 2, 0), (3, 3, 0), (6, 2, 0)]
    assert plan["fairness"]["promised"] == 9
    assert plan["fairness"]["shortfall"] == 1


def test_floors_of_too_few_leads_are_shared_and_the_rest_is_told(
    served: Served,
) -> None:
    set_fairness(served, floor=5)

    plan = plan_of(served)

    assert sum(rep["floor"] for rep in plan["reps"]) == 12
    assert sum(rep["shortfall"] for rep in plan["reps"]) == 3


def test_nothing_is_owed_to_a_rep_who_is_away(served: Served) -> None:
    served.clock.move(timedelta(minutes=1))
    served.add_reps("poor", status="paused")
    set_fairness(served, floor=2)

    plan = plan_of(served)

    assert given(plan) == [10, 2, 0]
    assert plan["fairness"]["shortfall"] == 0


def test_limits_that_collide_are_refused_by_name_with_what_to_loosen(
    served: Served,
) -> None:
    set_fairness(served, load_band=0.1, floors={"poor": 9})

    job = job_of(served)

    assert job["state"] == "failed"
    assert "owe 9 leads to rep poor, who can be given 5 at most" in job["error"]
    assert "Widen the load band from 0.1 to" in job["error"]
    assert "CNY" in job["error"]
    assert served.get("/v1/decisions").json()["decisions"] == []


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"load_band": -1}, "load_band"),
        ({"quality_band": "wide"}, "quality_band"),
        ({"dial": 1.5}, "dial"),
        ({"floor": 1.5}, "floor"),
        ({"floor": True}, "floor"),
        ({"window_days": 0}, "window_days"),
        ({"floors": [1]}, "floors"),
        ({"floors": {"nobody": 1}}, "floors"),
        ({"bands": 1}, "bands"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_by_name(
    served: Served, rules: dict[str, object], field: str
) -> None:
    before = served.get("/v1/settings/routing", role=Role.MANAGER).json()

    refused = set_fairness(served, **rules)

    assert refused.status_code == 422, refused.text
    assert refused.json()["field"] == f"routing.fairness.{field}"
    assert served.get("/v1/settings/routing", role=Role.MANAGER).json() == before


def test_waiting_leads_gain_weight(served: Served) -> None:
    served.clock.move(timedelta(minutes=1))
    served.add_reps("best", "good", "poor", holding_limit=1)
    (old,) = served.add_leads("a-old-one", created_at="2024-03-01T08:00:00+08:00")
    lines = plan_of(served)["lines"]
    set_waiting(served, 1.0)

    plan = plan_of(served)

    assert (len(taken_leads(lines)), len(taken_leads(plan["lines"]))) == (3, 3)
    assert old not in taken_leads(lines)
    assert old in taken_leads(plan["lines"])
    assert plan["value"] < plan["problem"]["weighed_value"]
    assert plan["problem"]["weighed_value"] == pytest.approx(plan["bound"])


def set_waiting(served: Served, gain: float) -> None:
    body = {"routing": {"waiting_gain": gain}}
    answer = served.call("PUT", "/v1/settings/routing", body, role=Role.ADMIN)
    assert answer.status_code == 200, answer.text


def taken_leads(lines: list[dict[str, Any]]) -> set[str]:
    return {line["lead_id"] for line in lines if line["rep_id"]}


def test_every_fair_plan_is_worth_no_more_than_the_free_one(served: Served) -> None:
    worth = []
    for dial in (0.0, 0.5, 1.0):
        set_fairness(served, dial=dial)
        plan = plan_of(served)
        worth.append(plan["value"])

    assert worth == sorted(worth, reverse=True)
    assert np.ptp(worth) > 0
