"""Pool rules over columns: which pool, how long, and when days end."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rightrep.domain.days import day_bounds, local_day
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.lead import LeadKind
from rightrep.domain.pools import (
    COMMON,
    TICKETS,
    Counting,
    Pool,
    Protection,
    in_order,
    limited,
    place_in,
)
from rightrep.domain.protection import (
    NEVER,
    DropReason,
    PrivateLeads,
    as_datetime,
    as_instants,
    drops,
    end_of,
    local_days,
    untouched,
    warned_until,
)
from rightrep.domain.rep import RepAttributes
from rightrep.errors import InvalidInput

ZONES = (
    "Asia/Shanghai", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe",
    "Pacific/Apia", "America/Sao_Paulo", "Asia/Kathmandu",
)  # fmt: skip
INSTANTS = st.integers(1_100_000_000, 2_000_000_000).map(
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)
"""2004 to 2033."""


def private(
    received: Sequence[datetime],
    followed_up: Sequence[datetime | None] | None = None,
    **more: Any,
) -> PrivateLeads:
    """Owned leads of one pool, of no grade, not locked."""
    n = len(received)
    told = followed_up or [None] * n
    columns = {
        "grade": [None] * n,
        "pool": np.zeros(n, dtype=np.intp),
        "locked": np.zeros(n, dtype=np.bool_),
        **more,
    }
    return PrivateLeads(
        lead_id=[LeadId(f"lead {k}") for k in range(n)],
        owner=[RepId("rep")] * n,
        received_at=as_instants(received),
        followed_up_at=np.array(
            [NEVER if at is None else as_instants([at])[0] for at in told],
            dtype="datetime64[us]",
        ),
        **columns,
    )


def ends(days: int, counting: Counting, since: datetime, zone: str) -> datetime:
    """When days that begin at one instant are over."""
    return as_datetime(end_of(days, counting, as_instants([since]), zone)[0])


@given(INSTANTS, st.sampled_from(ZONES), st.integers(1, 400))
def test_calendar_days_end_with_the_local_day_that_is_so_many_days_later(
    since: datetime, zone: str, days: int
) -> None:
    last = local_day(since, zone) + timedelta(days=days)

    assert ends(days, Counting.CALENDAR_DAYS, since, zone) == day_bounds(last, zone)[1]


@given(INSTANTS, st.sampled_from(ZONES), st.integers(1, 400))
def test_hours_are_counted_whatever_the_clocks_do(
    since: datetime, zone: str, days: int
) -> None:
    assert ends(days, Counting.HOURS, since, zone) == since + timedelta(hours=24 * days)


@given(st.lists(INSTANTS, min_size=1, max_size=20), st.sampled_from(ZONES))
def test_local_days_over_columns_are_those_of_each_instant(
    at: list[datetime], zone: str
) -> None:
    since_1970 = [local_day(one, zone).toordinal() - 719_163 for one in at]

    assert local_days(as_instants(at), zone).tolist() == since_1970


def test_a_day_of_23_hours_is_a_day_by_the_calendar_and_not_by_hours() -> None:
    zone = "Europe/Berlin"
    before = datetime(2026, 3, 28, 12, tzinfo=ZoneInfo(zone))  # 23 hours the next day

    by_calendar = ends(1, Counting.CALENDAR_DAYS, before, zone)
    by_hours = ends(1, Counting.HOURS, before, zone)

    assert by_calendar == datetime(2026, 3, 30, tzinfo=ZoneInfo(zone))
    assert by_hours == datetime(2026, 3, 29, 13, tzinfo=ZoneInfo(zone))
    assert by_calendar - before.astimezone(UTC) == timedelta(hours=35)


def test_a_lead_drops_at_the_first_of_the_two_ends() -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    kept = Protection(follow_up_days=5, win_days=12)
    pools = [Pool(pool=COMMON, counting=Counting.HOURS, protection=kept)]
    days = [None, 3, 11]
    told = [None if d is None else noon + timedelta(days=d) for d in days]

    at, why = drops(private([noon] * 3, told), pools, "UTC")

    assert [as_datetime(one) for one in at] == [
        noon + timedelta(days=5),
        noon + timedelta(days=8),
        noon + timedelta(days=12),
    ]
    assert why.tolist() == [
        DropReason.NO_FOLLOW_UP,
        DropReason.NO_FOLLOW_UP,
        DropReason.NOT_WON,
    ]


def test_each_grade_has_its_own_days_and_a_locked_lead_never_drops() -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    pool = Pool(
        pool=COMMON,
        counting=Counting.HOURS,
        protection=Protection(follow_up_days=3),
        grades={"A": Protection(follow_up_days=9), "B": Protection()},
    )
    leads = private(
        [noon] * 4,
        grade=["A", "B", "unknown", None],
        locked=np.array([False, False, False, True]),
    )

    at, _ = drops(leads, [pool], "UTC")

    assert [as_datetime(one) for one in at[[0, 2]]] == [
        noon + timedelta(days=9),
        noon + timedelta(days=3),
    ]
    assert np.isnat(at[[1, 3]]).all()


@given(INSTANTS, st.integers(1, 20), st.sampled_from(Counting), st.sampled_from(ZONES))
def test_a_warning_reaches_as_far_as_protection_that_begins_now(
    today: datetime, days: int, counting: Counting, zone: str
) -> None:
    kept = Protection(follow_up_days=days)
    pool = Pool(pool=COMMON, counting=counting, protection=kept, warning_days=days)

    at, _ = drops(private([today]), [pool], zone)

    assert as_datetime(at[0]) == warned_until(pool, today, zone)
    assert warned_until(pool, today, zone, 0) == today


def test_a_lead_is_untouched_until_somebody_follows_it_up_after_receipt() -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    pool = Pool(pool=COMMON, untouched_hours=48)
    leads = private(
        [noon, noon, noon, noon + timedelta(seconds=1)],
        [None, noon - timedelta(days=1), noon + timedelta(hours=1), None],
    )

    assert untouched(leads, [pool], noon + timedelta(hours=48)).tolist() == [
        True,
        True,
        False,
        False,
    ]
    assert not untouched(leads, [Pool(pool=COMMON)], noon + timedelta(days=99)).any()


def test_the_first_pool_whose_every_condition_holds_has_the_lead() -> None:
    pools = in_order(
        [
            Pool(pool="rest", position=9, leads={"region": ("East", "West", None)}),
            Pool(pool="big", position=1, leads={"attributes.size": (3, 4)}),
            Pool(pool="east", position=2, leads={"region": ("East",), "grade": ("A",)}),
        ]
    )
    columns: dict[str, list[Any]] = {
        "region": ["East", "East", "West", None, "North"],
        "grade": ["A", "B", "A", None, "A"],
        "attributes.size": [1, 3, 2, None, None],
    }

    place = place_in(pools, columns, np.zeros(5, dtype=np.bool_))

    names = [pools[k].pool for k in place]
    assert names == ["east", "big", "rest", "rest", COMMON]


def test_a_pool_holds_leads_or_work_orders_and_never_both() -> None:
    pools = in_order(
        [
            Pool(pool="east", leads={"region": ("East",)}),
            Pool.of("repairs", {"kind": "ticket", "leads": {"region": ["East"]}}),
        ]
    )
    columns: dict[str, list[Any]] = {"region": ["East", "East", "West", "West"]}

    place = place_in(pools, columns, np.array([False, True, False, True]))

    names = [pools[k].pool for k in place]
    assert names == ["east", "repairs", COMMON, TICKETS]


def test_the_last_pool_of_a_kind_takes_all_the_rest_of_it() -> None:
    assert Pool.of(TICKETS, {}).kind is LeadKind.TICKET
    with pytest.raises(InvalidInput, match="has leads of kind 'ticket'"):
        Pool.of(TICKETS, {"kind": "lead"})
    with pytest.raises(InvalidInput, match="takes what no other pool takes"):
        Pool.of(TICKETS, {"leads": {"region": ["East"]}})
    with pytest.raises(InvalidInput, match="no leads of 'order'"):
        Pool.of("orders", {"kind": "order"})


def test_a_rep_without_a_limit_has_the_lowest_of_the_pools_open_to_them() -> None:
    pools = [
        Pool(pool="a", teams=frozenset({"red"}), holding_limit=5),
        Pool(pool="b", regions=frozenset({"East"}), holding_limit=9),
        Pool(pool=COMMON, holding_limit=15),
    ]

    def limit(**known: Any) -> int | None:
        return limited(RepAttributes(**known), pools).holding_limit

    assert limit(team="red", region="East") == 5
    assert limit(team="blue", region="East") == 9
    assert limit() == 15
    assert limit(team="red", holding_limit=40) == 40


def test_settings_come_back_as_they_were_written() -> None:
    settings = {
        "position": 3,
        "leads": {"region": ["East"], "attributes.vip": [True, None]},
        "teams": ["red"],
        "counting": "hours",
        "protection": {"follow_up_days": 7, "win_days": 30},
        "grades": {"A": {"follow_up_days": 14}},
        "holding_limit": 15,
        "won_exempt": False,
        "claims_per_day": 3,
        "fresh_hours": 1.5,
        "cool_down_days": 2,
        "untouched_hours": 48,
        "untouched_score": 90,
    }
    pool = Pool.of("east", settings)

    assert Pool.of("east", pool.to_json()) == pool
    assert pool.protection_of("A") == Protection(follow_up_days=14)
    assert Pool.of("east", {}) == Pool(pool="east")


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"fresh_hours": "x"}, "fresh_hours"),
        ({"fresh_hours": float("nan")}, "fresh_hours"),
        ({"fresh_hours": -1}, "fresh_hours"),
        ({"leads": {"region": [["x"]]}}, "leads.region"),
        ({"leads": {"region": []}}, "leads.region"),
        ({"leads": {"name": ["x"]}}, "leads.name"),
        ({"leads": ["x"]}, "leads"),
        ({"unknown": 1}, "pool.unknown"),
        ({"counting": "weeks"}, "counting"),
        ({"grades": []}, "grades"),
        ({"protection": {"days": 3}}, "protection.days"),
        ({"protection": {"win_days": 0}}, "win_days"),
        ({"warning_days": None}, "warning_days"),
        ({"claims_per_day": 1.5}, "claims_per_day"),
        ({"won_exempt": 1}, "won_exempt"),
        ({"position": -1}, "position"),
        ({"teams": "red"}, "teams"),
        ({"cool_down_days": True}, "cool_down_days"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(
    settings: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        Pool.of("east", settings)

    assert refused.value.field == field


def test_the_common_pool_has_no_conditions() -> None:
    with pytest.raises(InvalidInput, match="takes what no other pool takes"):
        Pool.of(COMMON, {"leads": {"region": ["East"]}})


@pytest.mark.parametrize(
    ("settings", "lets_go"),
    [
        ({}, False),
        ({"protection": Protection(follow_up_days=3)}, True),
        ({"protection": Protection(win_days=30)}, True),
        ({"grades": {"A": Protection(), "B": Protection(win_days=9)}}, True),
    ],
)
def test_a_pool_lets_leads_go_where_any_grade_has_days(
    settings: dict[str, Any], lets_go: bool
) -> None:
    assert Pool(pool="east", **settings).lets_go is lets_go
