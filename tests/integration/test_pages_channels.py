"""Where from? Counts, money and the funnel are those of leads, outcomes and costs."""

import csv
import io
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from statsmodels.stats.proportion import proportion_confint

from rightrep.store.engine import Store
from serving.usecases.board import WINDOW_DAYS
from serving.web.language import COOKIE
from tests.integration.test_pages_board import read, signed_in
from tests.integration.test_pages_languages import ENGLISH_WORDS
from tests.serving_parts import Served, serve


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    return signed_in(serve(store, tmp_path))


def close(served: Served, lead: str, result: str, day: str, **more: object) -> None:
    outcome = {
        "event_id": f"{lead}-{result}-{day}",
        "lead": lead,
        "result": result,
        "closed_at": f"{day}T12:00:00+08:00",
        **more,
    }
    answer = served.post("/v1/feedback/outcomes", {"outcomes": [outcome]})
    assert answer.status_code == 201, answer.text


def yuan(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "CNY"}


def spend(served: Served, channel: str, amount: dict[str, str]) -> None:
    cost = {"channel": channel, "day": "2026-03-01", "cost": amount}
    answer = served.call("PUT", "/v1/channel-costs", {"costs": [cost]})
    assert answer.status_code == 200, answer.text


def rows(served: Served, path: str = "/channels.csv") -> Mapping[str, dict[str, str]]:
    """Lines of the file by campaign, else by channel."""
    text = served.http.get(path).content.decode("utf-8-sig")
    found = csv.DictReader(io.StringIO(text))
    return {row["campaign"] or row["channel"]: row for row in found}


def after_the_window(served: Served) -> None:
    """Let every lead be judged: they all came on 1 March."""
    served.clock.move(timedelta(days=WINDOW_DAYS))
    signed_in(served)


def test_a_period_without_leads_says_so(served: Served) -> None:
    assert "No lead came in this period." in read(served, "/channels")


def test_an_outcome_moves_its_channels_conversion_and_value(served: Served) -> None:
    served.add_leads("a", "b", "c", "d", channel="ads")
    served.add_leads("e", channel="fair")
    close(served, "a", "lost", "2026-03-10")
    after_the_window(served)
    before = rows(served)

    close(served, "b", "won", "2026-03-11", value=yuan("1200"))

    after, shown = rows(served)["ads"], read(served, "/channels")
    assert before["ads"]["converted"] == "0"
    assert (after["leads"], after["won"], after["lost"]) == ("4", "1", "1")
    assert float(after["conversion"]) == 0.25
    assert float(after["won_value"]) == 1200
    low, high = proportion_confint(1, 4, 0.05 / 2, method="wilson")
    assert float(after["conversion_low"]) == pytest.approx(low)
    assert f"{0.25:.1%} {low:.1%}–{high:.1%}" in shown
    assert "5 leads came; 1 won so far, for CN¥1,200." in shown


def test_leads_that_had_no_chance_yet_are_not_judged(served: Served) -> None:
    served.add_leads("a", "b", channel="ads")
    close(served, "a", "won", "2026-03-02", value=yuan("10"))

    young = rows(served)["ads"]
    after_the_window(served)

    assert (young["won"], young["judged_leads"], young["conversion"]) == ("1", "0", "")
    assert float(rows(served)["ads"]["conversion"]) == 0.5


def test_a_win_after_the_window_is_value_and_no_conversion(served: Served) -> None:
    served.add_leads("a", channel="ads")
    served.clock.move(timedelta(days=WINDOW_DAYS + 20))
    signed_in(served)

    close(served, "a", "won", "2026-05-15", value=yuan("10"))

    found = rows(served)["ads"]
    assert (found["won"], found["converted"], found["judged_leads"]) == ("1", "0", "1")


def test_a_corrected_outcome_counts_as_corrected(served: Served) -> None:
    served.add_leads("a", channel="ads")
    close(served, "a", "won", "2026-03-02", value=yuan("10"))

    close(served, "a", "lost", "2026-03-03", replaces="a-won-2026-03-02")

    found = rows(served)["ads"]
    assert (found["won"], found["lost"]) == ("0", "1")
    assert float(found["won_value"]) == 0.0


def test_costs_make_prices_and_returns_until_they_are_set_anew(served: Served) -> None:
    served.add_leads("a", "b", channel="ads")
    close(served, "a", "won", "2026-03-02", value=yuan("900"))
    assert "What the channels cost is not known" in read(served, "/channels")

    spend(served, "ads", yuan("300"))
    first, shown = rows(served)["ads"], read(served, "/channels")
    spend(served, "ads", yuan("450"))

    assert float(first["cost_per_lead"]) == 150.0
    assert float(first["cost_per_win"]) == 300.0
    assert float(first["won_for_each_unit_spent"]) == 3.0
    assert "ads pays best: CN¥3.00 won for each CN¥1.00 spent." in shown
    assert float(rows(served)["ads"]["won_for_each_unit_spent"]) == 2.0


def test_a_channel_that_cost_and_brought_nothing_is_listed(served: Served) -> None:
    served.add_leads("a", channel="ads")

    spend(served, "radio", yuan("70"))

    assert (rows(served)["radio"]["leads"], rows(served)["radio"]["cost"]) == (
        "0",
        "70.0",
    )
    assert "radio 0 –" in read(served, "/channels")


def test_money_without_a_rate_is_left_out_and_told(served: Served) -> None:
    served.add_leads("a", channel="ads")

    spend(served, "ads", {"amount": "70", "currency": "USD"})

    assert "1 amount is left out" in read(served, "/channels")
    assert rows(served)["ads"]["cost"] == ""


def test_the_stage_that_loses_most_is_named_and_changes(served: Served) -> None:
    served.add_leads("a", "b", "c", channel="ads", stage="contacted")
    served.add_leads("d", "e", channel="fair", stage="proposal")
    for lead in "ab":
        close(served, lead, "lost", "2026-03-02")
    before = read(served, "/channels")

    served.clock.move(timedelta(minutes=1))
    served.add_leads("b", channel="ads", stage="proposal")
    for lead in "de":
        close(served, lead, "lost", "2026-03-02")

    words = "The stage that loses most is {}: of {} leads that got so far, {} ({})"
    assert words.format("contacted", 5, 2, "40%") in before
    after = read(served, "/channels")
    assert words.format("proposal", 3, 3, "100%") in after
    only = read(served, "/channels?channel=ads")
    assert "Where are leads of ads lost?" in only
    assert words.format("contacted", 3, 1, "33%") in only


def test_campaigns_stand_beside_their_channel(served: Served) -> None:
    served.add_leads("a", "b", channel="ads", campaign="spring")
    served.add_leads("c", channel="ads")

    found = rows(served)

    assert (found["ads"]["leads"], found["spring"]["leads"]) == ("3", "2")
    assert found["spring"]["channel"] == "ads"


def test_the_page_is_wholly_in_chinese_with_names_as_they_are(served: Served) -> None:
    served.add_leads("a", "b", channel="广告", campaign="春季")
    close(served, "a", "won", "2026-03-02", value=yuan("900"))
    close(served, "b", "lost", "2026-03-02")
    spend(served, "广告", yuan("300"))
    served.http.cookies.set(COOKIE, "zh")

    shown = read(served, "/channels")

    assert "广告 回报最好" in shown
    assert ENGLISH_WORDS.findall(shown) == []


def test_a_channel_that_earned_nothing_is_not_the_best(served: Served) -> None:
    served.add_leads("a", channel="ads")
    spend(served, "ads", yuan("300"))

    assert "pays best" not in read(served, "/channels")


def test_an_amount_that_was_corrected_is_not_told_as_left_out(served: Served) -> None:
    served.add_leads("a", channel="ads")
    dollars = {"amount": "70", "currency": "USD"}
    close(served, "a", "won", "2026-03-02", value=dollars)
    before = read(served, "/channels")

    corrected = {"value": yuan("500"), "replaces": "a-won-2026-03-02"}
    close(served, "a", "won", "2026-03-03", **corrected)

    assert "1 amount is left out" in before
    assert "left out" not in read(served, "/channels")
    assert float(rows(served)["ads"]["won_value"]) == 500.0


def test_a_lead_counts_in_the_channel_it_names_now(served: Served) -> None:
    served.add_leads("a", channel="ads", campaign="spring")
    served.clock.move(timedelta(minutes=1))
    served.add_leads("a", channel="fair", campaign=None)

    assert list(rows(served)) == ["fair"]
