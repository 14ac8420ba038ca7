"""A merged lead is part of its survivor while the merge stands."""

import numpy as np
import pandas as pd

from features.as_of import DAY
from features.history import History
from features.merges import Merges

START = pd.Timestamp("1970-01-01", tz="UTC")
LEADS = pd.Index(["a", "b", "c"])


def merges(*rows: tuple[str, str, int, int | None]) -> Merges:
    frame = pd.DataFrame(
        {
            "lead_id": [row[0] for row in rows],
            "survivor_id": [row[1] for row in rows],
            "merged_at": [START + pd.Timedelta(days=row[2]) for row in rows],
            "undone_at": [
                pd.NaT if row[3] is None else START + pd.Timedelta(days=row[3])
                for row in rows
            ],
        }
    )
    return Merges.of(History.of({"merges": frame}).merges, LEADS)


def survivor(found: Merges, lead: str, day: float) -> str:
    at = np.array([int(day * DAY)])
    return str(LEADS[found.survivor_of(np.array([LEADS.get_loc(lead)]), at)[0]])


def parts(found: Merges, lead: str, day: float) -> set[str]:
    at = np.array([int(day * DAY)])
    _, part = found.parts_of(np.array([LEADS.get_loc(lead)]), at)
    return set(LEADS[part])


def test_a_lead_is_itself_before_its_merge_and_its_survivor_after() -> None:
    found = merges(("a", "b", 10, None))

    assert [survivor(found, "a", day) for day in (9, 10)] == ["a", "b"]
    assert [parts(found, "b", day) for day in (9, 10)] == [set(), {"a"}]


def test_an_undone_merge_is_over() -> None:
    found = merges(("a", "b", 10, 20))

    assert [survivor(found, "a", day) for day in (19, 20)] == ["b", "a"]
    assert parts(found, "b", 20) == set()


def test_a_merge_of_a_survivor_takes_all_its_parts_along() -> None:
    found = merges(("a", "b", 10, None), ("b", "c", 30, None))

    assert survivor(found, "a", 30) == "c"
    assert parts(found, "c", 30) == {"a", "b"}
    assert parts(found, "c", 29) == set()


def test_a_merge_undone_below_leaves_the_survivors_survivor() -> None:
    found = merges(("a", "b", 10, 40), ("b", "c", 30, None))

    assert parts(found, "c", 40) == {"b"}
    assert survivor(found, "a", 40) == "a"


def test_a_ring_of_merges_comes_to_an_end() -> None:
    found = merges(("a", "b", 10, None), ("b", "a", 20, None))

    assert survivor(found, "a", 15) == "b"
    assert survivor(found, "a", 25) in {"a", "b"}
    assert parts(found, "b", 15) == {"a"}


def test_merges_of_leads_that_are_not_known_here_are_left_out() -> None:
    found = merges(("x", "b", 10, None))

    assert parts(found, "b", 99) == set()
