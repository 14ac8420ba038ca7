"""Rule sets: versions, and which one is in force."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError

from rightrep.domain.ids import TenantId
from rightrep.errors import Conflict, NotFound
from rightrep.store.engine import Store
from rightrep.store.guard import of_tenant
from rightrep.store.rules import (
    add_rule_set,
    list_rule_sets,
    put_in_force,
    read_rule_set,
    roll_back_rules,
    rules_in_force,
)
from rightrep.store.schema_plans import rule_sets

ACME = TenantId("acme")
OTHER = TenantId("other")
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY = timedelta(days=1)
RULES = [
    {"name": "South", "when": {"field": "region", "in": ["Süd", "华南"]}, "policy": "x"}
]


def added(store: Store) -> int:
    with store.write(ACME) as session:
        return add_rule_set(session, RULES, actor="k", reason="New team.", at=NOW)


def put(store: Store, version: int, at: datetime = NOW) -> None:
    with store.write(ACME) as session:
        put_in_force(session, version, actor="k", reason="Tried out.", at=at)


def in_force(store: Store, as_of: datetime | None = None) -> int | None:
    with store.read(ACME) as session:
        rules = rules_in_force(session, as_of=as_of)
    return None if rules is None else rules.version


def test_a_new_version_waits_until_it_is_put_in_force(store: Store) -> None:
    assert added(store) == 1
    assert in_force(store) is None

    put(store, 1)

    with store.read(ACME) as session:
        rules = rules_in_force(session)
    assert rules is not None
    assert (rules.version, rules.rules, rules.reason) == (1, RULES, "New team.")
    with store.read(OTHER) as session:
        assert rules_in_force(session) is None


def test_versions_count_up_and_stay_readable(store: Store) -> None:
    assert [added(store), added(store)] == [1, 2]

    with store.read(ACME) as session:
        assert [rules.version for rules in list_rule_sets(session)] == [2, 1]
        assert read_rule_set(session, 1).rules == RULES
        with pytest.raises(NotFound):
            read_rule_set(session, 3)


def test_what_was_in_force_at_an_instant_can_be_read(store: Store) -> None:
    added(store), added(store)
    put(store, 1, NOW)
    put(store, 2, NOW + DAY)

    assert in_force(store, NOW - DAY) is None
    assert in_force(store, NOW + DAY / 2) == 1
    assert in_force(store, NOW + DAY) == 2


def test_rolling_back_brings_the_one_before(store: Store) -> None:
    added(store), added(store)
    put(store, 1)
    put(store, 2)
    put(store, 2)

    with store.write(ACME) as session:
        back = roll_back_rules(session, actor="k", reason="Too few leads.", at=NOW)

    assert back == in_force(store) == 1


def test_there_is_nothing_before_the_first_one(store: Store) -> None:
    added(store)

    for _ in range(2):
        with store.write(ACME) as session, pytest.raises(Conflict):
            roll_back_rules(session, actor="k", reason="", at=NOW)
        put(store, 1)


def test_an_unknown_version_is_not_put_in_force(store: Store) -> None:
    with store.write(ACME) as session, pytest.raises(NotFound):
        put_in_force(session, 1, actor="k", reason="", at=NOW)


def test_the_database_refuses_to_rewrite_a_version(store: Store) -> None:
    added(store)

    with pytest.raises(DBAPIError), store.write(ACME) as session:
        session.execute(update(rule_sets).where(of_tenant(rule_sets)).values(rules=[]))
