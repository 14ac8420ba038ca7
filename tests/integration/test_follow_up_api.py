"""Follow-up by API: who sees which tasks, remarks, response times and weeks."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rightrep.domain.ids import RepId
from rightrep.domain.roles import Role
from rightrep.domain.schedule import DEFAULTS
from rightrep.store import jobs
from rightrep.store.engine import Store
from serving.usecases.followup import FOLLOW_UP
from serving.usecases.jobs import handlers
from serving.usecases.tenancy import new_key
from tests.serving_parts import ACME, Served, serve

OFFICE = [{"weekday": day, "start": "09:00", "end": "18:00"} for day in range(5)]


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    """Two reps of one team, who have a lead each since Monday noon."""
    served = serve(store, tmp_path)
    served.add_reps("r1", "r2", team="east", shifts=OFFICE)
    for lead, rep in (("l1", "r1"), ("l2", "r2")):
        served.add_leads(lead)
        given = served.post(f"/v1/leads/{lead}/assign", {"rep": rep})
        assert given.status_code == 200, given.text
    return served


def key_of(served: Served, rep: str) -> str:
    return new_key(served.context, ACME, Role.REP, rep, rep_id=RepId(rep)).secret


def look(served: Served) -> Any:
    """What the job comes to, asked for by a manager."""
    asked = served.post("/v1/tasks/look", {}, role=Role.MANAGER)
    assert asked.status_code == 202, asked.text
    while served.work():
        pass
    with served.context.store.read(ACME) as session:
        return jobs.read_job(session, asked.json()["job_id"]).result


def test_a_rep_sees_own_tasks_and_a_manager_the_teams(served: Served) -> None:
    key = key_of(served, "r1")

    own = served.get("/v1/tasks", key=key).json()
    team = served.get("/v1/tasks?team=east", role=Role.MANAGER).json()

    assert len(own["tasks"]) == 1
    assert len(team["tasks"]) == 2
    assert [(rep["open"], rep["overdue"]) for rep in team["reps"]] == [(1, 0)] * 2
    assert served.get("/v1/tasks?rep=r2", key=key).status_code == 403
    assert served.get("/v1/tasks?team=east", key=key).status_code == 403
    assert served.get("/v1/tasks", role=Role.MANAGER).status_code == 422


def test_overdue_tasks_are_told_apart(served: Served) -> None:
    served.clock.move(timedelta(days=3))

    late = served.get("/v1/tasks?team=east&overdue=true", role=Role.MANAGER).json()
    done = look(served)

    assert [task["state"] for task in late["tasks"]] == ["overdue"] * 2
    assert (done["opened"], done["breached"]) == (2, 2)


def test_settings_say_when_tasks_are_due(served: Served) -> None:
    sent = {"hours": {"follow_up": 9}, "counting": "working_hours"}
    path = "/v1/settings/follow-up"

    put = served.call("PUT", path, {"follow_up": sent}, role=Role.MANAGER)
    (task,) = served.get("/v1/tasks?rep=r1").json()["tasks"]

    assert put.status_code == 200, put.text
    assert served.get(path).json() == put.json()
    assert put.json()["follow_up"]["hours"]["opportunity"] == 24
    assert task["due_at"] == "2026-03-03T04:00:00Z"  # Tuesday noon in Shanghai
    refused = served.call(
        "PUT", path, {"follow_up": {"counting": "moons"}}, role=Role.MANAGER
    )
    assert (refused.status_code, refused.json()["field"]) == (
        422,
        "follow_up.counting",
    )
    assert served.call("PUT", path, {"follow_up": {}}).status_code == 403


def test_a_rep_dates_remarks_on_own_leads_alone(served: Served) -> None:
    body = {"text": "预算冻结到第四季度", "remind_on": "2026-10-01"}
    own, other = key_of(served, "r1"), key_of(served, "r2")

    made = served.post("/v1/leads/l1/remarks", body, key=own)

    assert made.status_code == 201, made.text
    assert made.json()["told_at"] is None
    listed = served.get("/v1/leads/l1/remarks", key=own).json()["remarks"]
    assert [one["text"] for one in listed] == [body["text"]]
    assert served.get("/v1/leads/l1/remarks", key=other).status_code == 404
    assert served.post("/v1/leads/l1/remarks", body, key=other).status_code == 404
    hidden = served.get("/v1/leads/l1/remarks", role=Role.ANALYST)
    assert hidden.status_code == 403


def test_a_reminder_in_the_past_is_refused_and_nothing_is_kept(
    served: Served,
) -> None:
    body = {"text": "call again", "remind_on": "2026-03-01"}

    answer = served.post("/v1/leads/l1/remarks", body)

    assert (answer.status_code, answer.json()["field"]) == (422, "remind_on")
    assert served.get("/v1/leads/l1/remarks").json()["remarks"] == []


def test_response_times_and_the_week_follow_from_activities(served: Served) -> None:
    look(served)
    served.clock.move(timedelta(hours=3))
    call = {
        "event_id": "a-1", "kind": "call", "lead": "l1", "rep": "r1",
        "happened_at": served.clock.now().isoformat(),
    }  # fmt: skip
    told = served.post("/v1/feedback/activities", {"activities": [call]})
    assert told.status_code == 201, told.text

    fast = served.get("/v1/response-times?rep=r1").json()["reps"][0]["response"]
    slow = served.get("/v1/response-times?rep=r2").json()["reps"][0]["response"]
    (week,) = served.get("/v1/weeks?rep=r1&day=2026-03-08").json()["reps"]

    assert (fast["median_hours"], fast["in_time_share"]) == (3.0, 1.0)
    assert (slow["n_tasks"], slow["n_judged"], slow["in_time_share"]) == (1, 0, None)
    assert (week["week"], week["activities"]) == ("2026-03-02", {"call": 1})
    key = key_of(served, "r2")
    for path in ("/v1/response-times", "/v1/weeks"):
        assert served.get(f"{path}?rep=r1", key=key).status_code == 403


def test_whatever_recurs_can_be_done(served: Served) -> None:
    assert FOLLOW_UP in DEFAULTS
    assert DEFAULTS.keys() <= handlers(served.context).keys()
