"""A decision is a training row once its whole label window has ended."""

import numpy as np
import pandas as pd
import pytest

from features.as_of import instant
from features.known import Own
from features.learn import usual_prior, usual_time_to_win
from features.market import window_end
from features.recipe import Recipe
from rightrep.errors import TooFewOutcomes
from tests.made_history import day, history
from training.dataset import Labelled, labelled

RECIPE = Recipe(label_window_days=10)
LEADS = [{"lead_id": f"lead-{k}"} for k in range(4)]
GIVEN = [
    {"lead_id": f"lead-{k}", "rep_id": "rep", "decided_at": day(0)} for k in range(4)
]


def rows(at: float, **tables: list[dict[str, object]]) -> Labelled:
    found = history(
        leads=LEADS,
        reps=[{"rep_id": "rep"}],
        decisions=tables.pop("decisions", GIVEN),
        **tables,
    )
    return labelled(Own.of(found), RECIPE, instant(day(at)))


def closed(decision: int, result: str, at: float, **more: object) -> dict[str, object]:
    return {
        "lead_id": f"lead-{decision}",
        "decision_id": f"decision-{decision}",
        "result": result,
        "closed_at": day(at),
        **more,
    }


def test_early_closers_wait_like_all_others() -> None:
    outcomes = [closed(0, "won", 1), closed(1, "lost", 2)]

    assert rows(9.9, outcomes=outcomes).n_rows == 0
    assert rows(10, outcomes=outcomes).won.tolist() == [True, False, False, False]


def test_a_win_after_the_window_is_no_win() -> None:
    outcomes = [closed(0, "won", 10), closed(1, "won", 10.1)]

    assert rows(50, outcomes=outcomes).won.tolist() == [True, False, False, False]


def test_a_corrected_outcome_is_replaced() -> None:
    first = closed(0, "won", 1, event_id="first")
    correction = closed(0, "lost", 1, recorded_at=day(20), replaces="first")

    assert rows(19, outcomes=[first, correction]).won[0]
    assert not rows(20, outcomes=[first, correction]).won[0]


def test_a_decision_taken_back_is_no_training_row() -> None:
    overridden = {
        "lead_id": "lead-1",
        "kind": "overridden",
        "previous_owner": "rep",
        "happened_at": day(2),
    }

    found = rows(50, ownership=[overridden])

    assert found.decision.tolist() == [0, 2, 3]


def test_an_outcome_that_names_no_decision_judges_the_last_one_before_it() -> None:
    twice = [
        {"lead_id": "lead-0", "rep_id": "rep", "decided_at": day(0)},
        {"lead_id": "lead-0", "rep_id": "rep", "decided_at": day(5)},
        {"lead_id": "lead-0", "rep_id": "rep", "decided_at": day(9)},
    ]
    won = closed(0, "won", 7, decision_id=None)

    found = rows(50, decisions=twice, outcomes=[won])

    assert found.won.tolist() == [False, True, False]


def test_an_outcome_that_names_an_unknown_decision_is_credited_to_no_other() -> None:
    won = closed(0, "won", 7, decision_id="not recorded yet")

    assert not rows(50, outcomes=[won]).won.any()


def test_an_outcome_of_a_survivor_judges_the_decision_on_what_was_merged() -> None:
    merge = {"lead_id": "lead-0", "survivor_id": "lead-3", "merged_at": day(2)}
    decided = [{"lead_id": "lead-0", "rep_id": "rep", "decided_at": day(0)}]
    won = closed(3, "won", 7, decision_id=None)

    found = rows(50, decisions=decided, outcomes=[won], merges=[merge])

    assert found.won.tolist() == [True]


def test_rows_come_in_order_of_time_and_keep_their_propensity() -> None:
    decided = [
        {"lead_id": "lead-0", "rep_id": "rep", "decided_at": day(3)},
        {"lead_id": "lead-1", "rep_id": "rep", "decided_at": day(1), "propensity": 0.2},
    ]

    found = rows(50, decisions=decided)

    assert found.decision.tolist() == [1, 0]
    np.testing.assert_array_equal(found.propensity, [0.2, np.nan])


def test_too_few_of_either_result_are_refused_with_the_numbers() -> None:
    found = rows(50, outcomes=[closed(0, "won", 1)])

    with pytest.raises(TooFewOutcomes) as refused:
        found.require(2)

    assert (refused.value.won, refused.value.lost, refused.value.needed) == (1, 3, 2)


def test_a_window_ends_at_the_same_time_of_day_across_a_clock_change() -> None:
    start = pd.Timestamp("2024-03-09 12:00", tz="America/New_York")

    end = window_end(np.array([instant(start)]), 1, "America/New_York")

    expected = pd.Timestamp("2024-03-10 12:00", tz="America/New_York")
    assert end[0] == instant(expected)
    assert expected - start == pd.Timedelta(hours=23)


def test_the_usual_window_holds_nine_wins_in_ten() -> None:
    decided = [
        {"lead_id": "lead-0", "rep_id": "rep", "decided_at": day(k)} for k in range(100)
    ]
    won = [
        {
            "lead_id": "lead-0",
            "decision_id": f"decision-{k}",
            "result": "won",
            "closed_at": day(k + k + 1),
        }
        for k in range(100)
    ]
    found = Own.of(
        history(leads=LEADS, reps=[{"rep_id": "rep"}], decisions=decided, outcomes=won)
    )

    assert usual_time_to_win(found, instant(day(1_000))) == 91
    assert usual_time_to_win(found, instant(day(20))) < 20


def test_there_is_no_usual_window_without_a_win() -> None:
    with pytest.raises(TooFewOutcomes):
        usual_time_to_win(Own.of(history(leads=LEADS, reps=[])), instant(day(9)))


def test_rare_wins_need_longer_records_before_they_count() -> None:
    assert usual_prior(0.5) == pytest.approx(25.0)
    assert usual_prior(0.15) > usual_prior(0.5) > usual_prior(0.9) == 10.0
