"""Channel costs: set by the API and by import, a known day set anew."""

from pathlib import Path

import pytest

from rightrep.domain.roles import Role
from rightrep.intake.fields import Kind
from rightrep.store.engine import Store
from serving.usecases.imports import ImportReport, import_file
from tests.serving_parts import ACME, Served, serve

PATH = "/v1/channel-costs"


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    return serve(store, tmp_path)


def cost(channel: str, day: str, amount: str) -> dict[str, object]:
    return {
        "channel": channel,
        "day": day,
        "cost": {"amount": amount, "currency": "CNY"},
    }


def told(served: Served, span: str = "") -> dict[tuple[str, str], str]:
    """Amounts by channel and day."""
    answer = served.get(f"{PATH}{span}", role=Role.ANALYST)
    assert answer.status_code == 200, answer.text
    return {
        (one["channel"], one["day"]): one["cost"]["amount"] for one in answer.json()
    }


def imported(served: Served, folder: Path, *rows: str) -> ImportReport:
    path = folder / "costs.csv"
    path.write_text("\n".join(["channel,day,cost", *rows]), encoding="utf-8")
    return import_file(served.context.store, ACME, Kind.COSTS, path, clock=served.clock)


def test_a_day_that_is_known_is_set_anew(served: Served) -> None:
    first = [cost("ads", "2026-03-01", "100.00"), cost("fair", "2026-03-01", "9.50")]
    served.call("PUT", PATH, {"costs": first})

    answer = served.call("PUT", PATH, {"costs": [first[0], cost(*NEW)]})

    assert answer.status_code == 200, answer.text
    assert answer.json() == {"changed": 1, "unchanged": 1}
    assert told(served) == {
        ("ads", "2026-03-01"): "100.00",
        ("fair", "2026-03-01"): "12.00",
    }


NEW = ("fair", "2026-03-01", "12.00")


@pytest.mark.parametrize(
    ("costs", "words"),
    [
        ([cost("ads", "2026-03-01", "-1")], "is negative"),
        ([cost("ads", "2026-03-01", "1"), cost("ads", "2026-03-01", "2")], "twice"),
    ],
)
def test_what_makes_no_sense_is_refused_whole(
    served: Served, costs: list[dict[str, object]], words: str
) -> None:
    answer = served.call("PUT", PATH, {"costs": costs})

    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert told(served) == {}


def test_days_are_asked_for_first_to_last(served: Served) -> None:
    rows = [cost("ads", f"2026-02-0{day}", "5") for day in range(1, 9)]
    served.call("PUT", PATH, {"costs": rows})

    found = told(served, "?first=2026-02-03&last=2026-02-04")

    assert [day for _, day in found] == ["2026-02-03", "2026-02-04"]
    wrong = served.get(f"{PATH}?first=2026-02-04&last=2026-02-03", role=Role.ANALYST)
    assert wrong.status_code == 422


def test_only_programs_and_managers_set_costs(served: Served) -> None:
    body = {"costs": [cost("ads", "2026-03-01", "1")]}

    assert served.call("PUT", PATH, body, role=Role.ANALYST).status_code == 403
    assert served.call("PUT", PATH, body, role=Role.MANAGER).status_code == 200


def test_a_file_lands_and_the_same_file_again_changes_nothing(
    served: Served, tmp_path: Path
) -> None:
    rows = ("ads,2026-03-01,100", "ads,2026-03-02,80.50", "ads,2026-03-01,100")

    once = imported(served, tmp_path, *rows)
    again = imported(served, tmp_path, *rows)

    assert (once.landed, once.unchanged, once.refused) == (2, 1, 0)
    assert (again.landed, again.unchanged, again.refused) == (0, 3, 0)
    assert told(served)["ads", "2026-03-02"] == "80.50"


def test_a_row_that_contradicts_an_earlier_one_is_refused(
    served: Served, tmp_path: Path
) -> None:
    report = imported(served, tmp_path, "ads,2026-03-01,100", "ads,2026-03-01,90")

    assert (report.landed, report.refused) == (1, 1)
    assert told(served) == {("ads", "2026-03-01"): "100.00"}


def test_a_negative_cost_is_refused_with_its_line(
    served: Served, tmp_path: Path
) -> None:
    report = imported(served, tmp_path, "ads,2026-03-01,-1", "ads,2026-03-02,1")

    assert (report.landed, report.refused) == (1, 1)
    assert report.rejects is not None
    assert "cost" in report.rejects.read_text(encoding="utf-8")
