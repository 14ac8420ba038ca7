"""Fixtures every test may ask for; the store on both of its databases."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from rightrep.store.engine import Store
from tests.postgres import Postgres, running_postgres

settings.register_profile(
    "rightrep",
    deadline=None,
    # Elsewhere every run tries other examples; there a red run must be repeatable.
    derandomize=os.environ.get("CI") == "true",
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,
        HealthCheck.filter_too_much,  # small random problems are often infeasible
    ],
)
settings.load_profile("rightrep")

TEMPLATE = "rightrep_template"
BACKENDS = ("sqlite", "postgresql")


TOGETHER = "tests/browser/"
"""A folder whose tests share what takes long to make: a market, a server, a browser."""

LONG = ("long", "browser", "crash")


class ByFile(LoadScopeScheduling):  # type: ignore[misc] # untyped there
    """Tests of one file run in one process, so that its fixtures are made once."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return TOGETHER if path.startswith(TOGETHER) else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(
    config: pytest.Config, log: Callable[..., None]
) -> ByFile:
    """Who runs what, where several processes share the tests."""
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long; all else stays in its drawn order."""
    items.sort(key=lambda item: not any(map(item.get_closest_marker, LONG)))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL server per test process, with a migrated template database."""
    with running_postgres() as server:
        server.create_database(TEMPLATE)
        _set_up(server.url(TEMPLATE))
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _set_up(f"sqlite:///{path}")
    return path


@pytest.fixture(params=BACKENDS)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh migrated database; the test runs once on each backend."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        yield f"sqlite:///{shutil.copy(template, tmp_path / 'store.db')}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = f"t{uuid.uuid4().hex}"
    server.create_database(name, TEMPLATE)
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A fresh store; the test runs once on each backend."""
    opened = Store(store_url)
    yield opened
    opened.close()


def _set_up(url: str) -> None:
    store = Store(url)
    store.migrate()
    store.close()
