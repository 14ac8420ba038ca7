"""High scores that nobody touches go to the next best rep, former owners last."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rightrep.domain.decision import Cause
from rightrep.domain.ids import LeadId
from rightrep.domain.ownership import OwnershipKind
from rightrep.store import decisions, ownership
from rightrep.store.engine import Store
from rightrep.store.projection import rebuild_projection
from tests.contract.test_store_ownership import projection
from tests.drawn_market import DrawnModel
from tests.pool_parts import Sales, sales


@dataclass(frozen=True)
class ScoredModel(DrawnModel):
    """A drawn model that gives every lead the same lead score.

    Attributes:
        score: The lead score.
    """

    score: int = 90

    @property
    def model(self) -> "ScoredModel":
        """What gives lead scores."""
        return self

    def lead_score(self, leads: NDArray[np.float32]) -> NDArray[np.int64]:
        """The score, once for each lead."""
        return np.full(len(leads), self.score)


@pytest.fixture
def shop(store: Store, tmp_path: Path) -> Iterator[Sales]:
    """A tenant whose projection is, at the end, what its events add up to."""
    made = sales(store, tmp_path)
    made.set_pool(untouched_hours=48, untouched_score=80)
    yield made
    with made.write() as session:
        written = projection(session)
        rebuild_projection(session)
        assert projection(session) == written


def draw(shop: Sales, *chances: float, score: int = 90) -> None:
    """Say how likely each rep wins; the others win one lead in ten."""
    model = ScoredModel(dict(zip(shop.reps, chances, strict=False)), score=score)
    object.__setattr__(shop.context, "advisers", model)


def kinds(shop: Sales, lead: LeadId) -> list[OwnershipKind]:
    with shop.read() as session:
        return [event.kind for event in ownership.get_events(session, lead)]


def test_an_untouched_lead_goes_to_the_best_rep_who_never_had_it(shop: Sales) -> None:
    (lead,), reps = shop.add_leads(1), shop.add_reps(4)
    draw(shop, 0.9, 0.8, 0.7, 0.2)
    shop.claim(reps[1], lead)
    shop.drop(lead)
    shop.claim(reps[0], lead)
    shop.wait(hours=48, seconds=-1)
    assert shop.recycle().passed_on == 0
    shop.wait(seconds=1)

    done = shop.recycle()

    assert (done.passed_on, done.kept, done.dropped) == (1, 0, 0)
    assert shop.owners() == {lead: reps[2]}
    assert kinds(shop, lead)[-2:] == [OwnershipKind.RECYCLED, OwnershipKind.ASSIGNED]
    with shop.read() as session:
        owned = ownership.get_owner(session, lead)
        assert owned is not None
        assert owned.decision_id is not None
        made = decisions.get_decision(session, owned.decision_id)
    assert (made.cause, made.policy) == (Cause.RECYCLE, "optimal")
    assert made.p_convert == pytest.approx(0.95 * 0.7)


def test_the_clock_begins_anew_with_each_rep_until_everybody_had_it(
    shop: Sales,
) -> None:
    (lead,), reps = shop.add_leads(1), shop.add_reps(3)
    draw(shop, 0.9, 0.8, 0.7)
    shop.claim(reps[0], lead)

    had = []
    for _ in range(4):
        shop.wait(hours=47)
        assert shop.recycle().passed_on == 0
        shop.wait(hours=1)
        shop.recycle()
        had.append(shop.owners()[lead])

    # Once everybody had it, former owners may: but never the present one.
    assert had == [reps[1], reps[2], reps[0], reps[1]]


def test_a_touched_lead_stays(shop: Sales) -> None:
    leads, reps = shop.add_leads(2), shop.add_reps(2)
    draw(shop, 0.9, 0.8)
    shop.claim(reps[0], *leads)
    shop.wait(hours=47)
    shop.follow_up(leads[0], reps[0])
    shop.lock(leads[1])
    shop.wait(days=30)

    assert shop.recycle().passed_on == 0
    assert set(shop.owners().values()) == {reps[0]}


def test_a_lead_of_a_low_score_stays(shop: Sales) -> None:
    (lead,), reps = shop.add_leads(1), shop.add_reps(2)
    draw(shop, 0.9, 0.8, score=79)
    shop.claim(reps[0], lead)
    shop.wait(days=30)

    done = shop.recycle()

    assert (done.passed_on, done.kept, done.unscored) == (0, 0, None)


def test_without_a_model_nothing_is_taken_and_it_is_said(shop: Sales) -> None:
    (lead,), reps = shop.add_leads(1), shop.add_reps(2)
    shop.claim(reps[0], lead)
    shop.wait(days=30)

    done = shop.recycle()

    assert done.unscored == "no model is published"
    assert shop.owners() == {lead: reps[0]}


def test_a_lead_that_nobody_else_can_take_stays(shop: Sales) -> None:
    (lead,), (rep,) = shop.add_leads(1), shop.add_reps(1)
    shop.add_reps(1, intake_per_day=0)
    draw(shop, 0.9, 0.8)
    shop.claim(rep, lead)
    shop.wait(days=30)

    done = shop.recycle()

    assert (done.passed_on, done.kept) == (0, 1)
    assert shop.owners() == {lead: rep}


def test_a_cool_down_gives_way_when_nobody_else_can_take_it(shop: Sales) -> None:
    shop.set_pool(untouched_hours=48, cool_down_days=30)
    (lead,), reps = shop.add_leads(1), shop.add_reps(2)
    draw(shop, 0.9, 0.8)
    shop.claim(reps[0], lead)
    shop.drop(lead)
    shop.claim(reps[1], lead)
    shop.wait(hours=48)

    assert shop.recycle().passed_on == 1
    assert shop.owners() == {lead: reps[0]}


def test_no_policy_gives_a_lead_to_a_rep_who_is_cooling_down(shop: Sales) -> None:
    shop.set_pool(cool_down_days=1, counting="hours")
    (lead,), reps = shop.add_leads(1), shop.add_reps(2)
    draw(shop, 0.9, 0.1)
    shop.claim(reps[0], lead)
    shop.drop(lead)

    assert shop.proposed(lead) == [reps[1]]
    shop.wait(days=1)
    assert shop.proposed(lead) == reps


def test_a_run_again_passes_each_lead_on_once(shop: Sales) -> None:
    leads, reps = shop.add_leads(5), shop.add_reps(3)
    draw(shop, 0.9, 0.8, 0.7)
    shop.claim(reps[0], *leads)
    shop.wait(hours=49)

    assert [shop.recycle().passed_on for _ in range(2)] == [5, 0]
    assert shop.now - shop.since(leads[0]) == timedelta()
