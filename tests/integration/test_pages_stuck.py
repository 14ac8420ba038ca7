"""What is stuck: told with its records, and gone from the page when it is not."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from rightrep.domain.roles import Role
from rightrep.store.engine import Store
from serving.usecases.tenancy import new_key
from serving.web.language import COOKIE
from tests import board_market as market
from tests.integration.test_customer_health import look
from tests.integration.test_pages_board import planned, read, signed_in
from tests.integration.test_pages_languages import ENGLISH_WORDS
from tests.integration.test_service_reps import CARE
from tests.serving_parts import ACME, Served, serve

COMPANY = "上海明达科技有限公司"


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    return signed_in(serve(store, tmp_path))


def work(served: Served, path: str) -> None:
    """Ask for a job and do it."""
    asked = served.post(path, {}, role=Role.MANAGER)
    assert asked.status_code == 202, asked.text
    while served.work():
        pass


def about_to_drop(served: Served) -> None:
    """Rep Wang claims two leads of a pool that lets them go after three days."""
    settings = {"counting": "hours", "protection": {"follow_up_days": 3}}
    body = {"settings": settings, "reason": "new"}
    served.call("PUT", "/v1/pools/east", body, role=Role.ADMIN)
    served.add_reps("wang")
    served.add_leads("L1", "L2")
    key = new_key(served.context, ACME, Role.REP, "own", rep_id="wang").secret
    answer = served.post("/v1/claims", {"leads": ["L1", "L2"]}, key=key)
    assert answer.status_code == 200, answer.text


def act(
    served: Served, lead: str, hour: str, kind: str, north: float, rep: str = "wang"
) -> None:
    activity = {
        "event_id": f"{kind}-{lead}-{hour}",
        "lead": lead,
        "rep": rep,
        "kind": kind,
        "happened_at": f"2026-03-02T{hour}:00+08:00",
        "latitude": north,
        "longitude": 104.0,
    }
    answer = served.post("/v1/feedback/activities", {"activities": [activity]})
    assert answer.status_code == 201, answer.text


def test_where_nothing_is_stuck_the_page_says_so(served: Served) -> None:
    shown = read(served, "/stuck")

    assert "There is no plan yet." in shown
    assert "No lead is about to drop" in shown
    assert "No alarm is open." in shown
    assert "No churn alarm is on." in shown


def test_unassigned_leads_are_counted_from_the_latest_plan(served: Served) -> None:
    leads = market.settle_in(served, 60)
    first = planned(served, leads)
    before = read(served, "/stuck")
    served.clock.move(timedelta(minutes=1))

    second = planned(served, leads[:10])

    after = read(served, "/stuck")
    assert f"From plan {first.plan_id}" in before
    assert "leads stay without a rep." in before
    assert f"From plan {second.plan_id}" in after
    assert before.split("Leads about")[0] != after.split("Leads about")[0]


def test_a_lead_about_to_drop_is_listed_until_it_is_followed_up(
    served: Served,
) -> None:
    about_to_drop(served)
    before = read(served, "/stuck")

    served.clock.move(timedelta(days=1))
    signed_in(served)
    act(served, "L1", "18:00", "call", 30.0)

    assert "Leads about to drop 2" in before
    assert "L1 Rep wang 5 Mar 2026, 12:00" in before
    assert "no follow-up for too long" in before
    later = read(served, "/stuck")
    assert "L2 Rep wang 5 Mar 2026, 12:00" in later
    assert "L1 Rep wang 5 Mar 2026, 18:00" in later


def test_an_alarm_is_told_with_its_evidence_until_it_is_settled(
    served: Served,
) -> None:
    served.add_reps("wang")
    served.add_leads("one", "two")
    act(served, "one", "09:00", "visit", 30.6)
    act(served, "two", "09:30", "visit", 34.2)
    work(served, "/v1/alarms/search")
    (alarm,) = served.get("/v1/alarms", role=Role.MANAGER).json()["alarms"]

    shown = read(served, "/stuck")
    served.http.cookies.set(COOKIE, "zh")
    chinese = read(served, "/stuck")
    served.http.cookies.set(COOKIE, "en")
    served.post(
        f"/v1/alarms/{alarm['alarm_id']}/settle",
        {"because": "wrong date"},
        role=Role.MANAGER,
    )

    assert "Rep wang wrote down visits that nobody can drive between" in shown
    assert f"From alarm {alarm['alarm_id']}" in shown
    assert "公里" in chinese
    assert ENGLISH_WORDS.findall(chinese.replace("rightrep", "")) == []
    assert "No alarm is open." in read(served, "/stuck")


def test_a_customer_about_to_leave_is_listed_until_they_buy(served: Served) -> None:
    served.add_leads("l1", company=COMPANY)
    won = {"lead": "l1", "result": "won", "closed_at": "2026-03-02T12:00:00+08:00"}
    served.post("/v1/feedback/outcomes", {"outcomes": [{"event_id": "1", **won}]})
    look(served)
    assert COMPANY not in read(served, "/stuck")

    served.clock.move(timedelta(days=900))
    signed_in(served)
    look(served)

    assert f"{COMPANY} nobody" in read(served, "/stuck")


def test_what_is_stuck_comes_before_what_is_not(served: Served) -> None:
    about_to_drop(served)

    shown = read(served, "/stuck")

    places = [shown.index(words) for words in ("L1 Rep wang", "There is no plan yet.")]
    assert places == sorted(places)


def test_a_customer_about_to_leave_names_who_looks_after_them(served: Served) -> None:
    served.call("PUT", "/v1/settings/handover", CARE, role=Role.ADMIN)
    served.add_reps("wang", team="care")
    served.add_leads("l1", company=COMPANY)
    won = {"lead": "l1", "result": "won", "closed_at": "2026-03-02T12:00:00+08:00"}
    served.post("/v1/feedback/outcomes", {"outcomes": [{"event_id": "1", **won}]})
    served.clock.move(timedelta(days=900))
    signed_in(served)
    look(served)

    assert f"{COMPANY} Rep wang" in read(served, "/stuck")


def test_an_analyst_sees_what_is_stuck_and_nobody_accused(
    store: Store, tmp_path: Path
) -> None:
    served = signed_in(serve(store, tmp_path), Role.ANALYST)
    about_to_drop(served)
    act(served, "L1", "09:00", "visit", 30.6)
    act(served, "L2", "09:30", "visit", 34.2)
    work(served, "/v1/alarms/search")

    shown = read(served, "/stuck")

    assert "Leads about to drop" in shown
    assert "cheating" not in shown
    assert "wang" not in shown


def test_an_overdue_follow_up_is_listed_until_the_lead_is_touched(
    served: Served,
) -> None:
    about_to_drop(served)
    work(served, "/v1/tasks/look")
    assert "No follow-up is overdue." in read(served, "/stuck")
    served.clock.move(timedelta(days=3))
    signed_in(served)
    before = read(served, "/stuck")

    act(served, "L1", "13:00", "call", 30.0)

    after = read(served, "/stuck")
    assert "Follow-ups overdue 2" in before
    assert "Follow-ups overdue 1" in after
    (table,) = re.findall(r"Late by.*?From the open follow-up", after)
    assert "L2 Rep wang" in table
    assert "L1" not in table


def test_an_alarm_leads_to_its_reps_and_leads(served: Served) -> None:
    (rep,) = served.add_reps("wang")
    one, two = served.add_leads("one", "two")
    act(served, "one", "09:00", "visit", 30.6)
    act(served, "two", "09:30", "visit", 34.2)
    work(served, "/v1/alarms/search")

    page = served.http.get("/stuck").text
    alarm = page.split('id="alarms"')[1].split("</section>")[0]

    for path in (f"/reps/{rep}", f"/leads/{one}", f"/leads/{two}"):
        assert f'href="{path}"' in alarm
        assert served.http.get(path).status_code == 200


def test_more_than_the_page_lists_is_counted_whole(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.usecases.board_stuck.ALARMS_SHOWN", 1)
    served.add_reps("wang", "li")
    for rep in ("wang", "li"):
        served.add_leads(f"{rep} 1", f"{rep} 2")
        act(served, f"{rep} 1", "09:00", "visit", 30.6, rep)
        act(served, f"{rep} 2", "09:30", "visit", 34.2, rep)
    work(served, "/v1/alarms/search")
    bought = [f"c{k}" for k in range(3)]
    for lead in bought:
        served.add_leads(lead, company=f"{COMPANY} {lead}")
    won = {"result": "won", "closed_at": "2026-03-02T12:00:00+08:00"}
    outcomes = [{"event_id": lead, "lead": lead, **won} for lead in bought]
    served.post("/v1/feedback/outcomes", {"outcomes": outcomes})
    served.clock.move(timedelta(days=900))
    signed_in(served)
    look(served)

    shown = read(served, "/stuck")

    assert "Alarms about cheating 2" in shown
    assert "The first 1 of 2:" in shown
    assert "Customers about to leave 3" in shown
    assert "The first 1 of 3:" in shown
