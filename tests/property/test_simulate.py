"""Whatever its size, a demo market keeps its promises."""

from datetime import UTC, datetime

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.market_calendar import Calendar, is_holiday, spring_festival
from experiments.market_settings import MarketSettings
from experiments.simulate import batch, simulate
from features.history import TABLES

markets = st.builds(
    MarketSettings,
    n_leads=st.integers(100, 300),
    n_reps=st.integers(2, 15),
    days=st.integers(30, 150),
    seed=st.integers(0, 2**40),
    end=st.datetimes(
        datetime(1995, 1, 1),  # noqa: DTZ001
        datetime(2045, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
    rep_effect=st.sampled_from([0.0, 1.0, 3.0]),
    drift=st.sampled_from([0.0, 1.0, 4.0]),
    label_window_days=st.integers(7, 90),
    lottery_share=st.sampled_from([0.0, 0.3, 1.0]),
    backlog_share=st.sampled_from([0.0, 0.06, 0.5]),
    activities_per_lead=st.sampled_from([0.0, 2.0]),
)


@given(given_settings=markets)
@settings(max_examples=25)
def test_nothing_in_a_history_is_dated_after_the_end(
    given_settings: MarketSettings,
) -> None:
    history = simulate(given_settings).history()

    for name, kinds in TABLES.items():
        for column in [c for c, kind in kinds.items() if kind == "time"]:
            times = getattr(history, name)[column]
            assert not (times > given_settings.end).any(), (name, column)


@given(given_settings=markets)
@settings(max_examples=25)
def test_every_decision_keeps_the_rules_of_the_day(
    given_settings: MarketSettings,
) -> None:
    market = simulate(given_settings)
    past, reps = market.past, market.reps
    row = np.arange(past.lead.size)

    assert reps.at_work[past.day, past.rep].all()
    assert market.eligible(past.lead, np.arange(reps.n_reps))[row, past.rep].all()
    assert (past.decided_at > market.leads.created[past.lead]).all()
    assert (past.decided_at < market.calendar.end).all()
    assert (past.closed_at > past.decided_at).all()
    assert not market.leads.backlog[past.lead].any()
    assert (market.held >= 0).all()
    drawn = past.propensity[np.isfinite(past.propensity)]
    assert ((drawn > 0) & (drawn <= 1)).all()


@given(given_settings=markets)
@settings(max_examples=25)
def test_versions_and_owners_follow_one_another(
    given_settings: MarketSettings,
) -> None:
    history = simulate(given_settings).history()
    versions = history.lead_versions
    later = versions["lead_id"].eq(versions["lead_id"].shift())
    rising = versions["valid_from"] > versions["valid_from"].shift()
    events = history.ownership.sort_values("happened_at", kind="stable")
    before = events.groupby("lead_id")["owner"].shift().fillna("")

    assert (rising | ~later).all()
    assert versions["lead_id"].nunique() == given_settings.n_leads
    assert (events["previous_owner"].fillna("") == before).all()


@given(given_settings=markets, seed=st.integers(0, 1_000))
@settings(max_examples=25)
def test_chances_are_chances_and_the_null_world_knows_no_reps(
    given_settings: MarketSettings, seed: int
) -> None:
    market = simulate(given_settings)

    drawn = batch(market, 50, market.reps.n_reps, seed=seed)

    assert ((drawn.p_win > 0) & (drawn.p_win < 1)).all()
    assert drawn.capacity.sum() == 50
    assert drawn.eligible.any(axis=1).all()
    if given_settings.rep_effect == 0:
        assert (drawn.p_win == drawn.p_win[:, :1]).all()


@given(at=st.integers(0, 10**9), seed=st.integers(0, 99), zone=st.integers(0, 3))
def test_waiting_for_office_hours_never_goes_back_in_time(
    at: int, seed: int, zone: int
) -> None:
    calendar = Calendar.of(MarketSettings(days=400))
    asked = np.array([calendar.midnight + at % (400 * 86_400)])

    answered = calendar.into_hours(asked, np.array([zone]), np.random.default_rng(seed))

    again = calendar.into_hours(answered, np.array([zone]), np.random.default_rng(0))
    assert answered >= asked
    # A clock change on the way may put the answer an hour before the doors open.
    assert again - answered <= 3 * 3_600


@given(year=st.integers(1970, 2100))
def test_the_chinese_year_starts_between_20_january_and_21_february(year: int) -> None:
    first = spring_festival(year)

    assert (1, 20) <= (first.month, first.day) <= (2, 21)
    assert is_holiday(first)
