"""A demo market in a store of its own, with a published model; shared by figures."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from experiments.simulate import CURRENCY, ZONE, Market, MarketSettings, simulate
from rightrep.clock import FixedClock
from rightrep.domain.ids import TenantId
from rightrep.domain.tenant import Tenant
from rightrep.intake.fields import Kind
from rightrep.settings import Settings
from rightrep.store.engine import Store
from rightrep.store.tenants import create_tenant
from serving.usecases.context import Context
from serving.usecases.imports import ORDER, import_file
from serving.usecases.learning import learn, publish

TENANT = TenantId("default")


@dataclass(frozen=True)
class ServedMarket:
    """A market behind the product.

    Attributes:
        market: The market, with its truth.
        context: The parts of this process; the clock stands at the market's end.
        home: Folder of the database and the model.
    """

    market: Market
    context: Context
    home: Path


@contextmanager
def served_market(settings: MarketSettings) -> Iterator[ServedMarket]:
    """Simulate, import, train and publish, in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        market = simulate(settings)
        clock = FixedClock(settings.end)
        store = Store(Settings(home=home).store_url)
        store.migrate()
        create_tenant(
            store,
            Tenant(
                tenant_id=TENANT,
                name="Market",
                time_zone=ZONE,
                currency=CURRENCY,
                created_at=clock.now(),
            ),
        )
        files = market.write_exports(home / "exports")
        _import_all(store, files, clock)
        context = Context(Settings(home=home), store, clock)
        learnt = learn(context, TENANT, as_of=clock.now())
        with store.write(TENANT) as session:
            publish(session, context, learnt, actor="benchmark")
        yield ServedMarket(market, context, home)
        store.close()


def _import_all(store: Store, files: dict[str, Path], clock: FixedClock) -> None:
    for kind in ORDER:
        import_file(store, TENANT, Kind(kind), files[kind.value], clock=clock)
