"""The examples of the guide, read from the guide: each against round robin.

Reps join an hour apart, so that who joined first has waited longest; a lead that a rule
gives to somebody else than round robin does is named with the rule's reason.
"""

import json
import re
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rightrep.domain.roles import Role
from rightrep.store.engine import Store
from tests.serving_parts import Served, serve

GUIDE = Path(__file__).parents[2] / "docs" / "rules.md"
EXAMPLE = re.compile(r"### (.+?) \(.+?\)\n.*?```json\n(.*?)```", re.DOTALL)
EXAMPLES: dict[str, Any] = {
    name: json.loads(text) for name, text in EXAMPLE.findall(GUIDE.read_text("utf-8"))
}
IN_TURN = {"name": "In turn", "policy": {"name": "round_robin"}}
TODAY = "2026-03-02"
CAME = "2026-03-02T11:00:00+08:00"


class World:
    """A tenant whose reps joined one after another, the day before."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.reps: dict[str, str] = {}
        served.clock.move(timedelta(days=-1))

    def join(self, **reps: dict[str, Any]) -> None:
        """Reps by external id, an hour apart."""
        for name, fields in reps.items():
            (self.reps[name],) = self.served.add_reps(name, **fields)
            self.served.clock.move(timedelta(hours=1))

    def closed(self, rep: str, *, won: int, lost: int, **lead: Any) -> None:
        """Leads that a rep had, and how they closed."""
        names = [f"{rep}-{lead.get('industry')}-{n}" for n in range(won + lost)]
        self.served.add_leads(*names, owner=rep, **lead)
        outcomes = [
            {
                "event_id": name,
                "lead": name,
                "result": "won" if n < won else "lost",
                "closed_at": "2026-03-01T09:00:00+08:00",
            }
            for n, name in enumerate(names)
        ]
        path = "/v1/feedback/outcomes"
        assert self.served.post(path, {"outcomes": outcomes}).status_code == 201

    def told(
        self, rule: str, *leads: str, **fields: Any
    ) -> tuple[list[Any], list[Any]]:
        """What the guide's rule makes of leads that come today, and round robin.

        Gives the rule's answers, and the reps of round robin, by external id.
        """
        served = self.served
        if served.clock.now().day == 1:
            served.clock.move(timedelta(days=1))
        served.add_leads(*leads, created_at=CAME, **fields)
        sent = {"rules": [IN_TURN], "reason": "Before"}
        assert served.post("/v1/rules", sent, role=Role.ADMIN).status_code == 201
        path = "/v1/rules/1/publish"
        served.post(path, {"reason": "Before"}, role=Role.ADMIN)
        example = EXAMPLES[rule]
        rules = example if isinstance(example, list) else [example]
        body = {"rules": rules, "first": TODAY}
        answer = served.post("/v1/rules/dry-run", body, role=Role.MANAGER)
        assert answer.status_code == 200, answer.text
        name = {own: external for external, own in self.reps.items()}
        lines = answer.json()["lines"]
        for line in lines:
            line["told"]["rep"] = name.get(line["told"]["rep_id"])
        return (
            [line["told"] for line in lines],
            [name.get(line["present"]["rep_id"]) for line in lines],
        )

    def one(self, rule: str, **fields: Any) -> tuple[str | None, str | None]:
        """Whom the rule gives a lead, and whom round robin; the reason is checked."""
        told, in_turn = self.told(rule, "lead", **fields)
        assert told[0]["fate"] == "assigned", told
        assert told[0]["rule"] == EXAMPLES[rule]["name"]
        assert told[0]["reason"] == EXAMPLES[rule]["reason"]
        return told[0]["rep"], in_turn[0]


@pytest.fixture
def world(store: Store, tmp_path: Path) -> World:
    return World(serve(store, tmp_path))


def test_the_guide_has_the_thirteen_methods_and_the_others() -> None:
    numbered = [name for name in EXAMPLES if name[0].isdigit()]

    assert [int(name.split(".")[0]) for name in numbered] == list(range(1, 14))
    assert len(EXAMPLES) - len(numbered) == 10


def money(amount: int) -> dict[str, str]:
    return {"amount": str(amount), "currency": "CNY"}


SOON = {"contract_ends": "2026-03-20"}
WORLDS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "1. Rules and conditions": (
        {},
        {"team": "Key accounts"},
        {"deal_value": money(200_000)},
    ),
    "3. Customer attributes": (
        {"industries": ["Retail"]},
        {"industries": ["Law", "ＭＥＤＩＣＩＮＥ"]},
        {"industry": "Medicine", "company_size": 80},
    ),
    "4. Region": ({"region": "华东"}, {"region": "华南"}, {"region": "华南"}),
    "5. Team": (
        {"team": "Sales"},
        {"team": "Partner desk"},
        {"attributes": {"partner": True}},
    ),
    "6. Source channel": (
        {
            "team": "Digital",
            "shifts": [{"weekday": 5, "start": "09:00", "end": "18:00"}],
        },
        {"team": "Digital"},
        {"channel": "抖音"},
    ),
    "7. Customer need": ({}, {"products": ["CRM"]}, {"product": "CRM"}),
    "8. Life-cycle stage": (
        {"team": "Openers"},
        {"team": "Closers"},
        {"stage": "negotiation"},
    ),
    "9. Customer value": (
        {"hired_on": "2025-09-01"},
        {"hired_on": "2019-09-01"},
        {"grade": "A"},
    ),
}


@pytest.mark.parametrize("rule", WORLDS)
def test_a_rule_gives_a_lead_to_somebody_else_than_round_robin(
    world: World, rule: str
) -> None:
    waited_longest, fits, lead = WORLDS[rule]
    world.join(first=waited_longest, second=fits)

    assert world.one(rule, **lead) == ("second", "first")


def test_a_rule_does_not_match_what_it_excludes(world: World) -> None:
    world.join(first={}, second={"team": "Key accounts"})

    told, _ = world.told(
        "1. Rules and conditions",
        "lead",
        deal_value=money(200_000),
        campaign="A/B Test",
        attributes=SOON,
    )

    assert told[0]["fate"] == "no_rule"


def test_a_contract_that_ends_soon_is_urgent(world: World) -> None:
    world.join(first={}, second={"team": "Key accounts"})

    assert world.one("1. Rules and conditions", attributes=SOON) == ("second", "first")


def test_2_a_lead_given_by_hand_uses_up_the_turn(world: World) -> None:
    """First has waited longest, until a manager gives first a lead."""
    world.join(first={}, second={}, third={})
    world.served.add_leads("by-hand")
    word = {"lead": "by-hand", "word": "overridden", "rep": "first"}
    answer = world.served.post("/v1/feedback/ownership", word)
    assert answer.status_code == 200, answer.text

    told, _ = world.told("2. Round robin", "a", "b", "c", "d")

    assert [one["rep"] for one in told] == ["second", "third", "first", "second"]


def test_10_of_who_speaks_german_the_best_in_the_trade(world: World) -> None:
    """Second wins more in all, third in law; first speaks no German."""
    world.join(first={}, second={"languages": ["de"]}, third={"languages": ["de-CH"]})
    world.closed("first", won=9, lost=0, industry="Law")
    world.closed("second", won=30, lost=0, industry="Retail")
    world.closed("second", won=1, lost=20, industry="Law")
    world.closed("third", won=15, lost=5, industry="Law")

    told = world.one("10. Rep expertise", language="de", industry="law")

    assert told == ("third", "first")


def test_11_who_wins_more_gets_more(world: World) -> None:
    world.join(weak={}, strong={})
    world.closed("weak", won=3, lost=57)
    world.closed("strong", won=57, lost=3)
    names = [f"l{n}" for n in range(100)]

    told, in_turn = world.told("11. Rep performance", *names)

    given = Counter(one["rep"] for one in told)
    assert given["strong"] > 60  # 84 are expected
    assert set(Counter(in_turn).values()) == {50}
    assert any(
        one["rep"] == "strong" and other == "weak"
        for one, other in zip(told, in_turn, strict=True)
    )


def test_12_an_unhappy_customer_meets_somebody_experienced(world: World) -> None:
    world.join(first={"hired_on": "2026-01-01"}, second={"hired_on": "2020-01-01"})
    world.served.add_leads("earlier", customer="C-1")
    survey = {
        "event_id": "s1",
        "kind": "survey",
        "lead": "earlier",
        "happened_at": "2026-03-01T08:30:00+08:00",
        "score": 3,
    }
    path = "/v1/feedback/activities"
    assert world.served.post(path, {"activities": [survey]}).status_code == 201

    told = world.one("12. Customer satisfaction", customer="C-1")

    assert told == ("second", "first")


def test_13_a_returning_customer_goes_back_unless_the_rep_is_away(world: World) -> None:
    world.join(first={}, second={}, third={})
    world.served.add_leads("earlier", customer="C-1", owner="third")
    world.served.add_leads("long-ago", customer="C-2", owner="second")
    world.served.add_reps("second", status="paused")

    back, in_turn = world.told("13. History", "again", customer="C-1")
    world.served.clock.move(timedelta(seconds=1))
    gone, _ = world.told("13. History", "more", customer="C-2")

    assert (back[0]["rep"], back[0]["policy"], in_turn[0]) == (
        "third",
        "sticky",
        "first",
    )
    assert (gone[1]["rep"], gone[1]["policy"]) == ("first", "round_robin")


def test_weights_are_exact_and_not_in_turn(world: World) -> None:
    world.join(first={"weight": 1.0}, second={"weight": 3.0})
    names = [f"l{n}" for n in range(8)]

    told, in_turn = world.told("Weighted", *names)

    assert Counter(one["rep"] for one in told) == {"first": 2, "second": 6}
    assert Counter(in_turn) == {"first": 4, "second": 4}


def test_a_lot_is_logged_as_one(world: World) -> None:
    world.join(first={}, second={}, third={})
    names = [f"l{n}" for n in range(60)]

    told, in_turn = world.told("Random", *names)

    assert {one["policy"] for one in told} == {"random"}
    assert [one["rep"] for one in told] != in_turn


@pytest.mark.parametrize("rule", ["Least loaded", "Most free capacity"])
def test_open_leads_count_and_closed_ones_do_not(world: World, rule: str) -> None:
    """First holds two open leads; second had nine, all closed, and is served last."""
    world.join(first={"holding_limit": 20}, second={"holding_limit": 20})
    world.served.add_leads("x", "y", owner="first")
    world.closed("second", won=4, lost=5)
    settings = {"routing": {"settling_days": 0}}
    answer = world.served.call(
        "PUT", "/v1/settings/routing", settings, role=Role.MANAGER
    )
    assert answer.status_code == 200

    assert world.one(rule) == ("second", "first")


def test_a_fixed_rep_gets_it_or_nobody(world: World) -> None:
    world.join(first={}, ann={"team": "Board"})

    told, in_turn = world.told("Fixed", "lead", campaign="Founder ")

    assert (told[0]["rep"], told[0]["policy"], in_turn[0]) == ("ann", "fixed", "first")


@pytest.mark.parametrize(
    ("rule", "lead", "fate"),
    [
        ("By hand", {"grade": "VIP"}, "by_hand"),
        ("To a pool", {"channel": "fair"}, "pool"),
    ],
)
def test_some_leads_wait_for_a_person(
    world: World, rule: str, lead: dict[str, Any], fate: str
) -> None:
    world.join(first={})

    told, in_turn = world.told(rule, "lead", **lead)

    assert (told[0]["fate"], told[0]["rep"], in_turn[0]) == (fate, None, "first")


def test_without_a_model_the_optimal_policy_says_that_another_answered(
    world: World,
) -> None:
    world.join(first={}, second={})

    assert world.one("Optimal")[0] in {"first", "second"}


def test_a_departments_own_rule_decides_what_the_first_step_sent_there(
    world: World,
) -> None:
    world.join(first={}, ann={"team": "Machines"})
    world.served.call(
        "PUT",
        "/v1/pools/machines",
        {"settings": {"leads": {"product": ["Machines"]}, "teams": ["Machines"]}},
        role=Role.ADMIN,
    )

    told, in_turn = world.told("Department, then person", "new", product="Machines")

    assert (told[0]["fate"], told[0]["rule"]) == ("pool", "Machines")
    assert in_turn == ["first"]


def test_a_repeat_order_needs_no_claim_in_its_department(world: World) -> None:
    world.join(first={}, ann={"team": "Machines"})
    settings = {"leads": {"product": ["Machines"]}, "teams": ["Machines"]}
    path = "/v1/pools/machines"
    world.served.call("PUT", path, {"settings": settings}, role=Role.ADMIN)

    told, in_turn = world.told(
        "Department, then person", "old", product="Machines", campaign="repeat"
    )

    assert (told[0]["rule"], told[0]["rep"]) == ("Machines: who knows us", "ann")
    assert told[0]["reason"] == "Repeat orders need no claim."
    assert in_turn == ["first"]


def test_without_a_model_no_lead_is_in_a_tier(world: World) -> None:
    world.join(first={})

    told, _ = world.told("Opportunities to the best", "lead")

    assert told[0]["rule"] == "All others"


def test_a_pools_own_rules_are_reached_and_go_no_further(world: World) -> None:
    alone = {"name": "Own", "of_pool": "common", "policy": {"name": "round_robin"}}
    on = {"name": "Own", "of_pool": "common", "policy": {"name": "pool", "pool": "x"}}

    for rule, why in ((alone, "no rule sends leads"), (on, "names a rep or a policy")):
        sent = {"rules": [rule], "reason": "test"}
        refused = world.served.post("/v1/rules", sent, role=Role.ADMIN)
        assert refused.status_code == 422
        assert why in refused.text
