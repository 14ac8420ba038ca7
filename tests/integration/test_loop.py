"""Outcomes in, challengers judged, the champion watched: the loop on a real store."""

import shutil
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from typer.testing import CliRunner

from experiments.simulate import MarketSettings, write_demo
from rightrep.domain.job import JobState
from rightrep.domain.roles import Role
from rightrep.intake.fields import Kind
from rightrep.store import drift, jobs, models, outbox
from rightrep.store.endpoints import add_endpoint
from rightrep.store.engine import Store
from serving.cli import app
from serving.schedule import Scheduler
from serving.usecases import upkeep
from serving.usecases.imports import import_file
from serving.usecases.upkeep import NAME_CHAMPION
from serving.usecases.watching import RETRAIN
from serving.worker import Worker
from tests.loop_market import MARKET, context_of, make_market, serve_market
from tests.servers import running
from tests.serving_parts import ACME, Served, serve

pytestmark = pytest.mark.long

EARLIER = timedelta(days=150)


@pytest.fixture(scope="module")
def template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: the imported market, and a champion trained some months ago."""
    home = tmp_path_factory.mktemp("loop")
    store = Store(f"sqlite:///{shutil.copy(sqlite_template, home / 'rightrep.db')}")
    make_market(store, home)
    served = serve_market(store, home)
    served.clock.move(-EARLIER)
    assert ask(served, RETRAIN)["promoted"]
    store.close()
    return home


@pytest.fixture
def served(template: Path, tmp_path: Path) -> Iterator[Served]:
    """A copy of the market; the model files stay where they were published."""
    home = tmp_path / "home"
    shutil.copytree(template, home)
    store = Store(f"sqlite:///{home / 'rightrep.db'}")
    yield serve_market(store, home)
    store.close()


def ask(served: Served, kind: str) -> Any:
    """Ask for a job by the API, do everything that is due; gives its result."""
    answer = served.post(f"/v1/models/{kind}", None, role=Role.ANALYST)
    assert answer.status_code == 202, answer.text
    while served.work():
        pass
    done = served.get(f"/v1/jobs/{answer.json()['job_id']}").json()
    assert done["state"] == "done", done
    return done["result"]


def champion(served: Served) -> str | None:
    version: str | None = served.get("/v1/models").json()["champion"]
    return version


def events_of(served: Served, kind: str) -> list[dict[str, Any]]:
    """Events of a kind that an endpoint added before would be told."""
    with served.context.store.system() as session:
        due = outbox.claim_deliveries(
            session, at=served.clock.now(), claim_for=timedelta(seconds=1), limit=100
        )
    events = [delivery.event for delivery in due]
    return [dict(event.data) for event in events if event.type == kind]


def listen(served: Served) -> None:
    with served.context.store.write(ACME) as session:
        add_endpoint(session, "https://crm.example/hook", at=served.clock.now())


def test_a_challenger_is_judged_by_later_decisions_and_the_verdict_is_told(
    served: Served,
) -> None:
    result = ask(served, RETRAIN)

    told = served.get("/v1/models").json()
    newest = told["models"][0]
    assert newest["version"] == result["version"] == "2"
    assert newest["verdict"]["reason"] == result["reason"]
    assert newest["verdict"]["promoted"] == result["promoted"]
    assert (told["champion"] == "2") == result["promoted"]
    checks = {check["name"]: check for check in newest["verdict"]["checks"]}
    assert set(checks) == {"log loss", "calibration", "randomised value"}
    assert checks["randomised value"]["passed"] is None
    assert "Not enough randomised decisions" in checks["randomised value"]["words"]
    assert result["promoted"] == (
        checks["log loss"]["passed"] and checks["calibration"]["passed"]
    )


def test_a_scheduled_training_tunes_where_the_settings_say_so(served: Served) -> None:
    wanted = {"learning": {"tuning_trials": 2}}
    served.call("PUT", "/v1/settings/learning", wanted, role=Role.ANALYST)

    version = ask(served, RETRAIN)["version"]

    with served.context.store.read(ACME) as session:
        tuned = models.read_model(session, version).metrics["tuning"]
        usual = models.read_model(session, "1").metrics["tuning"]
    assert usual is None
    assert "2" in tuned


def test_a_scheduled_training_stops_at_leaks_where_the_settings_say_so(
    store: Store, tmp_path: Path
) -> None:
    tenant = serve(store, tmp_path)
    import_knowing(tenant, tmp_path)
    wanted = {"learning": {"refuse_leaks": True}}
    tenant.call("PUT", "/v1/settings/learning", wanted, role=Role.ANALYST)

    asked = tenant.post("/v1/models/retrain", None, role=Role.ANALYST).json()
    while tenant.work():
        pass

    done = tenant.get(f"/v1/jobs/{asked['job_id']}").json()
    assert done["state"] == "failed"
    assert "closed_on" in done["error"]
    assert champion(tenant) is None


def import_knowing(tenant: Served, folder: Path) -> None:
    """A market whose leads say from the start when they will be closed."""
    market = MarketSettings(
        n_leads=900,
        n_reps=4,
        days=240,
        conversion=0.3,
        label_window_days=30,
        activities_per_lead=0.0,
    )
    tenant.clock.move(market.end - tenant.clock.now())
    made = write_demo(folder / "market", market)
    closed = pd.read_csv(made.files["outcomes"]).groupby("lead")["closed_at"].min()
    leads = pd.read_csv(made.files["leads"])
    leads["attributes.closed_on"] = leads["external_id"].map(closed).str[:10]
    leads.to_csv(made.files["leads"], index=False)
    for name in ("reps", "leads", "decisions", "outcomes"):
        import_file(
            tenant.context.store,
            ACME,
            Kind(name),
            made.files[name],
            clock=tenant.clock,
        )


def test_a_challenger_without_new_decisions_is_refused_and_says_so(
    served: Served,
) -> None:
    listen(served)
    served.clock.move(-EARLIER + timedelta(days=2))

    result = ask(served, RETRAIN)

    assert not result["promoted"]
    assert "too few to compare on" in result["reason"]
    assert champion(served) == "1"
    refused = events_of(served, "rightrep.model.refused")
    assert [(one["version"], one["reason"]) for one in refused] == [
        ("2", result["reason"])
    ]


def test_any_version_is_brought_back_and_mlflow_follows(served: Served) -> None:
    served.clock.move(-EARLIER + timedelta(days=2))
    ask(served, RETRAIN)

    answer = served.post(
        "/v1/models/2/promote", {"reason": "We trust it."}, role=Role.ANALYST
    )

    assert answer.status_code == 200, answer.text
    assert answer.json()["champion"]
    assert champion(served) == "2"
    back = served.post("/v1/models/1/promote", {}, role=Role.ANALYST)
    assert back.status_code == 200
    while served.work():
        pass
    told = served.get("/v1/models").json()
    assert [move["version"] for move in told["moves"]] == ["1", "2", "1"]
    with served.context.store.read(ACME) as session:
        naming = jobs.list_jobs(session, kind=NAME_CHAMPION)
    assert {job.state for job in naming} == {JobState.DONE}
    assert _alias(served) == "1"


def _alias(served: Served) -> str:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        uri = served.context.settings.tracking_uri
        client = MlflowClient(uri, registry_uri=uri)
        found = client.get_model_version_by_alias(f"rightrep-{ACME}", "champion")
    return str(found.version)


@pytest.mark.parametrize("role", [Role.SERVICE, Role.MANAGER])
def test_only_analysts_change_models(served: Served, role: Role) -> None:
    for path in ("retrain", "drift", "1/promote"):
        answer = served.post(f"/v1/models/{path}", {}, role=role)
        assert answer.status_code == 403, path
    assert served.get("/v1/models", role=role).status_code == 200


def test_a_version_that_is_not_there_or_broken_is_not_promoted(served: Served) -> None:
    unknown = served.post("/v1/models/9/promote", {}, role=Role.ANALYST)
    assert unknown.status_code == 404
    served.clock.move(-EARLIER + timedelta(days=2))
    ask(served, RETRAIN)
    _file(served, "2").write_bytes(b"not a model")

    broken = served.post("/v1/models/2/promote", {}, role=Role.ANALYST)

    assert broken.status_code == 409
    assert broken.json()["type"] == "/problems/model-unavailable"
    assert champion(served) == "1"


def _file(served: Served, version: str) -> Path:
    with served.context.store.read(ACME) as session:
        return Path(models.read_model(session, version).path)


@pytest.mark.parametrize("damage", ["truncated", "missing", "another"])
def test_a_broken_champion_is_refused_and_the_last_good_one_stays(
    served: Served, damage: str
) -> None:
    served.clock.move(-EARLIER + timedelta(days=2))
    ask(served, RETRAIN)
    good = served.context.advisers.get(ACME)
    assert good is not None
    assert good.version == "1"
    with served.context.store.write(ACME) as session:
        models.promote(session, "2", actor="test", reason="try", at=served.clock.now())
    path = _file(served, "2")
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        path.write_bytes(_file(served, "1").read_bytes())

    still = served.context.advisers.get(ACME)
    restarted = context_of(served.context.store, served.context.settings.home)
    after = restarted.advisers.get(ACME)

    assert still is not None
    assert after is not None
    assert (still.version, after.version) == ("1", "1")
    assert restarted.advisers.get(ACME) is after


def test_drift_is_told_once_and_asks_for_one_retraining(
    served: Served, tmp_path: Path
) -> None:
    """A new channel sends leads that say nothing of themselves."""
    listen(served)
    strangers_arrive(served, tmp_path, 300)
    watching = upkeep.handlers(served.context)[upkeep.DRIFT]
    worker = Worker(
        served.context.store, {upkeep.DRIFT: watching}, clock=served.clock, name="eye"
    )

    for _ in range(2):
        served.post("/v1/models/drift", None, role=Role.ANALYST)
        assert worker.work_once()
        served.clock.move(timedelta(hours=1))

    reports = served.get("/v1/models/drift").json()["reports"]
    assert [one["alarmed"] for one in reports] == [True, True]
    with served.context.store.read(ACME) as session:
        asked = jobs.list_jobs(session, kind=RETRAIN, state=JobState.QUEUED)
    assert [job.args for job in asked] == [{"cause": "drift", "version": "1"}]
    told = events_of(served, "rightrep.model.drift")
    assert len(told) == 1
    assert told[0]["alarms"] == reports[-1]["report"]["alarms"]


def strangers_arrive(served: Served, folder: Path, count: int) -> None:
    """Leads of a new channel, given to reps an hour before the market's end."""
    at = (MARKET.end - timedelta(hours=1)).isoformat()
    leads = ["external_id,created_at,channel"]
    leads += [f"N{k},{at},billboard" for k in range(count)]
    given = ["lead,rep,decided_at"]
    given += [f"N{k},R{k % 4:04d},{at}" for k in range(count)]
    for kind, rows in ((Kind.LEADS, leads), (Kind.DECISIONS, given)):
        path = folder / f"{kind.value}.csv"
        path.write_text("\n".join(rows), encoding="utf-8")
        landed = import_file(served.context.store, ACME, kind, path, clock=served.clock)
        assert landed.landed == count, landed


def test_without_champion_or_history_the_jobs_say_so(
    store: Store, tmp_path: Path
) -> None:
    young = serve(store, tmp_path)

    assert "Training needs" in ask(young, RETRAIN)["reason"]
    assert ask(young, "drift") == {"version": None, "alarmed": False}
    assert young.get("/v1/models").json() == {
        "champion": None,
        "models": [],
        "moves": [],
    }


def test_every_tenant_is_scheduled_once_however_many_processes_ask(
    store: Store, tmp_path: Path
) -> None:
    first = serve(store, tmp_path)

    schedulers = [Scheduler(store, first.clock) for _ in range(3)]
    threads = [threading.Thread(target=one.ask) for one in schedulers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert queued(first, "retrain") == ["2026-03-07T18:00:00+00:00"]
    assert queued(first, "drift") == ["2026-03-02T19:00:00+00:00"]
    assert queued(first, "retention") == ["2026-03-02T20:00:00+00:00"]


def queued(served: Served, kind: str) -> list[str]:
    with served.context.store.read(ACME) as session:
        found = jobs.list_jobs(session, kind=kind, state=JobState.QUEUED)
    return [job.run_at.isoformat() for job in found]


def test_a_changed_schedule_takes_the_place_of_the_one_before(
    store: Store, tmp_path: Path
) -> None:
    tenant = serve(store, tmp_path)
    asking = Scheduler(store, tenant.clock)
    asking.ask()
    schedule = {"retrain": {"at": "01:30", "every_days": 1}, "drift": None}

    answer = tenant.call(
        "PUT",
        "/v1/settings/learning",
        {"learning": {}, "schedule": schedule},
        role=Role.ANALYST,
    )
    asking.ask()

    assert answer.json()["schedule"]["retrain"] == {"at": "01:30", "every_days": 1}
    assert queued(tenant, "retrain") == ["2026-03-02T17:30:00+00:00"]
    assert queued(tenant, "drift") == []
    tenant.clock.move(timedelta(days=1))
    asking.ask()
    assert len(queued(tenant, "retrain")) == 2  # the one that is due waits for a worker


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"schedule": {"tidy": None}}, "schedule.tidy"),
        ({"schedule": {"drift": {"at": "25:00"}}}, "schedule.drift.at"),
        ({"schedule": {"drift": {"every_days": 0}}}, "schedule.drift.every_days"),
        ({"schedule": {"drift": {"on": "Monday"}}}, "schedule.drift"),
        ({"learning": {"drift_psi": -1}}, "learning.drift_psi"),
        ({"learning": {"value_margin": 2}}, "learning.value_margin"),
        ({"learning": {"drift_days": 1.5}}, "learning.drift_days"),
        ({"learning": {"margin": 1}}, "learning.margin"),
        ({"learning": {"tuning_trials": 1}}, "learning.tuning_trials"),
        ({"learning": {"tuning_trials": 201}}, "learning.tuning_trials"),
        ({"learning": {"refuse_leaks": 1}}, "learning.refuse_leaks"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    store: Store, tmp_path: Path, settings: dict[str, Any], field: str
) -> None:
    tenant = serve(store, tmp_path)

    answer = tenant.call("PUT", "/v1/settings/learning", settings, role=Role.ANALYST)

    assert answer.status_code == 422
    assert answer.json()["field"] == field


def test_the_retention_job_forgets_what_is_old(store: Store, tmp_path: Path) -> None:
    tenant = serve(store, tmp_path, settings={"retention_days": {"notes": 10}})
    tenant.add_reps("r1")
    tenant.add_leads("l1")
    note = {
        "event_id": "a1",
        "kind": "note",
        "lead": "l1",
        "rep": "r1",
        "happened_at": "2026-03-01T10:00:00+08:00",
        "note": "Her mother is ill.",
    }
    answer = tenant.post("/v1/feedback/activities", {"activities": [note]})
    assert answer.status_code == 201, answer.text
    Scheduler(store, tenant.clock).ask()

    tenant.clock.move(timedelta(days=11))
    while tenant.work():
        pass

    with store.read(ACME) as session:
        done = jobs.list_jobs(session, kind="retention")[0]
    assert done.state is JobState.DONE
    assert done.result["removed"]["notes"] == 1


def test_a_moved_champion_is_taken_up_while_requests_go_on(
    served: Served,
) -> None:
    """A real server process, asked without a pause while the champion moves."""
    served.clock.move(-EARLIER + timedelta(days=2))
    ask(served, RETRAIN)
    home = served.context.settings.home
    url = served.context.settings.store_url
    key = {"Authorization": f"Bearer {served.keys[Role.SERVICE]}"}
    lead = served.add_leads("new-1")[0]
    statuses: list[int] = []
    versions: list[str] = []
    stop = threading.Event()

    with running(url, home, tenant=ACME) as [server]:

        def ask_next(http: httpx.Client) -> None:
            answer = http.post(
                "/v1/assignments/next", json={"lead": lead, "dry_run": True}
            )
            statuses.append(answer.status_code)
            versions.append(str(answer.json().get("model_version")))

        def go_on() -> None:
            with httpx.Client(base_url=server.url, headers=key, timeout=60) as http:
                while not stop.is_set():
                    ask_next(http)

        def until(version: str) -> None:
            for _ in range(600):
                if versions[-1:] == [version]:
                    return
                stop.wait(0.1)

        threads = [threading.Thread(target=go_on) for _ in range(3)]
        for thread in threads:
            thread.start()
        until("1")
        moved = httpx.post(
            f"{server.url}/v1/models/2/promote",
            json={"reason": "under load"},
            headers={"Authorization": f"Bearer {served.keys[Role.ANALYST]}"},
            timeout=60,
        )
        until("2")
        stop.set()
        for thread in threads:
            thread.join()
        # What was under way may still be the one before; what comes after is not.
        with httpx.Client(base_url=server.url, headers=key, timeout=60) as http:
            ask_next(http)

    assert moved.status_code == 200, moved.text
    assert set(statuses) == {200}
    assert "1" in versions
    assert versions[-1] == "2"


def test_the_terminal_tells_of_models_and_drift_and_brings_a_version_back(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.clock.move(-EARLIER + timedelta(days=2))
    ask(served, RETRAIN)
    settings = served.context.settings
    monkeypatch.setenv("RIGHTREP_HOME", str(settings.home))
    monkeypatch.setenv("RIGHTREP_DATABASE_URL", settings.store_url)
    monkeypatch.setenv("RIGHTREP_TENANT", ACME)

    assert "refused: The champion stays" in terminal("models")
    assert terminal("promote", "2") == "Version 2 is champion.\n"
    assert terminal("drift").startswith("version 2, ")


def terminal(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done.stdout


def test_looks_are_kept_by_version(served: Served) -> None:
    ask(served, "drift")

    with served.context.store.read(ACME) as session:
        kept = drift.list_drift(session, version="1")
        assert drift.list_drift(session, version="2") == []
    assert len(kept) == 1
    assert kept[0].as_of == MARKET.end
    assert kept[0].report["in_words"].startswith("Not enough decisions")
