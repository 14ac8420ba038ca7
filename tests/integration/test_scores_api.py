"""A lead's score, its tier and why, told by the API."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rightrep.domain.ids import LeadId
from rightrep.domain.roles import Role
from rightrep.errors import ModelUnavailable
from rightrep.store import bulk
from rightrep.store.engine import Store
from rightrep.store.reps import roster
from rightrep.store.rules import add_rule_set
from serving.rule_models import rule_set_of
from serving.usecases.lead_scores import scored_before, scorer
from serving.usecases.ruling import rule_on
from serving.usecases.situation import read_situation
from tests.loop_market import make_market, serve_market
from tests.serving_parts import ACME, Served, serve

pytestmark = pytest.mark.long

HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def trained(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A market with a champion."""
    home = tmp_path_factory.mktemp("scores")
    store = Store(f"sqlite:///{shutil.copy(sqlite_template, home / 'rightrep.db')}")
    make_market(store, home)
    served = serve_market(store, home)
    answer = served.post("/v1/models/retrain", None, role=Role.ANALYST)
    assert answer.status_code == 202, answer.text
    while served.work():
        pass
    yield served
    store.close()


@pytest.fixture(scope="module")
def lead(trained: Served) -> str:
    """A lead that waits for a rep."""
    with trained.context.store.read(ACME) as session:
        waiting = bulk.open_leads(session, as_of=trained.clock.now())
    return str(waiting[0])


def scores(served: Served, lead: str, **query: object) -> Any:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    answer = served.get(f"/v1/leads/{lead}/scores?{asked}", role=Role.MANAGER)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_lead_has_a_score_a_tier_and_reasons_in_either_language(
    trained: Served, lead: str
) -> None:
    english, chinese = scores(trained, lead), scores(trained, lead, language="zh")

    assert 0 <= english["lead_score"] <= 100
    assert english["tier"] in {"opportunity", "follow_up", "nurture"}
    sizes = [abs(part["log_odds"]) for part in english["contributions"]]
    assert 0 < len(sizes) <= 5
    assert sizes == sorted(sizes, reverse=True)
    words = [part["words"] for part in chinese["contributions"]]
    assert all(HAN.search(one) for one in words)
    assert [one["column"] for one in english["contributions"]] == [
        one["column"] for one in chinese["contributions"]
    ]
    assert len({one["lead_score"] for one in (english, chinese)}) == 1


def test_a_tenants_own_thresholds_move_a_lead_to_another_tier(
    trained: Served, lead: str
) -> None:
    score = scores(trained, lead)["lead_score"]
    at = min(max(score, 1), 100)
    try:
        for threshold, tier in (
            ({"opportunity": at, "follow_up": 1}, "opportunity"),
            ({"opportunity": 100, "follow_up": 1}, "follow_up"),
        ):
            answer = trained.call(
                "PUT", "/v1/settings/tiers", {"tiers": threshold}, role=Role.MANAGER
            )
            assert answer.json() == {"tiers": threshold}
            if 1 <= score < 100:
                assert scores(trained, lead)["tier"] == tier
    finally:
        trained.call("PUT", "/v1/settings/tiers", {"tiers": {}}, role=Role.MANAGER)


def test_rules_ask_for_the_score_that_the_model_in_force_gives(
    trained: Served, lead: str
) -> None:
    told = scores(trained, lead)
    score = told["lead_score"]
    wanted = {
        "enough": {"op": "range", "field": "lead_score", "at_least": score},
        "too much": {"op": "range", "field": "lead_score", "at_least": score + 1},
        "tier": {"op": "equals", "field": "tier", "value": told["tier"]},
    }
    with trained.context.store.read(ACME) as session:
        found = read_situation(session, [LeadId(lead)], at=trained.clock.now())
        matched = {
            name: rule_on(
                session,
                found,
                rule_set_of(
                    None, [{"name": name, "when": when, "policy": {"name": "random"}}]
                ),
                trained.context.win_rates,
                scored=scorer(trained.context, ACME),
            )[1].why_not(0)
            is None
            for name, when in wanted.items()
        }

    assert matched == {"enough": True, "too much": False, "tier": True}


def test_a_commit_scores_again_only_leads_that_changed_since_it_was_asked_for(
    trained: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    when = {"op": "range", "field": "lead_score", "at_least": 0}
    rules = [{"name": "all", "when": when, "policy": {"name": "random"}}]
    at, context = trained.clock.now(), trained.context
    with context.store.write(ACME) as session:
        version = add_rule_set(session, rules, actor="test", reason="", at=at)
        ids = bulk.open_leads(session, as_of=at)[:2]
        before = read_situation(session, ids, at=at)
    scored = scored_before(context, before, version)
    told = scored(before)
    first, second = before.leads
    changed = replace(first, attributes=replace(first.attributes, grade="other"))

    def unavailable(*_args: object, **_more: object) -> None:
        raise ModelUnavailable("No model.")

    monkeypatch.setattr(context.advisers, "get", unavailable)

    assert set(told) == set(ids)
    assert scored(before) == told
    assert scored(replace(before, leads=[changed, second])) == {ids[1]: told[ids[1]]}


def test_a_work_order_is_given_without_a_word_from_the_model(trained: Served) -> None:
    trained.add_leads("repair", kind="ticket")

    told = trained.next("repair", role=Role.SERVICE).json()
    refused = trained.get("/v1/leads/repair/scores", role=Role.MANAGER)

    assert told["rep_id"] is not None
    assert (told["p_convert"], told["model_version"], told["fallback"]) == (
        None,
        None,
        None,
    )
    assert refused.status_code == 409
    assert "no chance to win" in refused.text


def test_a_handover_by_the_optimal_policy_says_what_the_model_expects(
    trained: Served,
) -> None:
    with trained.context.store.read(ACME) as session:
        entries = roster(
            session, as_of=trained.clock.now(), local_day=trained.clock.now().date()
        )
    leaving = max(entries, key=lambda entry: entry.held).rep_id
    body = {"from_reps": [leaving], "policy": "optimal", "reason": "leaves"}

    made = trained.post("/v1/handovers", body, role=Role.MANAGER)
    assert made.status_code == 201, made.text
    path = f"/v1/handovers/{made.json()['handover_id']}"
    lines = trained.get(f"{path}/leads", role=Role.MANAGER).json()["leads"]

    header = trained.get(path, role=Role.MANAGER).json()
    assert (header["policy"], header["fallback"]) == ("optimal", None)
    given = [line for line in lines if line["to_rep"] is not None]
    assert given
    assert all(0 < line["p_convert"] < 1 and line["value"] > 0 for line in given)
    assert leaving not in {line["to_rep"] for line in given}


def test_thresholds_that_make_no_sense_change_nothing(
    store: Store, tmp_path: Path
) -> None:
    served = serve(store, tmp_path)

    answer = served.call(
        "PUT",
        "/v1/settings/tiers",
        {"tiers": {"opportunity": 300}},
        role=Role.MANAGER,
    )

    assert answer.status_code == 422
    assert "tiers.opportunity" in answer.text
    told = served.get("/v1/settings/tiers").json()
    assert told == {"tiers": {"opportunity": 80, "follow_up": 40}}
