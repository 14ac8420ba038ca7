"""People sign in with name and password; a rep sees own leads; in a real browser."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from rightrep.domain.ids import RepId
from rightrep.domain.roles import Role
from rightrep.store import people
from rightrep.store.aliases import RecordKind, resolve
from rightrep.store.engine import Store
from serving.usecases import people as use
from serving.web.language import translations
from tests.browser.conftest import Site, Visit, Visitor, market_site, settled
from tests.browser.test_pages import faults
from tests.oidc_provider import CLIENT, SECRET, openid_provider
from tests.servers import running
from tests.serving_parts import ACME, Served, serve

pytestmark = pytest.mark.browser

NEW = "correct horse battery"
LOOKS: dict[str, dict[str, Any]] = {
    "english": {"locale": "en-GB"},
    "chinese": {"locale": "zh-CN", "color_scheme": "dark"},
    "phone": {"locale": "zh-CN", "width": 375, "height": 812, "is_mobile": True},
}


@pytest.fixture(scope="module")
def site(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A site of one's own: where people sign in, the page asks for them first."""
    with market_site(sqlite_template, tmp_path_factory.mktemp("people")) as made:
        yield made


def add(served: Served, name: str, role: Role, *, rep: str | None = None) -> str:
    """Somebody with a first password; gives the password."""
    secret = use.made(served.context)
    with served.context.store.write(ACME) as session:
        own = None if rep is None else resolve(session, RecordKind.REP, rep)
        person = people.add_person(
            session,
            name,
            role=role,
            at=served.clock.now(),
            display_name="王伟",
            rep_id=None if own is None else RepId(own),
        )
        use.give(session, person.person_id, secret)
    return secret.text


def words_of(look: str) -> Any:
    """The page's language: English words in, its words out."""
    return translations("en" if look == "english" else "zh").gettext


def sign_in(page: Page, say: Any, name: str, password: str) -> None:
    page.get_by_label(say("Name or e-mail address")).fill(name)
    page.get_by_label(say("Password"), exact=True).fill(password)
    page.get_by_role("button", name=say("Sign in"), exact=True).click()


def looked_at(visit: Visit, tmp_path: Path, name: str) -> None:
    """The page is accessible, fits, and is kept as a picture."""
    settled(visit.page)
    visit.page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
    assert faults(visit.page) == [], name
    wide, room = visit.page.evaluate(
        "[document.documentElement.scrollWidth, window.innerWidth]"
    )
    assert wide <= room, name


@pytest.mark.parametrize("look", LOOKS)
def test_a_manager_signs_in_changes_the_first_password_and_leaves(
    visit: Visitor, site: Site, tmp_path: Path, look: str
) -> None:
    say, name = words_of(look), f"{look}@acme.example"
    first = add(site.served, name, Role.MANAGER)
    reader = visit(role=None, **LOOKS[look])
    page = reader.page
    page.goto(f"{site.url}/reps")
    expect(page.get_by_label(say("Name or e-mail address"))).to_be_focused()
    looked_at(reader, tmp_path, "sign-in")

    sign_in(page, say, name, "wrong horse battery")
    expect(page.get_by_role("alert")).to_be_visible()
    looked_at(reader, tmp_path, "refused")
    sign_in(page, say, name, first)
    page.wait_for_url(f"{site.url}/me")
    looked_at(reader, tmp_path, "first-password")
    page.get_by_label(say("Present password")).fill(first)
    page.get_by_label(say("New password"), exact=True).fill(NEW)
    page.get_by_label(say("New password again")).fill(NEW)
    page.get_by_role("button", name=say("Change the password")).click()
    page.wait_for_url(f"{site.url}/")
    page.get_by_role("link", name="王伟").click()
    page.wait_for_url(f"{site.url}/me")
    looked_at(reader, tmp_path, "me")

    assert reader.said == [f"{UNAUTHORIZED}"]
    kept = page.context.cookies()
    page.get_by_role("button", name=say("Sign out"), exact=True).click()
    page.wait_for_url(f"{site.url}/sign-in")
    page.context.add_cookies(kept)  # type: ignore[arg-type]
    page.goto(f"{site.url}/reps")
    page.wait_for_url(f"{site.url}/sign-in?to=%2Freps")


UNAUTHORIZED = (
    "Failed to load resource: the server responded with a status of 401 (Unauthorized)"
)


@pytest.mark.parametrize("look", LOOKS)
def test_a_rep_sees_own_leads_and_no_way_to_others(
    visit: Visitor, site: Site, tmp_path: Path, look: str
) -> None:
    say, name = words_of(look), f"rep-{look}"
    first = add(site.served, name, Role.REP, rep="R01")
    with site.served.context.store.write(ACME) as session:
        person = people.get_person(session, name)
        use.give(session, person.person_id, use.chosen(site.served.context, name, NEW))
    assert first != NEW
    reader = visit(role=None, **LOOKS[look])
    reader.page.goto(site.url)

    sign_in(reader.page, say, name, NEW)

    reader.page.wait_for_url(f"{site.url}/mine")
    looked_at(reader, tmp_path, "mine")
    expect(reader.page.locator("#leads-table tbody tr").first).to_be_visible()
    box = reader.page.locator(".scroll")
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth")
    links = reader.page.get_by_role("navigation").get_by_role("link")
    assert links.all_inner_texts() == [say("My leads")]
    assert reader.said == []


def test_a_real_browser_goes_to_the_provider_and_comes_back_signed_in(
    browser: Browser,
    sqlite_template: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'store.db')}"
    store = Store(url)
    served = serve(store, tmp_path)
    add(served, "wang@acme.example", Role.ADMIN)
    store.close()
    with openid_provider() as provider:
        provider.now = time.time()
        for name, value in (
            ("ISSUER", provider.issuer),
            ("CLIENT_ID", CLIENT),
            ("CLIENT_SECRET", SECRET),
        ):
            monkeypatch.setenv(f"RIGHTREP_OIDC_{name}", value)
        with running(url, tmp_path, tenant=ACME) as [server]:
            page = browser.new_page()
            page.goto(f"{server.url}/stuck")

            page.get_by_role("link", name="Sign in through your organisation").click()

            page.wait_for_url(f"{server.url}/stuck")
            expect(page.get_by_role("link", name="王伟")).to_be_visible()
            page.close()
