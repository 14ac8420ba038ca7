"""What the API says of values that cannot exist, and of those that nobody typed."""

from pathlib import Path

import pytest

from rightrep.domain.ids import TenantId
from rightrep.domain.roles import Role
from rightrep.store.engine import Store
from serving.usecases.tenancy import new_key
from tests.serving_parts import ACME, Served, serve

BAD = "911100006000373410"
LEAD = {
    "external_id": "l1",
    "created_at": "2026-03-01T09:00:00+08:00",
    "company": "上海明达科技有限公司",
    "phone": "13800138000 / 12345",
    "email": "li@acme",
    "tax_number": BAD,
    "address": "深圳市南山区科技路1号",
}


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    return serve(store, tmp_path)


def test_a_lead_that_is_sent_is_cleaned_like_one_in_a_file(served: Served) -> None:
    sent = served.post("/v1/leads", {"leads": [LEAD]})
    again = served.post("/v1/leads", {"leads": [LEAD]})

    assert sent.json()["leads"][0]["impossible"] == ["email", "phone", "tax_number"]
    assert again.json()["changed"] == 0
    lead = served.get("/v1/leads/l1").json()
    assert lead["region"] == "广东省"
    assert [(f["field"], f["source"]) for f in lead["filled"]] == [
        ("region", "address")
    ]
    assert {m["field"]: m["reason"] for m in lead["impossible"]} == {
        "phone": "without its area code",
        "email": "The part after the @-sign is not valid. It should have a period.",
        "tax_number": "its check digit is wrong (cn.uscc)",
    }


def test_marks_are_listed_by_field_to_those_who_may_see_them(
    served: Served, store: Store, tmp_path: Path
) -> None:
    served.post("/v1/leads", {"leads": [LEAD]})
    other = serve(store, tmp_path, tenant_id=TenantId("other"))

    marks = served.get("/v1/marks?field=tax_number", role=Role.MANAGER).json()

    assert [mark["value"] for mark in marks] == [BAD]
    assert len(served.get("/v1/marks").json()) == 3
    assert other.get("/v1/marks").json() == []
    (rep_id,) = served.add_reps("r1")
    secret = new_key(served.context, ACME, Role.REP, "r1", rep_id=rep_id).secret
    assert served.get("/v1/marks", key=secret).status_code == 403
    assert served.get("/v1/marks?field=name").status_code == 422
