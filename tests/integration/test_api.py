"""What a CRM may rely on when it talks to the API."""

from pathlib import Path

import pytest

from rightrep.domain.ids import TenantId
from rightrep.domain.roles import Role
from rightrep.store.engine import Store
from rightrep.store.plans import list_plans
from serving.usecases.tenancy import new_key
from tests.serving_parts import ACME, Served, serve

NOBODY = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    return serve(store, tmp_path)


def test_nothing_is_told_without_a_key(served: Served) -> None:
    for path in ("/v1/decisions", "/v1/reps", "/v1/leads/x", "/v1/jobs/x"):
        answer = served.http.get(path)

        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["type"] == "/problems/not-signed-in"


def test_a_role_may_do_its_own_things_only(served: Served) -> None:
    body = {"reps": [{"external_id": "r", "name": "R"}]}

    assert served.post("/v1/reps", body, role=Role.ANALYST).status_code == 403
    assert served.post("/v1/reps", body, role=Role.MANAGER).status_code == 403
    assert served.post("/v1/reps", body, role=Role.SERVICE).status_code == 200
    assert served.get("/v1/webhooks", role=Role.SERVICE).status_code == 403
    assert served.get("/v1/webhooks", role=Role.ADMIN).status_code == 200


def test_one_tenant_never_sees_anothers(
    served: Served, store: Store, tmp_path: Path
) -> None:
    other = serve(store, tmp_path, tenant_id=TenantId("other"))
    served.add_reps("r1")
    (lead_id,) = served.add_leads("l1")
    decision_id = served.next("l1").json()["decision_id"]

    for path in (
        f"/v1/leads/{lead_id}",
        "/v1/leads/l1",
        f"/v1/decisions/{decision_id}",
    ):
        assert served.get(path, role=Role.MANAGER).status_code == 200
        assert other.get(path, role=Role.MANAGER).status_code == 404
    assert other.get("/v1/decisions").json()["decisions"] == []
    assert other.get("/v1/reps").json()["reps"] == []
    assert other.next("l1").status_code == 404


def test_sending_a_lead_again_changes_nothing(served: Served) -> None:
    row = {
        "external_id": "l1",
        "created_at": "2026-03-01T08:00:00+08:00",
        "company": "上海明达科技有限公司",
        "phone": "138 0013 8000",
        "industry": "制造",
        "deal_value": {"amount": "12800.50", "currency": "CNY"},
    }

    first = served.post("/v1/leads", {"leads": [row]}).json()
    again = served.post("/v1/leads", {"leads": [row]}).json()
    changed = served.post("/v1/leads", {"leads": [{**row, "industry": "零售"}]}).json()

    assert (first["changed"], again["changed"], changed["changed"]) == (1, 0, 1)
    assert first["leads"] == again["leads"] == changed["leads"]
    lead = served.get("/v1/leads/l1").json()
    assert lead["industry"] == "零售"
    assert lead["deal_value"] == {"amount": "12800.50", "currency": "CNY"}
    assert "phone" not in lead


def test_an_impossible_phone_is_marked_and_kept(served: Served) -> None:
    row = {"external_id": "l1", "created_at": "2026-03-01T00:00:00Z", "phone": "12"}

    answer = served.post("/v1/leads", {"leads": [row]}).json()

    assert answer["leads"][0]["impossible"] == ["phone"]


def test_without_a_model_the_fallback_answers_and_says_so(served: Served) -> None:
    busy, free = served.add_reps("busy", "free")
    served.add_leads("l0", owner="busy")
    served.add_leads("l1")

    answer = served.next("l1").json()

    assert answer["rep_id"] == free
    assert answer["policy"] == "least_loaded"
    assert "no model" in answer["fallback"]
    assert [other["rep_id"] for other in answer["runner_ups"]] == [busy]
    logged = served.get(f"/v1/decisions/{answer['decision_id']}").json()
    assert logged["fallback"] == answer["fallback"]
    assert logged["propensity"] is None


def test_a_lead_has_one_owner_and_asking_again_names_them(served: Served) -> None:
    (rep_id,) = served.add_reps("r1")
    served.add_leads("l1")
    served.next("l1")

    again = served.next("l1")

    assert again.status_code == 409
    assert again.json()["type"] == "/problems/already-owned"
    assert again.json()["owner"] == rep_id


def test_the_same_key_gives_the_same_answer_and_one_effect(served: Served) -> None:
    served.add_reps("r1", "r2")
    served.add_leads("l1", "l2")
    key = {"Idempotency-Key": "k1"}

    first = served.next("l1", headers=key)
    again = served.next("l1", headers=key)
    other = served.next("l2", headers=key)

    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status_code, other.json()["type"]) == (422, "/problems/key-reused")
    assert len(served.get("/v1/decisions").json()["decisions"]) == 1


def test_a_refusal_is_stored_with_its_key_too(served: Served) -> None:
    served.add_reps("r1")
    key = {"Idempotency-Key": "k1"}

    first = served.next("late", headers=key)
    served.add_leads("late")
    again = served.next("late", headers=key)

    assert (first.status_code, again.status_code) == (404, 404)
    assert first.content == again.content
    assert served.next("late", headers={"Idempotency-Key": "k2"}).status_code == 200


def test_a_dry_run_changes_nothing(served: Served) -> None:
    served.add_reps("r1", "r2")
    served.add_leads("l1")
    before = served.get("/v1/reps").json()

    told = served.post("/v1/assignments/next", {"lead": "l1", "dry_run": True}).json()

    assert told["rep_id"] is not None
    assert told["decision_id"] is None
    assert served.get("/v1/reps").json() == before
    assert served.get("/v1/decisions").json()["decisions"] == []
    assert served.get("/v1/leads/l1").json()["owner"] is None


def test_every_rep_who_may_not_has_a_reason(served: Served) -> None:
    served.add_reps("full", holding_limit=0)
    served.add_reps("paused", status="paused")
    served.add_reps("english", languages=["en"])
    served.add_leads("l1", language="zh")

    answer = served.next("l1").json()

    assert answer["rep_id"] is None
    assert answer["decision_id"] is None
    assert "Nobody may take this lead" in answer["reason"]
    assert sorted(row["code"] for row in answer["excluded"]) == [
        "holding_limit",
        "language",
        "paused",
    ]


def test_a_rep_is_never_filled_over_the_daily_intake(served: Served) -> None:
    served.add_reps("r1", "r2", intake_per_day=1)
    served.add_leads("l1", "l2", "l3")

    given = [served.next(lead).json()["rep_id"] for lead in ("l1", "l2", "l3")]

    assert given[2] is None
    assert len({given[0], given[1]}) == 2
    taken = [rep["taken_today"] for rep in served.get("/v1/reps").json()["reps"]]
    assert taken == [1, 1]


def test_a_rep_who_declined_does_not_get_the_lead_again(served: Served) -> None:
    first, second = served.add_reps("r1", "r2")
    served.add_leads("l1")
    chosen = served.next("l1").json()["rep_id"]
    other = second if chosen == first else first

    said = {"lead": "l1", "word": "declined", "rep": chosen}
    answer = served.post("/v1/feedback/ownership", said)
    again = served.next("l1").json()

    assert (answer.status_code, answer.json()["owner"]) == (200, None)
    assert again["rep_id"] == other
    assert again["excluded"] == [
        {"rep_id": chosen, "code": "declined", "why": "Declined this lead before."}
    ]


def test_the_crm_may_confirm_or_correct_the_owner(served: Served) -> None:
    first, second = served.add_reps("r1", "r2")
    served.add_leads("l1")
    chosen = served.next("l1").json()["rep_id"]
    other = second if chosen == first else first

    def say(word: str, rep: str | None) -> tuple[int, object]:
        body = {"lead": "l1", "word": word, "rep": rep}
        answer = served.post("/v1/feedback/ownership", body)
        return answer.status_code, answer.json().get("owner")

    assert say("confirmed", chosen) == (200, chosen)
    assert say("confirmed", other)[0] == 409
    assert say("overridden", other) == (200, other)
    assert say("overridden", None) == (200, None)
    held = {r["rep_id"]: r["held"] for r in served.get("/v1/reps").json()["reps"]}
    assert held == {first: 0, second: 0}


def test_an_outcome_told_twice_is_logged_once(served: Served) -> None:
    served.add_reps("r1")
    served.add_leads("l1")
    served.next("l1")
    told = {
        "event_id": "e1",
        "lead": "l1",
        "result": "won",
        "closed_at": "2026-03-02T12:00:00+08:00",
        "value": {"amount": "100.00", "currency": "CNY"},
    }

    first = served.post("/v1/feedback/outcomes", {"outcomes": [told]})
    again = served.post("/v1/feedback/outcomes", {"outcomes": [told]})
    changed = {**told, "result": "lost"}
    other = served.post("/v1/feedback/outcomes", {"outcomes": [changed]})

    assert (first.status_code, first.json()) == (201, {"recorded": [True]})
    assert again.json() == {"recorded": [False]}
    assert (other.status_code, other.json()["type"]) == (422, "/problems/key-reused")
    assert served.get("/v1/reps").json()["reps"][0]["held"] == 0


def test_a_rep_sees_own_decisions_and_leads_only(served: Served) -> None:
    mine, theirs = served.add_reps("mine", "theirs")
    served.add_leads("a", owner="mine")
    served.add_leads("b", owner="theirs")
    key = new_key(served.context, ACME, Role.REP, "mine", rep_id=mine).secret

    assert served.get("/v1/leads/a", key=key).status_code == 200
    assert served.get("/v1/leads/b", key=key).status_code == 404
    assert served.get(f"/v1/decisions?rep={theirs}", key=key).status_code == 403
    assert [r["rep_id"] for r in served.get("/v1/reps", key=key).json()["reps"]] == [
        mine
    ]
    assert served.next("a", key=key).status_code == 403


def test_a_plan_is_previewed_and_then_committed_lead_by_lead(served: Served) -> None:
    served.add_reps("r1", "r2", intake_per_day=2)
    served.add_leads("a", "b", "c", "d", "e")
    asked = served.post("/v1/assignments/plan", {"policy": "round_robin"})
    job_id = asked.json()["job_id"]

    assert (asked.status_code, asked.json()["state"]) == (202, "queued")
    assert served.work()
    job = served.get(f"/v1/jobs/{job_id}").json()
    assert job["state"] == "done", job
    plan_id = job["result"]["plan_id"]
    plan = served.get(f"/v1/assignments/plan/{plan_id}").json()
    assert plan["states"] == {"previewed": 4, "unassigned": 1}
    assert served.get("/v1/decisions").json()["decisions"] == []

    planned = next(line for line in plan["lines"] if line["state"] == "previewed")
    taken = {"lead": planned["lead_id"], "word": "overridden", "rep": "r1"}
    served.post("/v1/feedback/ownership", taken)
    path = f"/v1/assignments/plan/{plan_id}/commit"
    refused = served.post(path, {"atomic": True})
    committed = served.post(path, {})

    assert refused.status_code == 409
    states = committed.json()["lines"]
    assert states["unassigned"] == 1
    assert states["owned"] == 1
    assert states["committed"] + states.get("full", 0) == 3
    logged = served.get("/v1/decisions").json()["decisions"]
    assert len(logged) == states["committed"]
    assert {made["policy"] for made in logged} == {"round_robin"}


@pytest.mark.parametrize("after", [-2, 2**31, -51178653570197463498752])
def test_a_page_after_no_line_that_could_be_is_refused(
    served: Served, after: int
) -> None:
    served.add_reps("r1")
    served.add_leads("a")
    served.post("/v1/assignments/plan", {"policy": "round_robin"})
    assert served.work()
    with served.context.store.read(ACME) as session:
        [plan] = list_plans(session)
    for path in (f"assignments/plan/{plan.plan_id}", f"handovers/{plan.plan_id}/leads"):
        answer = served.get(f"/v1/{path}?after={after}", role=Role.MANAGER)
        assert answer.status_code == 422, answer.text


def test_a_lottery_logs_its_propensity(store: Store, tmp_path: Path) -> None:
    routing = {"routing": {"exploration_share": 1.0, "lottery_salt": "s"}}
    served = serve(store, tmp_path, settings=routing)
    served.add_reps("r1", "r2", "r3", "r4")
    served.add_leads("l1")

    answer = served.next("l1").json()

    assert answer["policy"] == "lottery"
    assert answer["propensity"] == 0.25


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/nothing", None, 404),
        ("DELETE", "/v1/leads", None, 405),
        ("POST", "/v1/leads", {"leads": []}, 422),
        ("POST", "/v1/leads", {"leads": [{"external_id": "x"}]}, 422),
        ("POST", "/v1/leads", {"lead": 1}, 422),
        ("POST", "/v1/assignments/next", {"lead": "x\x00"}, 422),
        ("POST", "/v1/assignments/plan", {"policy": "magic"}, 422),
        ("GET", "/v1/decisions?cursor=nonsense", None, 422),
        ("GET", "/v1/decisions?limit=0", None, 422),
        ("GET", f"/v1/decisions/{NOBODY}", None, 404),
        ("GET", "/v1/leads/x/scores", None, 404),
    ],
)
def test_every_refusal_is_a_problem_document(
    served: Served, method: str, path: str, body: object, status: int
) -> None:
    answer = served.call(method, path, body, role=Role.ADMIN)

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("/problems/")
    assert problem["detail"]


def test_a_refused_method_names_those_that_work(served: Served) -> None:
    answer = served.call("DELETE", "/v1/reps", role=Role.ADMIN)

    assert answer.headers["allow"] == "GET, POST"


def test_a_body_that_is_too_large_is_refused(served: Served) -> None:
    rows = [{"external_id": "x", "name": "y" * 200}] * 50_000

    answer = served.post("/v1/reps", {"reps": rows})

    assert answer.status_code == 413
    assert answer.json()["type"].startswith("/problems/")


def test_a_refused_request_does_not_echo_what_was_sent(served: Served) -> None:
    secret = "13800138000"

    answer = served.post("/v1/leads", {"leads": [{"phone": [secret]}]})

    assert answer.status_code == 422
    assert secret not in answer.text


def test_health_is_told_without_a_key(served: Served) -> None:
    assert served.http.get("/healthz").json() == {"status": "ok"}
    assert served.http.get("/readyz").json() == {"status": "ready"}
    served.add_reps("r1")
    page = served.http.get("/metrics").text
    assert (
        'rightrep_requests_total{method="POST",route="/v1/reps",status="200"}' in page
    )
