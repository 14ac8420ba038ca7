"""The clock: what drops back and when, told ahead, once whoever runs it how often."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rightrep.domain.activity import ActivityKind
from rightrep.domain.ids import LeadId
from rightrep.domain.lead import LeadKind
from rightrep.domain.outcome import RESULTS, Outcome, Result
from rightrep.domain.ownership import OwnershipKind
from rightrep.store import ownership
from rightrep.store.aliases import RecordKind
from rightrep.store.engine import Store
from rightrep.store.merges import merge, undo_merge
from rightrep.store.outcomes import record_outcome
from rightrep.store.pools import pools_in_force
from rightrep.store.private_pools import private_leads
from rightrep.store.projection import rebuild_projection
from serving.usecases import pool_recycling
from serving.usecases.pool_views import coming_drops, private_view
from tests.contract.test_store_ownership import projection
from tests.pool_parts import BERLIN, START, Sales, sales

SECOND = timedelta(seconds=1)


@pytest.fixture
def shop(store: Store, tmp_path: Path) -> Iterator[Sales]:
    """A tenant whose projection is, at the end, what its events add up to."""
    made = sales(store, tmp_path)
    yield made
    with made.write() as session:
        written = projection(session)
        rebuild_projection(session)
        assert projection(session) == written


def owned(shop: Sales, count: int, **attributes: Any) -> list[LeadId]:
    """Leads of one rep."""
    leads, (rep,) = shop.add_leads(count, **attributes), shop.add_reps(1)
    shop.claim(rep, *leads)
    return leads


def test_a_lead_drops_at_the_end_of_its_last_protected_day_and_not_before(
    shop: Sales,
) -> None:
    shop.set_pool(protection={"follow_up_days": 5})
    (lead,) = owned(shop, 1)  # Wednesday; clocks go forward on Sunday
    midnight = datetime(2026, 3, 31, tzinfo=ZoneInfo(BERLIN))

    shop.wait(seconds=(midnight - START).total_seconds() - 1)
    assert shop.recycle().dropped == 0
    shop.wait(seconds=1)

    assert shop.recycle().dropped == 1
    with shop.read() as session:
        last = ownership.get_events(session, lead)[-1]
    assert (last.kind, last.owner, last.cause, last.actor, last.happened_at) == (
        OwnershipKind.RECYCLED,
        None,
        "no_follow_up",
        "job",
        midnight,
    )


def test_a_follow_up_takes_the_lead_off_the_list(shop: Sales) -> None:
    shop.set_pool(protection={"follow_up_days": 2}, counting="hours", warning_days=9)
    leads = owned(shop, 2)
    shop.wait(days=2, seconds=-1)

    shop.follow_up(leads[0], shop.reps[0])
    with shop.read() as session:
        coming = coming_drops(session, shop.reps, at=shop.now)
    shop.wait(seconds=1)

    assert [drop.drops_at - START for drop in coming] == [
        timedelta(days=2),
        timedelta(days=4) - SECOND,
    ]
    assert shop.recycle().dropped == 1
    assert list(shop.owners()) == [leads[0]]


@pytest.mark.parametrize("kind", [ActivityKind.PAGE_VIEW, ActivityKind.SURVEY])
def test_what_a_lead_does_alone_is_no_follow_up(
    shop: Sales, kind: ActivityKind
) -> None:
    shop.set_pool(protection={"follow_up_days": 2}, counting="hours")
    (lead,) = owned(shop, 1)
    shop.wait(days=1)
    shop.follow_up(lead, shop.reps[0], kind)
    shop.follow_up(lead, None)
    shop.wait(days=1)

    assert shop.recycle().dropped == 1


def test_a_follow_up_dated_ahead_counts_from_when_it_was_told(shop: Sales) -> None:
    shop.set_pool(protection={"follow_up_days": 2}, counting="hours")
    (lead,) = owned(shop, 1)
    shop.follow_up(lead, shop.reps[0], happened_at=START + timedelta(days=300))
    shop.wait(days=2)

    assert shop.recycle().dropped == 1


def test_a_lead_not_won_in_time_drops_however_often_it_is_followed_up(
    shop: Sales,
) -> None:
    shop.set_pool(protection={"follow_up_days": 2, "win_days": 3}, counting="hours")
    (lead,) = owned(shop, 1)
    for _ in range(3):
        assert shop.recycle().dropped == 0
        shop.wait(days=1)
        shop.follow_up(lead, shop.reps[0])

    assert shop.recycle().dropped == 1
    with shop.read() as session:
        assert ownership.get_events(session, lead)[-1].cause == "not_won"


@pytest.mark.parametrize("result", RESULTS[LeadKind.LEAD])
@pytest.mark.parametrize("exempt", [True, False])
def test_a_closed_lead_does_not_drop(shop: Sales, result: Result, exempt: bool) -> None:
    shop.set_pool(protection={"win_days": 1}, counting="hours", won_exempt=exempt)
    (lead,) = owned(shop, 1)
    told = Outcome(
        event_id="e",
        lead_id=lead,
        decision_id=None,
        result=result,
        closed_at=shop.now,
        recorded_at=shop.now,
    )
    with shop.write() as session:
        record_outcome(session, told)
    shop.wait(days=9)

    assert shop.recycle().dropped == 0


def test_days_depend_on_the_grade_and_on_the_pool(shop: Sales) -> None:
    shop.set_pool(protection={"follow_up_days": 1}, counting="hours")
    shop.set_pool(
        "east",
        leads={"region": ["East"], "attributes.vip": [True]},
        counting="hours",
        protection={"follow_up_days": 2},
        grades={"A": {"follow_up_days": 3}},
    )
    leads, (rep,) = shop.add_leads(1), shop.add_reps(1)
    for grade in (None, "A"):
        leads += shop.add_leads(1, region="East", grade=grade, attributes={"vip": True})
    shop.claim(rep, *leads)

    left = []
    for _ in range(4):
        left.append([leads.index(lead) for lead in sorted(shop.owners())])
        shop.wait(days=1)
        shop.recycle()

    assert [sorted(one) for one in left] == [[0, 1, 2], [1, 2], [2], []]


def test_warnings_list_exactly_what_will_drop(shop: Sales) -> None:
    shop.set_pool(protection={"follow_up_days": 3}, grades={"B": {"follow_up_days": 6}})
    leads = [*owned(shop, 3), *owned(shop, 3, grade="B")]
    for lead in leads[::2]:
        shop.wait(hours=17)
        shop.follow_up(lead, shop.reps[0])
    shop.lock(leads[3])
    with shop.read() as session:
        told = {
            days: {
                drop.lead_id: drop.drops_at
                for drop in coming_drops(session, shop.reps, at=shop.now, days=days)
            }
            for days in range(9)
        }
        shown = {
            one.lead_id: one.drops_at
            for one in private_view(session, shop.reps, at=shop.now)
        }

    gone: list[set[LeadId]] = []
    for _ in range(9):
        shop.recycle()
        gone.append(set(leads) - set(shop.owners()))
        tomorrow = (shop.now.astimezone(ZoneInfo(BERLIN)) + timedelta(days=1)).date()
        shop.wait(
            seconds=(
                datetime.combine(tomorrow, datetime.min.time(), ZoneInfo(BERLIN))
                - shop.now
            ).total_seconds()
        )

    # A warning N days ahead reaches to the midnight at which the N-th day ends.
    assert [set(told[0]), *(set(told[days]) for days in range(1, 8))] == [
        gone[0],
        *gone[2:9],
    ]
    assert told[8] == {lead: at for lead, at in shown.items() if at is not None}
    assert set(leads) - set(told[8]) == {leads[3]}


def test_a_drop_is_told_ahead_once(shop: Sales) -> None:
    shop.set_pool(protection={"follow_up_days": 4}, counting="hours", warning_days=2)
    leads = owned(shop, 2)
    assert shop.recycle().warned == 0
    shop.wait(days=2)

    assert [shop.recycle().warned, shop.recycle().warned] == [2, 0]
    shop.follow_up(leads[0], shop.reps[0])
    shop.wait(days=2)
    done = shop.recycle()

    assert (done.dropped, done.warned) == (1, 1)


def test_a_run_again_or_late_drops_each_lead_once(shop: Sales) -> None:
    shop.set_pool(protection={"follow_up_days": 1}, counting="hours")
    (lead,) = owned(shop, 1)
    shop.wait(days=40)

    assert [shop.recycle().dropped for _ in range(3)] == [1, 0, 0]
    with shop.read() as session:
        kinds = [event.kind for event in ownership.get_events(session, lead)]
    assert kinds == [OwnershipKind.CLAIMED, OwnershipKind.RECYCLED]


def test_pages_and_batches_leave_nothing_out(
    shop: Sales, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_recycling, "PAGE", 4)
    monkeypatch.setattr(pool_recycling, "AT_ONCE", 3)
    shop.set_pool(protection={"follow_up_days": 1}, counting="hours")
    leads = owned(shop, 12)
    shop.wait(hours=12)
    for lead in leads[::3]:
        shop.follow_up(lead, shop.reps[0])
    shop.wait(hours=12)

    done = shop.recycle()

    assert (done.looked_at, done.dropped) == (12, 8)
    assert sorted(shop.owners()) == sorted(leads[::3])


def test_without_protection_nothing_is_looked_at(shop: Sales) -> None:
    owned(shop, 2)
    shop.wait(days=999)

    assert shop.recycle() == pool_recycling.Recycled()


def test_a_merge_keeps_the_later_receipt_and_every_follow_up(shop: Sales) -> None:
    shop.set_pool(protection={"follow_up_days": 2}, counting="hours", warning_days=9)
    leads, (rep,) = shop.add_leads(3), shop.add_reps(1)
    shop.claim(rep, leads[0])
    shop.wait(days=1)
    shop.claim(rep, leads[1])
    shop.wait(hours=20)

    def due() -> dict[LeadId, timedelta]:
        with shop.read() as session:
            coming = coming_drops(session, [rep], at=shop.now)
        return {drop.lead_id: drop.drops_at - START for drop in coming}

    before = due()
    with shop.write() as session:
        made = merge(
            session, RecordKind.LEAD, leads[0], leads[2], at=shop.now,
            actor="x", cause="same",
        )  # fmt: skip
    merged = due()
    shop.follow_up(leads[0], rep)
    told = due()
    with shop.write() as session:
        undo_merge(session, made.merge_id, at=shop.now, actor="x")

    day = timedelta(days=1)
    assert before == {leads[0]: 2 * day, leads[1]: 3 * day}
    assert merged == {leads[2]: 2 * day, leads[1]: 3 * day}
    assert told == {leads[2]: timedelta(hours=92), leads[1]: 3 * day}
    assert due() == {leads[0]: timedelta(hours=92), leads[1]: 3 * day}


def test_a_lead_merged_into_another_of_the_same_owner_counts_once(
    shop: Sales,
) -> None:
    shop.set_pool(protection={"follow_up_days": 2}, counting="hours")
    leads, (rep,) = shop.add_leads(2), shop.add_reps(1)
    shop.claim(rep, leads[1])
    shop.wait(days=1)
    shop.claim(rep, leads[0])
    with shop.write() as session:
        merge(session, RecordKind.LEAD, *leads, at=shop.now, actor="x", cause="same")
    shop.wait(days=1)
    assert shop.recycle().dropped == 0
    shop.wait(days=1)

    assert shop.recycle().dropped == 1


def test_leads_that_were_all_given_back_meanwhile_are_no_private_leads(
    shop: Sales,
) -> None:
    gone = owned(shop, 2)
    for lead in gone:
        shop.drop(lead)

    with shop.read() as session:
        found = private_leads(session, pools_in_force(session), gone, as_of=shop.now)

    assert found.lead_id == []
