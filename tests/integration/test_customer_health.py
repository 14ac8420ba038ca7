"""A customer's health from the store to the webhook, and who may read it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from rightrep.domain.conditions import Empty, In, Range
from rightrep.domain.roles import Role
from rightrep.store import health, jobs
from rightrep.store.aliases import RecordKind
from rightrep.store.engine import Store
from rightrep.store.guard import of_tenant
from rightrep.store.leads import get_lead
from rightrep.store.merges import merge
from rightrep.store.schema_ops import events
from rightrep.store.tenants import get_tenant
from serving.usecases.health import ALL_CLEAR, CHURN_ALARM, HEALTH
from serving.usecases.rule_inputs import lead_table
from serving.usecases.tenancy import new_key
from tests.serving_parts import ACME, NOON, Served, serve


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    served = serve(store, tmp_path)
    served.add_reps("r1")
    served.add_leads("l1", owner="r1", company="上海明达科技有限公司")
    served.add_leads("l2", company="北京远方贸易有限公司")
    sell(served, "l1")
    return served


def sell(served: Served, lead: str) -> None:
    """Close a lead as won now."""
    closed = served.clock.now().isoformat()
    outcome = {
        "event_id": f"won {lead} {closed}",
        "lead": lead,
        "result": "won",
        "closed_at": closed,
    }
    answer = served.post("/v1/feedback/outcomes", {"outcomes": [outcome]})
    assert answer.status_code < 300, answer.text


def look(served: Served) -> dict[str, int]:
    """Do the job ``health`` now; gives its result."""
    at = served.clock.now()
    with served.context.store.write(ACME) as session:
        asked = jobs.enqueue(session, HEALTH, {}, at=at)
    while served.work():
        pass
    with served.context.store.read(ACME) as session:
        done = jobs.read_job(session, asked.job_id)
    assert done.error is None
    result: dict[str, int] = done.result
    return result


def told(served: Served) -> list[str]:
    """Types of the events about customers, in order."""
    kinds = (CHURN_ALARM, ALL_CLEAR)
    with served.context.store.read(ACME) as session:
        query = select(events.c.type).where(of_tenant(events), events.c.type.in_(kinds))
        found = session.execute(query.order_by(events.c.time, events.c.event_id))
        return list(found.scalars())


def health_of(served: Served, lead: str, **more: Any) -> dict[str, Any]:
    answer = served.get(f"/v1/leads/{lead}/health", **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_an_alarm_is_told_of_once_and_so_is_the_recovery(served: Served) -> None:
    assert look(served) == {"customers": 1, "alarmed": 0, "told": 0}

    served.clock.move(timedelta(days=900))
    assert look(served) == {"customers": 1, "alarmed": 1, "told": 1}
    assert look(served) == {"customers": 1, "alarmed": 1, "told": 0}
    assert told(served) == [CHURN_ALARM]
    assert health_of(served, "l1")["churn_alarm"]

    served.clock.move(timedelta(days=1))
    served.add_leads("l3", company="上海明达科技有限公司")
    sell(served, "l3")
    for _ in range(2):
        look(served)
    assert told(served) == [CHURN_ALARM, ALL_CLEAR]
    assert not health_of(served, "l1")["churn_alarm"]


def test_the_first_look_sets_old_alarms_without_a_word(served: Served) -> None:
    served.clock.move(timedelta(days=900))

    assert look(served) == {"customers": 1, "alarmed": 1, "told": 0}
    assert told(served) == []


def test_health_is_told_part_by_part(served: Served) -> None:
    look(served)

    found = health_of(served, "l1")

    assert found["bought"]
    assert found["score"] == pytest.approx(
        sum(part["points"] for part in found["parts"]), abs=0.3
    )
    facts = {part["part"]: part["fact"] for part in found["parts"]}
    assert facts["frequency"] == 1.0
    assert facts["satisfaction"] is None


def test_who_never_bought_has_no_score(served: Served) -> None:
    look(served)

    found = health_of(served, "l2")

    assert (found["bought"], found["score"], found["churn_alarm"]) == (
        False,
        None,
        False,
    )


def test_a_rep_reads_the_health_behind_own_leads_only(served: Served) -> None:
    look(served)
    own = new_key(served.context, ACME, Role.REP, "own", rep_id="r1").secret

    assert health_of(served, "l1", key=own)["bought"]
    assert served.get("/v1/leads/l2/health", key=own).status_code == 404
    assert served.get("/v1/customers/alarms", key=own).status_code == 403


def test_alarms_are_listed_for_the_manager(served: Served) -> None:
    look(served)
    assert served.get("/v1/customers/alarms").json() == {"customers": []}
    served.clock.move(timedelta(days=900))
    look(served)

    (one,) = served.get("/v1/customers/alarms", role=Role.MANAGER).json()["customers"]

    same = served.get(f"/v1/customers/{one['customer_id']}/health").json()
    assert one == same
    assert one["alarmed_since"] is not None


def test_leads_carry_the_health_of_their_customer_for_rules(served: Served) -> None:
    look(served)
    store = served.context.store
    with store.read(ACME) as session:
        ids = {
            name: served.get(f"/v1/leads/{name}").json()["lead_id"]
            for name in ("l1", "l2")
        }
        found = health.health_of_leads(session, list(ids.values()))

    assert set(found) == {ids["l1"]}


def test_a_merged_customer_has_the_survivors_health(served: Served) -> None:
    look(served)
    ids = [served.get(f"/v1/leads/{x}").json()["lead_id"] for x in ("l1", "l2")]
    with served.context.store.write(ACME) as session:
        leads = [get_lead(session, one, as_of=served.clock.now()) for one in ids]
        bought, other = (str(lead.customer_id) for lead in leads)
        merge(
            session,
            RecordKind.CUSTOMER,
            bought,
            other,
            cause="one company",
            actor="test",
            at=NOON,
        )

    assert look(served)["customers"] == 1

    assert health_of(served, "l1") == health_of(served, "l2")
    assert health_of(served, "l2")["bought"]


def test_rules_may_ask_for_health_and_the_alarm(served: Served) -> None:
    look(served)
    served.clock.move(timedelta(days=900))
    look(served)
    store, at = served.context.store, served.clock.now()
    ids = [served.get(f"/v1/leads/{name}").json()["lead_id"] for name in ("l1", "l2")]
    alarmed = In(field="churn_alarm", values=(True,))
    unwell = Range(field="health", below=50.0)

    with store.read(ACME) as session:
        table = lead_table(
            session,
            [get_lead(session, one, as_of=at) for one in ids],
            tenant=get_tenant(session),
            at=at,
            fields=("churn_alarm", "health"),
            previous={},
            lead_scores={},
        )

    assert alarmed.holds(table).tolist() == [True, False]
    assert unwell.holds(table).tolist() == [True, False]
    assert Empty(field="health").holds(table).tolist() == [False, True]
