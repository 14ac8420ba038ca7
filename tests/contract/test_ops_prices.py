"""Shadow prices in force."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rightrep.domain.ids import RepId, TenantId
from rightrep.domain.plan import StoredPlan
from rightrep.errors import InvalidInput
from rightrep.store.engine import Store
from rightrep.store.plans import save_plan
from rightrep.store.prices import PriceList, prices_at, publish_prices

ACME = TenantId("acme")
OTHER = TenantId("other")
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
PRICES = PriceList(
    plan_id="p1",
    window_start=NOW,
    window_end=NOW + 8 * HOUR,
    published_at=NOW,
    expires_at=NOW + HOUR,
    shadow_price={RepId("ann"): 1250.5, RepId("bob"): -3.25, RepId("cy"): 0.0},
)


@pytest.fixture
def planned(store: Store) -> Store:
    with store.write(ACME) as session:
        plan = StoredPlan(
            plan_id="p1",
            policy="optimal",
            actor="j",
            as_of=NOW,
            created_at=NOW,
            problem={},
            baselines={},
        )
        save_plan(session, plan)
    return store


def publish(store: Store, prices: PriceList = PRICES) -> None:
    with store.write(ACME) as session:
        publish_prices(session, prices)


def at(store: Store, when: datetime, arm: str = "") -> PriceList | None:
    with store.read(ACME) as session:
        return prices_at(session, when, arm=arm)


def test_prices_count_from_publication_until_they_expire(planned: Store) -> None:
    publish(planned)

    assert at(planned, NOW - HOUR / 60) is None
    assert at(planned, NOW) == PRICES
    assert at(planned, NOW + HOUR - timedelta(microseconds=1)) == PRICES
    assert at(planned, NOW + HOUR) is None
    with planned.read(OTHER) as session:
        assert prices_at(session, NOW) is None


def test_prices_end_with_their_window(planned: Store) -> None:
    publish(planned, replace(PRICES, window_end=NOW + HOUR / 2))

    assert at(planned, NOW + HOUR / 2) is None


def test_prices_of_a_window_to_come_wait_for_it(planned: Store) -> None:
    tomorrow = replace(
        PRICES,
        window_start=NOW + HOUR / 2,
        published_at=NOW + HOUR / 4,
        shadow_price={RepId("ann"): 7.0},
    )
    publish(planned)
    publish(planned, tomorrow)

    assert at(planned, NOW + HOUR / 3) == PRICES
    assert at(planned, NOW + HOUR / 2) == tomorrow


def test_how_prices_pace_is_kept_with_them(planned: Store) -> None:
    pacing = replace(PRICES, step=2.5, planned={RepId("ann"): 0.25})
    publish(planned, pacing)

    assert at(planned, NOW) == pacing


def test_new_prices_take_the_place_of_old_ones_for_good(planned: Store) -> None:
    short = replace(
        PRICES,
        published_at=NOW + HOUR / 4,
        expires_at=NOW + HOUR / 2,
        shadow_price={},
    )
    publish(planned)
    publish(planned, short)

    assert at(planned, NOW + HOUR / 4) == short
    assert at(planned, NOW + HOUR / 2) is None


def test_each_arm_has_its_own_prices(planned: Store) -> None:
    publish(planned, replace(PRICES, arm="treatment"))

    assert at(planned, NOW) is None
    found = at(planned, NOW, "treatment")
    assert found is not None
    assert found.shadow_price == PRICES.shadow_price


@pytest.mark.parametrize(
    "wrong",
    [replace(PRICES, window_end=NOW), replace(PRICES, expires_at=NOW)],
    ids=["window", "expiry"],
)
def test_empty_times_are_refused(planned: Store, wrong: PriceList) -> None:
    with pytest.raises(InvalidInput):
        publish(planned, wrong)
