"""Handovers through the API: managers preview, commit and undo, nobody else does."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from rightrep.domain.roles import Role
from rightrep.errors import RightRepError
from rightrep.store.engine import Store
from serving.cli import app
from tests.serving_parts import Served, serve

ASKED = {"from_team": "north", "to_team": "south", "reason": "new territories"}


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    """A tenant whose north has two leads and whose south may take one."""
    made = serve(store, tmp_path)
    made.add_reps("wang", team="north")
    made.add_reps("li", team="south", holding_limit=1)
    made.add_leads("one", "two")
    for lead in ("one", "two"):
        answer = made.post(f"/v1/leads/{lead}/assign", {"rep": "wang"})
        assert answer.status_code == 200, answer.text
    return made


def owned(served: Served, rep: str) -> int:
    path = f"/v1/private-leads?rep={rep}"
    return len(served.get(path, role=Role.MANAGER).json()["leads"])


def test_a_manager_moves_a_teams_leads_to_another_team_and_back(
    served: Served,
) -> None:
    asked = {"headers": {"Idempotency-Key": "k"}, "role": Role.MANAGER}
    previewed = served.post("/v1/handovers", ASKED, **asked)
    assert previewed.status_code == 201, previewed.text
    assert served.post("/v1/handovers", ASKED, **asked).json() == previewed.json()
    assert previewed.json()["states"] == {"previewed": 1, "unassigned": 1}
    path = f"/v1/handovers/{previewed.json()['handover_id']}"
    left = served.get(f"{path}/leads?state=unassigned", role=Role.MANAGER).json()
    assert left["leads"][0]["why"] == ["1 rep: Holds as many open leads as allowed."]
    assert (owned(served, "wang"), owned(served, "li")) == (2, 0)

    assert served.post(f"{path}/commit", {}, role=Role.MANAGER).status_code == 202
    assert served.work()
    assert (owned(served, "wang"), owned(served, "li")) == (1, 1)

    assert served.post(f"{path}/undo", {}, role=Role.MANAGER).status_code == 202
    assert served.work()
    assert (owned(served, "wang"), owned(served, "li")) == (2, 0)
    done = served.get(path, role=Role.MANAGER).json()
    assert done["states"] == {"returned": 1, "unassigned": 1}
    (listed,) = served.get("/v1/handovers", role=Role.MANAGER).json()["handovers"]
    assert listed == done
    again = served.post(f"{path}/commit", {}, role=Role.MANAGER)
    assert again.status_code == 409


def test_what_cannot_be_is_refused_in_a_sentence(served: Served) -> None:
    nobody = served.post("/v1/handovers", {**ASKED, "from_team": "west"})
    assert nobody.status_code == 404
    unknown = served.post("/v1/handovers", {**ASKED, "leads": {"phone": ["1"]}})
    assert unknown.status_code == 422
    assert "phone" in unknown.json()["detail"]
    assert served.post("/v1/handovers/none/commit", {}).status_code == 404
    assert served.get("/v1/handovers/none/leads").status_code == 404
    made = served.post("/v1/handovers", ASKED).json()["handover_id"]
    early = served.post(f"/v1/handovers/{made}/undo", {})
    assert early.status_code == 409


def test_an_analyst_moves_nothing(served: Served) -> None:
    answer = served.post("/v1/handovers", ASKED, role=Role.ANALYST)
    assert answer.status_code == 403


def test_without_a_policy_the_rules_in_force_share_out(served: Served) -> None:
    served.add_reps("zhao", team="south")
    rule = {
        "name": "Zhao has them",
        "candidates": {"teams": ["south"]},
        "policy": {"name": "fixed", "rep": "zhao"},
    }
    rules = served.post(
        "/v1/rules", {"rules": [rule], "reason": "Begin"}, role=Role.ADMIN
    )
    assert rules.status_code < 300, rules.text
    version = rules.json()["version"]
    go = f"/v1/rules/{version}/publish"
    assert served.post(go, {"reason": "Go"}, role=Role.ADMIN).status_code < 300

    previewed = served.post("/v1/handovers", ASKED).json()

    assert (previewed["policy"], previewed["states"]) == ("rules", {"previewed": 2})
    path = f"/v1/handovers/{previewed['handover_id']}"
    assert served.post(f"{path}/commit", {}).status_code == 202
    assert served.work()
    assert (owned(served, "wang"), owned(served, "zhao")) == (0, 2)


def test_the_terminal_moves_leads_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIGHTREP_HOME", str(tmp_path / "home"))
    (tmp_path / "reps.csv").write_text("external_id,team\nr1,north\nr2,south\n")
    (tmp_path / "leads.csv").write_text(
        "external_id,created_at,region\nl1,2026-03-01,East\nl2,2026-03-01,West\n"
    )

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, list(words), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    run("import", "reps", str(tmp_path / "reps.csv"))
    run("import", "leads", str(tmp_path / "leads.csv"))
    for lead in ("l1", "l2"):
        run("pools", "assign", lead, "--rep", "r1")
    who = ("--from", "r1", "--to-team", "south", "--reason", "leaves", "--leaves")
    made = run("handover", "preview", *who, "--where", "region=East").split()[1]
    assert "1 moved" in run("handover", "commit", made)
    assert "can be undone until" in run("handover", "show", made)
    assert "1 returned" in run("handover", "undo", made)
    assert "undone" in run("handover", "list")
    share = run(
        "pools", "share", "l1", "--rep", "r2", "--until", "2099-12-31",
        "--reason", "fair",
    )  # fmt: skip
    assert "ended" in run("pools", "unshare", share.split()[1])
    with pytest.raises(RightRepError, match="no condition"):
        run("handover", "preview", *who, "--where", "region")
