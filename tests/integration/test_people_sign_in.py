"""People sign in to the pages: by name and password, and nothing tells who is here."""

import json
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from rightrep.domain.ids import RepId, TenantId
from rightrep.domain.person import Person
from rightrep.domain.roles import Role
from rightrep.errors import TooManyTries
from rightrep.store import people, sign_ins
from rightrep.store.engine import Store
from rightrep.store.tries import LIMITS, WINDOW, TryOf
from serving.app import create_app
from serving.observe import log_as_json
from serving.passwords import AT_ONCE, WAITING, Passwords
from serving.usecases import people as use
from serving.usecases.context import Context
from serving.web.language import COOKIE
from tests.serving_parts import ACME, QUICK, Served, serve

HOME = {"origin": "http://testserver"}
NAME, PASSWORD = "wang@acme.example", "horse battery staple"
OTHER = TenantId("other")


@pytest.fixture
def served(sqlite_template: Path, tmp_path: Path) -> Iterator[Served]:
    """What the database keeps, both databases keep (``test_ops_people``)."""
    store = Store(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'store.db')}")
    yield serve(store, tmp_path)
    store.close()


@pytest.fixture
def everywhere(store: Store, tmp_path: Path) -> Served:
    """The same on each of the databases."""
    return serve(store, tmp_path)


def add(
    served: Served,
    name: str = NAME,
    role: Role = Role.MANAGER,
    *,
    tenant: TenantId = ACME,
    rep: str | None = None,
) -> Person:
    """Somebody with a password of their own."""
    secret = use.chosen(served.context, name, PASSWORD)
    with served.context.store.write(tenant) as session:
        person = people.add_person(
            session,
            name,
            role=role,
            at=served.clock.now(),
            display_name="王伟",
            rep_id=None if rep is None else RepId(rep),
        )
        use.give(session, person.person_id, secret)
        return people.get_person(session, name)


def sign_in(
    served: Served, name: str = NAME, password: str = PASSWORD, **more: Any
) -> Any:
    """Sign in as a browser would; gives the response."""
    form = {"name": name, "password": password, **more}
    return post(served, "/sign-in", **form)


def post(served: Served, path: str, **form: str) -> Any:
    return served.http.post(path, data=form, headers=HOME, follow_redirects=False)


def page(served: Served, path: str = "/") -> Any:
    return served.http.get(path, follow_redirects=False)


def browser(served: Served) -> Served:
    """Another browser at the same server."""
    http = TestClient(served.http.app)
    return Served(served.context, served.clock, http, served.keys)


def token(served: Served) -> str:
    return served.http.cookies["rightrep"]


def plant(served: Served, kept: str) -> None:
    """Let the browser hold this token and no other."""
    served.http.cookies.clear()
    served.http.cookies.set("rightrep", kept)


def on(served: Served, hasher: PasswordHasher) -> Served:
    """The same database behind a server that hashes otherwise."""
    context = Context(
        served.context.settings,
        served.context.store,
        served.clock,
        passwords=Passwords(hasher),
    )
    return Served(context, served.clock, TestClient(create_app(context)), served.keys)


@pytest.mark.parametrize("role", [Role.MANAGER, Role.ANALYST, Role.ADMIN])
def test_a_person_signs_in_and_the_page_says_who(served: Served, role: Role) -> None:
    add(served, role=role)

    answer = sign_in(served, "  Wang@ACME.example ", to="/decisions")

    assert answer.status_code == 303
    assert answer.headers["location"] == "/decisions"
    shown = page(served, "/decisions").text
    assert "王伟" in shown
    assert role.value in shown


def test_whoever_signs_in_gets_another_token_than_any_before(served: Served) -> None:
    add(served)
    planted = "rs_" + "A" * 43
    plant(served, planted)

    first = sign_in(served).cookies["rightrep"]
    plant(served, first)
    second = sign_in(served).cookies["rightrep"]

    assert len({planted, first, second}) == 3
    plant(served, first)
    assert page(served).status_code == 303, "the sign-in before has ended"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(served: Served) -> None:
    add(served)
    plain = sign_in(served).headers["set-cookie"]
    secure = TestClient(served.http.app, base_url="https://testserver").post(
        "/sign-in",
        data={"name": NAME, "password": PASSWORD},
        headers={"origin": "https://testserver"},
        follow_redirects=False,
    )

    for cookie in (plain, secure.headers["set-cookie"]):
        for flag in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"):
            assert flag in cookie
        assert "Domain" not in cookie
    assert plain.startswith("rightrep=rs_")
    assert secure.headers["set-cookie"].startswith("__Host-rightrep=rs_")
    assert "Secure" in secure.headers["set-cookie"]


def test_signing_out_ends_the_sign_in_on_the_server(everywhere: Served) -> None:
    served = everywhere
    add(served)
    sign_in(served)
    kept = token(served)

    post(served, "/sign-out")

    plant(served, kept)
    assert page(served).status_code == 303


def test_a_sign_in_ends_after_half_a_day(served: Served) -> None:
    add(served)
    sign_in(served)
    served.clock.move(timedelta(hours=11, minutes=59))
    assert page(served).status_code == 200

    served.clock.move(timedelta(minutes=2))

    assert page(served).status_code == 303


def test_a_disabled_person_is_out_at_once_and_stays_out(everywhere: Served) -> None:
    served = everywhere
    person = add(served)
    sign_in(served)
    with served.context.store.write(ACME) as session:
        people.disable_person(session, person.person_id, at=served.clock.now())

    assert page(served).status_code == 303
    assert sign_in(served).status_code == 401


def test_another_tenants_person_is_never_let_in_here(
    everywhere: Served, tmp_path: Path
) -> None:
    served = everywhere
    theirs = serve(served.context.store, tmp_path, tenant_id=OTHER)
    theirs.add_reps("theirs")
    add(theirs, tenant=OTHER)

    for asked in ("", ACME, "nobody"):
        assert sign_in(served, organisation=asked).status_code == 401
    assert sign_in(served, organisation=OTHER).status_code == 303
    assert "theirs" in page(served, "/reps").text
    assert "theirs" not in served.get("/v1/reps").text


def test_the_organisation_is_asked_for_only_where_there_are_several(
    served: Served, tmp_path: Path
) -> None:
    assert 'name="organisation"' not in page(served, "/sign-in").text

    serve(served.context.store, tmp_path, tenant_id=OTHER)

    assert 'name="organisation" value="acme"' in page(served, "/sign-in").text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_in_a_refusal_tells_who_is_here(served: Served, language: str) -> None:
    add(served)
    add(served, "gone")
    with served.context.store.write(ACME) as session:
        gone = people.get_person(session, "gone")
        people.disable_person(session, gone.person_id, at=served.clock.now())
        people.add_person(session, "provider", role=Role.ANALYST, at=served.clock.now())
    served.http.cookies.set(COOKIE, language)

    answers = [
        sign_in(served, name, password)
        for name, password in (
            (NAME, "wrong horse battery"),
            (NAME, ""),
            ("nobody", PASSWORD),
            ("no body", PASSWORD),
            ("", PASSWORD),
            ("gone", PASSWORD),
            ("provider", PASSWORD),
        )
    ]

    assert {answer.status_code for answer in answers} == {401}
    bare = {
        re.sub(r'name="name" value="[^"]*"( autofocus)?', "", a.text) for a in answers
    }
    assert len({re.sub(r" autofocus", "", text) for text in bare}) == 1
    assert all("set-cookie" not in answer.headers for answer in answers)


class Counting(PasswordHasher):
    """Notes how often the slow work is done."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
        self.verified += 1
        return super().verify(hash, password)


def test_every_try_costs_the_same_work_whoever_is_named(served: Served) -> None:
    add(served)
    hasher = Counting()
    asked = on(served, hasher)
    for name, password in (
        (NAME, PASSWORD),
        (NAME, "wrong horse battery"),
        ("nobody", PASSWORD),
        ("no body", PASSWORD),
    ):
        before = hasher.verified
        sign_in(asked, name, password)

        assert hasher.verified == before + 1


def test_after_ten_failures_a_name_is_not_looked_at_for_a_quarter_of_an_hour(
    served: Served,
) -> None:
    add(served)
    for _ in range(LIMITS[TryOf.NAME]):
        assert sign_in(served, password="wrong horse battery").status_code == 401

    refused = sign_in(served)

    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) == WINDOW.total_seconds()
    assert "Try again in a quarter of an hour." in refused.text
    served.clock.move(WINDOW)
    assert sign_in(served).status_code == 303


def test_signing_in_forgets_failures_and_a_new_password_does_too(
    served: Served,
) -> None:
    person = add(served)
    for _ in range(2):
        for _ in range(LIMITS[TryOf.NAME] - 1):
            sign_in(served, password="wrong horse battery")
        assert sign_in(served).status_code == 303
    for _ in range(LIMITS[TryOf.NAME]):
        sign_in(served, password="wrong horse battery")
    secret = use.made(served.context)

    with served.context.store.write(ACME) as session:
        use.give(session, person.person_id, secret)

    assert sign_in(served, password=secret.text).status_code == 303


def test_one_address_that_tries_many_names_is_not_looked_at(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(served)
    monkeypatch.setitem(LIMITS, TryOf.ADDRESS, 3)
    for name in ("a", "b", "c"):
        assert sign_in(served, name).status_code == 401

    assert sign_in(served).status_code == 429
    elsewhere = TestClient(served.http.app, client=("192.0.2.7", 4000))
    form = {"name": NAME, "password": PASSWORD}
    answer = elsewhere.post("/sign-in", data=form, headers=HOME, follow_redirects=False)
    assert answer.status_code == 303


def test_those_who_sign_in_well_do_not_use_up_their_offices_tries(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(served)
    monkeypatch.setitem(LIMITS, TryOf.ADDRESS, 2)

    answers = [sign_in(browser(served)).status_code for _ in range(4)]

    assert answers == [303] * 4


def test_a_try_that_a_crowd_kept_from_being_looked_at_does_not_count(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(served)
    for kind in TryOf:
        monkeypatch.setitem(LIMITS, kind, 2)
    room = served.context.passwords._turnstile._room
    with ExitStack() as crowd:
        for _ in range(AT_ONCE + WAITING):
            assert room.acquire(blocking=False)
            crowd.callback(room.release)
        for _ in range(4):
            answer = sign_in(served)
            assert answer.status_code == 429
            assert "Try again in a few seconds" in answer.text

    assert sign_in(served, password="wrong horse battery").status_code == 401
    assert sign_in(served).status_code == 303


def test_no_more_than_a_few_passwords_are_checked_at_once() -> None:
    entered, leave = threading.Semaphore(0), threading.Event()

    class Held(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
            del hash, password
            entered.release()
            leave.wait(20)
            return True

    passwords = Passwords(Held(time_cost=1, memory_cost=8, parallelism=1))
    threads = [
        threading.Thread(target=passwords.match, args=("kept", "typed"))
        for _ in range(AT_ONCE + WAITING)
    ]
    with ExitStack() as stack:
        stack.callback(leave.set)
        threads[0].start()
        assert entered.acquire(timeout=20)
        for thread in threads[1:]:
            thread.start()
        # Looked at and not taken: whoever comes at that moment would be sent away.
        while passwords._turnstile._room._value:
            time.sleep(0.001)

        with pytest.raises(TooManyTries):
            passwords.match("kept", "typed")
        assert not entered.acquire(blocking=False), "one at a time"
    for thread in threads:
        thread.join(20)
    assert passwords.match("kept", "typed")


def test_a_password_is_kept_as_argon2id_of_the_recommended_cost() -> None:
    kept = Passwords().hash(PASSWORD)

    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert Passwords().match(kept, PASSWORD)
    assert not Passwords().is_outdated(kept)


def test_a_hash_of_a_lower_cost_is_made_anew_at_the_next_sign_in(
    served: Served,
) -> None:
    add(served)
    asked = on(served, PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))

    assert sign_in(asked).status_code == 303

    with served.context.store.read(ACME) as session:
        found = people.find_credential(session, NAME)
    assert found is not None
    assert "m=16,t=2" in (found.password_hash or "")
    assert page(asked).status_code == 200
    assert sign_in(asked).status_code == 303


def test_an_accent_typed_on_another_keyboard_is_the_same_password(
    served: Served,
) -> None:
    secret = use.chosen(served.context, NAME, "caf\u00e9 au lait \uff11\uff12")
    person = add(served)
    with served.context.store.write(ACME) as session:
        use.give(session, person.person_id, secret)

    assert sign_in(served, password="cafe\u0301 au lait 12").status_code == 303


def test_the_first_password_opens_nothing_but_the_page_to_change_it(
    served: Served,
) -> None:
    person = add(served)
    secret = use.made(served.context)
    with served.context.store.write(ACME) as session:
        use.give(session, person.person_id, secret)
    sign_in(served, password=secret.text)
    first = token(served)

    for path in ("/", "/reps", "/mine", "/leads/x"):
        assert page(served, path).headers["location"] == "/me"
    changed = post(
        served, "/me/password", old=secret.text, new=PASSWORD, again=PASSWORD
    )

    assert changed.headers["location"] == "/"
    assert token(served) != first
    assert page(served).status_code == 200
    plant(served, first)
    assert page(served).status_code == 303
    assert sign_in(served, password=secret.text).status_code == 401


def test_the_first_password_is_good_for_a_week(served: Served) -> None:
    person = add(served)
    secret = use.made(served.context)
    with served.context.store.write(ACME) as session:
        use.give(session, person.person_id, secret)

    served.clock.move(use.INITIAL_LASTS)

    assert sign_in(served, password=secret.text).status_code == 401


@pytest.mark.parametrize(
    ("old", "new", "again", "status", "said"),
    [
        ("wrong horse", "correct horse battery", None, 403, "not your present"),
        (PASSWORD, "short", None, 422, "at least 12 characters"),
        (PASSWORD, "a" * 201, None, 422, "at most 200"),
        (PASSWORD, "abababababab", None, 422, "too easy to guess"),
        (PASSWORD, f"{NAME}12", None, 422, "too easy to guess"),
        (PASSWORD, PASSWORD, None, 422, "the one you have"),
        (PASSWORD, "correct horse battery", "another", 422, "repeated differently"),
    ],
)
def test_a_password_that_will_not_do_changes_nothing(
    served: Served, old: str, new: str, again: str | None, status: int, said: str
) -> None:
    add(served)
    sign_in(served)

    answer = post(served, "/me/password", old=old, new=new, again=again or new)

    assert answer.status_code == status
    assert said in answer.text
    assert page(served).status_code == 200
    assert sign_in(served).status_code == 303


def test_guessing_the_present_password_in_an_open_browser_is_limited_too(
    served: Served,
) -> None:
    add(served)
    sign_in(served)
    form = {"new": "correct horse battery", "again": "correct horse battery"}
    for _ in range(LIMITS[TryOf.NAME]):
        post(served, "/me/password", old="wrong horse battery", **form)

    assert post(served, "/me/password", old=PASSWORD, **form).status_code == 429


def test_one_may_sign_out_everywhere_else(served: Served) -> None:
    add(served)
    sign_in(served)
    there = browser(served)
    sign_in(there)
    assert page(served, "/me").text.count("<li>") == 2

    post(served, "/me/sign-outs")

    assert page(there).status_code == 303
    assert page(served).status_code == 200


@pytest.mark.parametrize("path", ["/me/password", "/me/sign-outs"])
def test_whoever_sends_a_form_after_the_sign_in_has_ended_comes_to_a_page(
    served: Served, path: str
) -> None:
    add(served)

    location = post(served, path).headers["location"]
    sign_in(served, to=location.partition("to=")[2].replace("%2F", "/"))

    assert location == "/sign-in?to=%2F"
    assert page(served, "/").status_code == 200


@pytest.mark.parametrize(
    "path", ["/sign-in", "/me/password", "/me/sign-outs", "/sign-out"]
)
def test_forms_of_other_sites_do_nothing(served: Served, path: str) -> None:
    add(served)
    sign_in(served)
    form = {"name": NAME, "password": PASSWORD, "old": PASSWORD, "new": "x" * 12}

    answer = served.http.post(
        path, data=form, headers={"origin": "https://evil.example"}
    )

    assert answer.status_code == 403
    assert page(served).status_code == 200


def test_the_token_opens_pages_and_nothing_of_the_api(served: Served) -> None:
    add(served, role=Role.ADMIN)
    sign_in(served)

    assert served.http.get("/v1/decisions").status_code == 401
    assert served.get("/v1/decisions", key=token(served)).status_code == 401


def test_an_analyst_who_is_a_person_sees_no_names_of_reps(served: Served) -> None:
    add(served, role=Role.ANALYST)
    served.add_reps("r1")
    sign_in(served)

    assert "Rep r1" not in page(served).text
    assert page(served, "/reps").status_code == 403


def test_a_rep_sees_own_leads_and_nothing_else(served: Served) -> None:
    mine, theirs = served.add_reps("r1", "r2", holding_limit=5)
    leads = served.add_leads("L1", "L2", "L3")
    for lead, rep in zip(("L1", "L2"), (mine, theirs), strict=True):
        answer = served.post(f"/v1/leads/{lead}/assign", {"rep": rep})
        assert answer.status_code == 200, answer.text
    add(served, role=Role.REP, rep=mine)

    sign_in(served)

    assert page(served).headers["location"] == "/mine"
    shown = page(served, "/mine").text
    assert "L1" in shown
    assert "L2" not in shown
    assert "L3" not in shown
    for path in ("/reps", "/stuck", f"/leads/{leads[0]}", f"/reps/{mine}", "/models"):
        assert page(served, path).status_code == 403


def test_a_rep_sees_how_long_a_lead_is_kept_and_what_is_overdue(
    served: Served,
) -> None:
    (rep,) = served.add_reps("r1")
    served.add_leads("L1", "L2")
    kept = {"protection": {"follow_up_days": 4}}
    body = {"settings": kept, "reason": "new"}
    put = served.call("PUT", "/v1/pools/common", body, role=Role.ADMIN)
    assert put.status_code == 200, put.text
    served.post("/v1/leads/L1/assign", {"rep": rep})
    served.clock.move(timedelta(days=3, minutes=1))
    served.post("/v1/leads/L2/assign", {"rep": rep})
    add(served, role=Role.REP, rep=rep)
    sign_in(served)

    shown = " ".join(re.sub(r"<[^>]+>", " ", page(served, "/mine").text).split())

    urgent, fresh = shown.index("L1"), shown.index("L2")
    assert urgent < fresh
    assert "2 days left drops on 7 Mar 2026 unless followed up" in shown[urgent:fresh]
    assert "overdue" in shown[urgent:fresh]
    assert "5 days left drops on 10 Mar 2026" in shown[fresh:]
    assert "overdue" not in shown[fresh:]


def test_a_lead_that_is_lost_is_neither_shown_nor_overdue(served: Served) -> None:
    (rep,) = served.add_reps("r1")
    served.add_leads("L1")
    served.post("/v1/leads/L1/assign", {"rep": rep})
    served.clock.move(timedelta(days=5))
    add(served, role=Role.REP, rep=rep)
    sign_in(served)
    assert "overdue" in page(served, "/mine").text
    told = {
        "event_id": "e1",
        "lead": "L1",
        "result": "lost",
        "closed_at": served.clock.now().isoformat(),
    }
    answer = served.post("/v1/feedback/outcomes", {"outcomes": [told]})
    assert answer.status_code == 201, answer.text

    shown = re.sub(r"\s+", " ", page(served, "/mine").text)

    assert "L1" not in shown
    assert "<dt>Overdue</dt><dd>0</dd>" in shown


def test_a_manager_has_no_leads_of_their_own(served: Served) -> None:
    add(served)
    sign_in(served)

    assert page(served, "/mine").status_code == 403


def test_no_log_line_holds_a_password_a_name_or_a_token(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    log_as_json()
    person = add(served)
    capsys.readouterr()

    sign_in(served, password="a wrong one entirely")
    sign_in(served)
    new = "correct horse battery"
    post(served, "/me/password", old=PASSWORD, new=new, again=new)
    page(served, f"/sign-in?to=/me&name={NAME}")
    for _ in range(LIMITS[TryOf.NAME] + 1):
        sign_in(served, password="a wrong one entirely")

    said = "".join(capsys.readouterr())
    assert "signed in" in said
    assert person.person_id in said
    for secret in (PASSWORD, new, "a wrong one", NAME, "王伟", token(served), "argon2"):
        assert secret not in said
    assert all(json.loads(line) for line in said.splitlines())


def test_two_servers_keep_one_count(everywhere: Served) -> None:
    served = everywhere
    add(served)
    second = Context(
        served.context.settings,
        Store(served.context.store.url.render_as_string(hide_password=False)),
        served.clock,
        passwords=Passwords(QUICK),
    )
    other = Served(second, served.clock, TestClient(create_app(second)), served.keys)
    answers = [
        sign_in(one, password="wrong horse battery").status_code
        for _ in range(LIMITS[TryOf.NAME])
        for one in (served, other)
    ]
    second.store.close()

    assert answers.count(401) == LIMITS[TryOf.NAME]
    assert answers.count(429) == LIMITS[TryOf.NAME]


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """Other tests find structlog as they left it."""
    import structlog

    kept = structlog.get_config()
    yield
    structlog.configure(**kept)


def test_what_is_over_is_swept_away(served: Served) -> None:
    add(served)
    sign_in(served)
    served.clock.move(sign_ins.LASTS)
    with served.context.store.write(ACME) as session:
        assert sign_ins.purge_sign_ins(session, at=served.clock.now()) == 1
