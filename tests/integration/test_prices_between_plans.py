"""Shadow prices between plans: solved again as the window runs down."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rightrep.domain.ids import LeadId
from rightrep.domain.job import JobState
from rightrep.domain.roles import Role
from rightrep.store import jobs
from rightrep.store.engine import Store
from rightrep.store.prices import PriceList, latest_prices
from serving.usecases.next_rep import propose
from serving.usecases.pricing import PRICES, Window, periods_of, refresh_prices
from tests.drawn_market import draw_model
from tests.serving_parts import ACME, NOON, Served, serve

DAYS = 6
A_DAY = 10


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    """Two reps with few slots a day, ten leads a day before now, and a drawn model."""
    served = serve(store, tmp_path)
    best, good = served.add_reps("best", "good", intake_per_day=4)
    draw_model(served, {best: 0.6, good: 0.3})
    for day in range(DAYS):
        for k in range(A_DAY):
            came = NOON - timedelta(days=day, minutes=5 + 60 * k)
            served.add_leads(f"d{day}k{k}", created_at=came.isoformat())
    return served


def plan(served: Served) -> str:
    """A plan of one old lead, so that prices come from futures, with a worker."""
    body = {"policy": "optimal", "leads": ["d5k9"]}
    served.post("/v1/assignments/plan", body)
    work(served)
    return in_force(served).plan_id


def work(served: Served) -> None:
    """Do every job that is due."""
    while served.work():
        pass


def latest(served: Served) -> PriceList | None:
    with served.context.store.read(ACME) as session:
        return latest_prices(session, served.clock.now())


def in_force(served: Served) -> PriceList:
    found = latest(served)
    assert found is not None
    return found


def priced(served: Served) -> PriceList:
    """Prices as a job would find them now."""
    found = refresh_prices(served.context, ACME)
    assert found is not None
    return found


def open_jobs(served: Served) -> int:
    with served.context.store.read(ACME) as session:
        return len(jobs.list_jobs(session, kind=PRICES, state=JobState.QUEUED))


def test_a_worker_adds_futures_to_a_plans_prices_and_goes_on(served: Served) -> None:
    plan(served)
    served.clock.move(timedelta(minutes=1))

    first = in_force(served)
    served.clock.move(timedelta(hours=1))
    work(served)
    served.clock.move(timedelta(minutes=1))
    second = in_force(served)

    assert max(first.shadow_price.values()) > 0
    assert second.published_at - first.published_at >= timedelta(minutes=50)
    assert (second.plan_id, second.window_end) == (first.plan_id, first.window_end)
    assert open_jobs(served) == 1


def test_scarcer_slots_are_dearer(served: Served) -> None:
    plan(served)
    served.clock.move(timedelta(minutes=1))
    before = priced(served).shadow_price
    served.add_reps("best", "good", intake_per_day=1)

    after = priced(served).shadow_price

    assert all(after[rep] > before[rep] for rep in before)


def test_a_run_of_leads_makes_its_rep_dearer_until_prices_are_solved_again(
    served: Served,
) -> None:
    plan(served)
    served.clock.move(timedelta(minutes=1))
    standing = in_force(served)
    assert standing.step > 0
    *run, asked = served.add_leads("run0", "run1", "asked")
    before = propose(served.context, ACME, LeadId(asked))
    best = before.situation.rep_ids[int(np.argmax(before.price))]
    claimed = served.post("/v1/claims", {"rep": best, "leads": run})
    assert claimed.status_code == 200, claimed.text
    served.clock.move(timedelta(seconds=1))

    after = propose(served.context, ACME, LeadId(asked))

    dearer = dict(
        zip(before.situation.rep_ids, after.price - before.price, strict=True)
    )
    assert dearer.pop(best) > 0
    assert max(dearer.values()) <= 0


def test_prices_fall_as_the_window_runs_down(served: Served) -> None:
    plan(served)
    hide_waiting_leads(served)
    worth = []
    for hours in (0, 23, 2):
        served.clock.move(timedelta(hours=hours))
        worth.append(sum(priced(served).shadow_price.values()))

    early, late, of_the_next_window = worth
    assert late < early / 3
    assert late < of_the_next_window


def hide_waiting_leads(served: Served) -> None:
    """Give every lead an owner outside the limits, so that futures alone count."""
    for day in range(DAYS):
        for k in range(A_DAY):
            body = {"lead": f"d{day}k{k}", "word": "overridden", "rep": "away"}
            if day == k == 0:
                served.add_reps("away", status="paused")
            assert served.post("/v1/feedback/ownership", body).status_code == 200


def test_nothing_later_than_now_is_sampled(served: Served) -> None:
    plan(served)
    hide_waiting_leads(served)
    before = priced(served)

    for k in range(30):
        came = served.clock.now() + timedelta(minutes=k + 1)
        served.add_leads(f"later{k}", created_at=came.isoformat())

    assert priced(served) == before


def test_expired_prices_are_flagged_and_asked_for_once(served: Served) -> None:
    plan(served)
    served.clock.move(timedelta(minutes=1))
    fresh = served.next("d0k0").json()
    served.clock.move(timedelta(hours=3))

    told = served.post("/v1/assignments/next", {"lead": "d0k1", "dry_run": True}).json()
    waiting = open_jobs(served)
    stale = [served.next(f"d0k{k}").json() for k in (1, 2)]
    asked = open_jobs(served) - waiting
    work(served)
    served.clock.move(timedelta(seconds=1))
    again = served.next("d0k3").json()

    assert (fresh["policy"], fresh["priced"], fresh["fallback"]) == (
        "optimal",
        True,
        None,
    )
    for answer in (told, *stale):
        assert answer["fallback"] == "the shadow prices have expired"
        assert (answer["policy"], answer["priced"]) == ("least_loaded", False)
    assert asked == 1
    assert (again["policy"], again["priced"]) == ("optimal", True)


def test_where_nothing_was_priced_yet_a_plan_is_asked_for(served: Served) -> None:
    first = served.next("d0k0").json()
    assert (first["policy"], first["priced"], first["fallback"]) == (
        "optimal",
        False,
        None,
    )

    work(served)
    served.clock.move(timedelta(seconds=1))

    assert in_force(served).shadow_price
    assert served.next("d0k1").json()["priced"]
    assert served.get("/v1/decisions").json()["decisions"][0]["policy"] == "optimal"


def test_prices_are_left_alone_where_the_setting_says_so(served: Served) -> None:
    body: dict[str, Any] = {"routing": {"price_refresh_minutes": 0, "price_hours": 2}}
    assert served.call("PUT", "/v1/settings/routing", body, role=Role.ADMIN).is_success
    plan(served)

    held = in_force(served)
    served.clock.move(timedelta(hours=2))
    stale = served.next("d0k0").json()

    assert held.expires_at == NOON + timedelta(hours=2)
    assert stale["fallback"] == "the shadow prices have expired"
    assert open_jobs(served) == 0


def test_periods_cover_the_window_and_those_before_it_in_which_leads_came() -> None:
    window = Window(NOON, NOON + timedelta(hours=24))
    start = int(NOON.timestamp())
    arrived_at = np.array([start - 60 * 3600, start - 3600], dtype=np.int64)

    periods = periods_of(window, arrived_at, zone="Asia/Shanghai")

    assert periods.window.tolist() == np.repeat([0, 1, 2], 24).tolist()
    assert periods.edges[0] == start - 48 * 3600
    assert periods.edges[-1] == start + 24 * 3600
    assert periods.kind[0] == 5 * 24 + 12, "Saturday noon in Shanghai"
