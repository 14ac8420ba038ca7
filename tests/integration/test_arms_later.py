"""Arms as time goes on: leads taken back, floors owed, models replaced, stops."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.bucketing import arms_of_units, team_day
from features.columns import Side
from rightrep.domain.experiment import Experiment, UnitKind
from rightrep.domain.ids import LeadId, RepId
from rightrep.domain.pools import Pool
from rightrep.domain.slots import ArmKey
from rightrep.errors import Conflict
from rightrep.store.arm_slots import read_arm_reps
from rightrep.store.engine import Store
from rightrep.store.models import PublishedModel, publish_model
from rightrep.store.plans import list_plans
from serving.usecases import experiments as usecase
from serving.usecases import pools
from serving.usecases.advice import Scores
from serving.usecases.champions import load_published
from serving.usecases.keeping import keep_plan
from serving.usecases.next_rep import assign, propose
from serving.usecases.planning import PlanRequest, make_plan
from serving.usecases.pool_recycling import Recycled, recycle
from tests.contract.test_model_contract import trained
from tests.contract.test_pools_untouched import ScoredModel
from tests.drawn_market import DrawnModel, draw_model
from tests.integration.test_arms import (
    LOT,
    SPRING,
    arm_by_hash,
    decisions,
    given,
    keep,
    leads,
    leads_in,
    limit,
    plan,
    publish,
    run,
    stop,
    units,
)
from tests.serving_parts import ACME, NOON, Served, serve
from training.model_file import save_model

DAYS = timedelta(days=2)


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    """A tenant with three reps, a drawn model and no experiment."""
    served = serve(store, tmp_path)
    reps = served.add_reps("best", "good", "poor")
    draw_model(served, dict(zip(reps, (0.6, 0.3, 0.1), strict=True)))
    return served


def rep_called(served: Served, name: str) -> str:
    """Our id of the rep whom the CRM calls so."""
    reps = served.get("/v1/reps").json()["reps"]
    return next(str(rep["rep_id"]) for rep in reps if name in str(rep))


def taken_back(served: Served) -> Recycled:
    """Leads that nobody touched for two days go to others: all scores are high."""
    object.__setattr__(served.context, "advisers", ScoredModel({}))
    pool = Pool.of("common", {"untouched_hours": 48, "untouched_score": 80})
    with served.context.store.write(ACME) as session:
        now = served.clock.now()
        pools.change_pool(session, pool, actor="k", reason="", at=now)
    return recycle(served.context, ACME, actor="job")


def test_a_lead_taken_back_untouched_is_given_by_its_arm_again(served: Served) -> None:
    run(served)
    [lead] = leads_in(served, "control", 1)
    first = served.next(lead).json()
    logged = units(served)
    served.clock.move(DAYS)

    assert taken_back(served).passed_on == 1

    again = decisions(served)[-1]
    assert (again.experiment, again.arm, again.policy) == (
        "spring",
        "control",
        "round_robin_lot",
    )
    # Who had the lead is not drawn again; the other two still wait for their turn.
    assert again.rep_id != first["rep_id"]
    assert again.propensity == pytest.approx(1 / 2)
    assert again.excluded[RepId(first["rep_id"])]
    assert again.rep_id not in again.excluded
    assert units(served) == logged
    with served.context.store.read(ACME) as session:
        counted = read_arm_reps(session, ArmKey("spring", "control"))
    assert {rep: one.given for rep, one in counted.items() if one.given} == {
        RepId(first["rep_id"]): 1,
        again.rep_id: 1,
    }


def test_a_lead_taken_back_keeps_to_the_slots_of_its_arm(served: Served) -> None:
    run(served)
    [lead] = leads_in(served, "treatment", 1)
    served.next(lead)
    limit(served, intake_per_day=2)
    served.clock.move(DAYS)
    for other in leads_in(served, "treatment", 3):
        assert served.next(other).json()["rep_id"]

    done = taken_back(served)

    # Each rep has a slot left, and none of it is the treatment's.
    assert (done.passed_on, done.kept) == (0, 1)


@pytest.mark.parametrize("before", ["nothing", "holdout"])
def test_taking_back_draws_nobody_for_an_experiment(
    served: Served, before: str
) -> None:
    if before == "holdout":
        keep(served, 0.0001)
    for lead in leads(served, 4):
        served.next(lead)
    run(served)
    served.clock.move(DAYS)

    assert taken_back(served).passed_on == 4

    assert units(served) == {}
    assert {one.experiment for one in decisions(served)[4:]} == {None}


def test_what_the_holdout_keeps_stays_there_when_it_is_taken_back(
    served: Served,
) -> None:
    keep(served, 0.5)
    held: dict[str, dict[str, Any]] = {}
    while {row["arm"] for row in held.values()} != {"control", "treatment"}:
        served.next(leads(served, 1, f"{len(held)}x")[0])
        held = units(served, "holdout-1")
    kept = {lead for lead, row in held.items() if row["arm"] == "control"}
    run(served)
    served.clock.move(DAYS)

    assert taken_back(served).passed_on == len(held)

    again = decisions(served)[len(held) :]
    assert {one.lead_id for one in again if one.experiment is not None} == kept
    assert {one.arm for one in again if one.lead_id in kept} == {"control"}
    assert units(served) == {}
    assert units(served, "holdout-1") == held


def test_floors_are_split_between_arms_and_each_counts_its_own(served: Served) -> None:
    own = {"min_candidates": 1, "fairness": {"floors": {"poor": 4}}}
    treatment = replace(SPRING.arms[1], parameters=own)
    run(served, replace(SPRING, arms=[LOT, treatment]))
    limit(served, intake_per_day=40)
    poor = rep_called(served, "poor")

    def to_poor(how_many: int) -> int:
        """Of so many leads of the treatment, those that the floor asks for."""
        ids = leads_in(served, "treatment", how_many)
        plan(served, leads=ids, commit=True)
        made = [one for one in decisions(served) if one.lead_id in ids]
        return given(made)["treatment", poor]

    # What the control gives does not count for the treatment's half of the floor.
    plan(served, leads=leads_in(served, "control", 9), commit=True)
    assert given(decisions(served))["control", poor] == 3
    assert to_poor(1) == 1
    assert to_poor(5) == 1
    assert to_poor(5) == 0


def salted(
    names: Sequence[str], drawn_for: Sequence[str], **changed: Any
) -> Experiment:
    """``SPRING`` with a salt that draws these clusters for these arms."""
    one = replace(SPRING, unit_kind=UnitKind.TEAM_DAY, **changed)
    for k in count():
        drawn = arms_of_units(names, one.arms, salt=f"s{k}")
        if [one.arms[place].arm for place in drawn] == list(drawn_for):
            return replace(one, salt=f"s{k}")
    raise AssertionError


def test_an_arm_of_team_days_owes_its_share_of_the_floors(served: Served) -> None:
    own = {"min_candidates": 1, "fairness": {"floors": {"poor": 4}}}
    treatment = replace(SPRING.arms[1], parameters=own)
    today = team_day("", NOON.date())
    run(served, salted([today], ["treatment"], arms=[LOT, treatment]))
    limit(served, intake_per_day=40)

    made = plan(served, leads=leads(served, 6))

    taken = {rep["rep_id"]: rep["given"] for rep in made["reps"]}
    assert taken[rep_called(served, "poor")] == 2
    assert taken[rep_called(served, "best")] == 4


def test_leads_of_two_slices_in_one_plan_share_the_slots(served: Served) -> None:
    one = replace(SPRING, unit_kind=UnitKind.TIME_SLICE, design={"slice_hours": 24})
    run(served, one)
    limit(served, intake_per_day=3)
    # Two days of a pair, so one is the control's and one the treatment's.
    first = NOON - timedelta(days=2 + NOON.toordinal() % 2)
    ids = [
        leads(served, 9, f"D{day}x", created_at=(first + timedelta(day)).isoformat())
        for day in range(2)
    ]

    made = plan(served, leads=[*ids[0], *ids[1]], commit=True)

    assert made["states"] == {"committed": 9, "unassigned": 9}
    assert set(Counter(one.rep_id for one in decisions(served)).values()) == {3}
    by_arm = Counter(one.arm for one in decisions(served))
    assert set(by_arm) == {"control", "treatment"}


def test_each_team_has_all_its_slots_whatever_the_other_teams_arm(
    served: Served,
) -> None:
    limit(served, "best", "good", team="North", intake_per_day=3)
    limit(served, "poor", team="South", intake_per_day=3)
    rule = {"policy": {"name": "least_loaded"}}
    publish(
        served,
        *(
            {
                "name": team,
                "when": {"op": "equals", "field": "region", "value": team},
                "candidates": {"teams": [team]},
                **rule,
            }
            for team in ("North", "South")
        ),
    )
    days = [team_day(team, NOON.date()) for team in ("North", "South")]
    run(served, salted(days, ["control", "treatment"]))
    ids = [leads(served, 8, f"{x}x", region=x) for x in ("North", "South")]

    plan(served, leads=[*ids[0], *ids[1]], commit=True)

    arms = Counter((one.arm, one.rep_id) for one in decisions(served))
    assert sorted(arms.values()) == [3, 3, 3]
    assert Counter(arm for arm, _ in arms) == {"control": 2, "treatment": 1}


def test_a_plan_of_before_gives_no_lead_that_was_drawn_since(served: Served) -> None:
    ids = [*leads_in(served, "control", 1), *leads_in(served, "treatment", 1)]
    made = plan(served, leads=ids)
    served.clock.move(timedelta(minutes=1))
    run(served)
    limit(served, status="paused")
    assert served.next(ids[0]).json()["rep_id"] is None
    assert set(units(served)) == {ids[0]}
    limit(served)

    path = f"/v1/assignments/plan/{made['plan_id']}/commit"
    done = served.post(path, {}).json()["lines"]

    # Who was not drawn is no unit, and goes as it was planned.
    assert done == {"committed": 1, "excluded": 1}
    assert [one.lead_id for one in decisions(served)] == [ids[1]]


@dataclass(frozen=True)
class ColumnsModel(DrawnModel):
    """A drawn champion whose lead columns are a trained model's.

    Attributes:
        rows: Columns of each lead, by id.
        contract: Version of these columns.
    """

    rows: Mapping[str, Any] = field(default_factory=dict)
    contract: str = ""

    def scores(
        self, lead_ids: Any, rep_ids: Any, *, at: datetime, own: object = None
    ) -> Scores:
        """The drawn chances, and the columns of these leads."""
        found = super().scores(lead_ids, rep_ids, at=at, own=own)
        columns = np.stack([self.rows[lead] for lead in lead_ids])
        return replace(
            found,
            columns_version=self.contract,
            columns=replace(found.columns, leads=columns),
        )


def test_the_frozen_model_is_adjusted_for_when_another_is_champion(
    served: Served, tmp_path: Path
) -> None:
    model, rows = trained()
    ids = leads(served, 12)
    n_columns = len(rows.contract.of(Side.LEAD))
    some = rows.columns[:: len(rows.columns) // len(ids)][: len(ids), :n_columns]
    champion = ColumnsModel({}, rows=dict(zip(ids, some, strict=True)))
    champion = replace(champion, contract=rows.contract.version)
    object.__setattr__(served.context, "advisers", champion)
    published = frozen(served, tmp_path)
    design = {"model_version": published.version}
    run(served, replace(SPRING, design=design))

    plan(served, leads=ids[:8])
    for lead in ids[8:]:
        served.next(lead)

    expected = dict(zip(ids, model.p_lead(some).tolist(), strict=True))
    assert len(set(expected.values())) > len(ids) / 2
    logged = {lead: row["covariate"] for lead, row in units(served).items()}
    assert logged == pytest.approx(expected)


def test_a_frozen_model_whose_file_is_gone_costs_the_covariate_alone(
    served: Served, tmp_path: Path
) -> None:
    published = frozen(served, tmp_path)
    Path(published.path).unlink()
    champion = replace(DrawnModel({}), version="drawn")
    object.__setattr__(served.context, "advisers", champion)
    run(served, replace(SPRING, design={"model_version": published.version}))
    [lead] = leads(served, 1)

    assert served.next(lead).json()["arm"] == arm_by_hash(lead)

    assert units(served)[lead]["covariate"] is None


def frozen(served: Served, folder: Path) -> PublishedModel:
    """A trained model that was published once and is not the champion."""
    load_published.cache_clear()
    model, rows = trained()
    path, now = folder / "frozen.zip", served.clock.now()
    published = PublishedModel(
        version="frozen",
        path=str(path),
        sha256=save_model(model, path),
        columns_version=rows.contract.version,
        label_window_days=60,
        metrics={},
        data_hash="d" * 16,
        trained_as_of=now,
        published_at=now,
    )
    with served.context.store.write(ACME) as session:
        publish_model(session, published)
    return published


def test_a_stopped_experiment_gives_the_slots_back_at_once(served: Served) -> None:
    run(served)
    limit(served, intake_per_day=2)
    ids = leads_in(served, "control", 5)
    first = [served.next(lead).json()["rep_id"] for lead in ids[:4]]
    assert Counter(first)[None] == 1

    stop(served)

    assert served.next(ids[4]).json()["rep_id"]
    assert served.next(ids[3]).json()["rep_id"]
    assert len(decisions(served)) == 5


def test_no_decision_names_an_experiment_that_did_not_draw_its_lead(
    served: Served,
) -> None:
    run(served)
    [lead] = leads(served, 1)
    proposal = propose(served.context, ACME, lead)
    assert proposal.arm_key is not None

    stop(served)
    with served.context.store.write(ACME) as session:
        made = assign(session, proposal, at=served.clock.now(), actor="k")

    assert made is not None
    assert (made.experiment, made.arm) == (None, None)
    assert units(served) == {}


def test_a_plan_is_not_kept_when_its_experiment_stopped_meanwhile(
    served: Served,
) -> None:
    run(served)
    ids = [LeadId(lead) for lead in leads(served, 3)]
    made = make_plan(served.context, ACME, PlanRequest(lead_ids=ids))

    stop(served)
    with (
        pytest.raises(Conflict, match=r"'spring' was stopped.*Make a new plan"),
        served.context.store.write(ACME) as session,
    ):
        keep_plan(session, made)

    assert units(served) == {}
    with served.context.store.read(ACME) as session:
        assert not list_plans(session)


def test_prices_of_all_slots_are_solved_when_an_experiment_stops(
    served: Served,
) -> None:
    leads(served, 3)
    plan(served, policy="optimal")
    run(served)
    served.clock.move(DAYS)
    with served.context.store.write(ACME) as session:
        usecase.stop(session, "spring", because="Enough.", at=served.clock.now())

    while served.work():
        pass
    told = served.next(leads(served, 1, "late")[0]).json()

    assert (told["policy"], told["fallback"], told["priced"]) == ("optimal", None, True)
