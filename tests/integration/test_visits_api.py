"""A rep's day of visits over real leads, and what the public pool has on the way."""

from pathlib import Path
from typing import Any

import pytest

from rightrep.domain.ids import RepId
from rightrep.domain.roles import Role
from rightrep.store.engine import Store
from serving.usecases.tenancy import new_key
from tests.serving_parts import ACME, Served, serve

OFFICE = [{"weekday": day, "start": "09:00", "end": "17:00"} for day in range(5)]
HOME = {"latitude": 31.2304, "longitude": 121.4737}
START = f"latitude={HOME['latitude']}&longitude={HOME['longitude']}"
TUESDAY = f"/v1/reps/r1/visits?day=2026-03-03&{START}"


def place(north: float, east: float, **more: Any) -> dict[str, Any]:
    return {"latitude": north, "longitude": east, **more}


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    """Rep r1 has three leads: one only before ten, one until noon, one far off."""
    served = serve(store, tmp_path)
    served.add_reps("r1", "r2", shifts=OFFICE)
    fields: dict[str, dict[str, Any]] = {
        "early": place(31.24, 121.50, visit_until="10:00", visit_minutes=60),
        "noon": place(31.20, 121.44, visit_from="12:00"),
        "far": place(39.90, 116.40),
        "nowhere": {},
    }
    for lead, attributes in fields.items():
        served.add_leads(lead, attributes=attributes)
        given = served.post(f"/v1/leads/{lead}/assign", {"rep": "r1"})
        assert given.status_code == 200, given.text
    return served


def names(served: Served, *leads: str) -> list[str]:
    return [
        served.get(f"/v1/leads/{lead}", role=Role.MANAGER).json()["lead_id"]
        for lead in leads
    ]


def test_the_route_keeps_windows_and_says_why_a_lead_is_left_out(
    served: Served,
) -> None:
    found = served.get(TUESDAY)

    assert found.status_code == 200, found.text
    day = found.json()
    early, noon, far, nowhere = names(served, "early", "noon", "far", "nowhere")
    assert [one["lead_id"] for one in day["visits"]] == [early, noon]
    assert day["visits"][0]["begin"] <= "2026-03-03T10:00:00+08:00"
    assert day["visits"][1]["begin"] >= "2026-03-03T12:00:00+08:00"
    assert day["left_out"] == [{"lead_id": far, "reason": "window"}] or day[
        "left_out"
    ] == [{"lead_id": far, "reason": "day"}]
    assert day["unplaced"] == [nowhere]
    assert day["value"] == day["bound"] == 2.0  # without a model a visit counts 1


def test_public_leads_on_the_way_come_with_what_they_cost(served: Served) -> None:
    served.add_leads("near", attributes=place(31.22, 121.47, visit_minutes=15))
    served.add_leads("beyond", attributes=place(30.00, 120.00))

    near = served.get(TUESDAY).json()["nearby"]

    # The rep has to wait for noon anyway.
    (own,) = names(served, "near")
    assert [(one["lead_id"], one["extra_minutes"]) for one in near] == [(own, 0.0)]


def test_a_public_lead_that_delays_the_day_too_long_is_not_on_the_way(
    served: Served,
) -> None:
    served.add_leads("late", attributes=place(31.22, 121.47, visit_from="15:00"))

    usual = served.get(TUESDAY).json()["nearby"]
    (patient,) = served.get(f"{TUESDAY}&max_extra_minutes=240").json()["nearby"]

    assert usual == []
    assert patient["after"] == 2
    assert 120 < patient["extra_minutes"] < 240


def test_positions_and_windows_may_be_told_with_the_request(served: Served) -> None:
    body = {
        "day": "2026-03-03",
        "start": HOME,
        "leads": [
            {"lead": "nowhere", **place(31.25, 121.49), "opens": "14:00"},
            {"lead": "far", **place(31.21, 121.46), "closes": "11:00"},
        ],
    }

    day = served.post("/v1/reps/r1/visits", body).json()

    far, nowhere = names(served, "far", "nowhere")
    assert [one["lead_id"] for one in day["visits"]] == [far, nowhere]
    assert day["visits"][1]["begin"] >= "2026-03-03T14:00:00+08:00"


def test_a_rep_sees_the_own_day_and_own_leads_alone(served: Served) -> None:
    key = new_key(served.context, ACME, Role.REP, "r2", rep_id=RepId("r2")).secret
    lead = {"lead": "far", **place(31.21, 121.46)}
    body = {"day": "2026-03-03", "start": HOME, "leads": [lead]}

    assert served.get(TUESDAY, key=key).status_code == 403
    assert served.post("/v1/reps/r2/visits", body, key=key).status_code == 404


def test_a_day_off_has_no_route(served: Served) -> None:
    sunday = TUESDAY.replace("2026-03-03", "2026-03-08")

    answer = served.get(sunday)

    assert answer.status_code == 409
    assert "does not work on 2026-03-08" in answer.json()["detail"]
