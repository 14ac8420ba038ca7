"""Sharing through the API: a rep shares own leads, and sees what others share."""

from pathlib import Path

import pytest

from rightrep.domain.ids import RepId
from rightrep.domain.roles import Role
from rightrep.store.engine import Store
from serving.usecases.tenancy import new_key
from tests.serving_parts import ACME, Served, serve

UNTIL = {"rep": "li", "ends_at": "2026-03-09T18:00:00+08:00", "reason": "trade fair"}


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    """A tenant with two reps, one of whom has a lead."""
    made = serve(store, tmp_path)
    made.add_reps("wang", "li")
    made.add_leads("one")
    answer = made.post("/v1/leads/one/assign", {"rep": "wang"})
    assert answer.status_code == 200, answer.text
    return made


def key_of(served: Served, rep: str) -> str:
    (known,) = served.add_reps(rep)
    return new_key(served.context, ACME, Role.REP, rep, rep_id=RepId(known)).secret


def test_a_rep_shares_an_own_lead_and_the_other_sees_it_until_it_ends(
    served: Served,
) -> None:
    wang, li = key_of(served, "wang"), key_of(served, "li")
    assert served.get("/v1/leads/one", key=li).status_code == 404
    assert served.post("/v1/leads/one/share", UNTIL, key=li).status_code == 409

    shared = served.post("/v1/leads/one/share", UNTIL, key=wang)

    assert shared.status_code == 201, shared.text
    assert served.get("/v1/leads/one", key=li).status_code == 200
    (mine,) = served.get("/v1/private-leads", key=li).json()["leads"]
    assert mine["shared_until"] == "2026-03-09T10:00:00Z"
    (told,) = served.get("/v1/shares", key=li).json()["shares"]
    assert told == shared.json()
    path = f"/v1/shares/{told['share_id']}/revoke"
    assert served.post(path, {}, key=li).status_code == 409
    ended = served.post(path, {}, key=wang)
    assert ended.json()["revoked_at"] is not None
    assert served.get("/v1/leads/one", key=li).status_code == 404
    assert served.get("/v1/shares", key=li).json() == {"shares": []}
