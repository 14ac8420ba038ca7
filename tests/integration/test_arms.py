"""A running experiment decides: over HTTP, one lead at a time and in batches."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event, select

from experiments.bucketing import arms_of_units, in_holdout, team_day
from rightrep.domain.decision import Decision
from rightrep.domain.experiment import Arm, Experiment, UnitKind
from rightrep.domain.ids import LeadId
from rightrep.domain.roles import Role
from rightrep.domain.slots import ArmKey
from rightrep.store.arm_slots import ArmRep, read_arm_reps
from rightrep.store.decisions import list_decisions
from rightrep.store.engine import Store
from rightrep.store.experiments import (
    create_experiment,
    list_experiments,
    read_units,
    start_experiment,
    stop_experiment,
)
from rightrep.store.guard import of_tenant
from rightrep.store.prices import latest_prices
from rightrep.store.schema_plans import experiment_units
from serving.usecases.arm_views import read_arming
from serving.usecases.arms import arms_in_force
from serving.usecases.situation import read_situation
from tests.drawn_market import draw_model
from tests.serving_parts import ACME, NOON, Served, serve

LOT = Arm(arm="control", policy="round_robin_lot", share=0.5)
BEST = Arm(arm="treatment", policy="optimal", share=0.5)
ONE_CANDIDATE = {"min_candidates": 1}
SPRING = Experiment(
    experiment="spring",
    unit_kind=UnitKind.LEAD,
    salt="s1",
    arms=[LOT, replace(BEST, parameters=ONE_CANDIDATE)],
    design={"horizon_days": 30, "strata": ["region"]},
    actor="k",
    created_at=NOON,
)


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    """A tenant with three reps, a drawn model and no experiment."""
    served = serve(store, tmp_path)
    best, good, poor = served.add_reps("best", "good", "poor")
    draw_model(served, {best: 0.6, good: 0.3, poor: 0.1})
    return served


def run(served: Served, one: Experiment = SPRING) -> None:
    with served.context.store.write(ACME) as session:
        create_experiment(session, one)
        start_experiment(session, one.experiment, at=NOON)


def limit(served: Served, *names: str, **fields: Any) -> None:
    """What holds for reps from now on; all three where none is named."""
    served.clock.move(timedelta(seconds=1))
    served.add_reps(*(names or ("best", "good", "poor")), **fields)
    served.clock.move(timedelta(seconds=1))


def stop(served: Served, name: str = "spring") -> None:
    with served.context.store.write(ACME) as session:
        stop_experiment(session, name, at=served.clock.now(), because="Enough.")


def leads(served: Served, count: int, prefix: str = "L", **fields: Any) -> list[str]:
    return served.add_leads(*(f"{prefix}{k}" for k in range(count)), **fields)


def leads_in(served: Served, arm: str, count: int) -> list[str]:
    """Leads that are drawn for an arm of ``SPRING``."""
    found: list[str] = []
    while len(found) < count:
        ids = leads(served, 8, f"{arm}{len(found)}x{np.random.default_rng().random()}")
        drawn = arms_of_units(ids, SPRING.arms, salt=SPRING.salt)
        found += [
            i for i, k in zip(ids, drawn, strict=True) if SPRING.arms[k].arm == arm
        ]
    return found[:count]


def arm_by_hash(lead_id: str, one: Experiment = SPRING) -> str:
    return one.arms[int(arms_of_units([lead_id], one.arms, salt=one.salt)[0])].arm


def units(served: Served, name: str = "spring") -> dict[str, dict[str, Any]]:
    with served.context.store.read(ACME) as session:
        return {row["unit"]: row for row in read_units(session, name).to_pylist()}


def decisions(served: Served) -> list[Decision]:
    """Every decision with its reasons, the oldest first."""
    with served.context.store.read(ACME) as session:
        found = list_decisions(session, limit=1_000, reasons=True).decisions
    return list(found)[::-1]


def plan(served: Served, **more: Any) -> dict[str, Any]:
    """A batch plan, made by a worker."""
    job = served.post("/v1/assignments/plan", more).json()
    while served.work():
        pass
    done = served.get(f"/v1/jobs/{job['job_id']}").json()
    assert done["state"] == "done", done
    found: dict[str, Any] = served.get(
        f"/v1/assignments/plan/{done['result']['plan_id']}?limit=1000"
    ).json()
    return found


def given(made: Sequence[Decision]) -> Counter[tuple[str | None, str]]:
    return Counter((one.arm, one.rep_id) for one in made)


def test_a_dry_run_draws_and_logs_nothing(served: Served) -> None:
    run(served)
    [lead] = leads(served, 1)

    asked = {"lead": lead, "dry_run": True}
    told = served.post("/v1/assignments/next", asked).json()

    assert (told["experiment"], told["arm"]) == ("spring", arm_by_hash(lead))
    assert units(served) == {}
    taken = served.next(lead).json()
    assert (taken["experiment"], taken["arm"]) == ("spring", told["arm"])
    assert units(served)[lead]["arm"] == told["arm"]
    assert decisions(served)[0].arm == told["arm"]


def test_a_unit_is_logged_with_its_stratum_and_covariate(served: Served) -> None:
    run(
        served, replace(SPRING, design={"strata": ["region"], "model_version": "drawn"})
    )
    [lead] = leads(served, 1, region="South")

    served.next(lead)

    row = units(served)[lead]
    assert (row["stratum"], row["cluster"]) == ("South", "")
    assert 0 < row["covariate"] < 1


def test_each_arm_goes_by_its_own_policy(served: Served) -> None:
    run(served)
    control, treatment = (
        leads_in(served, "control", 6),
        leads_in(served, "treatment", 3),
    )

    by_lot = [served.next(lead).json() for lead in control]
    by_value = [served.next(lead).json() for lead in treatment]

    assert {told["policy"] for told in by_lot} == {"round_robin_lot"}
    assert [round(1 / told["propensity"]) for told in by_lot] == [3, 2, 1, 3, 2, 1]
    assert len({told["rep_id"] for told in by_lot[:3]}) == 3
    assert {told["policy"] for told in by_value} == {"optimal"}
    assert len({told["rep_id"] for told in by_value}) == 1


def test_a_lead_that_nobody_can_take_is_a_unit_all_the_same(served: Served) -> None:
    run(served)
    limit(served, status="paused")
    [lead] = leads(served, 1)

    told = served.next(lead).json()

    assert told["rep_id"] is None
    assert units(served)[lead]["arm"] == arm_by_hash(lead)


def test_slots_are_shared_and_no_arm_uses_the_others(served: Served) -> None:
    run(served)
    limit(served, intake_per_day=5)
    ids = leads_in(served, "control", 12) + leads_in(served, "treatment", 12)

    for lead in np.random.default_rng(1).permutation(ids).tolist():
        served.next(lead)

    by_rep: dict[str, dict[str | None, int]] = defaultdict(dict)
    for (arm, rep), count in given(decisions(served)).items():
        by_rep[rep][arm] = count
    assert all(sum(arms.values()) == 5 for arms in by_rep.values())
    assert all(sorted(arms.values()) == [2, 3] for arms in by_rep.values())
    assert set(units(served)) == set(ids)
    spare = served.add_leads("late")[0]
    told = served.next(spare).json()
    assert {one["code"] for one in told["excluded"]} == {"intake_limit"}


def test_an_arm_without_slots_leaves_the_others_open(served: Served) -> None:
    run(served)
    limit(served, intake_per_day=2)

    answers = [served.next(lead).json() for lead in leads_in(served, "control", 4)]

    assert [one["rep_id"] is None for one in answers] == [False] * 3 + [True]
    assert {one["code"] for one in answers[3]["excluded"]} == {"arm_limit"}
    assert served.next(leads_in(served, "treatment", 1)[0]).json()["rep_id"]


def test_a_batch_is_shared_out_by_arms(served: Served) -> None:
    run(served)
    limit(served, intake_per_day=6)
    ids = leads_in(served, "control", 12) + leads_in(served, "treatment", 12)

    made = plan(served, leads=ids)

    assert made["policy"] == "arms"
    lines = {line["lead_id"]: line for line in made["lines"]}
    assert {i: line["arm"] for i, line in lines.items()} == {
        i: arm_by_hash(i) for i in ids
    }
    assert {i: row["arm"] for i, row in units(served).items()} == {
        i: arm_by_hash(i) for i in ids
    }
    assert {name: arm["slots"] for name, arm in made["arms"].items()} == {
        "spring/control": 9,
        "spring/treatment": 9,
    }
    by_arm = Counter((line["arm"], line["rep_id"]) for line in made["lines"])
    assert all(n == 3 for (_, rep), n in by_arm.items() if rep is not None)
    assert {line["policy"] for line in made["lines"] if line["arm"] == "control"} == {
        "round_robin_lot"
    }
    assert decisions(served) == []

    path = f"/v1/assignments/plan/{made['plan_id']}/commit"
    done = served.post(path, {}).json()["lines"]

    assert done["committed"] == 18
    kept = decisions(served)
    assert all(one.experiment == "spring" for one in kept)
    assert all(one.arm == lines[one.lead_id]["arm"] for one in kept)
    assert set(given(kept).values()) == {3}


def test_a_plan_made_before_others_were_given_keeps_to_the_slots(
    served: Served,
) -> None:
    run(served)
    limit(served, intake_per_day=4)
    made = plan(served, leads=leads_in(served, "control", 6))
    for lead in leads_in(served, "control", 3):
        served.next(lead)

    path = f"/v1/assignments/plan/{made['plan_id']}/commit"
    done = served.post(path, {}).json()["lines"]

    assert (done["committed"], done["full"]) == (3, 3)
    assert set(given(decisions(served)).values()) == {2}


def test_propensities_of_the_control_are_those_of_its_lots(served: Served) -> None:
    run(served)
    made = plan(served, leads=leads_in(served, "control", 7), commit=True)
    assert made["states"] == {"committed": 7}
    order = [line["lead_id"] for line in made["lines"]]
    for lead in leads_in(served, "control", 9):
        order.append(lead)
        served.next(lead)
        served.clock.move(timedelta(minutes=1))

    had_turn: set[str] = set()
    by_lead = {one.lead_id: one for one in decisions(served)}
    kept = [by_lead[LeadId(lead)] for lead in order]
    reps = {one.rep_id for one in kept}
    assert len(kept) == 16
    for one in kept:
        drawn_among = reps - set(one.excluded)
        waiting = reps - had_turn
        assert drawn_among == (waiting or reps)
        assert one.propensity == pytest.approx(1 / len(drawn_among))
        had_turn = (had_turn if waiting else set()) | {one.rep_id}
    with served.context.store.read(ACME) as session:
        counted = read_arm_reps(session, ArmKey("spring", "control"))
    assert {rep for rep, one in counted.items() if one.had_turn} == had_turn
    assert sum(one.given for one in counted.values()) == 16
    assert all(isinstance(one, ArmRep) for one in counted.values())


def publish(served: Served, *rules: dict[str, Any]) -> None:
    sent = served.post(
        "/v1/rules", {"rules": rules, "reason": "New"}, role=Role.ADMIN
    ).json()
    served.post(
        f"/v1/rules/{sent['version']}/publish", {"reason": "Go"}, role=Role.ADMIN
    )


def test_what_rules_fix_is_no_unit(served: Served) -> None:
    def when(value: str) -> dict[str, str]:
        return {"op": "equals", "field": "region", "value": value}

    publish(
        served,
        {
            "name": "Fixed",
            "when": when("A"),
            "policy": {"name": "fixed", "rep": "poor"},
        },
        {"name": "Manager", "when": when("B"), "policy": {"name": "by_hand"}},
        {"name": "Rest", "when": when("C"), "policy": {"name": "least_loaded"}},
    )
    run(served)
    ids = {r: served.add_leads(f"in{r}", region=r)[0] for r in "ABCD"}

    told = {region: served.next(lead).json() for region, lead in ids.items()}
    made = plan(served, leads=[*served.add_leads("A2", region="A")])

    assert {region: one["arm"] for region, one in told.items()} == {
        "A": None,
        "B": None,
        "C": arm_by_hash(ids["C"]),
        "D": None,
    }
    assert set(units(served)) == {ids["C"]}
    assert [line["arm"] for line in made["lines"]] == [None]
    assert told["A"]["policy"] == "fixed"
    assert told["C"]["rule"] == "Rest"
    assert told["C"]["policy"] in ("round_robin_lot", "optimal")


def test_the_rules_candidates_hold_in_every_arm(served: Served) -> None:
    publish(
        served,
        {
            "name": "Rest",
            "candidates": {"reps": ["good", "poor"]},
            "policy": {"name": "least_loaded"},
        },
    )
    run(served)
    ids = leads_in(served, "control", 4) + leads_in(served, "treatment", 4)

    made = plan(served, leads=ids, commit=True)
    for lead in leads_in(served, "control", 2) + leads_in(served, "treatment", 2):
        served.next(lead)

    best = next(rep["rep_id"] for rep in made["reps"] if rep["given"] == 0)
    kept = decisions(served)
    assert len(kept) == 12
    assert best not in {one.rep_id for one in kept}
    assert {one.rule for one in kept} == {"Rest"}


def test_a_lead_that_is_declined_stays_in_its_arm(served: Served) -> None:
    run(served)
    [lead] = leads_in(served, "control", 1)
    first = served.next(lead).json()

    said = {"lead": lead, "word": "declined", "rep": first["rep_id"]}
    served.post("/v1/feedback/ownership", said)
    kept = units(served)
    again = served.next(lead)

    assert again.json()["arm"] == "control", again.text
    assert again.json()["rep_id"] != first["rep_id"]
    assert units(served) == kept


def test_without_a_model_the_treatment_falls_back_within_its_arm(
    served: Served,
) -> None:
    bare = replace(served.context)
    object.__setattr__(served.context, "advisers", bare.advisers)
    run(served)
    ids = leads_in(served, "control", 2) + leads_in(served, "treatment", 2)

    plan(served, leads=ids[1:3], commit=True)
    for lead in (ids[0], ids[3]):
        served.next(lead)

    kept = {one.lead_id: one for one in decisions(served)}
    assert [kept[LeadId(i)].arm for i in ids] == ["control"] * 2 + ["treatment"] * 2
    assert [kept[LeadId(i)].fallback is None for i in ids] == [True] * 2 + [False] * 2
    assert {kept[LeadId(i)].policy for i in ids[2:]} == {"least_loaded"}


def test_a_policy_is_not_asked_for_while_an_experiment_decides(served: Served) -> None:
    run(served)
    leads(served, 2)

    job = served.post("/v1/assignments/plan", {"policy": "greedy"}).json()
    while served.work():
        pass

    done = served.get(f"/v1/jobs/{job['job_id']}").json()
    assert done["state"] == "failed"
    assert "Experiment 'spring' decides" in str(done)
    assert units(served) == {}


def test_an_experiment_that_stopped_decides_no_more(served: Served) -> None:
    run(served)
    first, *rest = leads_in(served, "control", 5)
    served.next(first)
    made = plan(served, leads=rest[:3])

    stop(served)
    path = f"/v1/assignments/plan/{made['plan_id']}/commit"
    done = served.post(path, {}).json()["lines"]
    told = served.next(rest[3]).json()

    assert done == {"committed": 3}
    assert (told["experiment"], told["policy"]) == (None, "optimal")
    assert len(units(served)) == 4


def keep(served: Served, share: float) -> None:
    answer = served.call(
        "PUT",
        "/v1/settings/routing",
        {"routing": {"holdout_share": share}},
        role=Role.MANAGER,
    )
    assert answer.status_code == 200, answer.text


def test_the_holdout_stays_on_the_control_whatever_runs(served: Served) -> None:
    keep(served, 0.5)
    ids = leads(served, 24)
    with served.context.store.read(ACME) as session:
        [held] = list_experiments(session)
        in_force = arms_in_force(session)
    assert in_force is not None
    assert (held.experiment, held.standing) == ("holdout-1", True)
    kept = {
        lead
        for lead, is_kept in zip(ids, in_holdout(ids, 0.5, salt=held.salt), strict=True)
        if is_kept
    }

    for lead in ids[:8]:
        served.next(lead)
    run(served)
    for lead in ids[8:16]:
        served.next(lead)
    plan(served, leads=ids[16:], commit=True)

    made = {one.lead_id: one for one in decisions(served)}
    assert {i for i in ids if made[LeadId(i)].experiment == "holdout-1"} == kept | set(
        ids[:8]
    )
    for lead in kept:
        assert (made[LeadId(lead)].arm, made[LeadId(lead)].policy) == (
            "control",
            "round_robin_lot",
        )
        assert made[LeadId(lead)].propensity is not None
    logged = {i: row["arm"] for i, row in units(served, "holdout-1").items()}
    assert logged == {i: "control" if i in kept else "treatment" for i in ids}
    assert set(units(served)) == set(ids[8:]) - kept


def test_another_share_of_the_holdout_keeps_those_it_had(served: Served) -> None:
    for share in (0.1, 0.1, 0.3):
        keep(served, share)
        served.clock.move(timedelta(minutes=1))
    with served.context.store.read(ACME) as session:
        after, before = list_experiments(session)
    assert (before.experiment, after.experiment) == ("holdout-1", "holdout-2")
    assert before.stopped_because == "The setting holdout_share is 0.3 now."
    names = [f"lead-{k}" for k in range(500)]
    few = in_holdout(names, 0.1, salt=before.salt)
    assert in_holdout(names, 0.3, salt=after.salt)[few].all()

    keep(served, 0)

    with served.context.store.read(ACME) as session:
        assert arms_in_force(session) is None


def test_prices_are_each_arms_own(served: Served) -> None:
    run(served)
    limit(served, intake_per_day=4)
    plan(served, leads=leads_in(served, "treatment", 9))
    [asked] = leads_in(served, "treatment", 1)

    told = served.next(asked).json()

    with served.context.store.read(ACME) as session:
        at = served.clock.now()
        assert latest_prices(session, at) is None
        assert latest_prices(session, at, arm="spring/control") is None
        priced = latest_prices(session, at, arm="spring/treatment")
    assert priced is not None
    assert max(priced.shadow_price.values()) > 0
    assert told["priced"]
    assert told["shadow_price"] is not None


def test_the_worker_solves_prices_for_arms_that_go_by_them(served: Served) -> None:
    run(served)
    leads_in(served, "treatment", 2)
    served.next(leads_in(served, "treatment", 1)[0])

    while served.work():
        pass
    served.clock.move(timedelta(minutes=1))

    with served.context.store.read(ACME) as session:
        at = served.clock.now()
        assert latest_prices(session, at, arm="spring/treatment") is not None
        assert latest_prices(session, at, arm="spring/control") is None


def test_all_leads_of_a_team_on_a_day_share_the_arm(served: Served) -> None:
    limit(served, team="North")
    one = replace(SPRING, unit_kind=UnitKind.TEAM_DAY)
    run(served, one)
    limit(served, team="North", intake_per_day=4)

    for day in range(3):
        for lead in leads(served, 5, f"D{day}x"):
            served.next(lead)
        served.clock.move(timedelta(days=1))

    rows = units(served).values()
    clusters = {row["cluster"]: row["arm"] for row in rows}
    assert len(rows) == 15
    assert set(clusters) == {
        team_day("North", (NOON + timedelta(days=day)).date()) for day in range(3)
    }
    assert {row["cluster"]: row["arm"] for row in rows} == clusters
    names = sorted(clusters)
    place = arms_of_units(names, one.arms, salt=one.salt)
    assert [clusters[name] for name in names] == [one.arms[k].arm for k in place]
    # The arm has all slots of its day.
    assert len(decisions(served)) == 15


def test_a_lead_belongs_to_the_slice_that_it_arrived_in(served: Served) -> None:
    run(
        served,
        replace(SPRING, unit_kind=UnitKind.TIME_SLICE, design={"slice_hours": 12}),
    )
    days = [(NOON - timedelta(days=day)).isoformat() for day in (1, 2)]
    ids = [
        served.add_leads(f"day{k}", f"too{k}", created_at=at)
        for k, at in enumerate(days)
    ]

    for lead in [*ids[0], *ids[1]]:
        served.next(lead)

    rows = units(served)
    assert [rows[i]["cluster"] for i in ids[0]] == ["2026-03-01T12"] * 2
    arms = [{rows[i]["arm"] for i in of_day} for of_day in ids]
    assert all(len(of_day) == 1 for of_day in arms)


def test_without_an_experiment_nothing_is_logged(served: Served) -> None:
    for lead in leads(served, 2):
        told = served.next(lead).json()
        assert (told["experiment"], told["arm"]) == (None, None)
    assert plan(served)["arms"] == {}
    with served.context.store.read(ACME) as session:
        found = session.execute(
            select(experiment_units).where(of_tenant(experiment_units))
        )
        assert found.first() is None


def test_without_an_experiment_arms_cost_one_query(served: Served) -> None:
    [lead] = leads(served, 1)
    said: list[str] = []

    with served.context.store.read(ACME) as session:
        situation = read_situation(session, [LeadId(lead)], at=served.clock.now())
        event.listen(
            session.connection,
            "before_cursor_execute",
            lambda *args: said.append(str(args[2])),
        )
        book = served.context.win_rates
        assert read_arming(session, situation, None, book) is None

    assert len(said) == 1
