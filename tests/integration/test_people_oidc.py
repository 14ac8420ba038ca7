"""People sign in through an OpenID provider: a real one in small, on a real socket."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from rightrep.domain.person import DISPLAY_CHARS, NAME_CHARS, Person
from rightrep.domain.roles import Role
from rightrep.errors import InvalidInput
from rightrep.settings import Settings
from rightrep.store import people
from rightrep.store.engine import Store
from rightrep.store.tries import LIMITS, TryOf
from serving.oidc import KNOWN_FOR, LEEWAY_SECONDS, Provider
from serving.usecases import people as use
from tests.oidc_provider import CLIENT, SECRET, FakeProvider, openid_provider
from tests.serving_parts import ACME, Served, serve

HOME = {"origin": "http://testserver"}
EMAIL = "wang@acme.example"
ROLES = {"managers": Role.MANAGER, "admins": Role.ADMIN, "data": Role.ANALYST}


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with openid_provider() as fake:
        yield fake


def behind(fake: FakeProvider, store: Store, home: Path, **more: Any) -> Served:
    """The pages of a tenant that signs in through this provider."""
    environment = {
        "oidc_issuer": fake.issuer,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SecretStr(SECRET),
        **more,
    }
    made = serve(store, home, environment=environment)
    fake.now = made.clock.now().timestamp()
    return made


@pytest.fixture
def served(
    provider: FakeProvider, sqlite_template: Path, tmp_path: Path
) -> Iterator[Served]:
    store = Store(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'store.db')}")
    yield behind(provider, store, tmp_path)
    store.close()


@pytest.fixture
def with_roles(
    provider: FakeProvider, sqlite_template: Path, tmp_path: Path
) -> Iterator[Served]:
    """The same where groups give roles."""
    store = Store(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'store.db')}")
    yield behind(provider, store, tmp_path, oidc_role_claim="groups", oidc_roles=ROLES)
    store.close()


def add(served: Served, name: str = EMAIL, role: Role = Role.MANAGER) -> Person:
    with served.context.store.write(ACME) as session:
        return people.add_person(session, name, role=role, at=served.clock.now())


def everybody(served: Served) -> list[Person]:
    with served.context.store.read(ACME) as session:
        return people.list_people(session)


def get(served: Served, path: str) -> Any:
    return served.http.get(path, follow_redirects=False)


def leave(served: Served, to: str = "/decisions") -> str:
    """Leave for the provider; gives the address that the browser is sent to."""
    answer = get(served, f"/sign-in/provider?to={to}")
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def sign_in(served: Served, provider: FakeProvider) -> Any:
    """There and back again; gives the answer to the return."""
    return get(served, provider.authorize(leave(served)))


def assert_refused(served: Served, answer: Any, status: int, said: str) -> None:
    assert answer.status_code == status
    assert said in answer.text
    assert 'role="alert"' in answer.text
    assert "rightrep=rs_" not in answer.headers.get("set-cookie", "")
    assert get(served, "/").status_code == 303


def test_somebody_who_was_added_signs_in_with_a_verified_address(
    served: Served, provider: FakeProvider
) -> None:
    add(served)

    answer = sign_in(served, provider)

    assert answer.status_code == 200
    assert 'content="0; url=/decisions"' in answer.text
    assert get(served, "/decisions").status_code == 200
    (person,) = everybody(served)
    assert (person.issuer, person.subject) == (provider.issuer, "u-1")


def test_the_page_offers_the_provider_only_where_there_is_one(
    served: Served, store: Store, tmp_path: Path
) -> None:
    assert "/sign-in/provider" in get(served, "/sign-in").text

    plain = serve(store, tmp_path)

    assert "/sign-in/provider" not in get(plain, "/sign-in").text
    assert get(plain, "/sign-in/provider").status_code == 404


def test_the_session_cookie_stays_strict_and_the_trips_is_gone(
    served: Served, provider: FakeProvider
) -> None:
    add(served)
    left = get(served, "/sign-in/provider").headers["set-cookie"]

    back = get(served, provider.authorize(leave(served))).headers.get_list("set-cookie")

    assert "rightrep_trip=" in left
    for flag in ("HttpOnly", "SameSite=lax", "Max-Age=600"):
        assert flag in left
    assert any(c.startswith("rightrep=rs_") and "SameSite=strict" in c for c in back)
    assert any(c.startswith('rightrep_trip=""') and "Max-Age=0" in c for c in back)


def test_the_account_counts_from_then_on_and_not_the_address(
    served: Served, provider: FakeProvider
) -> None:
    add(served)
    sign_in(served, provider)

    provider.claims["email"] = "wang.wei@acme.example"
    assert sign_in(served, provider).status_code == 200
    provider.claims |= {"sub": "u-2", "email": EMAIL}
    served.http.cookies.clear()

    assert_refused(served, sign_in(served, provider), 403, "Somebody else")


def test_a_first_password_that_is_not_needed_ends_and_nobody_has_to_change_it(
    served: Served, provider: FakeProvider
) -> None:
    person, first = add(served), use.made(served.context)
    with served.context.store.write(ACME) as session:
        use.give(session, person.person_id, first)

    sign_in(served, provider)

    assert get(served, "/decisions").status_code == 200
    form = {"name": EMAIL, "password": first.text}
    assert served.http.post("/sign-in", data=form, headers=HOME).status_code == 401


def test_a_password_that_its_person_chose_is_kept_beside_the_provider(
    served: Served, provider: FakeProvider
) -> None:
    person = add(served)
    chosen = use.chosen(served.context, EMAIL, "horse battery staple")
    with served.context.store.write(ACME) as session:
        use.give(session, person.person_id, chosen)

    sign_in(served, provider)

    form = {"name": EMAIL, "password": chosen.text}
    answer = served.http.post(
        "/sign-in", data=form, headers=HOME, follow_redirects=False
    )
    assert answer.status_code == 303


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("wang@strasse.example", "wang@straße.example"),
        (EMAIL, "ｗang@acme.example"),
        ("king@acme.example", "\u212aing@acme.example"),
    ],
)
def test_an_address_that_only_looks_like_one_of_ours_is_another(
    served: Served, provider: FakeProvider, ours: str, theirs: str
) -> None:
    add(served, ours)
    provider.claims["email"] = theirs

    assert_refused(served, sign_in(served, provider), 403, "has not verified")
    assert everybody(served)[0].subject is None


@pytest.mark.parametrize("ours", ["Wang@Acme.example", "Wang@例子.example"])
def test_an_address_in_other_letters_of_the_same_case_is_the_same(
    served: Served, provider: FakeProvider, ours: str
) -> None:
    add(served, ours)
    provider.claims["email"] = ours

    assert sign_in(served, provider).status_code == 200


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("王\u200b伟\n", "王 伟"),
        ("x" * 300, "x" * 200),
        ("\u200b", EMAIL),
        ("", EMAIL),
        (7, EMAIL),
        (None, EMAIL),
    ],
)
def test_a_name_that_no_page_can_show_keeps_nobody_out(
    with_roles: Served, provider: FakeProvider, told: object, shown: str
) -> None:
    provider.claims |= {"groups": ["managers"], "name": told}

    assert sign_in(with_roles, provider).status_code == 200
    assert everybody(with_roles)[0].display_name == shown


def test_the_longest_address_is_shown_as_far_as_a_name_goes(
    with_roles: Served, provider: FakeProvider
) -> None:
    address = "w" * (NAME_CHARS - len(EMAIL)) + EMAIL
    provider.claims |= {"groups": ["managers"], "name": None, "email": address}

    assert sign_in(with_roles, provider).status_code == 200
    (person,) = everybody(with_roles)
    assert person.sign_in_name == address
    assert person.display_name == address[:DISPLAY_CHARS]


def test_nobody_else_is_let_in(served: Served, provider: FakeProvider) -> None:
    add(served, "li@acme.example")

    assert_refused(served, sign_in(served, provider), 403, "Nobody has added you")
    assert len(everybody(served)) == 1


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_an_address_that_is_not_verified_is_nobodys(
    served: Served, provider: FakeProvider, verified: object
) -> None:
    add(served)
    provider.claims["email_verified"] = verified

    assert_refused(served, sign_in(served, provider), 403, "has not verified")
    assert everybody(served)[0].subject is None


def test_a_disabled_person_is_refused_whatever_the_provider_says(
    served: Served, provider: FakeProvider
) -> None:
    person = add(served)
    sign_in(served, provider)
    with served.context.store.write(ACME) as session:
        people.disable_person(session, person.person_id, at=served.clock.now())

    assert_refused(served, sign_in(served, provider), 403, "Nobody has added you")


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another"},
        {"aud": [CLIENT, "another"]},
        {"aud": None},
        {"azp": "another"},
        {"iss": "https://evil.example"},
        {"exp": 0},
        {"exp": None},
        {"iat": 4_000_000_000},
        {"nbf": 4_000_000_000},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"at_hash": "bm9uc2Vuc2U"},
    ],
    ids=str,
)
def test_a_token_that_is_not_for_this_sign_in_is_refused(
    served: Served, provider: FakeProvider, wrong: dict[str, object]
) -> None:
    add(served)
    provider.wrong = wrong

    assert_refused(served, sign_in(served, provider), 401, "did not confirm")


@pytest.mark.parametrize("seconds", [-LEEWAY_SECONDS, LEEWAY_SECONDS])
def test_clocks_may_differ_by_half_a_minute_and_no_more(
    served: Served, provider: FakeProvider, seconds: int
) -> None:
    add(served)
    issued = served.clock.now().timestamp() + seconds
    # A token that is about to end where the provider's clock is behind.
    fresh = {"iat": int(issued), "nbf": int(issued), "exp": int(issued) + 1}
    late = {name: at + (2 if seconds > 0 else -2) for name, at in fresh.items()}

    provider.wrong = late
    assert_refused(served, sign_in(served, provider), 401, "did not confirm")
    provider.wrong = fresh
    assert sign_in(served, provider).status_code == 200


@pytest.mark.parametrize("signed_by", ["none", "stranger", "public key"])
def test_a_token_that_the_provider_did_not_sign_is_refused(
    served: Served, provider: FakeProvider, signed_by: str
) -> None:
    add(served)
    provider.signed_by = signed_by

    assert_refused(served, sign_in(served, provider), 401, "did not confirm")


def test_a_return_works_once(served: Served, provider: FakeProvider) -> None:
    add(served)
    address = leave(served)
    trip = served.http.cookies["rightrep_trip"]
    sign_in_address = provider.authorize(address)
    assert get(served, sign_in_address).status_code == 200

    served.http.cookies.clear()
    served.http.cookies.set("rightrep_trip", trip)

    assert_refused(served, get(served, sign_in_address), 401, "Begin again")
    served.http.cookies.set("rightrep_trip", trip)
    again = provider.authorize(address)
    assert_refused(served, get(served, again), 401, "Begin again")


def test_a_return_to_another_browser_is_refused(
    served: Served, provider: FakeProvider
) -> None:
    add(served)
    back = provider.authorize(leave(served))
    victim = Served(
        served.context, served.clock, TestClient(served.http.app), served.keys
    )

    assert_refused(victim, get(victim, back), 401, "did not begin in this browser")
    for path in ("/sign-in/return", "/sign-in/return?state=&code=x"):
        assert_refused(victim, get(victim, path), 401, "did not begin")


def test_a_return_after_ten_minutes_is_refused(
    served: Served, provider: FakeProvider
) -> None:
    add(served)
    back = provider.authorize(leave(served))
    served.clock.move(timedelta(minutes=10))

    assert_refused(served, get(served, back), 401, "took too long")


def test_a_code_that_the_provider_does_not_know_is_refused(
    served: Served, provider: FakeProvider
) -> None:
    add(served)
    back = provider.authorize(leave(served))

    for answer in (
        get(served, back.replace("code=", "code=x")),
        get(
            served,
            f"/sign-in/return?error=access_denied&state={state_of(leave(served))}",
        ),
    ):
        assert_refused(served, answer, 401, "did not confirm")


def state_of(address: str) -> str:
    return address.partition("state=")[2].partition("&")[0]


@pytest.mark.parametrize("at", ["leaving", "returning"])
def test_a_provider_that_is_away_is_said_on_the_page(
    served: Served, provider: FakeProvider, at: str
) -> None:
    add(served)
    if at == "leaving":
        provider.silent = True
        answer = get(served, "/sign-in/provider")
    else:
        back = provider.authorize(leave(served))
        provider.silent = True
        answer = get(served, back)

    assert_refused(served, answer, 503, "does not answer")
    provider.silent = False
    assert sign_in(served, provider).status_code == 200


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"authorization_endpoint": None},
        {"jwks_uri": None},
    ],
    ids=str,
)
def test_a_provider_that_speaks_for_another_is_not_believed(
    served: Served, provider: FakeProvider, said: dict[str, object]
) -> None:
    add(served)
    provider.discovery = said

    assert_refused(served, get(served, "/sign-in/provider"), 503, "does not answer")


def test_the_provider_is_asked_for_its_addresses_every_ten_minutes(
    served: Served, provider: FakeProvider
) -> None:
    for _ in range(3):
        leave(served)
    assert len(provider.asked) == 1

    served.clock.move(KNOWN_FOR)
    leave(served)

    assert len(provider.asked) == 2


def test_leaving_over_and_over_without_coming_back_is_stopped(
    served: Served, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(served)
    monkeypatch.setitem(LIMITS, TryOf.ADDRESS, 3)
    for _ in range(5):
        assert sign_in(served, provider).status_code == 200
    for _ in range(3):
        leave(served)

    stopped = get(served, "/sign-in/provider")

    assert stopped.status_code == 429
    assert "retry-after" in stopped.headers


def test_another_site_sends_nobody_to_the_provider_and_uses_up_no_try(
    served: Served, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(served)
    monkeypatch.setitem(LIMITS, TryOf.ADDRESS, 1)
    for site in ("cross-site", "same-site"):
        answer = served.http.get(
            "/sign-in/provider?to=/reps",
            headers={"sec-fetch-site": site},
            follow_redirects=False,
        )
        assert answer.headers["location"] == "/sign-in?to=%2Freps"
        assert "set-cookie" not in answer.headers

    assert sign_in(served, provider).status_code == 200


def test_a_group_gives_a_role_and_takes_it_away(
    with_roles: Served, provider: FakeProvider
) -> None:
    for groups, role in (
        (["data", "staff"], Role.ANALYST),
        (["data", "admins", "managers"], Role.ADMIN),
        ("managers", Role.MANAGER),
    ):
        provider.claims["groups"] = groups
        assert sign_in(with_roles, provider).status_code == 200
        (person,) = everybody(with_roles)
        assert (person.role, person.display_name) == (role, "王伟")
    provider.claims["groups"] = ["staff", {"odd": 1}]
    with_roles.http.cookies.clear()

    answer = sign_in(with_roles, provider)

    assert_refused(with_roles, answer, 403, "no longer gives you a role")


def test_a_group_adds_nobody_without_a_verified_address_or_a_role(
    with_roles: Served, provider: FakeProvider
) -> None:
    provider.claims |= {"groups": ["managers"], "email_verified": False}
    assert_refused(with_roles, sign_in(with_roles, provider), 403, "has not verified")
    provider.claims |= {"groups": ["staff"], "email_verified": True}

    assert_refused(with_roles, sign_in(with_roles, provider), 403, "Nobody has added")
    assert everybody(with_roles) == []


def test_a_role_that_was_given_here_is_not_changed_by_groups(
    with_roles: Served, provider: FakeProvider
) -> None:
    add(with_roles, role=Role.ANALYST)
    provider.claims["groups"] = ["admins"]

    assert sign_in(with_roles, provider).status_code == 200
    assert everybody(with_roles)[0].role is Role.ANALYST


@pytest.mark.parametrize(
    "settings",
    [
        {"oidc_issuer": "https://idp"},
        {"oidc_issuer": "https://idp", "oidc_client_id": "x", "oidc_role_claim": "g"},
        {
            "oidc_issuer": "https://idp",
            "oidc_client_id": "x",
            "oidc_roles": {"a": "admin"},
        },
        {
            "oidc_issuer": "https://idp",
            "oidc_client_id": "x",
            "oidc_role_claim": "g",
            "oidc_roles": {"a": "rep"},
        },
    ],
    ids=str,
)
def test_settings_that_do_not_go_together_are_refused_at_the_start(
    served: Served, settings: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput, match="RIGHTREP_OIDC"):
        Provider.of(Settings(**settings), served.clock)


def test_the_secret_is_told_nowhere(served: Served) -> None:
    assert SECRET not in repr(served.context.provider)
    assert SECRET not in repr(served.context.settings)
