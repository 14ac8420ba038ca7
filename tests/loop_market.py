"""A tenant with a past to learn from: a demo market, imported once and copied."""

from pathlib import Path

from pydantic import SecretStr
from starlette.testclient import TestClient

from experiments.simulate import MarketSettings, write_demo
from rightrep.clock import FixedClock
from rightrep.domain.roles import Role
from rightrep.domain.tenant import Tenant
from rightrep.intake.fields import Kind
from rightrep.settings import Settings
from rightrep.store.engine import Store
from rightrep.store.tenants import create_tenant
from serving.app import create_app
from serving.usecases.context import Context
from serving.usecases.imports import import_file
from serving.usecases.tenancy import new_key
from tests.serving_parts import ACME, Served

MARKET = MarketSettings(
    n_leads=2_600,
    n_reps=8,
    days=400,
    rep_effect=3.0,
    activities_per_lead=1.0,
    seed=4,
)


def make_market(store: Store, folder: Path) -> None:
    """Import the market into a new tenant of a migrated database."""
    create_tenant(
        store,
        Tenant(
            tenant_id=ACME,
            name="Acme",
            time_zone="Asia/Shanghai",
            currency="CNY",
            created_at=MARKET.end,
        ),
    )
    context = context_of(store, folder)
    made = write_demo(folder / "demo", MARKET)
    for name, path in made.files.items():
        import_file(store, ACME, Kind(name), path, clock=context.clock)


def context_of(store: Store, home: Path) -> Context:
    """The parts of a process at the market's end."""
    url = store.url.render_as_string(hide_password=False)
    settings = Settings(home=home, database_url=SecretStr(url), tenant=ACME)
    return Context(settings, store, FixedClock(MARKET.end))


def serve_market(store: Store, home: Path) -> Served:
    """The market behind the API, with keys of every role but a rep's."""
    context = context_of(store, home)
    keys: dict[Role, str] = {
        role: new_key(context, ACME, role, role.value).secret
        for role in Role
        if role is not Role.REP
    }
    assert isinstance(context.clock, FixedClock)
    return Served(context, context.clock, TestClient(create_app(context)), keys)
