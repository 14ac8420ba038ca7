"""Rule sets over HTTP: written by an admin, tried by a manager, never half in force."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from rightrep.domain.roles import Role
from rightrep.store.engine import Store
from rightrep.store.metadata import metadata
from tests.serving_parts import Served, serve

BY_TEAM = {
    "name": "South to the south team",
    "when": {"op": "equals", "field": "region", "value": "South"},
    "candidates": {"teams": ["South"]},
    "policy": {"name": "round_robin"},
    "reason": "They know the customers there.",
}
THE_REST = {"name": "The rest", "policy": {"name": "round_robin"}}
TODAY = "2026-03-02"
YESTERDAY = "2026-03-01"


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    """A tenant without reps or leads."""
    return serve(store, tmp_path)


def sent(
    served: Served, *rules: dict[str, Any], role: Role = Role.ADMIN, reason: str = "New"
) -> Any:
    return served.post("/v1/rules", {"rules": rules, "reason": reason}, role=role)


def published(served: Served, *rules: dict[str, Any]) -> int:
    """Keep rules and put them in force."""
    answer = sent(served, *rules)
    assert answer.status_code == 201, answer.text
    version: int = answer.json()["version"]
    path = f"/v1/rules/{version}/publish"
    assert served.post(path, {"reason": "Go"}, role=Role.ADMIN).status_code == 200
    return version


def tried(served: Served, *rules: dict[str, Any], **more: Any) -> Any:
    body = {"rules": rules, "first": YESTERDAY, **more}
    answer = served.post("/v1/rules/dry-run", body, role=Role.MANAGER)
    assert answer.status_code == 200, answer.text
    return answer.json()


def counts(store: Store) -> dict[str, int]:
    """Rows of every table."""
    with store.connection() as connection:
        return {
            table.name: connection.execute(
                select(func.count()).select_from(table)
            ).scalar_one()
            for table in metadata.sorted_tables
        }


def test_rules_are_kept_put_in_force_and_rolled_back(served: Served) -> None:
    assert published(served, BY_TEAM, THE_REST) == 1
    assert published(served, THE_REST) == 2

    listed = served.get("/v1/rules", role=Role.MANAGER).json()["rule_sets"]
    back = served.post("/v1/rules/rollback", {"reason": "Oops"}, role=Role.ADMIN)
    shown = served.get("/v1/rules/1", role=Role.MANAGER).json()

    assert [(one["version"], one["in_force"]) for one in listed] == [
        (2, True),
        (1, False),
    ]
    assert back.json() == {"version": 1}
    assert shown["in_force"]
    assert [rule["name"] for rule in shown["rules"]] == [
        "South to the south team",
        "The rest",
    ]


def test_a_diff_says_what_a_version_changes(served: Served) -> None:
    published(served, BY_TEAM, THE_REST)
    other = {**BY_TEAM, "candidates": {"teams": ["East"]}}
    sent(served, {**THE_REST, "name": "All"}, THE_REST, other)

    told = served.get("/v1/rules/2/diff", role=Role.MANAGER).json()
    itself = served.get("/v1/rules/2/diff?against=2", role=Role.MANAGER).json()

    assert (told["version"], told["against"]) == (2, 1)
    assert {one["name"]: one["change"] for one in told["changes"]} == {
        "All": "added",
        "The rest": "moved",
        "South to the south team": "changed",
    }
    assert {one["change"] for one in itself["changes"]} == {"same"}


@pytest.mark.parametrize("role", [Role.MANAGER, Role.SERVICE, Role.ANALYST])
def test_only_an_admin_edits_rules(served: Served, role: Role) -> None:
    published(served, THE_REST)

    refused = [
        sent(served, THE_REST, role=role),
        served.post("/v1/rules/1/publish", {"reason": "x"}, role=role),
        served.post("/v1/rules/rollback", {"reason": "x"}, role=role),
    ]

    assert [answer.status_code for answer in refused] == [403, 403, 403]
    assert served.get("/v1/rules", role=role).status_code == 200


@pytest.mark.parametrize("role", [Role.SERVICE, Role.ANALYST])
def test_who_does_not_manage_tries_no_rules(served: Served, role: Role) -> None:
    body = {"rules": [THE_REST], "first": YESTERDAY}

    assert served.post("/v1/rules/dry-run", body, role=role).status_code == 403


@pytest.mark.parametrize(
    ("broken", "field", "says"),
    [
        (
            {"when": {"op": "all", "of": [{"op": "is", "field": "region"}]}},
            "body.rules.1.when.of.0",
            "'equals'",
        ),
        (
            {"when": {"op": "not", "of": {"op": "empty", "field": "regoin"}}},
            "body.rules.1.when.of.field",
            "attributes.NAME",
        ),
        (
            {"when": {"op": "range", "field": "region", "below": 3}},
            "body.rules.1.when.field",
            "contains",
        ),
        ({"policy": {"name": "magic"}}, "body.rules.1.policy", "'weighted'"),
        (
            {"candidates": {"match": [{"lead": "region", "rep": "area"}]}},
            "body.rules.1.candidates.match.0.rep",
            "region",
        ),
        ({"colour": "red"}, "body.rules.1.colour", "not permitted"),
        ({"name": "The rest"}, "body.rules", "same name"),
        (
            {"policy": {"name": "fixed", "rep": "nobody"}},
            "rules.1.policy.rep",
            "does not exist",
        ),
        (
            {"policy": {"name": "pool", "pool": "nowhere"}},
            "rules.1.policy.pool",
            "common",
        ),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_where_it_is_written(
    served: Served, broken: dict[str, Any], field: str, says: str
) -> None:
    answer = sent(served, THE_REST, {**BY_TEAM, **broken})

    assert answer.status_code == 422
    assert answer.json()["field"] == field
    assert says in answer.json()["detail"]
    assert served.get("/v1/rules", role=Role.ADMIN).json() == {"rule_sets": []}


def test_a_dry_run_says_who_would_have_got_what_and_changes_nothing(
    served: Served, store: Store
) -> None:
    south, east = (served.add_reps(team[0], team=team)[0] for team in ("South", "East"))
    a, b, c = served.add_leads("a", "b", region="South") + served.add_leads("c")
    published(served, THE_REST)
    before = counts(store)

    run = tried(served, BY_TEAM)
    again = tried(served, BY_TEAM)

    told = {line["lead_id"]: line["told"] for line in run["lines"]}
    assert {lead: one["rep_id"] for lead, one in told.items()} == {
        a: south,
        b: south,
        c: None,
    }
    assert told[c]["fate"] == "no_rule"
    assert told[a]["reason"] == "They know the customers there."
    assert {line["present"]["rep_id"] for line in run["lines"]} == {south, east}
    assert run["fates"]["assigned"] == 2
    assert run["by_rule"] == {"South to the south team": 2}
    assert run == again
    assert counts(store) == before


def test_no_rule_no_candidates_and_nobody_are_different_answers(served: Served) -> None:
    served.add_reps("s", team="South", status="paused")
    served.add_leads("south", region="South")
    served.add_leads("north", region="North")
    served.add_leads("west", region="West")
    nowhere = {
        **BY_TEAM,
        "name": "North",
        "when": {"op": "equals", "field": "region", "value": "North"},
        "candidates": {"teams": ["North"]},
    }

    run = tried(served, BY_TEAM, nowhere)

    fates = {line["told"]["rule"]: line["told"]["fate"] for line in run["lines"]}
    assert fates == {
        "South to the south team": "nobody",
        "North": "no_candidates",
        None: "no_rule",
    }


@pytest.mark.parametrize(
    ("days", "field"),
    [
        ({"first": "2026-03-02", "last": "2026-03-01"}, "last"),
        ({"first": "2026-03-02", "last": "2026-03-03"}, "last"),
        ({"first": "2026-01-01", "last": "2026-03-01"}, "first"),
    ],
)
def test_days_that_cannot_be_tried_are_refused(
    served: Served, days: dict[str, str], field: str
) -> None:
    body = {"rules": [THE_REST], **days}

    answer = served.post("/v1/rules/dry-run", body, role=Role.MANAGER)

    assert answer.status_code == 422
    assert answer.json()["field"] == field


def test_a_kept_version_is_tried_and_nothing_at_all_is_refused(served: Served) -> None:
    sent(served, THE_REST)

    kept = served.post(
        "/v1/rules/dry-run", {"version": 1, "first": TODAY}, role=Role.MANAGER
    )
    nothing = served.post("/v1/rules/dry-run", {"first": TODAY}, role=Role.MANAGER)
    unknown = served.post(
        "/v1/rules/dry-run", {"version": 9, "first": TODAY}, role=Role.MANAGER
    )

    assert kept.json()["lines"] == []
    assert (nothing.status_code, unknown.status_code) == (422, 404)


def decided(served: Served, decision_id: str) -> Any:
    return served.get(f"/v1/decisions/{decision_id}").json()


def test_the_next_best_rep_goes_by_the_rules_in_force(served: Served) -> None:
    (south,) = served.add_reps("south", team="South")
    (east,) = served.add_reps("east", team="East")
    served.add_leads("a", "b", region="South")
    served.add_leads("c", region="North")
    published(served, BY_TEAM)

    first, second = (served.next(lead).json() for lead in ("a", "b"))
    nobody = served.next("c").json()

    assert [first["rep_id"], second["rep_id"]] == [south, south]
    assert (first["rule"], first["rule_set"]) == ("South to the south team", 1)
    assert first["policy"] == "round_robin"
    kept = decided(served, first["decision_id"])
    assert (kept["rule"], kept["rule_set"]) == ("South to the south team", 1)
    assert {one["rep_id"]: one["code"] for one in kept["excluded"]} == {
        east: "not_a_candidate"
    }
    assert nobody["rep_id"] is None
    assert nobody["reason"] == "No rule matched this lead."


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"candidates": {"teams": ["Nowhere"]}}, "nobody is its candidate"),
        ({"policy": {"name": "by_hand"}}, "to a manager"),
        ({"policy": {"name": "pool", "pool": "common"}}, "in pool 'common'"),
        ({"policy": {"name": "sticky", "otherwise": None}}, "leaves it to wait"),
    ],
)
def test_who_gets_nobody_is_told_why(
    served: Served, rule: dict[str, Any], says: str
) -> None:
    served.add_reps("r")
    served.add_leads("a")
    published(served, {**THE_REST, **rule})

    answer = served.next("a").json()

    assert answer["rep_id"] is None
    assert says in answer["reason"]


def test_a_plan_goes_by_the_rules_and_says_so(served: Served) -> None:
    (south,) = served.add_reps("south", team="South")
    (east,) = served.add_reps("east", team="East")
    a, b = served.add_leads("a", "b", region="South")
    (c,) = served.add_leads("c", region="East")
    (d,) = served.add_leads("d", channel="fair")
    by_hand = {
        "name": "Fairs",
        "when": {"op": "equals", "field": "channel", "value": "fair"},
        "policy": {"name": "by_hand"},
    }
    fixed = {
        "name": "East to one",
        "when": {"op": "equals", "field": "region", "value": "East"},
        "policy": {"name": "fixed", "rep": "east"},
    }
    published(served, by_hand, BY_TEAM, fixed)

    job = served.post("/v1/assignments/plan", {"commit": True}).json()
    assert served.work()
    done = served.get(f"/v1/jobs/{job['job_id']}", role=Role.MANAGER).json()
    plan = served.get(f"/v1/assignments/plan/{done['result']['plan_id']}").json()
    made = served.get("/v1/decisions").json()["decisions"]

    assert plan["policy"] == "rules"
    assert {line["lead_id"]: line["rep_id"] for line in plan["lines"]} == {
        a: south,
        b: south,
        c: east,
        d: None,
    }
    assert {one["lead_id"]: (one["rule"], one["policy"]) for one in made} == {
        a: ("South to the south team", "round_robin"),
        b: ("South to the south team", "round_robin"),
        c: ("East to one", "fixed"),
    }
    assert {one["rule_set"] for one in made} == {1}


def test_weights_are_exact_over_a_cycle_of_single_leads_and_plans(
    served: Served,
) -> None:
    """Twelve leads, three to one: six one by one, six in a plan."""
    few, many = (
        served.add_reps(name, weight=weight)[0]
        for name, weight in (("few", 1.0), ("many", 3.0))
    )
    published(served, {**THE_REST, "policy": {"name": "weighted"}})
    names = [f"l{n}" for n in range(12)]
    served.add_leads(*names)

    for name in names[:6]:
        assert served.next(name).status_code == 200
    served.post("/v1/assignments/plan", {"commit": True})
    while served.work():
        pass

    roster = served.get("/v1/reps", role=Role.MANAGER).json()["reps"]
    assert {rep["rep_id"]: rep["held"] for rep in roster} == {few: 3, many: 9}


@pytest.mark.parametrize(
    "policy",
    [
        "round_robin", "round_robin_lot", "random", "weighted", "least_loaded",
        "most_free", "performance", "greedy", "optimal", "sticky", "fixed",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "gone",
    [
        {"status": "left"},
        {"status": "paused"},
        {"leave": [{"first": "2026-03-01", "last": "2026-03-05"}]},
    ],
)
def test_a_rep_who_is_gone_never_appears_under_any_policy(
    tmp_path: Path, sqlite_template: Path, policy: str, gone: dict[str, Any]
) -> None:
    store = Store(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'store.db')}")
    served = serve(store, tmp_path)
    served.add_reps("gone")
    served.add_leads("earlier", customer="C", owner="gone")
    served.clock.move(timedelta(minutes=1))
    (absent,) = served.add_reps("gone", **gone)
    served.clock.move(timedelta(minutes=1))
    (here,) = served.add_reps("here", leave=[], status="active")
    chosen = {"name": policy, **({"rep": "gone"} if policy == "fixed" else {})}
    published(served, {**THE_REST, "policy": chosen})
    served.add_leads("a", "b", customer="C")

    one = served.next("a").json()
    served.post("/v1/assignments/plan", {"commit": True})
    while served.work():
        pass

    made = served.get("/v1/decisions").json()["decisions"]
    reps = {made["rep_id"] for made in made if made["cause"] != "import"}
    assert reps == (set() if policy == "fixed" else {here})
    assert absent not in reps
    assert one["rep_id"] == (None if policy == "fixed" else here)
    store.close()


def test_a_monthly_limit_is_kept_by_every_way_in(served: Served) -> None:
    """Ten a month: by turns, in a plan, on several days; the next month begins anew."""
    served.add_reps("r", intake_per_month=10)
    published(served, THE_REST)
    names = [f"l{n}" for n in range(15)]
    ids = served.add_leads(*names)
    for name in names[:4]:
        assert served.next(name).json()["rep_id"]
    served.clock.move(timedelta(days=1))
    for _ in range(2):
        served.post("/v1/assignments/plan", {"commit": True})
        while served.work():
            pass

    made = served.get("/v1/decisions").json()["decisions"]
    left = min(set(ids) - {one["lead_id"] for one in made})
    refused = served.next(left).json()
    served.clock.move(timedelta(days=30))
    again = served.next(left).json()

    assert len(made) == 10
    assert [one["code"] for one in refused["excluded"]] == ["month_limit"]
    assert again["rep_id"]


def test_a_month_spread_evenly_gives_its_share_by_the_day(served: Served) -> None:
    """March 2 of 31 days: ceil(31 * 2 / 31) leads, whatever comes."""
    served.add_reps("r", intake_per_month=31)
    even = {**THE_REST, "constraints": {"even_month": True}}
    published(served, even)
    served.add_leads(*[f"l{n}" for n in range(5)])

    answers = [served.next(f"l{n}").json()["rep_id"] for n in range(5)]

    assert [rep is not None for rep in answers] == [True, True, False, False, False]


def test_a_rule_may_loosen_what_the_tenant_asks_for(served: Served) -> None:
    served.add_reps("r", languages=["en"])
    served.add_leads("a", "b", language="zh")
    published(served, THE_REST)
    strict = served.next("a").json()
    published(served, {**THE_REST, "constraints": {"language": False}})

    loose = served.next("a").json()
    served.post("/v1/assignments/plan", {"commit": True})
    while served.work():
        pass

    assert [one["code"] for one in strict["excluded"]] == ["language"]
    assert loose["rep_id"]
    assert len(served.get("/v1/decisions").json()["decisions"]) == 2
