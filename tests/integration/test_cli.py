"""The terminal answers mistakes with a sentence, and does the whole job."""

import csv
import json
import sys
from pathlib import Path

import pytest

from serving import cli


@pytest.fixture
def terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> "Terminal":
    monkeypatch.setenv("RIGHTREP_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("RIGHTREP_DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    return Terminal(monkeypatch, capsys)


class Terminal:
    """Runs commands in this process."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        self._monkeypatch.setattr(sys, "argv", ["rightrep", *words])
        code = 0
        try:
            cli.main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        out, err = self._capsys.readouterr()
        return code, out, err


@pytest.mark.parametrize(
    "words",
    [
        ["import", "leads", "nothing.csv"],
        ["import", "leads", "here.csv", "--mapping", "nothing.toml"],
        ["train"],
        ["train", "--as-of", "yesterday"],
        ["compare"],
        ["compare", "--baseline", "magic"],
        ["plan", "--policy", "magic"],
        ["promote", "9"],
        ["keys", "revoke", "nobody"],
        ["keys", "create", "--role", "rep", "--name", "x"],
        ["erase", "nobody", "--yes"],
        ["simulate", "--out", "here.csv"],
        ["simulate", "--out", "market", "--leads", "5"],
    ],
)
def test_a_mistake_is_a_sentence_and_exit_code_one(
    terminal: Terminal, tmp_path: Path, words: list[str]
) -> None:
    (tmp_path / "here.csv").write_text("external_id,created_at\n")

    code, _, err = terminal(*words)

    assert code == 1
    assert "Traceback" not in err
    assert err.strip().endswith(".")


def test_an_unknown_command_or_option_is_a_usage_error(terminal: Terminal) -> None:
    assert terminal("nonsense")[0] == 2
    assert terminal("import", "nonsense", "x.csv")[0] == 2


def test_files_land_and_a_plan_comes_out_without_a_model(
    terminal: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "reps.csv").write_text("external_id,name\nr1,=Ann\nr2,Bob\n")
    (tmp_path / "leads.csv").write_text(
        "external_id,created_at\nl1,2026-01-01\nl2,2026-01-02\nl3,when\n"
    )

    _, reps, _ = terminal("import", "reps", "reps.csv")
    code, leads, _ = terminal("import", "leads", "leads.csv")
    _, again, _ = terminal("import", "leads", "leads.csv")
    planned = terminal("plan", "--out", "plan.csv", "--commit")

    assert "2 landed" in reps
    assert (code, "2 landed" in leads, "1 refused" in leads) == (0, True, True)
    assert "2 unchanged" in again
    assert planned[0] == 0, planned[2]
    assert "fallback: no model is published" in planned[1]
    assert "2 committed" in planned[1]
    with (tmp_path / "plan.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["lead"] for row in rows} == {"l1", "l2"}
    assert {row["rep"] for row in rows} == {"r1", "r2"}
    assert {row["rep_name"] for row in rows} == {"'=Ann", "Bob"}


def test_a_key_is_shown_once_and_listed_without_its_secret(terminal: Terminal) -> None:
    _, secret, _ = terminal("keys", "create", "--role", "manager", "--name", "board")
    _, listed, _ = terminal("keys", "list")

    assert secret.startswith("rr_")
    assert secret.strip() not in listed
    assert "manager" in listed


def test_routing_settings_are_set_from_a_file_and_shown(
    terminal: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "fair.json").write_text('{"fairness": {"load_band": 0.3, "floor": 2}}')
    (tmp_path / "wrong.json").write_text('{"fairness": {"load_band": "wide"}}')
    (tmp_path / "broken.json").write_text("{")

    assert terminal("routing", "--set", "fair.json")[0] == 0
    wrong = terminal("routing", "--set", "wrong.json")
    broken = terminal("routing", "--set", "broken.json")
    code, shown, _ = terminal("routing")

    assert (wrong[0], broken[0]) == (1, 1)
    assert "routing.fairness.load_band is a number of at least 0." in wrong[2]
    assert "broken.json is no JSON" in broken[2]
    assert code == 0
    fairness = json.loads(shown)["fairness"]
    assert (fairness["load_band"], fairness["floor"]) == (0.3, 2)
