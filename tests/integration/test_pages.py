"""Who may see the pages, and what a page never does."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from rightrep.domain.ids import RepId, TenantId
from rightrep.domain.roles import Role
from rightrep.errors import StoreUnavailable
from rightrep.store.engine import Store
from rightrep.store.keys import list_keys, revoke_key
from serving.usecases import board
from serving.usecases.tenancy import new_key
from serving.web.page_route import PageRoute, router
from tests import board_market as market
from tests.serving_parts import ACME, Served, serve

HOME = {"origin": "http://testserver"}
DOCS = Path(__file__).parents[2] / "docs" / "manager-page.md"


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Served:
    return serve(store, tmp_path)


def sign_in(served: Served, role: Role = Role.MANAGER, **more: Any) -> Any:
    """Sign in as a browser would; gives the response."""
    form = {"key": served.keys[role], **more}
    return served.http.post("/sign-in", data=form, headers=HOME, follow_redirects=False)


def page(served: Served, path: str = "/") -> Any:
    """One page; gives the response, redirects not followed."""
    return served.http.get(path, follow_redirects=False)


def every_page(served: Served) -> Iterator[Any]:
    """Every kind of page, failures among them, of a market that has everything."""
    leads = market.settle_in(served)
    now = served.clock.now()
    with served.context.store.write(ACME) as session:
        market.add_model(session, at=now)
        plan = market.add_plan(session, leads[:20], at=now)
        market.commit(session, plan, at=now)
        market.add_plan(session, leads[20:], at=now + timedelta(minutes=1))
    yield page(served, "/sign-in")
    yield page(served, "/")
    sign_in(served)
    board_page = page(served)
    yield board_page
    made = re.search(r'href="(/decisions/[0-9a-f-]+)"', board_page.text)
    assert made is not None
    for path in (
        "/better",
        "/models",
        "/me",
        "/stuck",
        "/fair",
        "/channels",
        "/unassigned",
        "/decisions",
        f"/leads/{leads[0]}",
        made[1],
    ):
        answer = page(served, path)
        assert answer.status_code == 200, path
        yield answer
    for path in (
        "/leads/none",
        "/?plan=none",
        "/decisions?cursor=x",
        "/unassigned?after=x",
    ):
        answer = page(served, path)
        assert answer.status_code in {404, 422}, path
        yield answer


def test_whoever_is_not_signed_in_is_led_to_do_so_and_back(served: Served) -> None:
    answer = page(served, "/decisions?cursor=abc")

    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?to=%2Fdecisions%3Fcursor%3Dabc"
    back = sign_in(served, to="/decisions?cursor=abc")
    assert back.headers["location"] == "/decisions?cursor=abc"


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "https://evil.example", "x", "/a\nb"]
)
def test_signing_in_never_leads_elsewhere(served: Served, path: str) -> None:
    assert sign_in(served, to=path).headers["location"] == "/"
    assert (
        'name="to" value="/"' in served.http.get("/sign-in", params={"to": path}).text
    )


@pytest.mark.parametrize("role", [Role.MANAGER, Role.ANALYST, Role.ADMIN])
def test_people_may_see_the_pages(served: Served, role: Role) -> None:
    assert sign_in(served, role).status_code == 303
    assert page(served).status_code == 200


def test_programs_and_reps_may_not(served: Served) -> None:
    rep = served.add_reps("r1")[0]
    served.keys[Role.REP] = new_key(
        served.context, ACME, Role.REP, "rep", rep_id=RepId(rep)
    ).secret

    for role in (Role.SERVICE, Role.REP):
        answer = sign_in(served, role)

        assert answer.status_code == 403
        assert f"This is a key of role {role.value}." in answer.text
        assert page(served).status_code == 303


@pytest.mark.parametrize("key", ["", "   ", "rr_nothing", "x" * 500])
def test_a_wrong_key_is_refused_in_words_and_not_repeated(
    served: Served, key: str
) -> None:
    answer = sign_in(served, key=key)

    assert answer.status_code == 401
    assert 'role="alert"' in answer.text
    assert "set-cookie" not in answer.headers
    assert "rr_nothing" not in answer.text


def test_the_browser_keeps_no_key_and_gives_its_token_to_nobody(
    served: Served,
) -> None:
    cookie = sign_in(served).headers["set-cookie"]

    assert served.keys[Role.MANAGER] not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert cookie.startswith("rightrep=")


def test_over_https_the_token_stays_on_https(served: Served) -> None:
    secure = TestClient(served.http.app, base_url="https://testserver")
    form = {"key": served.keys[Role.MANAGER]}

    answer = secure.post(
        "/sign-in",
        data=form,
        headers={"origin": "https://testserver"},
        follow_redirects=False,
    )

    assert answer.headers["set-cookie"].startswith("__Host-rightrep=")
    assert "Secure" in answer.headers["set-cookie"]
    assert secure.get("/").status_code == 200


def test_the_token_opens_pages_and_nothing_else(served: Served) -> None:
    sign_in(served)
    token = served.http.cookies["rightrep"]

    assert served.http.get("/v1/decisions").status_code == 401
    assert served.get("/v1/decisions", key=token).status_code == 401


def test_a_sign_in_ends_after_half_a_day(served: Served) -> None:
    sign_in(served)
    served.clock.move(timedelta(hours=11, minutes=59))
    assert page(served).status_code == 200

    served.clock.move(timedelta(minutes=2))

    assert page(served).status_code == 303


def test_a_sign_in_ends_with_its_key(served: Served) -> None:
    sign_in(served)
    with served.context.store.write(ACME) as session:
        for key in list_keys(session):
            revoke_key(session, key.key_id, at=served.clock.now())

    assert page(served).status_code == 303


def test_signing_out_forgets_the_token(served: Served) -> None:
    sign_in(served)

    answer = served.http.post("/sign-out", headers=HOME, follow_redirects=False)

    assert answer.headers["location"] == "/sign-in"
    assert page(served).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "origin": "http://testserver"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
)
def test_forms_of_other_sites_do_nothing(
    served: Served, headers: dict[str, str]
) -> None:
    form = {"key": served.keys[Role.MANAGER]}
    signed = served.http.post("/sign-in", data=form, headers=headers)

    assert signed.status_code == 403
    assert page(served).status_code == 303
    sign_in(served)
    assert served.http.post("/sign-out", headers=headers).status_code == 403
    assert page(served).status_code == 200


class Strict(HTMLParser):
    """Notes everything that the page's own policy would have to refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        data = given.get("type") == "application/json"
        if tag == "style" or (tag == "script" and "src" not in given and not data):
            self.refused.append(tag)
        self.refused += [name for name in given if name == "style" or name[:2] == "on"]
        for name in ("src", "href", "action"):
            if not (given.get(name) or "/").startswith(("/", "#")):
                self.refused.append(f"{name}={given[name]}")


def test_every_page_is_strict_with_itself(served: Served) -> None:
    for answer in every_page(served):
        reader = Strict()
        reader.feed(answer.text)

        assert reader.refused == []
        if answer.status_code == 303:
            continue
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "private, no-store"
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "<h1" in answer.text


def test_an_analyst_sees_no_names(served: Served) -> None:
    sign_in(served, Role.ANALYST)
    served.keys[Role.MANAGER] = served.keys[Role.ANALYST]
    words = [rep.name for rep in market.REPS] + list(market.COMPANIES)

    for answer in every_page(served):
        shown = answer.text.replace("&#39;", "'")
        assert [word for word in words if word in shown] == []
        assert re.search(r"\bL\d{5}\b", shown) is None


def test_nothing_of_another_tenant_is_shown(store: Store, tmp_path: Path) -> None:
    theirs = serve(store, tmp_path, tenant_id=TenantId("other"))
    leads = market.settle_in(theirs)
    with store.write(TenantId("other")) as session:
        plan = market.add_plan(session, leads, at=theirs.clock.now())
        market.commit(session, plan, at=theirs.clock.now())
    sign_in(theirs)
    made = re.search(r'href="(/decisions/[0-9a-f-]+)"', page(theirs).text)
    assert made is not None
    ours = serve(store, tmp_path)
    sign_in(ours)

    for path in (
        f"/?plan={plan.plan_id}",
        f"/leads/{leads[0]}",
        "/leads/L00001",
        made[1],
    ):
        assert page(ours, path).status_code == 404
    assert "There is no plan yet" in page(ours).text


def test_what_people_type_is_shown_and_never_run(served: Served) -> None:
    nasty = '</script><script>alert("1")</script><img src=x onerror=alert(1)>'
    served.post("/v1/reps", {"reps": [{"external_id": "r1", "name": nasty}]})
    sign_in(served)

    shown = page(served).text

    assert "<script>alert" not in shown
    assert "<img" not in shown
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown


def test_a_database_that_is_away_is_said_on_the_page(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(served)

    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("The database does not answer: host db.internal")

    monkeypatch.setattr(board, "read_board", away)

    answer = page(served)

    assert answer.status_code == 503
    assert "The database does not answer" in answer.text
    assert "db.internal" not in answer.text
    assert answer.headers["retry-after"] == "5"


def test_a_crash_shows_a_page_and_no_trace(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(served)

    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("secret 42")

    monkeypatch.setattr(board, "read_board", crash)

    answer = page(served)

    assert answer.status_code == 500
    assert "Something broke here" in answer.text
    assert "secret 42" not in answer.text
    assert "Traceback" not in answer.text


def test_a_browser_that_goes_astray_gets_a_page_and_a_program_a_problem(
    served: Served,
) -> None:
    browser = {"accept": "text/html,application/xhtml+xml"}

    assert "There is no such page" in served.http.get("/nope", headers=browser).text
    for path, headers in (("/nope", {}), ("/v1/nope", browser)):
        answer = served.http.get(path, headers=headers)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
    for path, methods in (("/decisions", "GET"), ("/sign-in", "GET, POST")):
        for headers in ({}, browser):
            wrong = served.http.delete(path, headers=headers)
            assert wrong.status_code == 405
            assert wrong.headers["allow"] == methods


def test_the_api_document_knows_no_page(served: Served) -> None:
    paths = served.http.get("/openapi.json").json()["paths"]

    assert [
        path
        for path in paths
        if not path.startswith(("/v1", "/healthz", "/readyz", "/metrics"))
    ] == []


def test_pages_and_files_travel_compressed(served: Served) -> None:
    for path in ("/sign-in", "/static/vendor/echarts.simple.min.js"):
        answer = served.http.get(path, headers={"accept-encoding": "gzip"})

        assert answer.headers["content-encoding"] == "gzip"


def test_files_may_be_kept_by_their_version_only(served: Served) -> None:
    styled = re.search(
        r'href="(/static/board.css\?v=\w+)"', page(served, "/sign-in").text
    )
    assert styled is not None

    kept = served.http.get(styled[1])
    asked = served.http.get("/static/board.css")

    assert "immutable" in kept.headers["cache-control"]
    assert asked.headers["cache-control"] == "no-cache"
    assert served.http.get("/static/../pages.py").status_code == 404


def test_every_page_is_written_down() -> None:
    written = DOCS.read_text(encoding="utf-8")

    pages = {route.path for route in router.routes if isinstance(route, PageRoute)}

    assert {path for path in pages if f"`{path}`" not in written} == set()
