"""Leads, reps, tenants: versions, and reading them as of an instant."""

from dataclasses import replace
from datetime import date, time

import pytest

from rightrep.domain.ids import CustomerId, LeadId, RepId
from rightrep.domain.lead import LeadAttributes, LeadVersion, Stage
from rightrep.domain.money import Money
from rightrep.domain.rep import (
    Leave,
    RepAttributes,
    RepStatus,
    RepVersion,
    Shift,
)
from rightrep.errors import InvalidInput, NotFound
from rightrep.store.engine import Store
from rightrep.store.leads import (
    LeadRecord,
    add_lead_versions,
    get_lead,
    get_lead_versions,
    get_leads,
    save_leads,
)
from rightrep.store.reps import (
    RepRecord,
    add_rep_versions,
    get_rep,
    get_rep_versions,
    list_reps,
    roster,
    save_reps,
)
from rightrep.store.tenants import (
    create_tenant,
    get_tenant,
    list_tenants,
    save_tenant,
)
from tests.store_records import ACME, NOON, TODAY, add_leads, add_reps, add_tenant, at

FULL = LeadAttributes(
    industry="制造业",
    company_size=120.0,
    region="华东",
    language="zh",
    product="erp",
    budget=Money(1_000_000_00, "CNY"),
    deal_value=Money(250_000, "JPY"),
    channel="fair",
    campaign="spring",
    stage=Stage.QUALIFIED,
    grade="A",
    attributes={"employees": 7, "vip": True, "note": "é", "none": None, "share": 0.25},
)
BUSY = RepAttributes(
    team="east",
    manager="Li",
    region="华东",
    languages=frozenset({"zh", "en"}),
    products=frozenset({"erp"}),
    industries=frozenset({"制造业"}),
    hired_on=date(2020, 2, 29),
    holding_limit=15,
    intake_per_day=4,
    weight=0.5,
    time_zone="Asia/Shanghai",
    shifts=(Shift(0, time(9), time(18)), Shift(1, time(13), time(23, 59, 59))),
    leave=(Leave(date(2026, 5, 1), date(2026, 5, 5)),),
    status=RepStatus.PAUSED,
)


def version(lead_id: LeadId, hours: float, **what: object) -> LeadVersion:
    return LeadVersion(
        lead_id=lead_id,
        valid_from=at(hours),
        recorded_at=at(hours),
        attributes=replace(LeadAttributes(), **what),  # type: ignore[arg-type]
    )


def test_every_attribute_of_a_lead_comes_back_as_it_was(store: Store) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1, FULL)

        lead = get_lead(session, lead_id, as_of=NOON)

    assert lead.attributes == FULL
    assert lead.created_at == NOON


def test_every_attribute_of_a_rep_comes_back_as_it_was(store: Store) -> None:
    with store.write(ACME) as session:
        (rep_id,) = add_reps(session, 1, BUSY)

        assert get_rep(session, rep_id, as_of=NOON).attributes == BUSY


def test_a_lead_is_read_as_it_was_known_at_an_instant(store: Store) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        add_lead_versions(
            session,
            [
                version(lead_id, 1, stage=Stage.CONTACTED),
                version(lead_id, 2, stage=Stage.WON),
            ],
        )
        late = replace(version(lead_id, 0.5, grade="B"), recorded_at=at(3))
        add_lead_versions(session, [late])

        stages = [
            get_lead(session, lead_id, as_of=at(hours)).attributes.stage
            for hours in (0, 0.9, 1, 2.5, 9)
        ]

    assert stages == [Stage.NEW, Stage.NEW, Stage.CONTACTED, Stage.WON, Stage.WON]


def test_what_was_recorded_later_was_not_known_before(store: Store) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        late = replace(version(lead_id, 1, grade="B"), recorded_at=at(3))
        add_lead_versions(session, [late])

        grades = [
            get_lead(session, lead_id, as_of=at(hours)).attributes.grade
            for hours in (2, 3)
        ]

    assert grades == [None, "B"]


def test_a_version_that_changes_nothing_is_not_added(store: Store) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        story = [
            version(lead_id, 1, grade="A"),
            version(lead_id, 2, grade="A"),
            version(lead_id, 3, grade="B"),
            version(lead_id, 4, grade="A"),
        ]

        assert add_lead_versions(session, story) == 3
        assert add_lead_versions(session, story) == 0


def test_the_last_word_about_an_instant_wins(store: Store) -> None:
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        wrong, right = version(lead_id, 1, grade="A"), version(lead_id, 1, grade="B")

        assert add_lead_versions(session, [wrong]) == 1
        assert add_lead_versions(session, [right]) == 1
        assert add_lead_versions(session, [right]) == 0

        assert get_lead(session, lead_id, as_of=at(2)).attributes.grade == "B"
        assert len(get_lead_versions(session, lead_id)) == 3


def test_leads_come_in_the_order_asked_for_and_unknown_ones_are_left_out(
    store: Store,
) -> None:
    with store.write(ACME) as session:
        first, second = add_leads(session, 2)

        found = get_leads(session, [second, LeadId("nobody"), first], as_of=NOON)

    assert [lead.lead_id for lead in found] == [second, first]


def test_a_lead_that_is_not_there_is_not_found(store: Store) -> None:
    with store.read(ACME) as session, pytest.raises(NotFound):
        get_lead(session, LeadId("nobody"), as_of=NOON)


def test_a_lead_keeps_its_customer_until_another_is_given(store: Store) -> None:
    customer = CustomerId("customer")
    with store.write(ACME) as session:
        (lead_id,) = add_leads(session, 1)
        save_leads(
            session,
            [LeadRecord(lead_id=lead_id, created_at=NOON, customer_id=customer)],
        )
        save_leads(session, [LeadRecord(lead_id=lead_id, created_at=at(5))])

        lead = get_lead(session, lead_id, as_of=NOON)

    assert (lead.customer_id, lead.created_at) == (customer, NOON)


def test_a_rep_can_be_renamed_and_paused(store: Store) -> None:
    with store.write(ACME) as session:
        (rep_id,) = add_reps(session, 1)
        save_reps(session, [RepRecord(rep_id=rep_id, name="王芳", created_at=at(1))])
        paused = RepVersion(
            rep_id=rep_id,
            valid_from=at(1),
            recorded_at=at(1),
            attributes=RepAttributes(status=RepStatus.PAUSED),
        )
        add_rep_versions(session, [paused])

        assert get_rep(session, rep_id, as_of=NOON).name == "王芳"
        statuses = [v.attributes.status for v in get_rep_versions(session, rep_id)]
        assert statuses == [RepStatus.ACTIVE, RepStatus.PAUSED]
        assert list_reps(session, as_of=at(1))[0].attributes == paused.attributes


def test_a_rep_that_is_not_there_is_not_found(store: Store) -> None:
    with store.read(ACME) as session, pytest.raises(NotFound):
        get_rep(session, RepId("nobody"), as_of=NOON)


def test_a_new_rep_has_no_load_and_has_waited_since_joining(store: Store) -> None:
    with store.write(ACME) as session:
        (rep_id,) = add_reps(session, 1)

        (entry,) = roster(session, as_of=at(1), local_day=TODAY)

    assert (entry.rep_id, entry.held, entry.taken_today) == (rep_id, 0, 0)
    assert entry.waited_seconds == 3600


def test_a_tenant_is_made_once_and_can_be_changed(store: Store) -> None:
    add_tenant(store)
    with store.read(ACME) as session:
        tenant = get_tenant(session)
    changed = replace(tenant, time_zone="Asia/Shanghai", settings={"limit": [1, 2]})

    assert not create_tenant(store, tenant)
    with store.write(ACME) as session:
        save_tenant(session, changed)
    with store.read(ACME) as session:
        assert get_tenant(session) == changed
    assert list_tenants(store) == [ACME]


@pytest.mark.parametrize(
    "wrong", [{"time_zone": "Mars/Base"}, {"currency": "yuan"}, {"currency": "EUR"}]
)
def test_a_tenant_with_no_such_zone_or_a_new_currency_is_refused(
    store: Store, wrong: dict[str, str]
) -> None:
    add_tenant(store)
    with store.read(ACME) as session:
        tenant = get_tenant(session)

    with store.write(ACME) as session, pytest.raises(InvalidInput):
        save_tenant(session, replace(tenant, **wrong))  # type: ignore[arg-type]


def test_a_tenant_that_was_never_made_is_not_found(store: Store) -> None:
    with store.read(ACME) as session, pytest.raises(NotFound):
        get_tenant(session)
