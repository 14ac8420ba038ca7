"""Columns say what their docstrings say, on histories of a few rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.columns import Contract, feature_rows
from features.history import History
from features.known import Known
from features.profiles import Batch, batch, contract_of
from features.recipe import Recipe
from rightrep.errors import InvalidInput
from tests.made_history import Row, day, history

RECIPE = Recipe(label_window_days=10, prior_leads=1.0, half_life_days=1e9)


def made(
    found: History,
    at: pd.Timestamp,
    *,
    leads: Sequence[str] = ("lead",),
    reps: Sequence[str] = ("rep",),
    recipe: Recipe = RECIPE,
    p_lead: float = 0.5,
) -> Batch:
    facts = Known.of(found, recipe)
    facts = facts.rated(np.full(len(facts.own.decisions.ids), p_lead))
    return batch(facts, at, leads, reps)


def lead_value(
    found: History, column: str, at: pd.Timestamp, recipe: Recipe = RECIPE
) -> float:
    names = contract_of(recipe).names
    return float(made(found, at, recipe=recipe, reps=()).leads[0, names.index(column)])


def pair_value(
    found: History, column: str, at: pd.Timestamp, *, rep: str = "rep"
) -> float:
    contract: Contract = contract_of(RECIPE)
    found_batch = made(found, at, reps=[rep])
    row = feature_rows(
        found_batch.leads,
        found_batch.reps,
        found_batch.affinity,
        lead=np.array([0]),
        rep=np.array([0]),
    )
    return float(row[0, contract.names.index(column)])


LEAD = {"lead_id": "lead"}
REP = {"rep_id": "rep"}


def test_an_unknown_lead_or_rep_is_refused_by_name() -> None:
    found = history(leads=[LEAD], reps=[REP])

    with pytest.raises(InvalidInput, match="'nobody'"):
        made(found, day(1), leads=["nobody"])
    with pytest.raises(InvalidInput, match="'nobody'"):
        made(found, day(1), reps=["nobody"])


def test_rep_columns_need_ratings() -> None:
    found = history(leads=[LEAD], reps=[REP])

    with pytest.raises(InvalidInput, match="ratings"):
        batch(Known.of(found, RECIPE), day(1), ["lead"], ["rep"])


def test_a_missing_deal_value_takes_the_usual_one_of_its_product() -> None:
    """Shrunk, in logs, toward that of all by ``deal_values.PRIOR_LEADS`` leads."""
    valued: list[Row] = [
        {"lead_id": f"lead-{k}", "product": "pro", "deal_value": 100.0}
        for k in range(20)
    ]
    cheap: list[Row] = [
        {"lead_id": f"cheap-{k}", "product": "basic", "deal_value": 10.0}
        for k in range(30)
    ]
    versions: list[Row] = [{"lead_id": "lead", "product": "pro"}, *valued, *cheap]
    found = history(
        leads=[{"lead_id": row["lead_id"]} for row in versions],
        lead_versions=versions,
        reps=[REP],
    )

    taken = made(found, day(30))

    usual = np.exp((20 * np.log(100.0) + 5 * np.log(10.0)) / 25)
    assert taken.deal_value[0] == pytest.approx(usual)
    assert not taken.deal_value_stated[0]
    assert lead_value(found, "deal_value_stated", day(30)) == 0.0


def test_a_stated_deal_value_is_taken_as_it_is() -> None:
    found = history(
        leads=[LEAD], lead_versions=[{**LEAD, "deal_value": 99.0}], reps=[REP]
    )

    assert made(found, day(30)).deal_value[0] == 99.0
    assert lead_value(found, "log_deal_value", day(30)) == pytest.approx(np.log(100.0))


def test_completeness_is_the_share_of_filled_fields() -> None:
    found = history(
        leads=[LEAD], lead_versions=[{**LEAD, "industry": "steel", "budget": 5.0}]
    )

    assert lead_value(found, "completeness", day(1)) == pytest.approx(2 / 11)


def test_hours_and_weekdays_are_those_of_the_tenants_zone() -> None:
    found = history(leads=[LEAD])
    recipe = Recipe(label_window_days=10, zone="Asia/Shanghai")
    at = pd.Timestamp("2024-01-07 20:30", tz="UTC")  # Monday, 4:30 in Shanghai

    assert lead_value(found, "hour", at, recipe) == 4.0
    assert lead_value(found, "weekday", at, recipe) == 0.0


def test_a_quarter_ends_on_its_last_day() -> None:
    found = history(leads=[LEAD])

    assert (
        lead_value(found, "days_to_quarter_end", day(0)) == 90.0
    )  # 2024 is a leap year
    assert lead_value(found, "days_to_quarter_end", day(90.5)) == 0.0


def test_contacts_count_in_windows_before_the_instant() -> None:
    calls = [
        {**LEAD, "kind": "call", "happened_at": day(number)}
        for number in (1, 20, 28, 30)
    ]
    found = history(leads=[LEAD], activities=calls)

    counts = [
        lead_value(found, name, day(30))
        for name in ("touches_7d", "touches_30d", "touches")
    ]
    assert counts == [1.0, 3.0, 3.0]
    assert lead_value(found, "days_since_touch", day(30)) == 2.0


def test_what_the_decision_itself_sets_off_is_not_seen() -> None:
    found = history(
        leads=[LEAD],
        reps=[REP],
        decisions=[{**LEAD, **REP, "decided_at": day(5)}],
        activities=[{**LEAD, **REP, "kind": "call", "happened_at": day(5)}],
    )

    assert lead_value(found, "earlier_decisions", day(5)) == 0.0
    assert lead_value(found, "touches", day(5)) == 0.0
    assert pair_value(found, "earlier_contacts", day(5)) == 0.0
    assert pair_value(found, "earlier_contacts", day(6)) == 2.0


def test_a_survivor_has_the_contacts_of_what_was_merged_into_it() -> None:
    found = history(
        leads=[LEAD, {"lead_id": "twin"}],
        activities=[{"lead_id": "twin", "kind": "call", "happened_at": day(3)}],
        merges=[
            {"lead_id": "twin", "survivor_id": "lead", "merged_at": day(5)},
        ],
    )

    assert lead_value(found, "touches", day(4)) == 0.0
    assert lead_value(found, "touches", day(6)) == 1.0
    assert lead_value(found, "days_since_touch", day(6)) == 3.0


def test_a_customers_earlier_leads_and_wins_are_counted() -> None:
    first = {"lead_id": "first", "customer_id": "acme"}
    found = history(
        leads=[first, {**LEAD, "customer_id": "acme", "created_at": day(20)}],
        outcomes=[{"lead_id": "first", "result": "won", "closed_at": day(10)}],
    )

    assert lead_value(found, "customer_leads", day(21)) == 1.0
    assert lead_value(found, "customer_wins", day(21)) == 1.0
    assert lead_value(found, "days_since_customer_win", day(21)) == 11.0
    assert lead_value(found, "days_since_customer_lead", day(21)) == 21.0


def bought(*stated: float | None) -> History:
    """A customer who bought once for each deal value, and then states another one."""
    ids = [f"first-{k}" for k in range(len(stated))]
    versions: list[Row] = [
        {"lead_id": i, "valid_from": day(at), "deal_value": value}
        for i, own in zip(ids, stated, strict=True)
        for at, value in ((0, own), (15, 9e9))
        if value is not None
    ]
    return history(
        leads=[
            {**LEAD, "customer_id": "acme", "created_at": day(20)},
            *({"lead_id": i, "customer_id": "acme"} for i in ids),
        ],
        lead_versions=versions,
        outcomes=[{"lead_id": i, "result": "won", "closed_at": day(10)} for i in ids],
    )


def test_what_a_customer_bought_counts_at_the_value_stated_when_it_was_won() -> None:
    found = bought(100.0, 300.0)

    value = lead_value(found, "log_customer_value", day(21))

    assert value == pytest.approx(np.log1p(400.0), rel=1e-6)
    assert np.isnan(lead_value(found, "log_customer_value", day(9)))


def test_a_purchase_of_unknown_value_counts_as_a_usual_one_of_the_customer() -> None:
    value = lead_value(bought(100.0, None), "log_customer_value", day(21))

    assert value == pytest.approx(np.log1p(200.0), rel=1e-6)
    assert np.isnan(lead_value(bought(None), "log_customer_value", day(21)))


def judged(won: Sequence[str], lost: Sequence[str], **lead: str) -> dict[str, Any]:
    """Decisions of day 0 by rep, won or lost on day 1."""
    reps = [*won, *lost]
    ids = [f"lead-{k}" for k in range(len(reps))]
    return {
        "leads": [LEAD, *({"lead_id": i} for i in ids)],
        "lead_versions": [{"lead_id": i, **lead} for i in ("lead", *ids)],
        "decisions": [
            {"lead_id": i, "rep_id": r, "decided_at": day(0)}
            for i, r in zip(ids, reps, strict=True)
        ],
        "outcomes": [
            {
                "lead_id": i,
                "decision_id": f"decision-{k}",
                "result": "won" if k < len(won) else "lost",
                "closed_at": day(1),
            }
            for k, i in enumerate(ids)
        ],
    }


TEAM = [
    {"rep_id": "rep", "team": "red"},
    {"rep_id": "new", "team": "red"},
    {"rep_id": "far", "team": "blue"},
    {"rep_id": "lone"},
]
REPS = [{"rep_id": row["rep_id"]} for row in TEAM]


def test_a_channel_is_as_good_as_its_leads_once_their_window_has_ended() -> None:
    found = history(**judged(["rep"] * 3, ["rep"], channel="fair"), reps=[REP])

    before = lead_value(found, "channel_win_rate", day(9.9))
    after = lead_value(found, "channel_win_rate", day(10))

    overall = (3 + 0.5) / (4 + 1)
    assert before == 0.5
    assert after == pytest.approx((3 + overall) / (4 + 1))


def test_a_rep_who_wins_more_than_expected_is_rated_above_the_others() -> None:
    found = history(**judged(["rep"] * 4, ["far"] * 4), reps=REPS, rep_versions=TEAM)

    ratings = [pair_value(found, "rep_rating", day(11), rep=r) for r in ("rep", "far")]
    assert ratings[0] > 0.2 > -0.2 > ratings[1]


def test_a_rep_without_a_record_is_rated_as_the_team() -> None:
    found = history(**judged(["rep"] * 4, ["far"] * 4), reps=REPS, rep_versions=TEAM)

    new = pair_value(found, "rep_rating", day(11), rep="new")
    assert new == pytest.approx(pair_value(found, "team_rating", day(11), rep="new"))
    assert new > 0.2


def test_a_rep_without_a_team_is_rated_as_all() -> None:
    found = history(**judged(["rep"] * 4, ["far"] * 4), reps=REPS, rep_versions=TEAM)

    assert pair_value(found, "rep_rating", day(11), rep="lone") == 0.0


def test_a_rating_is_not_moved_by_leads_that_were_sure_to_be_won() -> None:
    found = history(**judged(["rep"] * 4, []), reps=REPS, rep_versions=TEAM)
    facts = made(found, day(11), reps=["rep"], p_lead=1.0)

    assert facts.reps[0, 0] == 0.0


def test_a_declined_lead_is_not_held_against_the_rep() -> None:
    rows = judged([], ["rep"] * 4)
    found = history(
        **rows,
        reps=REPS,
        rep_versions=TEAM,
        ownership=[
            {
                "lead_id": f"lead-{k}",
                "kind": "declined",
                "previous_owner": "rep",
                "happened_at": day(0.5),
            }
            for k in range(4)
        ],
    )

    assert pair_value(found, "rep_rating", day(11)) == 0.0
    assert pair_value(found, "open_share", day(11)) == 0.0


def test_a_thin_record_makes_a_rating_less_sure_than_others() -> None:
    found = history(**judged(["rep"] * 4, ["far"] * 2), reps=REPS, rep_versions=TEAM)

    errors = [
        pair_value(found, "rep_rating_error", day(11), rep=r)
        for r in ("rep", "far", "new")
    ]
    assert errors[0] < 1.0 <= errors[1] < errors[2]


def test_a_rep_is_rated_in_a_segment_against_the_reps_own_rating() -> None:
    rows = judged(["rep"] * 4, ["rep"] * 4, industry="steel")
    for version in rows["lead_versions"][5:]:
        version["industry"] = "food"
    found = history(**rows, reps=REPS)

    good = pair_value(found, "rating_in_industry", day(11))
    nothing = pair_value(found, "rating_in_industry", day(11), rep="new")
    assert good == pytest.approx(4 * 0.5 / (4 + 1), rel=1e-3)
    assert nothing == 0.0


def test_a_segment_that_is_not_stated_is_missing() -> None:
    found = history(leads=[LEAD], reps=[REP])

    assert np.isnan(pair_value(found, "rating_in_industry", day(1)))


@pytest.mark.parametrize(
    ("stated", "listed", "shared"),
    [
        ("zh-Hant", '["zh"]', 1.0),
        ("en", '["zh","de"]', 0.0),
        ("en", "[]", None),
        (None, '["zh"]', None),
    ],
)
def test_a_language_is_shared_by_its_primary_subtag(
    stated: str | None, listed: str, shared: float | None
) -> None:
    found = history(
        leads=[LEAD],
        lead_versions=[{**LEAD, "language": stated}],
        reps=[REP],
        rep_versions=[{**REP, "languages": listed}],
    )

    value = pair_value(found, "speaks_language", day(1))
    assert (None if np.isnan(value) else value) == shared


def test_a_region_without_reps_is_another_region_not_an_unknown_one() -> None:
    found = history(
        leads=[LEAD],
        lead_versions=[{**LEAD, "region": "moon"}],
        reps=[REP],
        rep_versions=[{**REP, "region": "north"}],
    )

    assert pair_value(found, "same_region", day(1)) == 0.0


def test_shares_of_load_compare_a_rep_with_all() -> None:
    found = history(
        leads=[LEAD, *({"lead_id": f"l{k}"} for k in range(4))],
        reps=REPS,
        decisions=[
            {"lead_id": "l0", "rep_id": "rep", "decided_at": day(1)},
            {"lead_id": "l1", "rep_id": "rep", "decided_at": day(25)},
            {"lead_id": "l2", "rep_id": "far", "decided_at": day(25)},
            {"lead_id": "l3", "rep_id": "far", "decided_at": day(26)},
        ],
        outcomes=[
            {
                "lead_id": "l3",
                "decision_id": "decision-3",
                "result": "lost",
                "closed_at": day(27),
            }
        ],
    )

    assert pair_value(found, "given_share_7d", day(28)) == pytest.approx(1 / 3)
    assert pair_value(found, "given_share_30d", day(28)) == pytest.approx(2 / 4)
    assert pair_value(found, "open_share", day(28)) == pytest.approx(2 / 3)


def test_a_rep_who_answers_sooner_than_others_has_a_negative_difference() -> None:
    given = [
        {"lead_id": f"l{k}", "rep_id": rep, "decided_at": day(0)}
        for k, rep in enumerate(["rep", "far"])
    ]
    found = history(
        leads=[LEAD, {"lead_id": "l0"}, {"lead_id": "l1"}],
        reps=REPS,
        decisions=given,
        activities=[
            {"lead_id": "l0", "rep_id": "rep", "kind": "call", "happened_at": day(0.1)}
        ],
    )

    values = [
        pair_value(found, "response_difference", day(4), rep=rep)
        for rep in ("rep", "far")
    ]
    assert values[0] < 0.0 < values[1]


def test_a_contact_recorded_late_does_not_change_what_was_known_of_the_first() -> None:
    early = {"lead_id": "l0", "rep_id": "rep", "kind": "call", "happened_at": day(0.1)}
    late = {**early, "recorded_at": day(50)}
    later = {**early, "happened_at": day(0.5)}
    rows: dict[str, Sequence[Row]] = {
        "leads": [LEAD, {"lead_id": "l0"}, {"lead_id": "l1"}],
        "reps": REPS,
        "decisions": [
            {"lead_id": "l0", "rep_id": "rep", "decided_at": day(0)},
            {"lead_id": "l1", "rep_id": "far", "decided_at": day(0)},
        ],
    }

    alone = history(**rows, activities=[later])
    both = history(**rows, activities=[late, later])

    at = day(4)
    assert pair_value(both, "response_difference", at) == pair_value(
        alone, "response_difference", at
    )


def test_a_survey_without_a_rep_is_about_the_last_rep_of_the_lead() -> None:
    found = history(
        leads=[LEAD, {"lead_id": "l0"}, {"lead_id": "l1"}],
        reps=REPS,
        decisions=[
            {"lead_id": "l0", "rep_id": "rep", "decided_at": day(0)},
            {"lead_id": "l1", "rep_id": "far", "decided_at": day(0)},
        ],
        activities=[
            {"lead_id": "l0", "kind": "survey", "score": 9.0, "happened_at": day(1)},
            {"lead_id": "l1", "kind": "survey", "score": 1.0, "happened_at": day(1)},
        ],
    )

    values = [
        pair_value(found, "satisfaction_difference", day(4), rep=rep)
        for rep in ("rep", "far")
    ]
    assert values[0] > 0.0 > values[1]


def test_own_fields_become_columns_by_their_kind() -> None:
    recipe = Recipe(
        label_window_days=10,
        own_numbers=("seats",),
        own_categories={"plan": ("trial", "paid")},
    )
    text = '{"seats": 7, "plan": "paid", "note": "x"}'
    found = history(leads=[LEAD], lead_versions=[{**LEAD, "attributes": text}])

    assert lead_value(found, "attributes.seats", day(1), recipe) == 7.0
    assert lead_value(found, "attributes.plan", day(1), recipe) == 2.0


def test_other_lists_of_categories_make_another_contract() -> None:
    ours = Recipe(label_window_days=10, categories={"industry": ("steel",)})
    theirs = Recipe(label_window_days=10, categories={"industry": ("food",)})

    assert contract_of(ours).version != contract_of(theirs).version


def test_an_empty_history_gives_empty_columns() -> None:
    empty = made(history(leads=[], reps=[]), day(1), leads=(), reps=())

    assert empty.leads.shape[0] == 0
    assert empty.affinity.segment.shape[0] == 0
