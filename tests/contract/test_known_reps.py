"""Reps are kept in memory between reads, and never longer than they are true."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from rightrep.domain.eligibility import (
    EligibilityRules,
    Exclusion,
    LeadColumns,
    exclusions,
)
from rightrep.domain.ids import LeadId, RepId, TenantId
from rightrep.domain.pools import COMMON, Pool
from rightrep.domain.rep import Leave, Rep, RepAttributes, RepStatus
from rightrep.domain.roster import RosterEntry
from rightrep.store.engine import Store
from rightrep.store.pools import save_pool
from rightrep.store.reps import roster, upsert_reps

ACME, OTHER = TenantId("acme"), TenantId("other")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TODAY = NOON.date()
ANN = Rep(rep_id=RepId("ann"), name="Ann", created_at=NOON, attributes=RepAttributes())


@pytest.fixture
def other(store_url: str) -> Iterator[Store]:
    """The same database as another process has it."""
    opened = Store(store_url)
    yield opened
    opened.close()


class _Undone(Exception):
    """Ends a transaction without keeping it."""


def told(
    store: Store,
    status: RepStatus,
    *,
    at: datetime,
    tenant_id: TenantId = ACME,
    leave: Sequence[Leave] = (),
) -> None:
    """Somebody says what one rep is."""
    with store.write(tenant_id) as session:
        upsert_reps(session, [rep(status, leave)], at=at)


def rep(status: RepStatus, leave: Sequence[Leave] = ()) -> Rep:
    what = RepAttributes(status=status, leave=tuple(leave))
    return Rep(rep_id=RepId("ann"), name="Ann", created_at=NOON, attributes=what)


def seen(
    store: Store, at: datetime, tenant_id: TenantId = ACME
) -> Sequence[RosterEntry]:
    with store.read(tenant_id) as session:
        return roster(session, as_of=at, local_day=at.date())


def statuses(store: Store, at: datetime, tenant_id: TenantId = ACME) -> list[RepStatus]:
    return [entry.attributes.status for entry in seen(store, at, tenant_id)]


def test_a_change_is_seen_by_the_next_read(store: Store) -> None:
    told(store, RepStatus.ACTIVE, at=NOON)
    first = statuses(store, NOON)
    told(store, RepStatus.PAUSED, at=NOON + MINUTE)

    assert first == [RepStatus.ACTIVE]
    assert statuses(store, NOON + MINUTE) == [RepStatus.PAUSED]
    assert statuses(store, NOON) == [RepStatus.ACTIVE], "as it was known then"


def test_what_is_told_for_later_begins_then(store: Store) -> None:
    told(store, RepStatus.ACTIVE, at=NOON)
    told(store, RepStatus.PAUSED, at=NOON + 2 * MINUTE)

    found = [statuses(store, NOON + k * MINUTE) for k in (0, 1, 2, 3)]

    assert found == [[RepStatus.ACTIVE]] * 2 + [[RepStatus.PAUSED]] * 2


def test_what_a_failed_writer_told_is_not_kept(store: Store) -> None:
    told(store, RepStatus.ACTIVE, at=NOON)
    at = NOON + MINUTE
    with suppress(_Undone), store.write(ACME) as session:
        upsert_reps(session, [rep(RepStatus.LEFT)], at=at)
        inside = roster(session, as_of=at, local_day=at.date())
        raise _Undone
    told(store, RepStatus.PAUSED, at=at)

    assert [entry.attributes.status for entry in inside] == [RepStatus.LEFT]
    assert statuses(store, at) == [RepStatus.PAUSED]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (RepAttributes(status=RepStatus.PAUSED), Exclusion.PAUSED),
        (RepAttributes(status=RepStatus.LEFT), Exclusion.LEFT),
        (RepAttributes(leave=(Leave(TODAY, TODAY),)), Exclusion.ON_LEAVE),
        (RepAttributes(holding_limit=0), Exclusion.HOLDING_LIMIT),
        (RepAttributes(intake_per_day=0), Exclusion.INTAKE_LIMIT),
        (RepAttributes(languages=frozenset({"de"})), Exclusion.LANGUAGE),
        (RepAttributes(products=frozenset({"CRM"})), Exclusion.PRODUCT),
    ],
)
def test_what_another_process_is_told_counts_from_the_next_request_on(
    store: Store, other: Store, change: RepAttributes, why: Exclusion
) -> None:
    told(store, RepStatus.ACTIVE, at=NOON)
    before = why_not(store, NOON + MINUTE), why_not(other, NOON + MINUTE)
    with other.write(ACME) as session:
        upsert_reps(session, [replace(ANN, attributes=change)], at=NOON + MINUTE)

    assert before == (Exclusion.ELIGIBLE, Exclusion.ELIGIBLE)
    assert why_not(store, NOON + MINUTE) is why
    assert why_not(other, NOON + MINUTE) is why


def test_a_pools_limit_that_another_process_sets_counts_from_the_next_request_on(
    store: Store, other: Store
) -> None:
    told(store, RepStatus.ACTIVE, at=NOON)
    before = why_not(store, NOON)
    for limit in (0, 5):
        with other.write(ACME) as session:
            pool = Pool(pool=COMMON, holding_limit=limit)
            save_pool(session, pool, actor="test", reason="test", at=NOON)
        found = Exclusion.HOLDING_LIMIT if limit == 0 else Exclusion.ELIGIBLE
        assert why_not(store, NOON) is found

    assert before is Exclusion.ELIGIBLE


def test_a_new_rep_of_another_process_is_in_the_next_roster(
    store: Store, other: Store
) -> None:
    told(store, RepStatus.ACTIVE, at=NOON)
    before = len(seen(store, NOON))
    with other.write(ACME) as session:
        upsert_reps(session, [replace(ANN, rep_id=RepId("bob"))], at=NOON)

    assert (before, [one.rep_id for one in seen(store, NOON)]) == (1, ["ann", "bob"])


def why_not(store: Store, at: datetime) -> Exclusion:
    """Why Ann may not have a lead."""
    lead = LeadColumns(
        lead_id=[LeadId("l")], language=["zh"], region=[None], product=["ERP"]
    )
    with store.read(ACME) as session:
        reps = roster(session, as_of=at, local_day=TODAY)
    return Exclusion(int(exclusions(lead, reps, EligibilityRules(), at=at)[0, 0]))


def test_tenants_share_nothing(store: Store) -> None:
    told(store, RepStatus.ACTIVE, at=NOON)
    told(store, RepStatus.LEFT, at=NOON, tenant_id=OTHER)

    assert statuses(store, NOON) == [RepStatus.ACTIVE]
    assert statuses(store, NOON, OTHER) == [RepStatus.LEFT]
    assert statuses(store, NOON) == [RepStatus.ACTIVE]


def test_a_rep_is_back_when_the_leave_ends_though_nothing_was_told(
    store: Store,
) -> None:
    away = Leave(date(2026, 3, 3), date(2026, 3, 4))
    told(store, RepStatus.ACTIVE, at=NOON, leave=[away])

    before, after = seen(store, NOON), seen(store, NOON + timedelta(days=4))

    assert before[0].back_since == NOON
    assert after[0].back_since == datetime(2026, 3, 5, tzinfo=UTC)
