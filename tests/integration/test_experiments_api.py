"""An experiment from its design to its conclusion, as a manager runs it."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from experiments.bucketing import arms_of_slices, arms_of_units
from rightrep.domain.experiment import ArmOfUnit, UnitKind
from rightrep.domain.ids import LeadId
from rightrep.domain.outcome import Outcome, Result
from rightrep.domain.roles import Role
from rightrep.store import experiments as stored
from rightrep.store.aliases import RecordKind
from rightrep.store.engine import Store
from rightrep.store.erasure import erase_lead
from rightrep.store.merges import merge, undo_merge
from rightrep.store.outcomes import record_outcomes
from serving.usecases.experiment_report import Reported, read_report
from serving.usecases.experiment_watch import (
    EXPERIMENTS,
    GUARDRAIL,
    SRM,
    look_at_experiments,
    tell,
)
from serving.usecases.experiments import Wanted
from serving.usecases.upkeep import ask_for
from tests import board_market, trial_parts
from tests.serving_parts import ACME, NOON, Served, serve

WEEK = {"horizon_days": 7, "n_optimal": 500}
SPRING = {"experiment": "spring", "design": WEEK}


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    return serve(store, tmp_path)


@pytest.fixture
def local(sqlite_template: Path, tmp_path: Path) -> Iterator[Served]:
    """On SQLite alone, for rules that have nothing to do with the database."""
    store = Store(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'store.db')}")
    yield serve(store, tmp_path)
    store.close()


def manager(served: Served, path: str, body: object = None, **more: Any) -> Any:
    return served.post(f"/v1/experiments{path}", body, role=Role.MANAGER, **more)


def with_model(served: Served) -> None:
    with served.context.store.write(ACME) as session:
        board_market.add_model(session, at=served.clock.now())


def started(served: Served, **wanted: Any) -> Any:
    with served.context.store.write(ACME) as session:
        return trial_parts.running(
            session,
            Wanted(experiment="spring", **{"design": WEEK, **wanted}),
            at=served.clock.now(),
        )


def reported(served: Served, *, after_days: float = 0) -> Reported:
    at = served.clock.now() + timedelta(days=after_days)
    with served.context.store.read(ACME) as session:
        return read_report(session, "spring", at=at)


def told(served: Served) -> list[tuple[str, str]]:
    """Types and subjects of the events so far."""
    with served.context.store.system_read() as session:
        rows = session.execute(
            text("SELECT type, subject FROM events ORDER BY event_id")
        )
        return [(row.type, row.subject) for row in rows]


def test_an_experiment_is_designed_started_looked_at_and_stopped(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A salt of chance draws arms of chance, and one in a thousand is an alarm.
    salt = SimpleNamespace(token_hex=lambda n_bytes: "5a" * n_bytes)
    monkeypatch.setattr("serving.usecases.experiments.secrets", salt)
    with_model(served)
    made = manager(served, "", SPRING)
    assert made.status_code == 201, made.text
    assert made.json()["can_find"] is None, "nothing was won yet"
    assert [arm["arm"] for arm in made.json()["arms"]] == ["control", "treatment"]

    early = served.get("/v1/experiments/spring/report", role=Role.MANAGER)
    assert (early.status_code, early.json()["type"]) == (409, "/problems/conflict")
    running = manager(served, "/spring/start", headers={"Idempotency-Key": "k1"})
    again = manager(served, "/spring/start", headers={"Idempotency-Key": "k1"})
    assert running.status_code == 200, running.text
    assert again.json() == running.json()
    assert running.json()["design"]["model_version"] == board_market.MODEL
    assert manager(served, "/spring/start").status_code == 409

    with served.context.store.read(ACME) as session:
        one = stored.read_experiment(session, "spring")
    end = trial_parts.run(
        served.context.store, ACME, one, days=8, per_day=60, won=(0.1, 0.6)
    )
    served.clock.move(end + timedelta(days=7) - served.clock.now())
    report = served.get("/v1/experiments/spring/report", role=Role.ANALYST).json()
    effect = report["effects"]["conversions"]
    assert effect["concluded"]
    assert effect["low"] > 0
    assert "The treatment is better" in report["words"]
    assert sum(report["n_drawn"].values()) == 480 == effect["n_independent"]
    assert report["n_waiting"] == 0
    assert len(report["looks"]) == 8
    assert report["looks"][-1]["effect"] == effect

    listed = served.get("/v1/experiments?running=true", role=Role.ANALYST).json()
    assert [row["experiment"] for row in listed["experiments"]] == ["spring"]
    stopped = manager(served, "/spring/stop", {"because": "enough is known"})
    assert stopped.json()["stopped_because"] == "enough is known"
    assert manager(served, "/spring/stop", {"because": "twice"}).status_code == 409
    after = served.get("/v1/experiments/spring/report", role=Role.ANALYST).json()
    assert after["effects"] == report["effects"], "what was drawn stays"
    assert told(served) == [
        ("rightrep.experiment.started", "spring"),
        ("rightrep.experiment.stopped", "spring"),
    ]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"experiment": "a/b"}, "experiment"),
        ({"design": {"horizon_days": 0}}, "body.design.horizon_days"),
        ({"design": {"strata": ["shoe_size"]}}, "design.strata"),
        ({"design": {"margins": {"weather": 1.0}}}, "design.margins"),
        (
            {"unit_kind": "team_day", "design": {"strata": ["region"]}},
            "design.strata",
        ),
        ({"arms": [{"arm": "control", "policy": "random", "share": 0.5}]}, "arms"),
        (
            {
                "arms": [
                    {"arm": "control", "policy": "round_robin", "share": 0.5},
                    {"arm": "treatment", "policy": "optimal", "share": 0.5},
                ]
            },
            "arms",
        ),
        (
            {
                "arms": [
                    {"arm": "control", "policy": "round_robin_lot", "share": 0.5},
                    {"arm": "treatment", "policy": "astrology", "share": 0.5},
                ]
            },
            "arms",
        ),
        (
            {
                "unit_kind": "time_slice",
                "arms": [
                    {"arm": "control", "policy": "round_robin_lot", "share": 0.4},
                    {"arm": "treatment", "policy": "optimal", "share": 0.6},
                ],
            },
            "arms",
        ),
    ],
)
def test_a_design_that_could_not_be_trusted_is_refused_with_its_field(
    local: Served, changed: dict[str, Any], field: str
) -> None:
    answer = manager(local, "", {**SPRING, **changed})

    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == field
    found = local.get("/v1/experiments", role=Role.MANAGER).json()
    assert found == {"experiments": []}


def test_only_managers_change_and_only_managers_and_analysts_read(
    local: Served,
) -> None:
    for role in (Role.SERVICE, Role.ANALYST):
        answer = local.post("/v1/experiments", SPRING, role=role)
        assert answer.status_code == 403
        assert local.post("/v1/experiments/x/start", None, role=role).status_code == 403
    assert local.get("/v1/experiments", role=Role.SERVICE).status_code == 403
    assert local.get("/v1/experiments/none", role=Role.ANALYST).status_code == 404


def test_a_policy_that_asks_a_model_does_not_start_without_one(local: Served) -> None:
    manager(local, "", SPRING)

    answer = manager(local, "/spring/start")

    assert answer.status_code == 409
    assert "rightrep train" in answer.json()["detail"]


def test_power_comes_from_the_stores_own_history_and_writes_nothing(
    served: Served,
) -> None:
    one = started(served)
    trial_parts.run(
        served.context.store, ACME, one, days=20, per_day=40, won=(0.3,) * 2
    )
    served.clock.move(timedelta(days=30))

    asked = {"experiment": "next", "design": {"horizon_days": 7}}
    found = served.post("/v1/experiments/power", asked, role=Role.ANALYST).json()
    clusters = served.post(
        "/v1/experiments/power", {**asked, "unit_kind": "team_day"}, role=Role.ANALYST
    ).json()

    assert found["n_leads"] == 800
    assert found["mean"] == pytest.approx(0.3, abs=0.05)
    share = found["mean"]
    assert found["sd"] == pytest.approx(np.sqrt(share * (1 - share)), rel=0.01)
    assert found["units_per_day"] == pytest.approx(800 / 30, rel=0.01)
    at_30, _, at_90 = [row["at_the_end"] for row in found["smallest"]]
    assert at_90 == pytest.approx(at_30 / np.sqrt(3), rel=0.01)
    assert found["smallest"][0]["at_any_look"] > at_30
    assert found["words"].startswith("An effect of 10%")
    assert clusters["units_per_day"] == pytest.approx(20 / 30, rel=0.01)
    with served.context.store.read(ACME) as session:
        assert len(stored.list_experiments(session)) == 1


def test_reps_with_few_slots_a_day_are_better_drawn_by_team_days(
    local: Served,
) -> None:
    one = started(local)
    trial_parts.run(local.context.store, ACME, one, days=4, per_day=20, won=(0.5,) * 2)
    local.add_reps("R1", "R2", "R3", "R4", "R5", intake_per_day=3)
    local.clock.move(timedelta(days=20))

    by_lead = manager(local, "/power", SPRING).json()
    by_day = manager(local, "/power", {**SPRING, "unit_kind": "team_day"}).json()

    assert any("3 slots a day" in warning for warning in by_lead["warnings"])
    assert not any("slots" in warning for warning in by_day["warnings"])


def test_a_lead_counts_in_its_first_arm_whatever_became_of_it(served: Served) -> None:
    """Corrected, merged, erased, won too late: each by intention to treat."""
    one = started(served)
    with served.context.store.write(ACME) as session:
        reps = trial_parts.some_reps(session, 2, at=NOON)
        leads = trial_parts.some_leads(session, 40, at=NOON)
        treated = trial_parts.draw(session, one, leads, at=NOON)
        trial_parts.give(session, one, leads, reps, at=NOON)
    mine = [
        lead for lead, is_mine in zip(leads, treated.tolist(), strict=True) if is_mine
    ]
    corrected, late, erased, first, second = mine[:5]
    at = NOON + timedelta(days=2)
    with served.context.store.write(ACME) as session:
        [wrong] = trial_parts.close(session, [corrected], np.array([True]), at=at)
        right = Outcome(
            event_id="right",
            lead_id=corrected,
            decision_id=None,
            result=Result.LOST,
            closed_at=at,
            recorded_at=at + timedelta(days=1),
            replaces=wrong.event_id,
        )
        record_outcomes(session, [right])
        trial_parts.close(
            session, [late], np.array([True]), at=NOON + timedelta(days=8)
        )
        trial_parts.close(session, [erased], np.array([True]), at=at)
    with served.context.store.write(ACME) as session:
        erase_lead(session, erased, actor="test", at=at)
    with served.context.store.write(ACME) as session:
        merge(
            session,
            RecordKind.LEAD,
            merged_id=first,
            survivor_id=second,
            cause="same person",
            actor="test",
            at=at,
        )
        trial_parts.close(
            session, [second], np.array([True]), at=at + timedelta(days=1)
        )

    found = reported(served, after_days=30)
    main = found.report.main

    assert main is not None
    assert found.n_merged == 1
    assert (main.n_treatment, main.n_control) == (len(mine), 40 - len(mine))
    won = round(main.treatment_mean * main.n_treatment)
    assert won == 2, "the erased one, and the merged ones once"


def test_a_merge_that_was_undone_counts_for_nothing(served: Served) -> None:
    one = started(served)
    at = NOON + timedelta(days=1)
    with served.context.store.write(ACME) as session:
        leads = trial_parts.some_leads(session, 20, at=NOON)
        trial_parts.draw(session, one, leads, at=NOON)
        made = merge(
            session,
            RecordKind.LEAD,
            merged_id=leads[0],
            survivor_id=leads[1],
            cause="same person",
            actor="test",
            at=at,
        )
        undo_merge(session, made.merge_id, actor="test", at=at)

    assert reported(served, after_days=30).n_merged == 0


def test_guardrails_are_known_before_the_horizon_has_passed(served: Served) -> None:
    one = started(served, design={**WEEK, "horizon_days": 60})
    with served.context.store.write(ACME) as session:
        reps = trial_parts.some_reps(session, 2, at=NOON)
        leads = trial_parts.some_leads(session, 300, at=NOON)
        treated = trial_parts.draw(session, one, leads, at=NOON)
        slow = [lead for lead, is_slow in zip(leads, treated, strict=True) if is_slow]
        fast = sorted(set(leads) - set(slow))
        trial_parts.give(session, one, fast, reps, at=NOON + timedelta(hours=1))
        trial_parts.give(session, one, slow[9:], reps, at=NOON + timedelta(hours=9))

    found = reported(served, after_days=4)

    assert found.report.main is None
    rails = {rail.name: rail for rail in found.report.guardrails}
    waiting = rails["hours to first decision"]
    assert waiting.broken
    assert waiting.effect.control_mean == 1.0
    share = 9 / len(slow)
    assert waiting.effect.treatment_mean == pytest.approx(9 + share * (72 - 9))
    assert rails["share unassigned"].effect.treatment_mean == pytest.approx(share)
    assert "hours to first touch" not in rails, "the CRM tells of none"
    assert found.spread is not None


def test_what_cannot_be_trusted_is_told_once(served: Served) -> None:
    one = started(served)
    with served.context.store.write(ACME) as session:
        leads = trial_parts.some_leads(session, 400, at=NOON)
        drawn = arms_of_units(leads, one.arms, salt=one.salt)
        lost = [
            lead
            for k, (lead, arm) in enumerate(zip(leads, drawn, strict=True))
            if arm == 0 or k % 3 == 0
        ]
        trial_parts.draw(session, one, lost, at=NOON)
    served.clock.move(timedelta(days=10))

    found = look_at_experiments(served.context, ACME)
    assert [finding.kind for finding in found] == [SRM]
    with served.context.store.write(ACME) as session:
        assert len(tell(session, found, served.context)) == 1
        ask_for(session, EXPERIMENTS, actor="test", at=served.clock.now())
    while served.work():
        pass

    assert told(served).count((SRM, "spring")) == 1
    report = served.get("/v1/experiments/spring/report", role=Role.MANAGER).json()
    assert report["effects"] == {}
    assert "no effect is reported" in report["words"]


def test_a_broken_guardrail_is_told_by_the_daily_job(served: Served) -> None:
    one = started(served)
    with served.context.store.write(ACME) as session:
        reps = trial_parts.some_reps(session, 2, at=NOON)
        leads = trial_parts.some_leads(session, 300, at=NOON)
        treated = trial_parts.draw(session, one, leads, at=NOON)
        for hours, arm in ((1, False), (20, True)):
            mine = [
                lead for lead, is_it in zip(leads, treated, strict=True) if is_it == arm
            ]
            trial_parts.give(session, one, mine, reps, at=NOON + timedelta(hours=hours))
    served.clock.move(timedelta(days=5))
    with served.context.store.write(ACME) as session:
        ask_for(session, EXPERIMENTS, actor="test", at=served.clock.now())

    while served.work():
        pass

    assert (GUARDRAIL, "spring: hours to first decision") in told(served)


@pytest.mark.parametrize("seed", range(4))
def test_in_a_world_where_reps_do_not_matter_nothing_is_concluded_at_any_look(
    local: Served, seed: int
) -> None:
    store = local.context.store
    with store.write(ACME) as session:
        one = trial_parts.running(
            session,
            Wanted(experiment="spring", design=WEEK),
            at=NOON,
            salt=f"null {seed}",
        )
    trial_parts.run(store, ACME, one, days=12, per_day=40, won=(0.3, 0.3), seed=seed)

    found = reported(local, after_days=40).report

    assert found.main is not None
    assert not any(look.effect.concluded for look in found.looks)
    assert found.main.fixed_low < 0.1
    assert found.main.fixed_high > -0.1


def test_a_change_of_mix_is_no_effect_where_strata_are_compared_within(
    local: Served,
) -> None:
    """Weekday 10 % won, weekend 2 %; the treatment gets most weekdays."""
    wanted = {"strata": ["channel"], **WEEK}
    started(local, design=wanted)
    cells = {
        ("weekday", "treatment"): (900, 90),
        ("weekday", "control"): (100, 10),
        ("weekend", "treatment"): (100, 2),
        ("weekend", "control"): (900, 18),
    }
    with local.context.store.write(ACME) as session:
        for (stratum, arm), (count, n_won) in cells.items():
            leads = trial_parts.some_leads(session, count, at=NOON, of=stratum + arm)
            drawn = [
                ArmOfUnit(unit=one_lead, arm=arm, stratum=stratum) for one_lead in leads
            ]
            stored.log_units(session, "spring", drawn, at=NOON)
            won = np.arange(count) < n_won
            trial_parts.close(session, leads, won, at=NOON + timedelta(days=1))

    found = reported(local, after_days=30)

    assert found.report.main is not None
    assert found.report.main.effect == pytest.approx(0.0, abs=1e-9)
    assert found.naive.pooled == pytest.approx(2.29, abs=0.01)


@pytest.mark.parametrize("kind", [UnitKind.TEAM_DAY, UnitKind.TIME_SLICE])
def test_whole_days_and_slices_are_what_is_independent_where_they_are_drawn(
    served: Served, kind: UnitKind
) -> None:

    one = started(served, unit_kind=kind)
    rng, first = np.random.default_rng(5), NOON.date().toordinal() % 2
    for day in range(24):
        at = NOON + timedelta(days=day + first)
        name = f"{at.date().isoformat()}{'T12' if kind is UnitKind.TIME_SLICE else ''}"
        treated = int(arms_of_slices([name], salt=one.salt)[0])
        with served.context.store.write(ACME) as session:
            leads: list[LeadId] = trial_parts.some_leads(session, 12, at=at)
            drawn = [
                ArmOfUnit(unit=lead, arm=one.arms[treated].arm, cluster=name)
                for lead in leads
            ]
            stored.log_units(session, "spring", drawn, at=at)
            won = rng.random(12) < 0.3 + 0.3 * treated
            trial_parts.close(session, leads, won, at=at + timedelta(days=1))

    main = reported(served, after_days=60).report.main

    assert main is not None
    assert main.n_independent == (24 if kind is UnitKind.TEAM_DAY else 12)
    assert main.fixed_low < 0.3 < main.fixed_high
