"""Write databases of this version, to be opened by every later one.

    python -m tests.migration.write_golden 0.1

Run it once, when the version is released; the files are never written anew. Beside
each database lies what the store said of it when it was written.
"""

import gzip
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
from sqlalchemy import create_engine, text

from rightrep.domain.activity import Activity, ActivityKind
from rightrep.domain.customer import Contact, ContactPoint, Customer, PointKind
from rightrep.domain.experiment import Arm, ArmOfUnit, Experiment, UnitKind
from rightrep.domain.ids import ContactId, CustomerId, LeadId, RepId
from rightrep.domain.lead import LeadAttributes
from rightrep.domain.money import Money
from rightrep.domain.outcome import Outcome, Result
from rightrep.domain.plan import PlanRep, StoredPlan
from rightrep.domain.roles import Role
from rightrep.store import experiments, jobs, keys, models, plans, prices, rules
from rightrep.store.activities import record_activity
from rightrep.store.aliases import RecordKind, add_aliases, resolve
from rightrep.store.bulk import read_history
from rightrep.store.capacity import NO_LIMITS, take_leads
from rightrep.store.customers import save_contacts, save_customers
from rightrep.store.decisions import list_decisions
from rightrep.store.endpoints import add_endpoint, list_endpoints
from rightrep.store.engine import Store
from rightrep.store.exclusions import save_roster
from rightrep.store.leads import get_leads
from rightrep.store.locks import lock_lead, locked_among
from rightrep.store.merges import merge
from rightrep.store.outcomes import record_outcome, standing_outcome
from rightrep.store.remarks import add_remark, list_remarks
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.tenants import get_tenant
from tests import store_records as records
from tests.postgres import Postgres, installed_binaries, running_postgres
from tests.store_records import ACME, NOON, TODAY, at

GOLDEN = Path("tests/golden")
N_LEADS = 20
_BACKSLASH = "\\"


def main(version: str) -> None:
    """Write the files."""
    with tempfile.TemporaryDirectory() as folder:
        _write_sqlite(version, Path(folder) / "store.db")
    with running_postgres() as server:
        _write_postgresql(version, server)


def _write_sqlite(version: str, path: Path) -> None:
    store = Store(f"sqlite:///{path}")
    _keep(f"{version}.db.json", _filled(store))
    store.close()
    # One file, without a log beside it.
    with create_engine(f"sqlite:///{path}").connect() as connection:
        connection.execute(text("pragma journal_mode=delete"))
    _keep(f"{version}.db", path.read_bytes())


def _write_postgresql(version: str, server: Postgres) -> None:
    server.create_database("golden")
    store = Store(server.url("golden"))
    _keep(f"{version}.sql.json", _filled(store))
    store.close()
    dump = str(installed_binaries() / "bin" / "pg_dump")
    where = ["-h", str(server.folder), "-U", "postgres", "golden"]
    dumped = subprocess.run(
        [dump, "--inserts", "--no-owner", *where], check=True, capture_output=True
    )
    # What only psql understands is left out: any driver can run the rest.
    lines = dumped.stdout.decode().splitlines()
    sql = [one for one in lines if not one.startswith(_BACKSLASH)]
    _keep(f"{version}.sql", "\n".join(sql).encode())


def _filled(store: Store) -> bytes:
    """Make the tables and fill them; what the store then says."""
    store.migrate()
    records.add_tenant(store)
    with store.write(ACME) as session:
        fill(session)
    with store.read(ACME) as session:
        return orjson.dumps(told(session))


def _keep(name: str, content: bytes) -> None:
    path = GOLDEN / f"store-{name}.gz"
    path.write_bytes(gzip.compress(content, 9, mtime=0))


def fill(session: WriteSession) -> None:
    """Some of everything that a tenant has."""
    save_customers(
        session, [Customer(customer_id=CustomerId("c1"), created_at=NOON, name="字节")]
    )
    phone = ContactPoint(PointKind.PHONE, "+8613812345678")
    save_contacts(
        session, [Contact(contact_id=ContactId("p1"), created_at=NOON, points=[phone])]
    )
    what = LeadAttributes(deal_value=Money(100, "USD"), attributes={"vip": True})
    leads = records.add_leads(session, N_LEADS, what)
    reps = records.add_reps(session, 3)
    names = {f"lead-{k}": str(lead_id) for k, lead_id in enumerate(leads)}
    add_aliases(session, RecordKind.LEAD, "crm", names, at=NOON)
    plan = records.decisions(leads[2:], reps)
    take_leads(session, plan, limits=dict.fromkeys(reps, NO_LIMITS), local_day=TODAY)
    merge(
        session, RecordKind.LEAD, leads[0], leads[1], at=at(1), actor="x", cause="twin"
    )
    _fill_feedback(session, leads, reps)
    _fill_plans(session, leads, reps)
    _fill_operations(session)


def _fill_feedback(
    session: WriteSession, leads: list[LeadId], reps: list[RepId]
) -> None:
    """A call, a win, a dated remark and a lock."""
    record_activity(session, _said("activity-1", leads[2], reps[0]))
    record_outcome(
        session,
        Outcome(
            event_id="outcome-1",
            lead_id=leads[2],
            decision_id=None,
            result=Result.WON,
            closed_at=NOON + timedelta(days=1),
            recorded_at=NOON + timedelta(days=1),
            value=Money(100, "USD"),
        ),
    )
    remark = _said("remark-1", leads[3], reps[1])
    add_remark(session, remark, remind_on=date(2026, 10, 1), actor="x")
    lock_lead(session, leads[4], actor="x", reason="a partner's", at=NOON)


def _said(event_id: str, lead_id: LeadId, rep_id: RepId) -> Activity:
    return Activity(
        event_id=event_id,
        kind=ActivityKind.CALL,
        lead_id=lead_id,
        rep_id=rep_id,
        happened_at=at(1),
        recorded_at=at(1),
        note="喜欢 ERP",
    )


def _fill_plans(session: WriteSession, leads: list[LeadId], reps: list[RepId]) -> None:
    """A rule set in force, a model promoted, a plan with prices, an experiment."""
    rule = {"name": "everybody", "choose": {"policy": "round_robin_lot"}}
    version = rules.add_rule_set(session, [rule], actor="x", reason="first", at=NOON)
    rules.put_in_force(session, version, actor="x", reason="first", at=NOON)
    model = models.PublishedModel(
        version="1",
        path="models/1.zip",
        sha256="ab" * 32,
        columns_version="c1",
        label_window_days=45,
        metrics={"log_loss": 0.41, "auc": {"pair": 0.71}},
        data_hash="cd" * 32,
        trained_as_of=NOON - timedelta(days=1),
        published_at=NOON,
    )
    models.publish_model(session, model)
    models.promote(session, "1", actor="x", reason="the first", at=NOON)
    header = StoredPlan(
        plan_id="plan-1",
        policy="optimal",
        actor="x",
        as_of=NOON,
        created_at=NOON,
        value=1234.5,
        bound=1234.5,
        gap=0.0,
        model_version="1",
        columns_version="c1",
        rule_set=version,
        roster=save_roster(session, reps),
        problem={"n_leads": 2, "n_reps": 3},
        baselines={"round_robin": {"value": 1000.0}},
    )
    given = PlanRep(
        rep_id=reps[0], capacity=3, floor=1, load=6, given=1, shadow_price=2.5
    )
    lines = {"lead_id": leads[:2], "rep_id": [reps[0], None], "value": [25.0, None]}
    plans.save_plan(session, header, [given])
    plans.save_lines(session, "plan-1", pa.table(lines))
    prices.publish_prices(
        session,
        prices.PriceList(
            plan_id="plan-1",
            window_start=NOON,
            window_end=at(24),
            published_at=NOON,
            expires_at=at(24),
            shadow_price=dict.fromkeys(reps, 2.5),
        ),
    )
    _fill_experiment(session, leads)


def _fill_experiment(session: WriteSession, leads: list[LeadId]) -> None:
    arms = [
        Arm(arm="control", policy="round_robin", share=0.5),
        Arm(arm="treatment", policy="optimal", share=0.5, parameters={"dial": 0.2}),
    ]
    spring = Experiment(
        experiment="spring",
        unit_kind=UnitKind.LEAD,
        salt="s1",
        arms=arms,
        design={"horizon_days": 45, "metric": "conversion"},
        actor="x",
        created_at=NOON,
    )
    experiments.create_experiment(session, spring)
    experiments.start_experiment(session, "spring", at=NOON)
    drawn = [ArmOfUnit(unit=str(leads[5]), arm="treatment")]
    experiments.log_units(session, "spring", drawn, at=NOON)


def _fill_operations(session: WriteSession) -> None:
    """A key, an address to tell and a job."""
    keys.create_key(session, Role.MANAGER, "the board", at=NOON)
    add_endpoint(session, "https://crm.example/hooks", at=NOON)
    jobs.enqueue(session, "retrain", {"as_of": NOON.isoformat()}, at=NOON)


def told(session: ReadSession) -> Mapping[str, Any]:
    """What the store says of everything above, as JSON has it."""
    ids = [LeadId(resolve(session, RecordKind.LEAD, f"lead-{k}")) for k in range(5)]
    said = {
        "tenant": get_tenant(session),
        **{name: rows.to_pylist() for name, rows in read_history(session).items()},
        "lead_records": get_leads(session, ids, as_of=at(100)),
        "decision_records": list_decisions(session, limit=100, reasons=True).decisions,
        "outcome": standing_outcome(session, ids[2]),
        "remarks": list_remarks(session, ids[3]),
        "locked": sorted(locked_among(session, ids)),
        "rule_sets": rules.list_rule_sets(session),
        "rules_in_force": rules.rules_in_force(session),
        "models": models.list_models(session),
        "promotions": models.promotion_history(session),
        "plan": plans.read_plan(session, "plan-1"),
        "plan_reps": plans.read_plan_reps(session, "plan-1"),
        "plan_lines": plans.read_lines(session, "plan-1").to_pylist(),
        "prices": prices.latest_prices(session, at(1)),
        "experiments": experiments.list_experiments(session),
        "units": experiments.read_units(session, "spring").to_pylist(),
        "keys": keys.list_keys(session),
        "endpoints": list_endpoints(session),
        "jobs": jobs.list_jobs(session),
    }
    plain: Mapping[str, Any] = orjson.loads(
        orjson.dumps(said, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY)
    )
    return plain


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


if __name__ == "__main__":
    main(*sys.argv[1:])
