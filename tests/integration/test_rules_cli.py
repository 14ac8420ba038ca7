"""Rules in the terminal."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rightrep.errors import InvalidInput
from serving.cli import app

RULES = [{"name": "In turn", "policy": {"name": "round_robin"}}]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RIGHTREP_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> str:
    """What a command prints."""
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_rules_of_a_file_are_kept_tried_published_and_rolled_back(home: Path) -> None:
    file = home / "rules.json"
    file.write_text(json.dumps(RULES))
    other = home / "other.json"
    other.write_text(json.dumps([{**RULES[0], "policy": {"name": "random"}}]))

    assert "Version 1" in run("rules", "add", str(file), "--reason", "Begin")
    assert "Version 2" in run("rules", "add", str(other), "--reason", "Try")
    run("rules", "publish", "1", "--reason", "Go")
    assert run("rules", "diff", "2").split() == ["changed", "In", "turn"]
    assert "0 leads" in run("rules", "dry-run", "2026-03-01", "--version", "2")
    run("rules", "publish", "2", "--reason", "Go")
    assert "Version 1" in run("rules", "rollback", "--reason", "Back")

    assert json.loads(run("rules", "show", "1")) == RULES
    assert "1*" in run("rules", "list")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[{]", "no JSON"),
        ('[{"name": "a", "policy": {"name": "magic"}}]', "rules.0.policy"),
        ("[]", "at least 1"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(
    home: Path, text: str, says: str
) -> None:
    file = home / "rules.json"
    file.write_text(text)

    with pytest.raises(InvalidInput, match=says):
        run("rules", "add", str(file), "--reason", "Try")


def test_there_must_be_rules_to_try_and_a_day(home: Path) -> None:
    assert home.exists()
    with pytest.raises(InvalidInput, match="no rules"):
        run("rules", "dry-run", "2026-03-01")
    run_file = home / "rules.json"
    run_file.write_text(json.dumps(RULES))
    with pytest.raises(InvalidInput, match="2026-03-01"):
        run("rules", "dry-run", "yesterday", "--file", str(run_file))
