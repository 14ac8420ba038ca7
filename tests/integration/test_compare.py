"""Policies side by side: on the lottery's past and on a market's truth, and logged."""

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from experiments.comparison import Comparison
from experiments.simulate import MarketSettings, write_demo
from rightrep.clock import FixedClock
from rightrep.domain.tenant import Tenant
from rightrep.errors import InvalidInput
from rightrep.intake.fields import Kind
from rightrep.settings import Settings
from rightrep.store.engine import Store
from rightrep.store.rules import add_rule_set
from rightrep.store.tenants import create_tenant
from serving import cli
from serving.usecases.comparing import compare_waiting
from serving.usecases.comparing_history import HistoryAsk, compare_on_history
from serving.usecases.comparing_market import compare_on_market
from serving.usecases.context import Context
from serving.usecases.entrants import Entrant, entrants_of
from serving.usecases.imports import import_file
from serving.usecases.learning import learn, publish
from tests.serving_parts import ACME, serve
from training.registry import read_sheets

pytestmark = pytest.mark.long

MARKET = MarketSettings(
    n_leads=3_000,
    n_reps=4,
    days=330,
    rep_effect=12.0,
    lottery_share=0.95,
    activities_per_lead=0.0,
    label_window_days=30,
    conversion=0.3,
    seed=3,
)
CONTROL = "round_robin_lot"
TO_THE_LEAST = {
    "name": "all scored",
    "when": {"op": "range", "field": "lead_score", "at_least": 0},
    "policy": {"name": "least_loaded"},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with a demo market imported, trained on, and two rule sets."""
    folder = tmp_path_factory.mktemp("compare")
    context = context_of(folder)
    context.store.migrate()
    create_tenant(
        context.store,
        Tenant(
            tenant_id=ACME,
            name="Acme",
            time_zone="Asia/Shanghai",
            currency="CNY",
            created_at=MARKET.end,
        ),
    )
    made = write_demo(folder / "demo", MARKET)
    for name, path in made.files.items():
        import_file(context.store, ACME, Kind(name), path, clock=context.clock)
    with context.store.write(ACME) as session:
        add_rule_set(session, [TO_THE_LEAST], actor="x", reason="simple", at=MARKET.end)
    return folder


def context_of(home: Path) -> Context:
    settings = Settings(home=home, tenant=ACME)
    return Context(settings, Store(settings.store_url), FixedClock(MARKET.end))


@pytest.fixture(scope="module")
def context(home: Path) -> Iterator[Context]:
    """The market at its end, with a champion."""
    found = context_of(home)
    learnt = learn(found, ACME, as_of=MARKET.end)
    with found.store.write(ACME) as session:
        publish(session, found, learnt, actor="x")
    yield found
    found.store.close()


def named(context: Context, *policies: str, rules: Sequence[int] = ()) -> list[Entrant]:
    with context.store.read(ACME) as session:
        return entrants_of(session, policies, rules, baseline=CONTROL)


def number(found: Comparison, name: str, figure: str) -> float:
    value = found.side(name).figures[figure]
    assert value is not None
    return value


@pytest.fixture(scope="module")
def past(context: Context) -> Comparison:
    entrants = named(context, "optimal", "least_loaded", rules=[1])
    ask = HistoryAsk(as_of=MARKET.end, baseline=CONTROL)
    return compare_on_history(context, ACME, entrants, ask)


def test_history_says_that_the_optimum_earns_more_than_the_control(
    past: Comparison,
) -> None:
    wins = "conversions.doubly_robust"

    assert past.side("optimal").said is None
    assert number(past, "optimal", "effective_n") >= 200
    assert number(past, "optimal", "conversions.gain.low") > 0
    assert number(past, "optimal", "conversions.gain") == pytest.approx(
        number(past, "optimal", wins) - number(past, CONTROL, wins)
    )
    assert number(past, "optimal", "overlap") == 1.0
    assert past.facts["n_decisions"] <= past.facts["n_drawn"]
    assert "later windows is not seen" in past.notes[-1]
    told = {side["name"]: side for side in json.loads(past.as_json())["sides"]}
    assert told["optimal"][wins] == number(past, "optimal", wins)


def test_a_rule_set_that_names_one_policy_earns_what_the_policy_earns(
    past: Comparison,
) -> None:
    rules, policy = past.side("rules 1").figures, past.side("least_loaded").figures

    same = {name for name in rules if name != "seconds" and rules[name] == policy[name]}
    assert same == set(rules) - {"seconds"}
    assert past.side("rules 1").rules == {"version": 1, "rules": [TO_THE_LEAST]}


def test_nobody_earns_more_on_the_market_than_the_best_plan_in_hindsight(
    context: Context,
) -> None:
    found = compare_on_market(
        context, ACME, named(context, "optimal", "greedy"), baseline=CONTROL
    )

    names = [side.name for side in found.sides]
    assert all(0.0 <= number(found, name, "regret") < 1.0 for name in names)
    assert number(found, "optimal", "regret") < number(found, CONTROL, "regret")
    assert max(names, key=lambda name: number(found, name, "believed")) == "optimal"
    assert found.facts["bound"] >= found.facts["optimum"] * (1 - 1e-9)
    expected = compare_waiting(
        context, ACME, named(context, "optimal", "greedy"), baseline=CONTROL
    )
    assert number(expected, "optimal", "money") == pytest.approx(
        number(found, "optimal", "believed")
    )


@pytest.fixture
def terminal(
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> "Terminal":
    monkeypatch.setenv("RIGHTREP_HOME", str(context.settings.home))
    monkeypatch.setenv("RIGHTREP_TENANT", ACME)
    return Terminal(monkeypatch, capsys)


class Terminal:
    """Runs ``rightrep compare`` in this process, at the market's end."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        at = ["--as-of", MARKET.end.isoformat()]
        self._monkeypatch.setattr(sys, "argv", ["rightrep", "compare", *words, *at])
        code = 0
        try:
            cli.main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        out, err = self._capsys.readouterr()
        return code, out, err


def test_a_comparison_is_printed_written_and_logged_with_a_run_per_policy(
    terminal: Terminal, home: Path, tmp_path: Path
) -> None:
    asked = ["--on", "market", "--policy", "optimal", "--rules", "1"]
    code, out, err = terminal(*asked, "--out", str(tmp_path / "all.json"), "--mlflow")
    terminal(*asked, "--out", str(tmp_path / "all.csv"))

    assert code == 0, err
    told = json.loads((tmp_path / "all.json").read_text())
    with (tmp_path / "all.csv").open() as file:
        rows = {row["policy"]: row for row in csv.DictReader(file)}
    sides = {side["name"]: side for side in told["sides"]}
    assert set(rows) == set(sides) == {CONTROL, "optimal", "rules 1"}
    assert float(rows["optimal"]["regret"]) == sides["optimal"]["regret"]
    run_id = out.splitlines()[-1].removeprefix("MLflow run ")
    uri = Settings(home=home).tracking_uri
    whole, parts = read_sheets(run_id, tracking_uri=uri)
    assert whole.parameters["ground"] == "market"
    assert {"value.png", "fairness.png"} <= set(whole.files)
    by_name = {part.name: part for part in parts}
    assert set(by_name) == set(sides)
    assert by_name["optimal"].metrics["regret"] == sides["optimal"]["regret"]
    assert "rules.json" in by_name["rules 1"].files
    assert "rules.json" not in by_name["optimal"].files


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--policy", "magic"], "There is no policy 'magic'."),
        (["--rules", "9"], "There is no rule set 9. Give one of 1."),
        (["--out", "figures.txt"], "figures.txt is neither JSON nor CSV."),
        (["--on", "history", "--window-days", "0"], "A window has 1 to 31 days"),
        (["--on", "history", "--clip", "0"], "Weights are cut off above 0."),
        (["--on", "history", "--refits", "1"], "needs at least 2 refits."),
    ],
)
def test_a_wrong_question_is_answered_by_a_sentence(
    terminal: Terminal, words: list[str], sentence: str
) -> None:
    code, out, err = terminal(*words)

    assert (code, out) == (1, "")
    assert sentence in err
    assert "Traceback" not in err


def test_without_a_lottery_nothing_can_be_said_of_the_past(
    store: Store, tmp_path: Path
) -> None:
    served = serve(store, tmp_path)
    ask = HistoryAsk(as_of=MARKET.end, baseline=CONTROL)

    with pytest.raises(InvalidInput, match=r"No decision was drawn by lot\. Give"):
        compare_on_history(served.context, ACME, named(served.context), ask)


def test_without_a_model_or_a_market_there_is_nothing_to_compare(
    store: Store, tmp_path: Path
) -> None:
    served = serve(store, tmp_path)
    entrants = named(served.context)
    served.add_reps("r1")

    with pytest.raises(InvalidInput, match="no lead waits"):
        compare_waiting(served.context, ACME, entrants, baseline=CONTROL)
    served.add_leads("l1")
    with pytest.raises(InvalidInput, match="no model is published"):
        compare_waiting(served.context, ACME, entrants, baseline=CONTROL)
    with pytest.raises(InvalidInput, match="There is no demo market in "):
        compare_on_market(served.context, ACME, entrants, baseline=CONTROL)
