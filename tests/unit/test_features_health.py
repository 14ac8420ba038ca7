"""What makes a customer healthy, on tiny histories and on the demo market."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from experiments.simulate import MarketSettings, simulate
from features.health import Health, customer_health
from features.history import History
from rightrep.domain.health import HealthPart, HealthRules
from rightrep.errors import InvalidInput
from tests.made_history import Row, day, history

RULES = HealthRules()


def market(*more: Row, outcomes: Sequence[Row] = ()) -> History:
    """Two customers, ``old`` and ``new``, who bought on days 10 and 300."""
    won: list[Row] = [
        {"lead_id": "l-old", "result": "won", "closed_at": day(10), "value": 5.0},
        {"lead_id": "l-new", "result": "won", "closed_at": day(300), "value": 9.0},
        {"lead_id": "l-none", "result": "lost", "closed_at": day(20)},
    ]
    return history(
        leads=[
            {"lead_id": f"l-{name}", "customer_id": name}
            for name in ("old", "new", "none")
        ],
        outcomes=[*won, *outcomes],
        activities=list(more),
    )


def at(found: History, number: float = 320, rules: HealthRules = RULES) -> Health:
    return customer_health(found, day(number), rules)


def score(found: Health, customer: str) -> float:
    return float(found.score[found.customer_ids.get_loc(customer)])


def called(customer: str, number: float, **more: object) -> Row:
    return {
        "lead_id": f"l-{customer}",
        "kind": "call",
        "happened_at": day(number),
        **more,
    }


def test_only_customers_who_bought_have_health() -> None:
    assert list(at(market()).customer_ids) == ["new", "old"]
    assert list(at(market(), 100).customer_ids) == ["old"]
    assert list(at(market(), 5).customer_ids) == []


def test_who_bought_lately_is_healthier_than_who_bought_long_ago() -> None:
    found = at(market())

    assert score(found, "new") > score(found, "old")


def test_contact_of_late_makes_healthier_and_wears_off() -> None:
    silent, spoken = at(market()), at(market(called("old", 310)))

    assert score(spoken, "old") > score(silent, "old")
    assert score(at(market(called("old", 20))), "old") < score(spoken, "old")


def test_a_bad_answer_makes_unhealthier_than_a_good_one() -> None:
    scores = [
        score(at(market(called("old", 310, kind="survey", score=given))), "old")
        for given in (1.0, 10.0)
    ]

    assert scores[0] < scores[1]


def test_where_nobody_answered_the_other_parts_share_the_weight() -> None:
    most = at(market()).most(RULES)

    assert most[HealthPart.SATISFACTION] == 0.0
    assert sum(most.values()) == pytest.approx(100.0)


def test_points_of_the_parts_sum_to_the_score() -> None:
    found = at(market(called("old", 310, kind="survey", score=7.0), called("new", 9)))

    total = sum(found.points(RULES).values())

    np.testing.assert_allclose(total, found.score)
    assert ((found.score >= 0) & (found.score <= 100)).all()


def test_a_sale_taken_back_is_no_purchase() -> None:
    correction = {
        "event_id": "later",
        "lead_id": "l-old",
        "result": "lost",
        "closed_at": day(10),
        "recorded_at": day(50),
        "replaces": "event-0",
    }

    found = market(outcomes=[correction])

    assert "old" in at(found, 49).customer_ids
    assert "old" not in at(found, 51).customer_ids


def test_the_alarm_goes_off_once_and_clears_only_above_the_upper_threshold() -> None:
    rules = HealthRules(alarm_below=30.0, clear_at=40.0)
    alarmed, states = False, []
    for value in (50.0, 35.0, 29.0, 35.0, 39.0, 40.0, 35.0):
        alarmed = rules.alarms(value, alarmed=alarmed)
        states.append(alarmed)

    assert states == [False, False, True, True, True, False, False]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"alarm_below": 50, "clear_at": 40}, "health.clear_at"),
        ({"alarm_below": "low"}, "health.alarm_below"),
        ({"weights": {"love": 1}}, "health.weights.love"),
        ({"weights": {"recency": -1}}, "health.weights.recency"),
        ({"purchase_days": 0}, "health.purchase_days"),
        ({"limit": 3}, "health.limit"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(
    given: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        HealthRules.of({"health": given})

    assert refused.value.field == field


def test_without_any_weight_there_is_no_score() -> None:
    weights = dict.fromkeys(HealthPart, 0)

    with pytest.raises(InvalidInput, match="At least one part"):
        HealthRules.of({"health": {"weights": weights}})


def test_customers_with_an_alarm_buy_less_on_the_demo_market() -> None:
    """Nobody leaves there, but who was silent long comes back less often."""
    made = simulate(MarketSettings(n_leads=20_000, days=720, seed=20))
    known = made.history()
    looked_at = pd.Timestamp(made.settings.end) - pd.Timedelta(days=240)
    found = customer_health(known, looked_at, RULES)
    later = known.leads[known.leads["created_at"] > looked_at]
    per_customer = later["customer_id"].value_counts().reindex(found.customer_ids)
    came = per_customer.fillna(0).to_numpy()
    alarmed = found.score < RULES.alarm_below

    assert 0.02 < alarmed.mean() < 0.2
    assert came[alarmed].mean() < came[~alarmed].mean() / 2
