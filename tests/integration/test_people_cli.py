"""People by the terminal: added, let out and in, erased; no password in sight."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from rightrep.domain.ids import TenantId
from rightrep.errors import Conflict, InvalidInput, NotFound, NotSignedIn
from rightrep.settings import Settings
from rightrep.store import people, sign_ins
from rightrep.store.engine import Store
from serving.cli import app
from serving.commands import people as commands
from serving.passwords import Passwords
from serving.usecases import people as use
from serving.usecases.context import Context
from tests.serving_parts import QUICK

DEFAULT = TenantId("default")
PASSWORD = "horse battery staple"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RIGHTREP_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    quick = Passwords(QUICK)
    monkeypatch.setattr("serving.usecases.context.Passwords", lambda: quick)
    return tmp_path


def run(*words: str, typed: str | None = None) -> Result:
    done = CliRunner().invoke(app, ["people", *words], input=typed)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def may_sign_in(home: Path, name: str, password: str) -> bool:
    context = Context.of(Settings(home=home))
    object.__setattr__(context, "passwords", Passwords(QUICK))
    try:
        use.sign_in(context, DEFAULT, name, password, address="here")
    except NotSignedIn:
        return False
    finally:
        context.store.close()
    return True


def test_a_first_password_is_printed_once_and_opens_the_door(home: Path) -> None:
    done = run("add", "Wang@acme.example", "--role", "manager", "--display", "王伟")

    assert may_sign_in(home, "wang@acme.example", done.stdout.strip())
    listed = run("list").stdout
    assert "manager   first password      signed in" in listed
    assert "wang@acme.example (王伟)" in listed
    assert done.stdout.strip() not in listed


def test_a_password_of_ones_own_is_read_or_typed_twice(home: Path) -> None:
    run("add", "a", "--role", "analyst", "--password", "stdin", typed=f"{PASSWORD}\n")
    twice = f"{PASSWORD}\n{PASSWORD}\n"
    asked = run("add", "b", "--role", "admin", "--password", "ask", typed=twice)

    assert may_sign_in(home, "a", PASSWORD)
    assert may_sign_in(home, "b", PASSWORD)
    assert PASSWORD not in asked.stdout


def test_whoever_signs_in_through_the_provider_has_no_password(home: Path) -> None:
    run("add", "a", "--role", "analyst", "--password", "none")

    assert "analyst   –" in run("list").stdout
    assert not may_sign_in(home, "a", "")
    with pytest.raises(InvalidInput):
        run("password", "a", "--password", "none")


@pytest.mark.usefixtures("home")
def test_no_command_takes_a_password_as_an_argument() -> None:
    for name in ("add", "password"):
        given = run(name, "a", "--role", "admin", "--password", PASSWORD)
        assert given.exit_code == 2
    assert set(commands.PasswordFrom) == {"initial", "ask", "stdin", "none"}
    assert "a (" not in run("list").stdout


def test_a_person_is_let_out_and_in_and_given_another_password(home: Path) -> None:
    first = run("add", "a", "--role", "admin").stdout.strip()
    assert may_sign_in(home, "a", first)
    for shown in (run("sessions"), run("sessions", "a")):
        assert shown.stdout.splitlines()[1].split()[-1] == "a"
    run("disable", "a")
    assert run("sessions").stdout.count("\n") == 1
    assert not may_sign_in(home, "a", first)
    assert "disabled" in run("list").stdout
    run("enable", "a")
    assert may_sign_in(home, "a", first)

    second = run("password", "a").stdout.strip()

    assert run("sessions").stdout.count("\n") == 1
    assert not may_sign_in(home, "a", first)
    assert may_sign_in(home, "a", second)


def test_one_sign_in_is_ended_and_the_others_stay(home: Path) -> None:
    first = run("add", "a", "--role", "admin").stdout.strip()
    for _ in range(2):
        may_sign_in(home, "a", first)
    ended = run("sessions").stdout.splitlines()[1].split()[0]

    run("end-session", ended)

    left = run("sessions").stdout
    assert ended not in left
    assert left.count("\n") == 2
    with pytest.raises(NotFound):
        run("end-session", ended)


def test_erasing_asks_and_leaves_no_name_on_the_disk(home: Path) -> None:
    first = run("add", "unmistakable@acme.example", "--role", "admin").stdout.strip()
    may_sign_in(home, "unmistakable@acme.example", first)
    assert run("erase", "unmistakable@acme.example", typed="n\n").exit_code == 1

    run("erase", "unmistakable@acme.example", "--yes")

    assert b"unmistakable" not in (home / "rightrep.db").read_bytes()
    store = Store(f"sqlite:///{home / 'rightrep.db'}")
    with store.read(DEFAULT) as session:
        assert people.list_people(session) == []
        now = Context.of(Settings(home=home)).clock.now()
        assert sign_ins.list_sign_ins(session, at=now) == []
    store.close()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("add", "a b", "--role", "admin"), InvalidInput),
        (("add", "a", "--role", "service"), InvalidInput),
        (("add", "a", "--role", "rep"), InvalidInput),
        (("add", "a", "--role", "rep", "--rep", "nobody"), NotFound),
        (("add", "taken", "--role", "admin"), Conflict),
        (("disable", "nobody"), NotFound),
        (("password", "nobody"), NotFound),
    ],
)
@pytest.mark.usefixtures("home")
def test_a_mistake_is_a_sentence_and_adds_nobody(
    words: tuple[str, ...], error: type[Exception]
) -> None:
    run("add", "taken", "--role", "admin")

    with pytest.raises(error):
        run(*words)

    assert run("list").stdout.count("\n") == 2
