"""Who sells how: ratings and load of every rep, on a page and in a file."""

import csv
import io
from pathlib import Path

import pytest

from rightrep.domain.roles import Role
from rightrep.store.engine import Store
from serving.web.language import COOKIE
from tests.integration.test_pages_board import read, signed_in
from tests.integration.test_pages_languages import ENGLISH_WORDS
from tests.integration.test_rep_rating_api import N_REPS, rate
from tests.serving_parts import Served, serve


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    return signed_in(serve(store, tmp_path))


def rated(served: Served) -> list[dict[str, object]]:
    """Reps with a made-up history; gives what the API says of each."""
    names = [f"r{j}" for j in range(N_REPS)]
    rate(served, served.add_reps(*names, holding_limit=2, team="red"))
    return [
        served.get(f"/v1/reps/{name}/rating", role=Role.MANAGER).json()
        for name in names
    ]


def rows(served: Served) -> list[dict[str, str]]:
    answer = served.http.get("/reps.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_ratings_are_those_of_the_api_with_their_interval(served: Served) -> None:
    told = rated(served)

    shown, kept = read(served, "/reps"), rows(served)

    for number, rating in enumerate(told):
        first = rating["standings"][0]  # type: ignore[index]
        low, high = f"{first['low']:.2f}", f"{first['high']:.2f}"
        assert f"Rep r{number} red {first['ratio']:.2f} {low}–{high}" in shown
        row = next(row for row in kept if row["rep"] == f"Rep r{number}")
        assert float(row["rating"]) == pytest.approx(first["ratio"], abs=1e-12)
        assert int(row["judged_leads"]) == first["n_leads"]
    assert "by model 3" in shown


def test_a_rep_opens_up_by_segment_in_words_of_both_languages(served: Served) -> None:
    told = rated(served)

    shown = read(served, "/reps/r1")
    served.http.cookies.set(COOKIE, "zh")
    chinese = read(served, "/reps/r1")

    for standing in told[1]["standings"]:  # type: ignore[attr-defined]
        assert " ".join(standing["words"]["en"].split()) in shown
        assert standing["words"]["zh"].split("，")[0] in chinese
    assert f"From rep {told[1]['rep_id']}" in shown
    assert ENGLISH_WORDS.findall(read(served, "/reps")) == []


def test_without_a_model_there_is_load_and_no_rating(served: Served) -> None:
    assert "There are no reps yet." in read(served, "/reps")
    served.add_reps("r1", holding_limit=1)

    before = read(served, "/reps")
    served.add_leads("L1")
    served.next("L1")
    after = read(served, "/reps")

    assert "No ratings: no model can say" in before
    assert "– – – 0 1" in before
    assert "– – – 1 1 full" in after
    assert "No ratings" in read(served, "/reps/r1")
    assert rows(served)[0]["rating"] == ""


def test_a_name_that_is_a_formula_stays_a_name_in_the_file(served: Served) -> None:
    served.post("/v1/reps", {"reps": [{"external_id": "x", "name": "=1+1"}]})

    assert rows(served)[0]["rep"] == "'=1+1"


def test_ratings_of_people_are_for_managers(store: Store, tmp_path: Path) -> None:
    served = signed_in(serve(store, tmp_path), Role.ANALYST)
    served.add_reps("r1")

    for path in ("/reps", "/reps.csv", "/reps/r1"):
        answer = served.http.get(path)
        assert answer.status_code == 403
        assert "Rep r1" not in answer.text
    assert 'href="/reps"' not in served.http.get("/").text
