"""Alarms through the API: managers look and settle, nobody else sees them."""

from pathlib import Path

import pytest

from rightrep.domain.roles import Role
from rightrep.store.engine import Store
from tests.serving_parts import Served, serve


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    """A tenant whose one rep wrote down two visits that cannot both be."""
    made = serve(store, tmp_path)
    made.add_reps("wang")
    made.add_leads("one", "two")
    told = [
        {
            "event_id": f"visit-{lead}",
            "lead": lead,
            "rep": "wang",
            "kind": "visit",
            "happened_at": f"2026-03-02T{hour}:00+08:00",
            "latitude": north,
            "longitude": 104.0,
        }
        for lead, hour, north in (("one", "09:00", 30.6), ("two", "09:30", 34.2))
    ]
    answer = made.post("/v1/feedback/activities", {"activities": told})
    assert answer.status_code == 201, answer.text
    return made


def test_a_manager_searches_reads_the_evidence_and_settles(served: Served) -> None:
    asked = served.post("/v1/alarms/search", {}, role=Role.MANAGER)
    assert asked.status_code == 202, asked.text
    assert served.work()
    (alarm,) = served.get("/v1/alarms", role=Role.MANAGER).json()["alarms"]
    assert alarm["kind"] == "impossible_visits"
    assert "km in 30 minutes" in alarm["words"]
    path = f"/v1/alarms/{alarm['alarm_id']}"
    settled = served.post(
        f"{path}/settle", {"because": "wrong date"}, role=Role.MANAGER
    )
    assert settled.json()["settled_because"] == "wrong date"
    assert served.get("/v1/alarms", role=Role.MANAGER).json()["alarms"] == []
    again = served.post(f"{path}/settle", {"because": "x"}, role=Role.MANAGER)
    assert again.status_code == 409
    assert served.get("/v1/alarms/none", role=Role.MANAGER).status_code == 404


@pytest.mark.parametrize("role", [Role.SERVICE, Role.ANALYST])
def test_nobody_but_managers_sees_alarms(served: Served, role: Role) -> None:
    assert served.get("/v1/alarms", role=role).status_code == 403
    assert served.post("/v1/alarms/search", {}, role=role).status_code == 403
