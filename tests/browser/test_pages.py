"""What a manager does with the pages, in a real browser."""

import re
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from rightrep.domain.roles import Role
from tests import board_market as market
from tests.browser.conftest import Site, Visitor, settled
from tests.serving_parts import ACME

pytestmark = pytest.mark.browser

HERE = Path(__file__).parent
AXE = (HERE / "vendor" / "axe.min.js").read_text(encoding="utf-8")
INK = (HERE / "ink.js").read_text(encoding="utf-8")
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"width": 1280, "color_scheme": "light"},
    "dark": {"width": 1280, "color_scheme": "dark"},
    "phone": {"width": 375, "height": 812, "has_touch": True, "is_mobile": True},
    "chinese": {"width": 1280, "locale": "zh-CN"},
    "narrow": {"width": 320, "height": 640},
}
MOST_BYTES = 220_000


def paths(site: Site) -> dict[str, str]:
    """One address of every kind of page."""
    answer = site.served.get("/v1/decisions?limit=1", role=Role.MANAGER).json()
    return {
        "board": "/",
        "better": "/better",
        "stuck": "/stuck",
        "reps": "/reps",
        "fair": "/fair",
        "channels": "/channels?days=1100",
        "rep": "/reps/R01",
        "models": "/models",
        "unassigned": "/unassigned",
        "lead": f"/leads/{site.leads[0]}",
        "waiting": "/leads/L00043",
        "decisions": "/decisions",
        "decision": f"/decisions/{answer['decisions'][0]['decision_id']}",
        "sign-in": "/sign-in",
    }


def faults(page: Page) -> list[str]:
    """What axe finds, as sentences."""
    page.evaluate(AXE)
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found: dict[str, Any] = page.evaluate(
        "tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']})", tags
    )
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def inked(page: Page, chart: str, colour: str | None = None) -> int:
    """Pixels of a chart that are drawn on, or in one of the sheet's colours."""
    count: int = page.evaluate(INK, [chart, colour])
    return count


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_accessible_fits_and_complains_of_nothing(
    visit: Visitor, site: Site, look: str, tmp_path: Path
) -> None:
    reader = visit(**LOOKS[look])
    for name, path in paths(site).items():
        reader.page.goto(site.url + path)
        settled(reader.page)
        reader.page.screenshot(path=tmp_path / f"{look}-{name}.png", full_page=True)

        if look != "narrow":
            assert faults(reader.page) == [], name
        wide, room = reader.page.evaluate(
            "[document.documentElement.scrollWidth, window.innerWidth]"
        )
        assert wide <= room, name
        if look == "phone":
            for box in reader.page.locator(".scroll").all():
                assert box.evaluate("box => box.scrollWidth <= box.clientWidth"), name
    assert reader.said == []


def test_the_demos_link_signs_in_and_the_key_stays_in_the_browser(
    visit: Visitor, site: Site
) -> None:
    reader = visit(role=None)
    key = site.served.keys[Role.MANAGER]

    reader.page.goto(site.link())
    reader.page.wait_for_url(f"{site.url}/")

    assert [address for address in reader.asked if key in address] == []
    assert key not in reader.page.evaluate("document.cookie + location.href")
    cookies = reader.page.context.cookies()
    assert all(key not in cookie["value"] for cookie in cookies)
    assert all(cookie["httpOnly"] for cookie in cookies)
    reader.page.go_back()
    assert key not in reader.page.url


def test_signing_in_by_hand_says_what_is_wrong_with_a_key(
    visit: Visitor, site: Site
) -> None:
    page = visit(role=None).page
    page.goto(f"{site.url}/decisions")
    page.get_by_text("Sign in with an API key").click()

    page.get_by_label("API key").fill("rr_wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("unknown, expired or revoked")
    expect(page.get_by_label("API key")).to_be_focused()
    page.keyboard.type(site.served.keys[Role.MANAGER])
    page.get_by_role("button", name="Sign in with the key").click()

    page.wait_for_url(f"{site.url}/decisions")


def test_after_signing_out_going_back_shows_nothing(visit: Visitor, site: Site) -> None:
    page = visit().page

    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{site.url}/sign-in")
    page.go_back()

    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


@pytest.mark.parametrize("look", LOOKS)
def test_charts_are_drawn_in_the_colours_of_the_page(visit: Visitor, look: str) -> None:
    page = visit(**LOOKS[look]).page

    for chart in ("policies", "loads"):
        assert inked(page, chart) > 2_000
        assert inked(page, chart, "given") > 300
        assert inked(page, chart, "held") > 300
        assert inked(page, chart, "limit") > 20


def test_the_effect_and_the_wins_are_drawn_in_the_colours_of_the_page(
    visit: Visitor, site: Site
) -> None:
    page = visit(color_scheme="dark").page
    page.goto(f"{site.url}/better")
    settled(page)

    assert inked(page, "effect", "given") > 300
    assert inked(page, "effect", "limit") > 100
    assert inked(page, "wins", "given") > 300
    assert inked(page, "wins", "soft") > 50
    page.get_by_text("Look by look").click()
    expect(page.locator("#looks-table tbody tr").first).to_be_visible()


def test_charts_follow_the_colour_scheme_while_the_page_is_open(visit: Visitor) -> None:
    page = visit(color_scheme="light").page
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")

    page.emulate_media(color_scheme="dark")

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    deadline = time.monotonic() + 20
    while inked(page, "loads", "given") <= 300 and time.monotonic() < deadline:
        page.wait_for_timeout(20)
    assert inked(page, "loads", "given") > 300


def test_on_paper_there_is_nothing_to_press(visit: Visitor) -> None:
    page = visit().page
    page.emulate_media(media="print")

    for gone in (".top", ".tools", ".readout"):
        expect(page.locator(gone).first).to_be_hidden()
    expect(page.get_by_role("heading", name="Today's plan")).to_be_visible()


def test_pointing_at_a_column_reads_it(visit: Visitor) -> None:
    page = visit().page
    chart = page.locator("[data-chart=loads]")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    first = page.locator("#loads-table tbody th").first.inner_text()

    readout = page.locator("#loads-readout")
    untouched = readout.inner_text()

    for across in range(30, 200, 5):  # The leftmost column is somewhere here.
        page.mouse.move(box["x"] + across, box["y"] + box["height"] - 40)
        if readout.inner_text() != untouched:
            break

    expect(readout).to_contain_text(f"{first}: held")


def test_the_keyboard_reaches_everything(visit: Visitor) -> None:
    page = visit().page

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()

    heading = page.get_by_role("columnheader", name="Plan gives")
    for _ in range(60):
        page.keyboard.press("Tab")
        if heading.get_by_role("button").evaluate("b => b === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(heading).to_have_attribute("aria-sort", "descending")
    page.keyboard.press("Space")
    expect(heading).to_have_attribute("aria-sort", "ascending")


def test_the_table_sorts_by_number_and_by_name(visit: Visitor) -> None:
    page = visit().page

    def column(place: int) -> list[str]:
        return page.locator(
            f"#loads-table tbody tr > :nth-child({place})"
        ).all_inner_texts()

    def press(name: str) -> None:
        page.get_by_role("columnheader", name=name).get_by_role("button").click()

    press("Held")
    held = [int(text) for text in column(5)]
    assert held == sorted(held, reverse=True)
    press("Held")
    assert [int(text) for text in column(5)] == sorted(held)
    press("Rep")
    names = column(1)
    expected = page.evaluate(
        "names => [...names].sort(new Intl.Collator().compare)", names
    )
    assert names == expected
    expect(page.get_by_role("columnheader", name="Held")).to_have_attribute(
        "aria-sort", "none"
    )


def test_a_lead_opens_up_rep_by_rep(visit: Visitor) -> None:
    page = visit().page

    page.get_by_role("link", name="Rep by rep").first.click()
    summary = page.locator("summary").first
    summary.focus()
    page.keyboard.press("Enter")

    expect(page.locator("details").first).to_have_attribute("open", "")
    expect(page.locator("details li").first).to_be_visible()


def test_every_page_says_all_of_it_without_scripts(visit: Visitor, site: Site) -> None:
    page = visit(role=None, java_script_enabled=False).page
    page.goto(f"{site.url}/")
    page.get_by_text("Sign in with an API key").click()
    page.get_by_label("API key").fill(site.served.keys[Role.MANAGER])
    page.get_by_role("button", name="Sign in with the key").click()

    expect(page.get_by_role("heading", name="Today's plan")).to_be_visible()
    expect(page.locator("#plan-table tbody tr")).to_have_count(4)
    expect(page.locator("#loads-table tbody tr")).to_have_count(site.n_reps)
    expect(page.locator("th button")).to_have_count(0)


def test_chinese_names_are_drawn_and_not_boxes(visit: Visitor) -> None:
    page = visit().page

    drawn, box = page.evaluate(
        """() => ["王", "\\u{10FFFE}"].map((text) => {
          const canvas = document.createElement("canvas");
          const pen = canvas.getContext("2d");
          pen.font = `40px ${getComputedStyle(document.body).fontFamily}`;
          pen.fillText(text, 5, 60);
          return canvas.toDataURL();
        })"""
    )

    assert drawn != box
    expect(page.locator("#loads-table")).to_contain_text("王芳")


def test_a_script_that_gets_into_the_page_does_not_run(visit: Visitor) -> None:
    reader = visit()

    reader.page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.stolen = true";
          document.body.append(script);
          const image = document.createElement("img");
          image.setAttribute("onerror", "window.stolen = true");
          image.src = "/static/none.png";
          document.body.append(image);
        }"""
    )
    reader.page.wait_for_load_state("networkidle")

    assert reader.page.evaluate("window.stolen") is None
    assert any("Content Security Policy" in line for line in reader.said)


def test_the_first_page_is_light_to_carry(visit: Visitor, site: Site) -> None:
    reader = visit(role=None)
    carried: list[int] = []
    reader.page.on(
        "requestfinished",
        lambda request: carried.append(request.sizes()["responseBodySize"]),
    )

    reader.page.goto(site.link())
    reader.page.wait_for_url(f"{site.url}/")
    settled(reader.page)

    assert sum(size for size in carried if size > 0) < MOST_BYTES


def test_what_is_recorded_is_on_the_page_at_once(visit: Visitor, site: Site) -> None:
    page = visit().page
    page.goto(f"{site.url}/?plan={site.plan.plan_id}")
    before = page.locator("ol.rows .decision").first.inner_text()
    with site.served.context.store.read(ACME) as session:
        waiting = market.waiting_leads(session, site.plan)
    lead = waiting[0]

    made = site.served.next(lead)

    assert made.status_code == 200, made.text
    page.reload()
    settled(page)
    newest = page.locator("ol.rows .decision").first
    assert newest.inner_text() != before
    expect(newest.get_by_role("link", name="Every reason")).to_have_attribute(
        "href", f"/decisions/{made.json()['decision_id']}"
    )
    expect(page.locator(".waiting .tag.good").first).to_contain_text("now with")


def test_a_new_plan_is_drawn_anew(visit: Visitor, site: Site) -> None:
    page = visit().page
    headline = page.locator(".headline").inner_text()
    store = site.served.context.store
    with store.write(ACME) as session:
        added = market.add_plan(
            session,
            site.leads[60:90],
            at=site.plan.created_at + timedelta(minutes=1),
            seed=9,
        )

    page.reload()
    settled(page)

    assert page.locator(".headline").inner_text() != headline
    expect(page.locator(".source").first).to_contain_text(added.plan_id)
    assert inked(page, "policies") > 2_000
    page.goto(f"{site.url}/?plan={site.plan.plan_id}")
    assert page.locator(".headline").inner_text() == headline
    assert re.search("An earlier plan", page.locator("h1").inner_text())
