"""Work orders: the guide's example as it runs, and what is theirs alone."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rightrep.domain.ids import LeadId
from rightrep.domain.lead import LeadKind
from rightrep.domain.roles import Role
from rightrep.errors import InvalidInput
from rightrep.store import bulk
from rightrep.store.engine import Store
from rightrep.store.ownership import get_owner
from serving.usecases.fair_shares import given_in_window
from serving.usecases.planning import PlanRequest, make_plan
from serving.usecases.situation import read_situation
from tests.serving_parts import ACME, Served, serve

GUIDE = Path(__file__).parents[2] / "docs" / "work-orders.md"
BLOCK = re.compile(
    r"```http\n(\w+) (\S+)\n(.*?)```(?:\n\n```json\n(.*?)```)?", re.DOTALL
)
ROLES = {"/v1/rules": Role.ADMIN, "/v1/pools": Role.ADMIN, "/v1/settings": Role.MANAGER}
CAME = "2026-03-01T08:00:00+08:00"


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    return serve(store, tmp_path)


def ticket(served: Served, *names: str, **fields: object) -> list[str]:
    return served.add_leads(*names, kind="ticket", **fields)


def closed(served: Served, name: str, result: str) -> Any:
    served.clock.move(timedelta(hours=1))
    told = {
        "event_id": f"{name} {result}",
        "lead": name,
        "result": result,
        "closed_at": served.clock.now().isoformat(),
    }
    return served.post("/v1/feedback/outcomes", {"outcomes": [told]})


def owner(served: Served, name: str) -> str | None:
    found: str | None = served.get(f"/v1/leads/{name}").json()["owner"]
    return found


def routed(served: Served, *rules: dict[str, Any]) -> None:
    """Put rules in force."""
    sent = {"rules": list(rules), "reason": "test"}
    kept = served.post("/v1/rules", sent, role=Role.ADMIN)
    assert kept.status_code == 201, kept.text
    path = f"/v1/rules/{kept.json()['version']}/publish"
    assert served.post(path, {"reason": "test"}, role=Role.ADMIN).status_code == 200


def test_the_guides_example_runs_as_it_is_shown(served: Served) -> None:
    blocks = BLOCK.findall(GUIDE.read_text("utf-8"))

    for method, path, body, shown in blocks:
        role = next((r for p, r in ROLES.items() if path.startswith(p)), Role.SERVICE)
        answer = served.call(method, path, json.loads(body), role=role)
        if not shown:
            assert answer.status_code < 300, answer.text
            continue
        told = answer.json()
        assert {name: told[name] for name in json.loads(shown)} == json.loads(shown)

    assert len(blocks) == 11
    assert None not in (owner(served, "T-1"), owner(served, "T-2"))


def test_what_a_lead_is_never_changes(served: Served) -> None:
    ticket(served, "T-1")
    row = {"external_id": "T-1", "created_at": CAME}

    refused = served.post("/v1/leads", {"leads": [{**row, "kind": "lead"}]})
    again = served.post("/v1/leads", {"leads": [{**row, "region": "East"}]})

    assert refused.status_code == 422
    assert refused.json()["field"] == "leads.0.kind"
    assert "known as a ticket" in refused.json()["detail"]
    assert again.status_code == 200
    told = served.get("/v1/leads/T-1").json()
    assert (told["kind"], told["region"]) == ("ticket", "East")


def test_leads_and_work_orders_close_in_words_of_their_own(served: Served) -> None:
    ticket(served, "T-1")
    served.add_leads("L-1")

    for name, refused, taken in (
        ("T-1", "lost", "unresolved"),
        ("L-1", "resolved", "won"),
    ):
        answer = closed(served, name, refused)
        assert answer.status_code == 422
        assert f"not as {refused}" in answer.json()["detail"]
        assert closed(served, name, taken).status_code == 201


def test_a_rule_that_does_not_ask_for_the_kind_is_for_leads(served: Served) -> None:
    served.add_reps("r-1", "r-2")
    routed(served, {"name": "In turn", "policy": {"name": "round_robin"}})
    ticket(served, "T-1")
    served.add_leads("L-1")

    assert served.next("L-1").json()["rule"] == "In turn"
    assert served.next("T-1").json()["reason"] == "No rule matched this lead."


def test_a_rule_for_work_orders_alone_cannot_go_by_the_model(served: Served) -> None:
    only = {"op": "in", "field": "kind", "values": ["ticket"]}
    rule = {"name": "Repairs", "when": only, "policy": {"name": "optimal"}}

    refused = served.post(
        "/v1/rules", {"rules": [rule], "reason": "x"}, role=Role.ADMIN
    )

    assert refused.status_code == 422
    assert refused.json()["field"] == "rules.0.policy.name"
    both = {**rule, "when": {**only, "values": ["ticket", "lead"]}}
    served.add_reps("r-1", "r-2")
    routed(served, both)
    ticket(served, "T-1")
    told = served.next("T-1").json()
    assert (told["policy"], told["fallback"]) == (
        "least_loaded",
        "a work order has no chance to win",
    )


def test_without_rules_a_work_order_goes_to_the_service_rep_else_the_team(
    served: Served,
) -> None:
    served.call(
        "PUT",
        "/v1/settings/handover",
        {"handover": {"service_team": "care"}},
        role=Role.MANAGER,
    )
    served.add_reps("seller", team="sales")
    care = served.add_reps("care-1", "care-2", team="care")
    ticket(served, "T-1", "T-2")

    given = [served.next(name).json() for name in ("T-1", "T-2")]

    assert {one["rep_id"] for one in given} == set(care)
    assert {one["policy"] for one in given} == {"least_loaded"}
    assert {one["rule_set"] for one in given} == {None}


def test_a_customers_work_order_goes_to_who_serves_it_and_not_to_who_sold(
    served: Served,
) -> None:
    served.call(
        "PUT",
        "/v1/settings/handover",
        {"handover": {"service_team": "care"}},
        role=Role.MANAGER,
    )
    (seller,) = served.add_reps("seller", team="sales")
    (care,) = served.add_reps("care-1", team="care")
    firm = {"company": "上海明达机械有限公司", "phone": "139 1111 2222"}
    served.add_leads("L-1", **firm)
    served.post("/v1/leads/L-1/assign", {"rep": "seller"})
    ticket(served, "T-1", **firm)
    before = owner(served, "T-1")
    closed(served, "L-1", "won")

    ticket(served, "T-2", **firm)

    assert before is None
    assert owner(served, "T-2") == care
    assert owner(served, "L-1") == seller


def test_work_orders_are_never_merged_into_leads(served: Served) -> None:
    person = {
        "company": "上海明达机械有限公司",
        "phone": "139 1111 2222",
        "contact_name": "王伟",
    }
    served.add_leads("L-1", **person)

    ticket(served, "T-1", **person)
    ticket(served, "T-2", **person)

    ids = {
        served.get(f"/v1/leads/{n}").json()["lead_id"] for n in ("L-1", "T-1", "T-2")
    }
    assert len(ids) == 3


def test_pools_hold_one_kind_and_claims_count_by_pool(served: Served) -> None:
    served.add_reps("r-1")
    for name, kind in (("east", "lead"), ("repairs", "ticket")):
        settings = {"kind": kind, "leads": {"region": ["East"]}, "claims_per_day": 1}
        answer = served.call(
            "PUT", f"/v1/pools/{name}", {"settings": settings}, role=Role.ADMIN
        )
        assert answer.status_code == 200, answer.text
    tickets = ticket(served, "T-1", "T-2", region="East") + ticket(served, "T-3")
    leads = served.add_leads("L-1", "L-2", region="East") + served.add_leads("L-3")

    def inside(pool: str) -> list[str]:
        found = served.get(f"/v1/pools/{pool}/leads", role=Role.MANAGER).json()
        return sorted(one["lead_id"] for one in found["leads"])

    assert inside("repairs") == sorted(tickets[:2])
    assert inside("east") == sorted(leads[:2])
    assert inside("tickets") == tickets[2:]
    assert inside("common") == leads[2:]
    both = served.post("/v1/claims", {"rep": "r-1", "leads": ["T-1", "L-1"]})
    assert both.json()["left_out"] == []
    over = served.post("/v1/claims", {"rep": "r-1", "leads": ["T-2"]})
    assert over.status_code == 409


@pytest.mark.parametrize("apart", [False, True])
def test_limits_count_both_kinds_together_unless_they_are_kept_apart(
    store: Store, tmp_path: Path, apart: bool
) -> None:
    served = serve(store, tmp_path, settings={"routing": {"tickets_apart": apart}})
    served.add_reps("r-1", holding_limit=2, intake_per_day=2)
    ticket(served, "T-1", "T-2", "T-3")
    served.add_leads("L-1", "L-2", "L-3")

    def taken(*names: str) -> list[str]:
        """Leads the rep could take, one after another."""
        asked = {
            n: served.post("/v1/claims", {"rep": "r-1", "leads": [n]}) for n in names
        }
        return [n for n, answer in asked.items() if answer.status_code == 200]

    assert taken("T-1", "L-1") == ["T-1", "L-1"]
    assert taken("T-2", "T-3", "L-2", "L-3") == (["T-2", "L-2"] if apart else [])
    closed(served, "T-1", "resolved")
    served.clock.move(timedelta(days=1))
    told = served.next("L-3").json()
    assert told["rep_id"] is not None or apart
    assert taken("T-3") == (["T-3"] if apart else [])


def test_plans_of_leads_and_of_work_orders_never_mix(served: Served) -> None:
    served.add_reps("r-1", "r-2")
    tickets = set(ticket(served, "T-1", "T-2"))
    leads = set(served.add_leads("L-1", "L-2"))

    for kind, ids in ((LeadKind.LEAD, leads), (LeadKind.TICKET, tickets)):
        made = make_plan(served.context, ACME, PlanRequest(kind=kind))
        assert set(made.situation.lead_ids) == ids
        assert made.header.kind is kind

    by_model = PlanRequest(kind=LeadKind.TICKET, policy="optimal")
    with pytest.raises(InvalidInput, match="no chance to win"):
        make_plan(served.context, ACME, by_model)
    refused = served.post("/v1/assignments/plan", {"kind": "ticket", "leads": ["L-1"]})
    assert refused.status_code == 422
    both = PlanRequest(lead_ids=[LeadId(one) for one in sorted(tickets | leads)])
    with pytest.raises(InvalidInput, match="shared out apart"):
        make_plan(served.context, ACME, both)


def test_a_rule_that_names_another_pool_than_the_leads_own_says_so(
    served: Served,
) -> None:
    served.add_reps("r-1")
    settings = {"kind": "ticket", "leads": {"region": ["East"]}}
    answer = served.call(
        "PUT", "/v1/pools/east", {"settings": settings}, role=Role.ADMIN
    )
    assert answer.status_code == 200, answer.text
    when = {"op": "equals", "field": "kind", "value": "ticket"}
    routed(
        served,
        {"name": "Repairs", "when": when, "policy": {"name": "pool", "pool": "east"}},
    )
    came = "2026-03-02T09:00:00+08:00"
    ticket(served, "T-1", region="East", created_at=came)
    ticket(served, "T-2", region="West", created_at=came)

    inside, outside = (served.next(name).json()["reason"] for name in ("T-1", "T-2"))

    assert inside == "Rule 'Repairs' leaves it in pool 'east'."
    assert "to pool 'east', but by their conditions it is in pool 'tickets'" in outside
    body = {"version": 1, "first": "2026-03-02", "kind": "ticket"}
    tried = served.post("/v1/rules/dry-run", body, role=Role.MANAGER).json()
    assert (tried["fates"]["pool"], tried["fates"]["other_pool"]) == (1, 1)
    for pool, name in (("east", "T-1"), ("tickets", "T-2")):
        path = f"/v1/pools/{pool}/leads"
        (shown,) = served.get(path, role=Role.MANAGER).json()["leads"]
        assert shown["lead_id"] == served.get(f"/v1/leads/{name}").json()["lead_id"]


def test_fairness_counts_no_work_order_among_what_reps_were_given(
    served: Served,
) -> None:
    served.add_reps("r-1")
    ticket(served, "T-1")
    served.add_leads("L-1", "L-2")
    for name in ("T-1", "L-1"):
        assert served.next(name).json()["rep_id"]

    with served.context.store.read(ACME) as session:
        at = served.clock.now()
        lead_id = LeadId(served.get("/v1/leads/L-2").json()["lead_id"])
        given = given_in_window(session, read_situation(session, [lead_id], at=at))

    assert given.tolist() == [1]


def test_a_plan_of_work_orders_is_kept_and_committed(served: Served) -> None:
    served.add_reps("r-1", "r-2")
    tickets = ticket(served, "T-1", "T-2")

    asked = served.post("/v1/assignments/plan", {"kind": "ticket", "commit": True})
    while served.work():
        pass

    job = served.get(f"/v1/jobs/{asked.json()['job_id']}").json()
    plan = served.get(f"/v1/assignments/plan/{job['result']['plan_id']}").json()
    assert (plan["kind"], plan["states"]) == ("ticket", {"committed": 2})
    assert plan["value"] is None
    with served.context.store.read(ACME) as session:
        assert all(get_owner(session, LeadId(one)) for one in tickets)
        assert bulk.open_leads(session, as_of=served.clock.now()) == []


def test_a_leaving_reps_work_orders_go_with_the_leads(served: Served) -> None:
    _, heir = served.add_reps("old", "new")
    ticket(served, "T-1", owner="old")
    served.add_leads("L-1", owner="old")
    body = {"from_reps": ["old"], "to_reps": ["new"], "reason": "leaves"}

    made = served.post("/v1/handovers", body, role=Role.MANAGER)
    assert made.status_code == 201, made.text
    path = f"/v1/handovers/{made.json()['handover_id']}/commit"
    assert served.post(path, {}, role=Role.MANAGER).status_code == 202
    while served.work():
        pass

    assert {owner(served, "T-1"), owner(served, "L-1")} == {heir}


def test_a_dry_run_tries_rules_on_the_work_orders_of_a_day(served: Served) -> None:
    served.add_reps("r-1", "r-2")
    ticket(served, "T-1", created_at="2026-03-02T09:00:00+08:00")
    served.add_leads("L-1", created_at="2026-03-02T09:00:00+08:00")
    asks = {"op": "equals", "field": "kind", "value": "ticket"}
    rule = {"name": "Repairs", "when": asks, "policy": {"name": "least_loaded"}}
    body = {"rules": [rule], "first": "2026-03-02"}

    told = served.post(
        "/v1/rules/dry-run", {**body, "kind": "ticket"}, role=Role.MANAGER
    )
    others = served.post("/v1/rules/dry-run", body, role=Role.MANAGER)

    assert told.json()["fates"]["assigned"] == 1
    assert others.json()["fates"]["no_rule"] == 1
