"""After the sale: the customer goes to a service rep, the win stays with the seller."""

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from rightrep.domain.customer import Customer
from rightrep.domain.ids import CustomerId, LeadId, RepId, new_id
from rightrep.domain.outcome import Outcome, Result
from rightrep.domain.rep import RepAttributes, RepStatus, RepVersion
from rightrep.domain.roles import Role
from rightrep.store import reps
from rightrep.store.customers import save_customers
from rightrep.store.endpoints import add_endpoint
from rightrep.store.engine import Store
from rightrep.store.leads import LeadRecord, save_leads
from rightrep.store.outbox import list_deliveries
from serving.usecases.feedback import log_outcomes
from serving.usecases.service import SERVED, hand_to_service
from serving.usecases.tenancy import new_key
from tests.serving_parts import ACME, Served, serve

CARE = {"handover": {"service_team": "care"}}
FIRMS = {
    "acme": {"company": "北京字节跳动科技有限公司", "phone": "138 0013 8000"},
    "bolt": {"company": "上海明达机械有限公司", "phone": "139 1111 2222"},
}


def team(served: Served) -> dict[str, str]:
    """A seller and two who serve."""
    (seller,) = served.add_reps("seller", team="sales")
    first, second = served.add_reps("care-1", "care-2", team="care")
    return {"seller": seller, "care-1": first, "care-2": second}


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    return serve(store, tmp_path, settings=CARE)


def sent(served: Served, name: str, firm: str) -> Any:
    served.clock.move(timedelta(minutes=1))
    row = {
        "external_id": name,
        "created_at": served.clock.now().isoformat(),
        "contact_name": "王伟",
        **FIRMS[firm],
    }
    answer = served.post("/v1/leads", {"leads": [row]})
    assert answer.status_code == 200, answer.text
    return answer.json()["leads"][0]


def sold(served: Served, name: str, firm: str) -> None:
    """A lead of a firm comes, the seller gets it and wins it."""
    sent(served, name, firm)
    given = served.post(f"/v1/leads/{name}/assign", {"rep": "seller"})
    assert given.status_code == 200, given.text
    win(served, name)


def win(served: Served, name: str) -> None:
    told = {
        "event_id": f"won-{name}",
        "lead": name,
        "result": "won",
        "closed_at": served.clock.now().isoformat(),
    }
    for _ in range(2):
        answer = served.post("/v1/feedback/outcomes", {"outcomes": [told]})
        assert answer.status_code == 201, answer.text


def service(served: Served, name: str) -> Any:
    return served.get(f"/v1/leads/{name}/service").json()


def owner(served: Served, name: str) -> str | None:
    found: str | None = served.get(f"/v1/leads/{name}").json()["owner"]
    return found


def test_a_won_customers_next_lead_goes_to_its_service_rep(served: Served) -> None:
    known = team(served)
    sent(served, "a-1", "acme")
    served.post("/v1/leads/a-1/assign", {"rep": "seller"})
    expected = service(served, "a-1")
    assert expected["since"] is None

    win(served, "a-1")

    after = service(served, "a-1")
    assert after["rep_id"] == expected["rep_id"]
    assert after["since"] is not None
    assert after["rep_id"] in (known["care-1"], known["care-2"])
    assert owner(served, "a-1") == known["seller"]
    sent(served, "a-2", "acme")
    assert owner(served, "a-2") == after["rep_id"]


def test_customers_are_shared_among_the_service_team(served: Served) -> None:
    known = team(served)

    sold(served, "a-1", "acme")
    sold(served, "b-1", "bolt")

    both = {service(served, name)["rep_id"] for name in ("a-1", "b-1")}
    assert both == {known["care-1"], known["care-2"]}


def test_the_service_rep_sees_the_customers_leads_and_no_others(
    served: Served,
) -> None:
    team(served)
    sold(served, "a-1", "acme")
    sold(served, "b-1", "bolt")
    rep_id = RepId(service(served, "a-1")["rep_id"])
    key = new_key(served.context, ACME, Role.REP, "care", rep_id=rep_id).secret

    assert served.get("/v1/leads/a-1", key=key).status_code == 200
    assert served.get("/v1/leads/b-1", key=key).status_code == 404


def test_a_win_told_twice_serves_once_and_webhooks_hear_it(served: Served) -> None:
    team(served)
    with served.context.store.write(ACME) as session:
        at = served.clock.now()
        hook = add_endpoint(session, "https://crm.example/hook", at=at)

    sold(served, "a-1", "acme")

    with served.context.store.read(ACME) as session:
        told = list_deliveries(session, hook.endpoint.endpoint_id)
    assert [one.type for one in told].count(SERVED) == 1


def test_without_a_service_team_nothing_changes(store: Store, tmp_path: Path) -> None:
    plain = serve(store, tmp_path)
    known = team(plain)

    sold(plain, "a-1", "acme")

    assert service(plain, "a-1")["rep_id"] is None
    assert service(plain, "a-1")["why"] == ["No service team is set."]
    sent(plain, "a-2", "acme")
    assert owner(plain, "a-2") == known["seller"]


def test_when_the_service_rep_has_left_the_next_win_chooses_another(
    served: Served,
) -> None:
    known = team(served)
    sold(served, "a-1", "acme")
    gone = RepId(service(served, "a-1")["rep_id"])
    served.clock.move(timedelta(hours=1))
    at = served.clock.now()
    left = RepVersion(
        rep_id=gone,
        valid_from=at,
        recorded_at=at,
        attributes=RepAttributes(team="care", status=RepStatus.LEFT),
    )
    lead = LeadId(served.get("/v1/leads/a-1").json()["lead_id"])
    again = Outcome(
        event_id="upgrade",
        lead_id=lead,
        decision_id=None,
        result=Result.WON,
        closed_at=at,
        recorded_at=at,
    )
    with served.context.store.write(ACME) as session:
        reps.add_rep_versions(session, [left])
    with served.context.store.write(ACME) as session:
        log_outcomes(session, [again], at=at)

    (other,) = {known["care-1"], known["care-2"]} - {gone}
    assert service(served, "a-1")["rep_id"] == other


def test_settings_that_make_no_sense_refuse_no_outcome(
    store: Store, tmp_path: Path
) -> None:
    odd = serve(store, tmp_path, settings={"handover": {"service_policy": "best"}})
    team(odd)

    sold(odd, "a-1", "acme")

    answer = odd.get("/v1/leads/a-1/service")
    assert answer.status_code == 422
    assert "service_policy" in answer.text


def test_many_wins_told_together_read_the_team_once_and_share_it_evenly(
    served: Served,
) -> None:
    known = team(served)
    leads = served.add_leads(*(f"x-{n}" for n in range(4)))
    at = served.clock.now()
    customers = [CustomerId(new_id(at)) for _ in leads]
    with served.context.store.write(ACME) as session:
        save_customers(
            session, [Customer(customer_id=one, created_at=at) for one in customers]
        )
        save_leads(
            session,
            [
                LeadRecord(lead_id=LeadId(lead), created_at=at, customer_id=customer)
                for lead, customer in zip(leads, customers, strict=True)
            ],
        )
    asked: list[str] = []

    def note(_c: object, _u: object, statement: str, *_: object) -> None:
        asked.append(statement)

    with served.context.store.write(ACME) as session:
        event.listen(session.connection, "before_cursor_execute", note)
        given = hand_to_service(session, [LeadId(one) for one in leads], at=at)
        event.remove(session.connection, "before_cursor_execute", note)

    assert sum("FROM rep_load" in one for one in asked) == 1
    assert Counter(one.rep_id for one in given) == {
        known["care-1"]: 2,
        known["care-2"]: 2,
    }
