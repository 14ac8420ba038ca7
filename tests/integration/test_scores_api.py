"""A lead's score, its tier and why, told by the API."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rightrep.domain.roles import Role
from rightrep.store import bulk
from rightrep.store.engine import Store
from tests.loop_market import make_market, serve_market
from tests.serving_parts import ACME, Served, serve

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
    return str(waiting["lead_id"].to_pylist()[0])


def scores(served: Served, lead: str, **query: object) -> Any:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    answer = served.get(f"/v1/leads/{lead}/scores?{asked}", role=Role.MANAGER)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.xdist_group("mlflow")
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


@pytest.mark.xdist_group("mlflow")
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
