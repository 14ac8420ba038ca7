"""Pools over HTTP and from the terminal: who may do what, and clear answers."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from rightrep.domain.roles import Role
from rightrep.errors import RightRepError
from rightrep.store.engine import Store
from serving.cli import app
from serving.usecases.tenancy import new_key
from tests.serving_parts import ACME, Served, serve

POOL = {
    "leads": {"region": ["East"]},
    "teams": ["red"],
    "claims_per_day": 2,
    "holding_limit": 2,
    "counting": "hours",
    "protection": {"follow_up_days": 3},
}


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    """Reps r1 and r2 of team red, r3 of team blue; three leads in the pool east."""
    found = serve(store, tmp_path)
    put = found.call(
        "PUT", "/v1/pools/east", {"settings": POOL, "reason": "new"}, role=Role.ADMIN
    )
    assert put.status_code == 200, put.text
    found.add_reps("r1", "r2", team="red")
    found.add_reps("r3", team="blue")
    found.add_leads("l1", "l2", "l3", region="East")
    return found


def key_of(served: Served, rep: str) -> str:
    """A key that speaks for a rep."""
    return new_key(served.context, ACME, Role.REP, rep, rep_id=rep).secret


def claim(served: Served, rep: str, *leads: str, **more: Any) -> Any:
    headers, key = more.pop("headers", {}), more.pop("key", None)
    body = {"leads": list(leads), **more}
    key = key or key_of(served, rep)
    return served.post("/v1/claims", body, key=key, headers=headers)


def test_a_rep_claims_reads_and_drops_own_leads(served: Served) -> None:
    got = claim(served, "r1", "l1", "l2")
    assert got.status_code == 200, got.text
    assert [one["pool"] for one in got.json()["claimed"]] == ["east", "east"]
    mine = served.get("/v1/private-leads", key=key_of(served, "r1")).json()["leads"]
    assert {one["lead_id"] for one in mine} == {
        one["lead_id"] for one in got.json()["claimed"]
    }
    assert all(one["pool"] == "east" and one["drops_at"] for one in mine)
    assert served.get("/v1/private-leads", key=key_of(served, "r2")).json() == {
        "leads": []
    }

    others = served.post("/v1/leads/l1/drop", {"reason": "x"}, key=key_of(served, "r2"))
    own = served.post("/v1/leads/l1/drop", {"reason": "x"}, key=key_of(served, "r1"))

    assert (others.status_code, own.status_code) == (409, 200)


def test_the_loser_of_a_claim_gets_a_clear_answer(served: Served) -> None:
    claim(served, "r1", "l1")

    lost = claim(served, "r2", "l1")
    some = claim(served, "r2", "l1", "l2")

    assert lost.status_code == 409
    assert lost.json()["type"] == "/problems/not-claimable"
    assert lost.json()["obstacle"] == "owned"
    assert "r1" not in lost.text
    assert some.status_code == 200
    assert [one["obstacle"] for one in some.json()["left_out"]] == ["owned"]
    assert len(some.json()["claimed"]) == 1


def test_a_claim_over_a_limit_is_a_conflict_and_the_same_key_answers_the_same(
    served: Served,
) -> None:
    key, once = key_of(served, "r1"), {"Idempotency-Key": "k1"}
    first = claim(served, "r1", "l1", "l2", "l3", headers=once, key=key)
    claim(served, "r2", "l3")

    again = claim(served, "r1", "l1", "l2", "l3", headers=once, key=key)

    assert (first.status_code, first.json()["limit"]) == (409, "holding")
    assert again.content == first.content
    owned = {"Idempotency-Key": "k2"}
    done = claim(served, "r1", "l1", headers=owned, key=key)
    same = claim(served, "r1", "l1", headers=owned, key=key)
    assert (done.status_code, same.content) == (200, done.content)


def test_a_rep_sees_the_pools_that_are_open_to_them(served: Served) -> None:
    def names(key: str) -> list[str]:
        found = served.get("/v1/pools", key=key).json()["pools"]
        return [pool["pool"] for pool in found]

    red, blue = key_of(served, "r1"), key_of(served, "r3")

    assert names(red) == ["east", "tickets", "common"]
    assert names(blue) == ["tickets", "common"]
    assert served.get("/v1/pools/east/leads", key=blue).status_code == 403
    assert served.get("/v1/pools/west/leads", key=red).status_code == 404
    seen = served.get("/v1/pools/east/leads?limit=2", key=red).json()
    rest = served.get(
        f"/v1/pools/east/leads?limit=2&after={seen['next_after']}", key=red
    ).json()
    assert (len(seen["leads"]), len(rest["leads"]), rest["next_after"]) == (2, 1, None)
    assert {one["obstacle"] for one in seen["leads"]} == {None}


def test_a_rep_neither_sees_nor_takes_for_others(served: Served) -> None:
    key = key_of(served, "r1")

    for path in ("?rep=r2", "?team=red", "/warnings?rep=r2"):
        assert served.get(f"/v1/private-leads{path}", key=key).status_code == 403
    for path, body in (
        ("/v1/claims", {"leads": ["l1"], "rep": "r2"}),
        ("/v1/leads/l1/assign", {"rep": "r1"}),
        ("/v1/leads/l1/transfer", {"rep": "r1", "reason": "x"}),
        ("/v1/leads/l1/lock", {"reason": "x"}),
        ("/v1/leads/l1/unlock", None),
        ("/v1/pools/recycle", None),
    ):
        assert served.post(path, body, key=key).status_code == 403


def test_only_an_admin_changes_pools_and_every_change_is_a_version(
    served: Served,
) -> None:
    body = {"settings": {**POOL, "claims_per_day": 9}, "reason": "more"}
    for role in (Role.MANAGER, Role.SERVICE, Role.ANALYST):
        assert served.call("PUT", "/v1/pools/east", body, role=role).status_code == 403
        assert served.call("DELETE", "/v1/pools/east", role=role).status_code == 403

    served.call("PUT", "/v1/pools/east", body, role=Role.ADMIN)
    gone = served.call("DELETE", "/v1/pools/east?reason=merged", role=Role.ADMIN)
    again = served.call("DELETE", "/v1/pools/east", role=Role.ADMIN)

    assert (gone.json()["version"], again.status_code) == (3, 404)
    told = served.get("/v1/pools/east/versions", role=Role.MANAGER).json()["versions"]
    assert [(one["version"], one["reason"]) for one in told] == [
        (3, "merged"),
        (2, "more"),
        (1, "new"),
    ]
    assert told[0]["settings"] is None
    assert told[1]["settings"]["claims_per_day"] == 9


def test_a_pool_that_makes_no_sense_is_refused_by_field(served: Served) -> None:
    wrong = {"settings": {"leads": {"colour": ["red"]}}}

    answer = served.call("PUT", "/v1/pools/x", wrong, role=Role.ADMIN)

    assert (answer.status_code, answer.json()["field"]) == (422, "leads.colour")


def test_a_manager_assigns_transfers_locks_and_sees_the_team(served: Served) -> None:
    manager = {"role": Role.MANAGER}
    given = served.post("/v1/leads/l1/assign", {"rep": "r1"}, **manager)
    moved = served.post(
        "/v1/leads/l1/transfer",
        {"rep": "r2", "reason": "balance", "held_by": "r1"},
        **manager,
    )
    late = served.post(
        "/v1/leads/l1/transfer",
        {"rep": "r1", "reason": "balance", "held_by": "r1"},
        **manager,
    )
    locked = served.post("/v1/leads/l1/lock", {"reason": "big"}, **manager)
    team = served.get("/v1/private-leads?team=red", **manager).json()["leads"]
    unlocked = served.post("/v1/leads/l1/unlock", None, **manager)
    taken = served.post("/v1/claims", {"leads": ["l2"], "rep": "r2"}, **manager)
    full = served.post("/v1/leads/l3/assign", {"rep": "r2"}, **manager)

    assert (given.status_code, moved.status_code, late.status_code) == (200, 200, 409)
    assert locked.json()["changed"]
    assert unlocked.json()["changed"]
    assert [(one["owner"], one["locked"], one["drops_at"]) for one in team] == [
        (moved.json()["rep_id"], True, None)
    ]
    assert taken.status_code == 200
    assert (full.status_code, full.json()["limit"]) == (409, "holding")
    nobody = served.get("/v1/private-leads", **manager)
    assert (nobody.status_code, nobody.json()["field"]) == (422, "rep")
    assert served.get("/v1/private-leads?team=green", **manager).status_code == 404
    unnamed = served.post("/v1/claims", {"leads": ["l2"]}, **manager)
    assert (unnamed.status_code, unnamed.json()["field"]) == (422, "rep")


def test_warnings_become_drops_when_the_clock_strikes(served: Served) -> None:
    claim(served, "r1", "l1", "l2")
    served.clock.move(timedelta(days=1))
    served.post(
        "/v1/feedback/activities",
        {
            "activities": [
                {
                    "event_id": "a1",
                    "kind": "call",
                    "lead": "l2",
                    "rep": "r1",
                    "happened_at": served.clock.now().isoformat(),
                }
            ]
        },
    )
    key = key_of(served, "r1")
    warned = served.get("/v1/private-leads/warnings?days=2", key=key).json()["leads"]
    served.clock.move(timedelta(days=2))

    asked = served.post("/v1/pools/recycle", None, role=Role.MANAGER)
    twin = served.post("/v1/pools/recycle", None, role=Role.MANAGER)
    while served.work():
        pass
    job = served.get(f"/v1/jobs/{asked.json()['job_id']}", role=Role.MANAGER).json()

    assert twin.json()["job_id"] == asked.json()["job_id"]
    assert (job["state"], job["result"]["dropped"]) == ("done", 1)
    left = served.get("/v1/private-leads", key=key).json()["leads"]
    assert len(warned) == len(left) == 1
    assert warned[0]["lead_id"] != left[0]["lead_id"]


def test_the_terminal_does_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIGHTREP_HOME", str(tmp_path))
    (tmp_path / "pool.json").write_text(json.dumps(POOL))
    (tmp_path / "reps.csv").write_text("external_id,name,team\nr1,A,red\nr2,B,red\n")
    (tmp_path / "leads.csv").write_text(
        "external_id,created_at,region\nl1,2026-03-01,East\nl2,2026-03-01,East\n"
    )
    runner = CliRunner()

    def run(*words: str) -> str:
        done = runner.invoke(app, list(words), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    def refuse(*words: str) -> RightRepError:
        with pytest.raises(RightRepError) as refused:
            runner.invoke(app, list(words), catch_exceptions=False)
        return refused.value

    run("import", "reps", str(tmp_path / "reps.csv"))
    run("import", "leads", str(tmp_path / "leads.csv"))
    assert "version 1" in run(
        "pools", "set", "east", "--file", str(tmp_path / "pool.json")
    )
    assert "east" in json.loads(run("pools", "list"))
    assert len(run("pools", "leads", "east", "--rep", "r1").splitlines()) == 3
    assert run("pools", "claim", "l1", "--rep", "r1").endswith("claimed from east\n")
    refuse("pools", "claim", "l1", "--rep", "r2")
    run("pools", "transfer", "l1", "--rep", "r2", "--reason", "balance")
    run("pools", "assign", "l2", "--rep", "r1")
    run("pools", "lock", "l1", "--reason", "big")
    assert "locked" in run("pools", "owned", "--team", "red")
    assert len(run("pools", "warnings", "--days", "9").splitlines()) == 2
    assert run("pools", "unlock", "l1") == "unlocked\n"
    assert "Say why" in str(refuse("pools", "drop", "l1", "--reason", " "))
    run("pools", "drop", "l1", "--reason", "no budget")
    assert run("pools", "recycle").startswith("1 leads looked at: 0 dropped")
    run("pools", "remove", "east")
    assert "--file" in str(
        refuse("pools", "set", "x", "--file", str(tmp_path / "no.json")).__dict__
    )
