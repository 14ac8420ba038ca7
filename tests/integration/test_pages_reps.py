"""Who sells how: ratings and load of every rep, on a page and in a file."""

import csv
import io
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rightrep.domain.activity import Activity, ActivityKind
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.roles import Role
from rightrep.store.activities import record_activities
from rightrep.store.decisions import list_decisions, log_decisions
from rightrep.store.engine import Store
from serving.web.language import COOKIE
from tests.integration.test_pages_board import read, signed_in
from tests.integration.test_pages_languages import ENGLISH_WORDS
from tests.integration.test_rep_rating_api import N_REPS, rate
from tests.serving_parts import ACME, Served, serve
from tests.store_records import decision


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

    standings: Any = told[1]["standings"]
    first, segments = standings[0], standings[1:]
    words = " ".join(first["words"]["en"].split())
    assert words[1:] in shown
    assert first["words"]["zh"].split("，")[0] in chinese
    assert segments
    known = [one for one in segments if one["ratio"] is not None]
    unlike = [one for one in known if not one["low"] <= 1 <= one["high"]]
    for one in known:
        assert f"{one['ratio']:.2f} {one['low']:.2f}–{one['high']:.2f}" in shown
        is_told = " ".join(one["words"]["en"].split()) in shown
        assert is_told is (one in unlike)
    left = len(segments) - len(unlike)
    assert f"In {left} of {len(segments)} segments no difference" in shown
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
    assert "– – – – 0 1" in before
    assert "– – – – 1 1 full" in after
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


def paced(served: Served, hours: dict[str, float], leads: int = 30) -> None:
    """Reps who touched their leads after so many hours, ten days ago."""
    own = [RepId(one) for one in served.add_reps(*hours)]
    ids = [LeadId(x) for x in served.add_leads(*(f"L{k}" for k in range(leads)))]
    given = served.clock.now()
    served.clock.move(timedelta(days=10))
    signed_in(served)
    made, done = [], []
    for k, lead in enumerate(ids):
        rep = own[k % len(own)]
        made.append(decision(lead, rep, given))
        after = [*hours.values()][k % len(own)] * (1 + k / leads)
        done.append(touch(lead, rep, given + timedelta(hours=after)))
    with served.context.store.write(ACME) as session:
        log_decisions(session, made)
        record_activities(session, done)


def touch(lead: LeadId, rep: RepId, at: datetime) -> Activity:
    return Activity(
        event_id=f"touch {lead} {at}",
        kind=ActivityKind.CALL,
        lead_id=lead,
        rep_id=rep,
        happened_at=at,
        recorded_at=at,
    )


def test_who_departs_in_the_first_touch_is_named_with_interval(served: Served) -> None:
    paced(served, {"quick": 2.0, "slow": 20.0}, leads=60)

    shown, kept = read(served, "/reps"), {row["rep"]: row for row in rows(served)}

    slow = kept["Rep slow"]
    assert float(slow["touch_low"]) > 1
    assert (
        float(slow["touch_low"])
        < float(slow["touch_ratio"])
        == pytest.approx(10, rel=0.05)
    )
    ratio = f"{float(slow['touch_ratio']):.2f}"
    assert (
        f"slower 1 rep to the first touch, against all others: Rep slow ×{ratio}"
        in (shown)
    )
    own = read(served, "/reps/slow")
    assert f"slower ×{ratio}" in own


def test_who_wins_measurably_more_or_less_is_named_first(served: Served) -> None:
    told = rated(served)
    firsts = [one["standings"][0] for one in told]  # type: ignore[index]
    more = [one for one in firsts if one["low"] > 1]
    less = [one for one in firsts if one["high"] < 1]

    shown = read(served, "/reps").split("A rating of 1.20")[0]

    for found, word in ((more, "more"), (less, "less")):
        assert (f"measurably {word} often than" in shown) is bool(found)
        for one in found[:4]:
            assert f"×{one['ratio']:.2f} {one['low']:.2f}–{one['high']:.2f}" in shown
    nobody = "Nobody wins measurably more, or less, than the team."
    assert (nobody in shown) is (not more and not less)


def test_reps_who_take_no_leads_come_last(served: Served) -> None:
    served.add_reps("a", team="red", status="paused")
    served.add_reps("b", team="red")

    shown = read(served, "/reps")

    assert shown.index("Rep b") < shown.index("Rep a")
    assert [row["rep"] for row in rows(served)] == ["Rep b", "Rep a"]


def test_where_reps_do_not_differ_nobody_is_named(served: Served) -> None:
    paced(served, {"one": 3.0, "two": 3.0}, leads=60)

    assert "nobody departs from the others" in read(served, "/reps")


def test_an_earlier_touch_on_record_makes_the_rep_quicker_from_the_next_morning(
    served: Served,
) -> None:
    paced(served, {"quick": 2.0, "slow": 20.0}, leads=60)
    before = {row["rep"]: row for row in rows(served)}["Rep slow"]
    given = served.clock.now() - timedelta(days=10)
    with served.context.store.write(ACME) as session:
        made = list_decisions(session, limit=100).decisions
        slow = [one for one in made if one.rep_id == before["rep_id"]]
        soon = given + timedelta(hours=1)
        record_activities(session, [touch(d.lead_id, d.rep_id, soon) for d in slow])
    same_day = {row["rep"]: row for row in rows(served)}["Rep slow"]
    served.clock.move(timedelta(days=1))
    signed_in(served)

    after = {row["rep"]: row for row in rows(served)}["Rep slow"]

    assert same_day["hours_to_touch"] == before["hours_to_touch"]
    assert float(after["hours_to_touch"]) == pytest.approx(1.0)
    assert float(after["touch_ratio"]) < 1 < float(before["touch_ratio"])


def test_a_lead_that_still_waits_counts_as_long_as_it_had(served: Served) -> None:
    own = [RepId(one) for one in served.add_reps("idle", "busy")]
    ids = [LeadId(x) for x in served.add_leads(*(f"L{k}" for k in range(40)))]
    given = served.clock.now()
    with served.context.store.write(ACME) as session:
        pairs = [(lead, own[k % 2]) for k, lead in enumerate(ids)]
        log_decisions(session, [decision(lead, rep, given) for lead, rep in pairs])
        soon = given + timedelta(hours=5)
        done = [touch(lead, rep, soon) for lead, rep in pairs if rep == own[1]]
        record_activities(session, done)
    young = read(served, "/reps")
    served.clock.move(timedelta(days=8))
    signed_in(served)

    shown = read(served, "/reps")

    assert "first touch, against" not in young
    assert "Rep idle – – slower > 7 days" in " ".join(shown.split())
