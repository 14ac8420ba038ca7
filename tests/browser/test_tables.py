"""What a manager does with tables and charts that are not on the first page."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from optimizer.fairness import TradePoint
from rightrep.store import jobs, plans
from serving.usecases.trade_off import TRADE_OFF, Curve
from tests.browser.conftest import Site, Visitor, settled
from tests.browser.test_pages import inked
from tests.serving_parts import ACME

pytestmark = pytest.mark.browser


def shown(page: Page) -> Locator:
    """Rows of the load table that are not filtered out."""
    return page.locator("#loads-table tbody tr:visible")


def saved(page: Page, name: str) -> list[dict[str, str]]:
    """What the button under a table saves."""
    with page.expect_download() as started:
        page.get_by_role("button", name=f"Save these rows (CSV): {name}").click()
    text = Path(started.value.path()).read_text(encoding="utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_a_filter_leaves_the_rows_with_all_its_words(visit: Visitor) -> None:
    page = visit().page
    field = page.get_by_role("searchbox", name="Filter: Load per rep")
    total = shown(page).count()

    field.fill("north AMERICA")

    expect(shown(page)).to_have_count(2)
    status = page.get_by_role("status").first
    expect(status).to_have_text(f"2 of {total} shown")
    field.fill("")
    expect(shown(page)).to_have_count(total)
    expect(status).to_have_text("")


def test_the_rows_shown_are_saved_as_they_stand(visit: Visitor) -> None:
    reader = visit()
    page = reader.page
    page.get_by_role("searchbox", name="Filter: Load per rep").fill("north america")
    heading = page.get_by_role("columnheader", name="Limit")
    heading.get_by_role("button").click()

    rows = saved(page, "Load per rep")

    assert [row["Rep"] for row in rows] == ["Olivia Martin", "James O'Neill"]
    assert [row["Limit"] for row in rows] == ["6", "5"]
    assert "Picture" not in rows[0]
    assert reader.said == []


def test_times_are_saved_as_any_spreadsheet_reads_them(
    visit: Visitor, site: Site
) -> None:
    page = visit().page
    page.goto(f"{site.url}/better")

    (row,) = saved(page, "Every experiment, the newest first")

    started = datetime.fromisoformat(row["Started"])
    assert started.tzinfo is not None
    assert (datetime.now(UTC) - started).days == 30
    assert row["Stopped"] == ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_shares_and_the_funnel_are_drawn(
    visit: Visitor, site: Site, scheme: str
) -> None:
    page = visit(color_scheme=scheme).page

    for path, chart in (("/fair", "shares"), ("/channels?days=1100", "funnel")):
        page.goto(site.url + path)
        settled(page)
        assert inked(page, chart) > 2_000


def test_a_curve_under_way_shows_how_far_it_is_and_then_itself(
    visit: Visitor, site: Site
) -> None:
    page = visit().page
    store, now = site.served.context.store, datetime.now(UTC)
    with store.write(ACME) as session:
        plan = plans.list_plans(session, limit=1)[0]
        args = {"plan_id": plan.plan_id}
        asked = jobs.enqueue(session, TRADE_OFF, args, at=now)
    page.goto(f"{site.url}/fair")
    expect(page.get_by_role("progressbar")).to_be_visible()

    points = [TradePoint(0.0, 1e6, 0.3, 1e6), TradePoint(1.0, 9e5, 0.1, 9e5)]
    curve = Curve(points=points, value=1e6, spread=0.3, made_at=now)
    with store.write(ACME) as session:
        plans.add_to_summary(session, plan.plan_id, {TRADE_OFF: curve.kept()})
        jobs.cancel_job(session, asked.job_id, at=now)

    expect(page.locator("#curve-table tbody tr")).to_have_count(2)
    settled(page)
    assert inked(page, "curve", "given") > 100
    assert inked(page, "curve", "limit") > 20
