"""A demo market has a known truth, and its history never sees the future."""

import dataclasses
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, spearmanr

from experiments.market import Market
from experiments.market_settings import MarketSettings
from experiments.market_truth import LOST, OPEN, WON
from experiments.simulate import (
    CURRENCY,
    DEFAULT_END,
    ZONE,
    batch,
    simulate,
    small_market,
    write_demo,
    write_exports,
)
from features.history import TABLES
from optimizer.problem import Problem
from rightrep.domain.ids import is_id
from rightrep.errors import InvalidInput
from rightrep.intake.fields import Kind, field_of
from rightrep.intake.importing import importing
from rightrep.intake.mapping import canonical

LABEL_WINDOW = timedelta(days=60)


@pytest.fixture(scope="module")
def market() -> Market:
    return small_market(1)


@pytest.fixture(scope="module")
def large() -> Market:
    return simulate(MarketSettings(n_leads=40_000, n_reps=25, days=700, seed=3))


@pytest.fixture(scope="module")
def null_world() -> Market:
    return simulate(
        MarketSettings(n_leads=40_000, n_reps=25, days=700, seed=3, rep_effect=False)
    )


def digest(paths: dict[str, Path]) -> dict[str, str]:
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in paths.items()
    }


def by_lot(market: Market) -> Any:
    return np.isfinite(market.past.propensity)


def test_the_same_settings_give_the_same_market_byte_for_byte(tmp_path: Path) -> None:
    first = write_exports(small_market(1), tmp_path / "first")
    again = write_exports(small_market(1), tmp_path / "again")
    other = write_exports(small_market(2), tmp_path / "other")

    assert digest(first) == digest(again)
    assert all(digest(first)[name] != digest(other)[name] for name in first)


def test_the_same_settings_give_the_same_history(market: Market) -> None:
    one, two = market.history(), small_market(1).history()

    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(two, name))


def test_in_the_null_world_every_rep_has_the_same_chance(null_world: Market) -> None:
    drawn = batch(null_world, 500, 25, seed=1)

    assert (drawn.p_win == drawn.p_win[:, :1]).all()


def won_by_rep_against_truth(market: Market, p: Any) -> float:
    """Chi-square of each rep's wins against the chances ``p``; a p-value."""
    past, n_reps = market.past, market.reps.n_reps
    over = np.bincount(past.rep, past.won_in_window - p, minlength=n_reps)
    spread = np.bincount(past.rep, p * (1 - p), minlength=n_reps)
    return float(chi2.sf((over[spread > 0] ** 2 / spread[spread > 0]).sum(), n_reps))


def test_in_the_null_world_wins_by_rep_are_what_the_leads_alone_explain(
    null_world: Market, large: Market
) -> None:
    def lead_only(market: Market) -> Any:
        lead = market.past.lead[:, None]
        day = market.past.day[:, None]
        every_rep = np.arange(market.reps.n_reps)[None, :]
        return market.truth.p_win(lead, every_rep, day=day).mean(axis=1)

    assert won_by_rep_against_truth(null_world, lead_only(null_world)) > 0.01
    assert won_by_rep_against_truth(large, lead_only(large)) < 1e-6
    assert won_by_rep_against_truth(large, large.past.p_win) > 0.01


def test_leads_are_won_as_often_as_the_truth_says(large: Market) -> None:
    past = large.past
    band = np.digitize(past.p_win, np.quantile(past.p_win, np.arange(0.1, 1.0, 0.1)))
    over = np.bincount(band, past.won_in_window - past.p_win)
    spread = np.bincount(band, past.p_win * (1 - past.p_win))

    assert chi2.sf((over**2 / spread).sum(), 10) > 0.01


def test_the_truth_of_a_decision_is_the_truth_of_its_pair_and_day(
    market: Market,
) -> None:
    past = market.past

    again = market.truth.p_win(past.lead, past.rep, day=past.day)

    np.testing.assert_array_equal(past.p_win, again)


@pytest.mark.parametrize("days", [0, 14, 30, 59, 60, 61, 120])
def test_the_truth_knows_other_windows_too(large: Market, days: int) -> None:
    past, calendar = large.past, large.calendar
    waited = calendar.day_of(past.closed_at) - past.day
    won = (past.result == WON) & (waited <= days)

    p = large.truth.p_win(past.lead, past.rep, day=past.day, within_days=days)

    error = (won - p).sum() / max(np.sqrt((p * (1 - p)).sum()), 1e-9)
    assert abs(error) < 3.5
    assert days > 0 or p.max() == 0.0


def test_a_win_counts_in_the_label_window_or_clearly_does_not(large: Market) -> None:
    past = large.past
    days = (past.closed_at - past.decided_at) / 86_400
    won = past.result == WON

    assert (days[past.won_in_window] < 60).all()
    assert (days[won & ~past.won_in_window] > 60).all()
    assert not (past.won_in_window & ~won).any()


def test_any_pair_can_be_let_run_its_course(large: Market) -> None:
    rng = np.random.default_rng(5)
    lead = rng.integers(0, large.leads.n_leads, 60_000)
    rep = rng.integers(0, large.reps.n_reps, 60_000)

    ending = large.truth.draw(lead, rep, rng=rng)

    over = (ending.won_in_window - ending.p_win).sum()
    assert abs(over) < 3.5 * np.sqrt((ending.p_win * (1 - ending.p_win)).sum())
    assert set(np.unique(ending.result)) == {OPEN, WON, LOST}
    assert (ending.days[ending.result != OPEN] >= 1).all()


def test_base_conversion_is_what_was_asked_for() -> None:
    asked = simulate(MarketSettings(n_leads=8_000, n_reps=30, conversion=0.3, seed=2))
    drawn = batch(asked, 2_000, 30)

    assert drawn.p_win[drawn.eligible].mean() == pytest.approx(0.3, abs=0.02)


def test_no_outcome_comes_before_its_decision_and_none_after_the_end(
    market: Market,
) -> None:
    history = market.history()
    decided = history.decisions.set_index("decision_id")["decided_at"]

    assert (
        history.outcomes["closed_at"].to_numpy()
        > decided[history.outcomes["decision_id"]].to_numpy()
    ).all()
    for name, kinds in TABLES.items():
        for column in [c for c, kind in kinds.items() if kind == "time"]:
            assert not (getattr(history, name)[column] > DEFAULT_END).any(), column


def test_versions_start_with_the_lead_and_follow_one_another(market: Market) -> None:
    history = market.history()
    versions = history.lead_versions
    created = history.leads.set_index("lead_id")["created_at"]
    per_lead = versions.groupby("lead_id", sort=False)["valid_from"]

    assert (per_lead.first() == created).all()
    assert (per_lead.diff().dropna() > pd.Timedelta(0)).all()
    assert (versions.groupby("lead_id")["stage"].first() == "new").all()


def test_attributes_change_over_time(market: Market) -> None:
    versions = market.history().lead_versions
    first = versions.drop_duplicates("lead_id").set_index("lead_id")
    last = versions.drop_duplicates("lead_id", keep="last").set_index("lead_id")

    for column in ("budget", "deal_value", "stage", "company_size"):
        assert (last[column].notna() & (last[column] != first[column])).any(), column
    filled_in = first["company_size"].isna() & last["company_size"].notna()
    assert 0.05 < filled_in.mean() < 0.5


def test_reading_the_last_version_would_see_the_outcome(large: Market) -> None:
    history = large.history()
    outcome = history.outcomes.drop_duplicates("lead_id").set_index("lead_id")
    won = (outcome["result"] == "won").rename("won")
    budgets = history.lead_versions.groupby("lead_id")["budget"]
    asked = pd.DataFrame({"first": budgets.first(), "last": budgets.last()})
    asked = asked[asked["last"] != asked["first"]].join(won, how="inner").dropna()
    rise = np.log(asked["last"] / asked["first"])

    assert rise[asked["won"]].mean() - rise[~asked["won"]].mean() > 0.2


def test_leads_are_left_over_that_arrived_in_the_last_days(market: Market) -> None:
    left = market.unassigned
    share = left.size / market.leads.n_leads
    since = DEFAULT_END.timestamp() - market.leads.created[left]

    assert 0.05 <= share <= 0.10
    assert (since <= 5 * 86_400).all()
    assert market.eligible(left, market.available).any(axis=1).all()


def test_there_is_room_for_most_of_the_leads_left_over() -> None:
    market = simulate(MarketSettings())
    limit = market.reps.limit_on(market.today)
    free = np.maximum(limit - market.held, 0)[market.available]

    assert 0.7 < free.sum() / market.unassigned.size < 2.0


def test_the_lottery_chooses_each_rep_as_often_as_its_propensity_says(
    large: Market,
) -> None:
    past = large.past
    first = np.flatnonzero(by_lot(large) & ~past.again)
    open_to = large.eligible(past.lead[first], np.arange(large.reps.n_reps))
    open_to &= large.reps.at_work[past.day[first]]
    # Where a rep was full that morning, the set is smaller than rebuilt here.
    known = past.propensity[first] == 1.0 / open_to.sum(axis=1)
    chosen, p = past.rep[first][known], past.propensity[first][known]

    wanted = (open_to[known] * p[:, None]).sum(axis=0)
    got = np.bincount(chosen, minlength=large.reps.n_reps)

    assert known.mean() > 0.5
    assert open_to[known][np.arange(chosen.size), chosen].all()
    assert chi2.sf(((got - wanted) ** 2 / wanted).sum(), large.reps.n_reps - 1) > 0.01


def test_only_the_lottery_has_propensities(market: Market) -> None:
    decisions = market.history().decisions

    drawn = decisions["policy"] == "round_robin"

    assert decisions.loc[drawn, "propensity"].between(0, 1, inclusive="right").all()
    assert decisions.loc[~drawn, "propensity"].isna().all()
    assert 0.15 < drawn.mean() < 0.35


def test_managers_give_promising_leads_to_senior_reps(large: Market) -> None:
    past = large.past
    quality = large.leads.logit[past.lead]
    senior = large.reps.senior[past.rep]
    led = past.policy == 1

    assert spearmanr(quality[led], senior[led]).statistic > 0.1
    assert (
        abs(spearmanr(quality[by_lot(large)], senior[by_lot(large)]).statistic) < 0.03
    )


def test_nobody_is_given_a_lead_while_away(large: Market) -> None:
    past = large.past

    assert large.reps.at_work[past.day, past.rep].all()
    assert large.eligible(past.lead, np.arange(large.reps.n_reps))[
        np.arange(past.lead.size), past.rep
    ].all()


def test_reps_come_and_go_and_leavers_hand_their_leads_over(large: Market) -> None:
    past, reps = large.past, large.reps
    gone = np.flatnonzero(reps.left <= large.today)
    newcomers = reps.hired > 0

    assert gone.size > 0
    assert newcomers.any()
    assert (large.held[gone] == 0).all()
    assert (past.moved_to >= 0).any()


def test_an_owned_lead_is_never_assigned_again(market: Market) -> None:
    events = market.history().ownership.sort_values("happened_at", kind="stable")
    before = events.groupby("lead_id")["owner"].shift()
    given = events["kind"].isin(["assigned", "claimed"])

    assert before[given].isna().all()
    assert (events["previous_owner"].fillna("") == before.fillna(""))[~given].all()


def test_returning_customers_have_several_leads_and_one_contact(market: Market) -> None:
    leads = market.history().leads
    rows = market.exports()["leads"].to_pandas()

    assert leads["customer_id"].nunique() < 0.9 * len(leads)
    companies = rows[["customer", "company"]].drop_duplicates()
    assert companies["customer"].is_unique


def test_deal_values_have_a_heavy_tail(large: Market) -> None:
    deals = np.sort(large.leads.deal_value)
    top_percent = deals[-deals.size // 100 :].sum() / deals.sum()

    assert top_percent > 0.08


def test_money_won_is_the_deal_value_on_average(large: Market) -> None:
    outcomes = large.history().outcomes.drop_duplicates("lead_id")
    place = pd.Series(large.leads.deal_value, index=large.lead_ids.to_numpy())
    won = outcomes[outcomes["result"] == "won"]

    ratio = won["value"].to_numpy() / place[won["lead_id"]].to_numpy()

    assert ratio.mean() == pytest.approx(1.0, abs=0.02)
    assert outcomes.loc[outcomes["result"] == "lost", "value"].isna().all()


def test_a_correction_names_an_earlier_outcome_of_the_same_lead(large: Market) -> None:
    outcomes = large.history().outcomes
    fixes = outcomes.dropna(subset=["replaces"]).set_index("replaces")
    fixed = outcomes.set_index("event_id").loc[fixes.index]

    assert len(fixes) > 0
    assert (fixed["lead_id"].to_numpy() == fixes["lead_id"].to_numpy()).all()
    assert (fixed["closed_at"].to_numpy() < fixes["closed_at"].to_numpy()).all()


def test_weekends_and_holidays_bring_fewer_leads_and_no_decisions(
    large: Market,
) -> None:
    calendar = large.calendar
    off = ~calendar.working[0, : calendar.n_days]
    arrived = np.bincount(
        calendar.day_of(large.leads.created[~large.leads.backlog]),
        minlength=calendar.n_days,
    )

    assert arrived[off].mean() < 0.6 * arrived[~off].mean()
    assert not off[large.past.day].any()


def test_the_mix_of_channels_drifts_unless_told_not_to() -> None:
    def social(drift: float) -> float:
        made = simulate(MarketSettings(n_leads=20_000, n_reps=4, drift=drift, seed=4))
        is_social = made.leads.channel == 2
        return float(is_social[10_000:].mean() / is_social[:10_000].mean())

    assert social(2.0) > 1.5
    assert social(0.0) == pytest.approx(1.0, abs=0.15)


def test_activities_belong_to_their_lead_and_time(market: Market) -> None:
    history = market.history()
    created = history.leads.set_index("lead_id")["created_at"]
    done = history.activities

    assert (done["happened_at"].to_numpy() >= created[done["lead_id"]].to_numpy()).all()
    assert set(done["kind"]) == {
        "call", "message", "meeting", "visit", "note", "page_view", "survey",
    }  # fmt: skip
    assert done.loc[done["kind"] == "page_view", "rep_id"].isna().all()
    assert done.loc[done["kind"] == "survey", "score"].between(1, 10).all()
    assert done["happened_at"].is_monotonic_increasing


def test_visits_take_place_at_the_customers(market: Market) -> None:
    rows = market.exports()["activities"].to_pandas()
    visits = rows[rows["kind"] == "visit"]
    lead = visits["lead"].str[1:].astype(int).to_numpy()

    off = np.abs(visits[["latitude", "longitude"]] - market.positions[lead])

    assert len(visits) > 50
    assert (off < 0.005).all().all()
    assert rows.loc[rows["kind"] != "visit", "latitude"].isna().all()


def test_rows_of_the_history_are_in_the_order_of_the_market(market: Market) -> None:
    history, past = market.history(), market.past
    lead_ids, rep_ids = market.lead_ids.to_numpy(), market.rep_ids.to_numpy()

    assert (history.leads["lead_id"] == lead_ids).all()
    assert (history.reps["rep_id"] == rep_ids).all()
    assert (history.decisions["lead_id"] == lead_ids[past.lead]).all()
    assert (history.decisions["rep_id"] == rep_ids[past.rep]).all()


def test_ids_are_ours_in_order_of_time(market: Market) -> None:
    history = market.history()

    assert all(is_id(text) and text[14] == "7" for text in history.leads["lead_id"])
    assert history.decisions["decision_id"].is_unique
    order = history.leads.sort_values("lead_id")["created_at"]
    assert (order.diff().dropna() >= pd.Timedelta(0)).all()


def test_exports_have_the_importers_fields(market: Market) -> None:
    for name, table in market.exports().items():
        for column in table.column_names:
            assert field_of(Kind(name), column) is not None, column


def test_the_demo_says_what_it_wrote(tmp_path: Path) -> None:
    end = datetime(2024, 3, 7, 9, 30, tzinfo=UTC)
    settings = MarketSettings(n_leads=600, n_reps=8, days=90, end=end)

    summary = write_demo(tmp_path / "demo", settings)

    for name, path in summary.files.items():
        assert len(pd.read_csv(path)) == summary.rows[name]
    created = pd.read_csv(summary.files["leads"])["created_at"].astype(
        "datetime64[us, UTC]"
    )
    assert summary.start <= created.min()
    assert created.max() <= summary.end == end
    assert summary.n_leads == 600
    assert 0.05 < summary.win_share < 0.5


def test_a_batch_is_a_problem_for_the_optimizer(market: Market) -> None:
    drawn = batch(market, 120, 10, seed=3)

    problem = Problem(
        drawn.value,
        drawn.eligible,
        drawn.capacity,
        np.zeros(10, dtype=np.int64),
        load=drawn.load,
        weight=drawn.weight,
        waited=drawn.waited,
        previous_rep=drawn.previous_rep,
        win_rate=drawn.win_rate,
        group=drawn.group,
        quality=drawn.quality,
    )

    assert (problem.n_leads, problem.n_reps) == (120, 10)
    assert problem.capacity.sum() == 120
    np.testing.assert_allclose(
        drawn.value, drawn.p_win * drawn.deal_value[:, None], rtol=1e-6
    )


def test_a_batch_larger_than_the_market_is_refused(market: Market) -> None:
    with pytest.raises(InvalidInput, match="the market has 12"):
        batch(market, 10, 13)


def test_the_grid_is_the_truth_of_each_pair(market: Market) -> None:
    leads, reps = np.arange(0, 1_500, 7), np.array([0, 3, 11])

    grid = market.truth.grid(leads, reps, day=200)

    for column, rep in enumerate(reps):
        one = market.truth.p_win(leads, np.full(leads.size, rep), day=200)
        np.testing.assert_allclose(grid[:, column], one, rtol=1e-6)
    value = market.truth.expected_value(leads, reps, day=200)
    deals = market.leads.deal_value[leads, None]
    np.testing.assert_allclose(value, grid * deals, rtol=1e-5)


def test_channels_cost_money_on_days_with_leads(market: Market) -> None:
    costs = market.channel_costs()

    assert (costs["cost"] > 0).all()
    assert not costs.duplicated(["channel", "day"]).any()
    assert market.day_at(DEFAULT_END) == market.today


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_leads", 10),
        ("n_reps", 1),
        ("days", 5),
        ("seed", -1),
        ("rep_effect", -0.5),
        ("conversion", 1.0),
        ("lottery_share", 1.5),
        ("backlog_share", 0.9),
        ("backlog_days", 0),
        ("end", datetime(2026, 1, 1)),  # noqa: DTZ001
    ],
)
def test_settings_out_of_range_are_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        dataclasses.replace(MarketSettings(), **{field: value})

    assert refused.value.field == field


def test_the_importer_reads_every_row_without_a_mapping(
    market: Market, tmp_path: Path
) -> None:
    for name, path in write_exports(market, tmp_path).items():
        with importing(
            path, canonical(Kind(name)), now=DEFAULT_END, time_zone=ZONE,
            currency=CURRENCY,
        ) as opened:  # fmt: skip
            batches = list(opened.batches())

        assert [refusal for batch in batches for refusal in batch.refused] == []
        assert sum(batch.marked for batch in batches) == 0
        read = sum(len(batch.records) for batch in batches)
        assert read == market.exports()[name].num_rows
