"""One customer, one record: what a CRM, a manager and the nightly job may rely on."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from rightrep.domain.roles import Role
from rightrep.intake.linkage import default_weights
from rightrep.store.aliases import RecordKind
from rightrep.store.engine import Store
from rightrep.store.erasure import erase_lead
from rightrep.store.identities import digests, drop_keys, read_identities
from rightrep.store.merges import list_merges
from serving.cli import app
from serving.usecases.linking import link_everybody, links_of
from tests.serving_parts import ACME, NOON, Served, serve

WANG = {"contact_name": "王伟", "phone": "138 0013 8000"}
BEIJING = {"company": "北京字节跳动科技有限公司", **WANG}
MOVED = {"company": "字节跳动(北京)科技有限公司", **WANG}
NEXT_DAY = "2026-03-02T08:00:00+08:00"
NOBODY = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    return serve(store, tmp_path)


def sent(served: Served, name: str, **fields: object) -> Any:
    """Send one lead; gives its part of the answer."""
    row = {
        "external_id": name,
        "created_at": fields.pop("created_at", "2026-03-01T08:00:00+08:00"),
        **fields,
    }
    answer = served.post("/v1/leads", {"leads": [row]})
    assert answer.status_code == 200, answer.text
    return answer.json()["leads"][0]


def later(served: Served) -> None:
    served.clock.move(timedelta(minutes=1))


def waiting(served: Served) -> Sequence[Any]:
    answer = served.get("/v1/duplicates", role=Role.MANAGER)
    assert answer.status_code == 200, answer.text
    found: Sequence[Any] = answer.json()["duplicates"]
    return found


def customer_merges(served: Served) -> int:
    with served.context.store.read(ACME) as session:
        made = list_merges(session, RecordKind.CUSTOMER)
    return sum(one.undone_at is None for one in made)


def test_a_first_lead_is_of_no_known_customer(served: Served) -> None:
    lead = sent(served, "l1", **BEIJING)

    assert lead["customer"] == {
        "known_customer": False,
        "duplicate_of": None,
        "review": [],
        "kept_with": None,
        "not_kept": None,
    }


def test_an_enquiry_that_comes_twice_is_one_lead(served: Served) -> None:
    first = sent(served, "l1", **BEIJING)
    second = sent(served, "web-7", created_at=NEXT_DAY, **MOVED)

    assert second["customer"]["duplicate_of"] == first["lead_id"]
    assert served.get("/v1/leads/web-7").json()["lead_id"] == first["lead_id"]
    assert customer_merges(served) == 1


def test_the_furthest_stage_stands_then_the_oldest(served: Served) -> None:
    old = sent(served, "l1", **BEIJING)
    new = sent(served, "l2", stage="negotiation", **MOVED)

    assert old["lead_id"] != served.get("/v1/leads/l1").json()["lead_id"]
    assert served.get("/v1/leads/l1").json()["stage"] == "negotiation"
    assert new["customer"]["duplicate_of"] is None


def test_another_product_of_a_known_customer_is_another_lead(served: Served) -> None:
    sent(served, "l1", product="CRM", **BEIJING)
    second = sent(served, "l2", product="ERP", **MOVED)

    assert second["customer"]["known_customer"]
    assert second["customer"]["duplicate_of"] is None


def test_a_new_lead_of_an_owned_customer_goes_to_its_owner(served: Served) -> None:
    (rep,) = served.add_reps("r1")
    served.add_reps("r2")
    sent(served, "l1", product="CRM", owner="r1", **BEIJING)

    second = sent(served, "l2", product="ERP", **MOVED)

    assert second["customer"]["kept_with"] == rep
    assert served.get("/v1/leads/l2").json()["owner"] == rep
    (decision,) = served.get("/v1/decisions?lead=l2").json()["decisions"]
    assert (decision["policy"], decision["cause"]) == ("sticky", "customer")
    assert decision["propensity"] is None


def test_it_takes_the_ordinary_way_when_the_owner_is_not_available(
    served: Served,
) -> None:
    served.add_reps("r1")
    sent(served, "l1", product="CRM", owner="r1", **BEIJING)
    later(served)
    served.add_reps("r1", status="paused")

    second = sent(served, "l2", product="ERP", **MOVED)

    assert second["customer"]["kept_with"] is None
    assert second["customer"]["not_kept"] == "paused"
    assert served.get("/v1/leads/l2").json()["owner"] is None


def test_a_merge_never_changes_an_owner(served: Served) -> None:
    (rep,) = served.add_reps("r1")
    sent(served, "l1", owner="r1", **BEIJING)

    second = sent(served, "l2", stage="qualified", **MOVED)

    assert second["customer"]["duplicate_of"] is None
    assert served.get("/v1/leads/l1").json()["lead_id"] == second["lead_id"]
    assert served.get("/v1/leads/l2").json()["owner"] == rep
    held = served.get("/v1/reps").json()["reps"]
    assert [one["held"] for one in held] == [1]


def test_leads_of_two_owners_wait_for_a_person(served: Served) -> None:
    served.add_reps("r1", "r2")
    sent(served, "l1", owner="r1", **BEIJING)
    sent(served, "l2", owner="r2", **MOVED)

    (pair,) = waiting(served)

    assert pair["reason"] == "two owners"
    assert customer_merges(served) == 0
    owners = [served.get(f"/v1/leads/{name}").json()["owner"] for name in ("l1", "l2")]
    assert len(set(owners)) == 2


def similar(served: Served) -> Any:
    """Two customers who are likely one; gives the pair that waits."""
    sent(served, "l1", company="上海华远机械有限公司", contact_name="李娜")
    lead = sent(served, "l2", company="华远机械", contact_name="王伟")
    (pair,) = waiting(served)
    assert lead["customer"]["review"] == [pair["duplicate_id"]]
    return pair


def test_a_likely_duplicate_waits_with_its_reasons(served: Served) -> None:
    pair = similar(served)

    assert pair["reason"] == "likely"
    assert {"field": "company", "words": "the same name"}.items() <= {
        k: v for r in pair["reasons"] for k, v in r.items() if r["field"] == "company"
    }.items()
    assert sum(r["bits"] for r in pair["reasons"]) == pytest.approx(
        pair["bits"], abs=0.05
    )
    shown = served.get(f"/v1/duplicates/{pair['duplicate_id']}", role=Role.MANAGER)
    assert {one["name"] for one in shown.json()["customers"]} == {
        "上海华远机械有限公司",
        "华远机械",
    }


def test_accepting_merges_and_undoing_brings_both_back_for_good(
    served: Served,
) -> None:
    path = f"/v1/duplicates/{similar(served)['duplicate_id']}"

    made = served.post(f"{path}/accept", {}, role=Role.MANAGER)
    again = served.post(f"{path}/accept", {}, role=Role.MANAGER)

    assert made.status_code == 200, made.text
    assert again.status_code == 409
    assert (waiting(served), customer_merges(served)) == ([], 1)
    undone = served.post(
        f"/v1/merges/{made.json()['merge_id']}/undo", {}, role=Role.MANAGER
    )
    assert undone.status_code == 200, undone.text
    assert customer_merges(served) == 0
    sent(served, "l2", company="华远机械", contact_name="王伟", phone="139 1111 2222")
    assert waiting(served) == []


def test_a_refused_pair_is_never_asked_about_again(served: Served) -> None:
    path = f"/v1/duplicates/{similar(served)['duplicate_id']}"

    refused = served.post(f"{path}/refuse", {}, role=Role.MANAGER)

    assert refused.json()["state"] == "refused"
    same = {"phone": "021-61234567", "email": "li@huayuan.cn"}
    sent(served, "l1", company="上海华远机械有限公司", contact_name="李娜", **same)
    sent(served, "l2", company="华远机械", contact_name="王伟", **same)
    link_everybody(served.context, ACME, actor="x")
    assert (waiting(served), customer_merges(served)) == ([], 0)
    assert served.post(f"{path}/refuse", {}, role=Role.MANAGER).status_code == 409


def test_only_those_who_may_decide_decide(served: Served) -> None:
    path = f"/v1/duplicates/{similar(served)['duplicate_id']}"

    assert served.post(f"{path}/accept", {}, role=Role.ANALYST).status_code == 403
    assert served.get(path, role=Role.ANALYST).status_code == 403
    assert served.get("/v1/duplicates", role=Role.ANALYST).status_code == 200
    for verb in ("accept", "refuse"):
        missing = served.post(f"/v1/duplicates/{NOBODY}/{verb}", {}, role=Role.MANAGER)
        assert missing.status_code == 404


def test_a_switchboard_is_no_proof(served: Served) -> None:
    for place, name in enumerate(
        ("明达", "瑞康", "恒信", "安宁", "博远", "鼎盛", "嘉禾")
    ):
        sent(
            served,
            f"l{place}",
            company=f"{name}科技有限公司",
            phone="010-62345678",
            email="info@building.cn",
        )
    link_everybody(served.context, ACME, actor="x")

    assert customer_merges(served) == 0


def test_who_took_the_mobile_to_another_company_is_no_duplicate(
    served: Served,
) -> None:
    sent(served, "l1", company="上海明达科技有限公司", **WANG)
    sent(served, "l2", company="瑞康医疗器械有限公司", **WANG)

    assert customer_merges(served) == 0


def test_people_without_a_company_are_one_by_their_number(served: Served) -> None:
    first = sent(served, "l1", contact_name="Ann Lee", phone="+44 20 7946 0958")
    second = sent(served, "l2", contact_name="Lee, Ann", phone="020 7946 0958 UK")

    third = sent(
        served,
        "l3",
        created_at=NEXT_DAY,
        contact_name="Lee Ann",
        phone="+442079460958",
    )

    assert second["customer"]["duplicate_of"] is None
    assert third["customer"]["duplicate_of"] == first["lead_id"]


def test_the_job_finds_what_an_import_brought(served: Served) -> None:
    first = sent(served, "l1", **BEIJING)
    with served.context.store.write(ACME) as session:
        # As an import leaves it: nobody was compared.
        drop_keys(session, list(digests(session)))
    sent(served, "l2", created_at=NEXT_DAY, **MOVED)
    assert customer_merges(served) == 0

    asked = served.post("/v1/duplicates/search", {}, role=Role.MANAGER)
    while served.work():
        pass

    done = served.get(f"/v1/jobs/{asked.json()['job_id']}", role=Role.MANAGER).json()
    assert done["state"] == "done", done
    assert done["result"] == {
        "customers": 2,
        "merged": 1,
        "waiting": 0,
        "leads merged": 1,
        "leads given": 0,
    }
    assert served.get("/v1/leads/l2").json()["lead_id"] == first["lead_id"]
    assert link_everybody(served.context, ACME, actor="x")["merged"] == 0


def test_the_job_gives_a_new_lead_to_the_customers_owner(served: Served) -> None:
    (rep,) = served.add_reps("r1")
    sent(served, "l1", product="CRM", owner="r1", **BEIJING)
    later(served)
    served.add_reps("r1", status="paused")
    sent(served, "l2", product="ERP", **MOVED)
    later(served)
    served.add_reps("r1", status="active")

    done = link_everybody(served.context, ACME, actor="x")

    assert done["leads given"] == 1
    assert served.get("/v1/leads/l2").json()["owner"] == rep


def test_one_arriving_lead_and_the_job_find_the_same_pairs(served: Served) -> None:
    names = ["上海华远机械有限公司", "华远机械", "北京华远软件", "Acme Trading Ltd"]
    for place, name in enumerate(names):
        sent(served, f"l{place}", company=name, contact_name="李娜")
    weights = default_weights()

    with served.context.store.read(ACME) as session:
        every = list(read_identities(session))
        found = {
            (frozenset((one.left, one.right)), one.levels, round(one.bits, 9))
            for identity in every
            for one in links_of(session, identity, weights)
        }
    from rightrep.intake.linkage_batch import Batch

    with Batch.of(every) as batch:
        told = {
            (frozenset((one.left, one.right)), one.levels, round(one.bits, 9))
            for one in batch.links(weights)
        }

    assert found == told


def test_erasing_a_person_forgets_the_keys(served: Served) -> None:
    lead = sent(served, "l1", **BEIJING)
    with served.context.store.write(ACME) as session:
        assert len(digests(session)) == 1

        erased = erase_lead(session, lead["lead_id"], actor="x", at=NOON)

        assert digests(session) == {}
        assert erased.counts["keys"] > 0


def test_the_server_starts_without_what_only_the_job_needs() -> None:
    asked = (
        "import sys, serving.app, serving.cli;"
        "print({'duckdb', 'splink', 'sqlglot'} & set(sys.modules))"
    )

    done = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "set()"


def test_the_terminal_lists_accepts_and_takes_back(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'store.db')}"
    store = Store(url)
    served = serve(store, tmp_path)
    pair = similar(served)
    monkeypatch.setenv("RIGHTREP_DATABASE_URL", url)
    monkeypatch.setenv("RIGHTREP_TENANT", ACME)
    monkeypatch.setenv("RIGHTREP_HOME", str(tmp_path))

    def said(*words: str) -> str:
        done = CliRunner().invoke(app, ["duplicates", *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    listed = said("list")
    said("accept", pair["duplicate_id"])
    merge_id = said("merges", "customer", pair["ids"][0]).split()[0]
    said("undo", merge_id)

    assert "company: the same name" in listed
    assert customer_merges(served) == 0
    store.close()
