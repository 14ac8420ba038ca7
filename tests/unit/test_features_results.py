"""How a decision closed is what was known of it at the instant asked about."""

import numpy as np
import pandas as pd

from features.as_of import DAY
from features.history import History
from features.results import Results

START = pd.Timestamp("1970-01-01", tz="UTC")


def day(number: int) -> pd.Timestamp:
    return START + pd.Timedelta(days=number)


def results(*rows: tuple[str, int, str, int, int, str | None]) -> Results:
    """Rows of event id, subject, result, closed day, recorded day, replaced event."""
    frame = pd.DataFrame(
        {
            "event_id": [row[0] for row in rows],
            "lead_id": "lead",
            "decision_id": "decision",
            "result": [row[2] for row in rows],
            "closed_at": [day(row[3]) for row in rows],
            "recorded_at": [day(row[4]) for row in rows],
            "value": np.nan,
            "replaces": pd.Series([row[5] for row in rows], dtype="str"),
        }
    )
    outcomes = History.of({"outcomes": frame}).outcomes
    return Results.of(outcomes, np.array([row[1] for row in rows], dtype=np.int64))


def won(found: Results, subject: int, at: int, deadline: int | None = None) -> bool:
    limit = None if deadline is None else np.array([deadline * DAY])
    asked = np.array([subject], dtype=np.int64)
    return bool(found.won_by(asked, np.array([at * DAY]), limit)[0])


def test_a_win_is_known_once_it_is_closed_and_recorded() -> None:
    found = results(("e1", 0, "won", 10, 14, None))

    assert [won(found, 0, at) for at in (10, 13, 14)] == [False, False, True]


def test_a_win_after_the_deadline_is_none() -> None:
    found = results(("e1", 0, "won", 10, 10, None))

    assert won(found, 0, at=99, deadline=10)
    assert not won(found, 0, at=99, deadline=9)


def test_a_correction_counts_from_when_it_was_recorded() -> None:
    found = results(
        ("e1", 0, "won", 10, 10, None),
        ("e2", 0, "lost", 10, 30, "e1"),
    )

    assert [won(found, 0, at) for at in (10, 29, 30)] == [True, True, False]


def test_a_correction_that_names_another_decision_opens_the_first_again() -> None:
    found = results(
        ("e1", 0, "won", 10, 10, None),
        ("e2", 1, "won", 10, 30, "e1"),
    )

    assert [won(found, 0, at) for at in (29, 30)] == [True, False]
    assert [won(found, 1, at) for at in (29, 30)] == [False, True]
    assert not found.closed_by(np.array([0]), np.array([30 * DAY]))[0]


def test_what_was_corrected_before_it_was_heard_of_was_never_known() -> None:
    found = results(
        ("e1", 0, "won", 10, 40, None),
        ("e2", 0, "lost", 10, 30, "e1"),
    )

    assert [won(found, 0, at) for at in (30, 40, 99)] == [False, False, False]


def test_changes_of_won_add_up_to_what_is_known() -> None:
    found = results(
        ("e1", 0, "won", 10, 10, None),
        ("e2", 0, "lost", 10, 30, "e1"),
        ("e3", 1, "lost", 5, 5, None),
    )

    subject, at, change = found.win_changes()

    assert subject.tolist() == [0, 0]
    assert (at // DAY).tolist() == [10, 30]
    assert change.tolist() == [1, -1]
