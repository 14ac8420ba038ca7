"""A served market and a browser, one of each for all tests of a process."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from rightrep.domain.ids import LeadId
from rightrep.domain.plan import StoredPlan
from rightrep.domain.roles import Role
from rightrep.store.engine import Store
from rightrep.store.reps import list_reps
from serving.usecases.experiments import Wanted
from tests import board_market as market
from tests import trial_parts
from tests.servers import running
from tests.serving_parts import ACME, Served, serve

CHROMIUM = Path("/usr/bin/chromium")
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
N_LEADS = 150


@dataclass
class Site:
    """A real server and what it serves.

    Attributes:
        url: Where it listens.
        served: The same market behind the API, to change records with.
        leads: Its leads.
        plan: Its latest plan.
        n_reps: Its reps.
    """

    url: str
    served: Served
    leads: list[LeadId]
    plan: StoredPlan
    n_reps: int

    def link(self, role: Role = Role.MANAGER) -> str:
        """A link that signs in, as the demo prints it."""
        return f"{self.url}/sign-in#{self.served.keys[role]}"


@dataclass
class Visit:
    """One reader's pages, and everything the browser had to say.

    Attributes:
        page: The tab.
        said: Warnings, errors, crashes and requests that left the site.
        asked: Addresses that were asked for.
    """

    page: Page
    said: list[str]
    asked: list[str]


Visitor = Callable[..., Visit]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; without it tests are skipped, but not where CI promises it."""
    if not CHROMIUM.exists():
        missing = f"{CHROMIUM} is missing: run .ci/chromium, or apt install chromium."
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(SWITCHES)
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """What every test may look at and nobody changes for the others."""
    with market_site(sqlite_template, tmp_path_factory.mktemp("site")) as made:
        yield made


@contextmanager
def market_site(template: Path, home: Path) -> Iterator[Site]:
    """A market with a committed plan and a later one, served by a real process."""
    url = f"sqlite:///{shutil.copy(template, home / 'store.db')}"
    store = Store(url)
    served = serve(store, home)
    now = datetime.now(UTC)
    leads = [*market.settle_in(served, 100), *market.more_leads(served, 50, first=100)]
    with store.write(ACME) as session:
        market.add_model(session, at=now - timedelta(days=1))
        first = market.add_plan(session, leads[:40], at=now - timedelta(hours=3))
        market.commit(session, first, at=now - timedelta(hours=2))
    with store.write(ACME) as session:
        plan = market.add_plan(session, leads[40:], at=now - timedelta(minutes=9))
    with store.write(ACME) as session:
        trial = trial_parts.running(
            session,
            Wanted(experiment="spring", design={"horizon_days": 7, "n_optimal": 500}),
            at=now - timedelta(days=30),
        )
        reps = [rep.rep_id for rep in list_reps(session, as_of=now)]
    trial_parts.run(store, ACME, trial, days=20, per_day=20, won=(0.3, 0.5), reps=reps)
    # The server has the real clock: what tests add from here on is of today.
    served.clock.move(now - served.clock.now())
    with running(url, home, tenant=ACME) as [server]:
        yield Site(server.url, served, leads, plan, len(reps))
    store.close()


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Visitor]:
    """Opens a fresh, signed-in tab: ``visit(width=375, color_scheme="dark")``."""
    opened: list[BrowserContext] = []

    def open_tab(
        *,
        width: int = 1280,
        height: int = 900,
        role: Role | None = Role.MANAGER,
        **options: object,
    ) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            **options,  # type: ignore[arg-type]
        )
        opened.append(context)
        context.set_default_timeout(20_000)
        made = listening(context.new_page(), site)
        if role is not None:
            made.page.goto(site.link(role))
            made.page.wait_for_url(f"{site.url}/")
            settled(made.page)
        return made

    yield open_tab
    for context in opened:
        context.close()


def listening(page: Page, site: Site) -> Visit:
    """Note what the browser complains about."""
    said: list[str] = []
    asked: list[str] = []
    page.on(
        "console",
        lambda line: (
            said.append(line.text) if line.type in {"warning", "error"} else None
        ),
    )
    page.on("pageerror", lambda error: said.append(str(error)))

    def note(address: str) -> None:
        asked.append(address)
        if not address.startswith(f"{site.url}/"):
            said.append(f"left the site: {address}")

    page.on("request", lambda request: note(request.url))
    return Visit(page, said, asked)


def settled(page: Page) -> None:
    """Wait until everything is loaded and the charts are drawn."""
    page.wait_for_load_state("networkidle")
    for chart in page.locator("[data-chart]").all():
        chart.locator("canvas").wait_for()
