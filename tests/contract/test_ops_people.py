"""People who sign in: who they are, where they are signed in, how often they try."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, inspect, select, text

from rightrep.domain.ids import RepId, TenantId
from rightrep.domain.person import Person
from rightrep.domain.roles import Role
from rightrep.errors import Conflict, InvalidInput, NotFound, NotSignedIn
from rightrep.store import people, sign_ins
from rightrep.store.engine import Store
from rightrep.store.erasure import list_erasures
from rightrep.store.schema import reps
from rightrep.store.schema_people import person_sessions, sign_in_tries
from rightrep.store.sign_ins import Trip
from rightrep.store.tries import (
    LIMITS,
    WINDOW,
    TryOf,
    barred_until,
    count_try,
    forgive,
    purge_tries,
    take_back_try,
)

ACME = TenantId("acme")
OTHER = TenantId("other")
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANN = RepId("019cadc6-0000-7000-8000-000000000001")
HASH = "$argon2id$made-up"


def added(
    store: Store,
    name: str = "wang@acme.example",
    role: Role = Role.MANAGER,
    tenant: TenantId = ACME,
    *,
    display_name: str | None = None,
    rep_id: RepId | None = None,
) -> Person:
    with store.write(tenant) as session:
        person = people.add_person(
            session, name, role=role, at=NOW, display_name=display_name, rep_id=rep_id
        )
        people.set_password(session, person.person_id, HASH)
        return people.get_person(session, person.person_id)


def signed_in(store: Store, person: Person, at: datetime = NOW) -> str:
    with store.write(person.tenant_id) as session:
        return sign_ins.start_sign_in(
            session, person.person_id, at=at, password_hash=HASH
        )


def holder(store: Store, token: str, at: datetime = NOW) -> Person:
    with store.system_read() as session:
        return sign_ins.find_sign_in(session, token, at=at).person


def test_a_person_is_found_by_name_however_it_is_typed(store: Store) -> None:
    person = added(store, "Wang@Acme.example", display_name="王 伟")

    assert person.sign_in_name == "wang@acme.example"
    assert person.display_name == "王 伟"
    with store.read(ACME) as session:
        for key in (" WANG@ACME.EXAMPLE ", "ｗａｎｇ@acme.example", person.person_id):
            assert people.get_person(session, key) == person
        assert people.list_people(session) == [person]
        found = people.find_credential(session, "wang@acme.example")
    assert found == (person, HASH)


def test_a_sign_in_name_is_one_persons_of_a_tenant(store: Store) -> None:
    added(store, "wang")

    with pytest.raises(Conflict):
        added(store, "Wang")
    assert added(store, "wang", tenant=OTHER).tenant_id == OTHER


@pytest.mark.parametrize("name", ["", "  ", "a b", "a\nb", "a\u200bb", "x" * 255])
def test_a_name_that_cannot_be_typed_is_refused(store: Store, name: str) -> None:
    with pytest.raises(InvalidInput):
        added(store, name)


def test_a_rep_is_one_of_ours_and_nobody_else_is_one(store: Store) -> None:
    with pytest.raises(NotFound):
        added(store, role=Role.REP, rep_id=ANN)
    for role, rep_id in ((Role.REP, None), (Role.MANAGER, ANN), (Role.SERVICE, None)):
        with pytest.raises(InvalidInput):
            added(store, role=role, rep_id=rep_id)
    with store.write(ACME) as session:
        row = {"rep_id": ANN, "name": "Ann", "created_at": NOW}
        session.execute(insert(reps), row)

    assert added(store, role=Role.REP, rep_id=ANN).rep_id == ANN


def test_a_token_names_its_person_and_is_not_stored(store: Store) -> None:
    person = added(store)
    token = signed_in(store, person)

    assert holder(store, token) == person
    assert len(token) == len("rs_") + 43  # 32 bytes as base64url
    with store.system() as session:
        row = session.execute(select(person_sessions)).one()
    assert token not in repr(row)
    assert signed_in(store, person) != token


@pytest.mark.parametrize("token", ["", "rs_", "rs_unknown", "中文"])
def test_an_unknown_token_names_nobody(store: Store, token: str) -> None:
    signed_in(store, added(store))

    with pytest.raises(NotSignedIn):
        holder(store, token)


def test_a_sign_in_ends_after_twelve_hours(store: Store) -> None:
    person = added(store)
    token = signed_in(store, person)
    end = NOW + sign_ins.LASTS

    assert holder(store, token, end - timedelta(seconds=1)) == person
    with pytest.raises(NotSignedIn):
        holder(store, token, end)
    with store.read(ACME) as session:
        assert sign_ins.list_sign_ins(session, at=end) == []


@pytest.mark.parametrize("how", ["disabled", "password", "ended", "erased"])
def test_a_sign_in_ends_on_the_server_at_once(store: Store, how: str) -> None:
    person, other = added(store), added(store, "li")
    token, others = signed_in(store, person), signed_in(store, other)
    own = person.person_id
    with store.write(ACME) as session:
        if how == "disabled":
            people.disable_person(session, own, at=NOW)
        elif how == "password":
            people.set_password(session, own, "$argon2id$another")
        elif how == "erased":
            people.erase_person(session, own, actor="terminal", at=NOW)
        else:
            (one,) = sign_ins.list_sign_ins(session, at=NOW, person_id=own)
            sign_ins.end_sign_in(session, one.session_id)

    with pytest.raises(NotSignedIn):
        holder(store, token)
    assert holder(store, others) == other


def test_nobody_is_signed_in_by_a_password_that_was_changed_meanwhile(
    store: Store,
) -> None:
    person = added(store)
    with store.write(ACME) as session:
        people.set_password(session, person.person_id, "$argon2id$another")

    with pytest.raises(NotSignedIn):
        signed_in(store, person)


def test_a_password_that_was_replaced_meanwhile_is_not_replaced_again(
    store: Store,
) -> None:
    person = added(store)
    with store.write(ACME) as session:
        people.set_password(session, person.person_id, "$argon2id$of an admin")
        token = sign_ins.start_sign_in(session, person.person_id, at=NOW)

    with store.write(ACME) as session, pytest.raises(Conflict):
        people.set_password(
            session, person.person_id, "$argon2id$late", instead_of=HASH
        )

    assert holder(store, token) == person
    with store.read(ACME) as session:
        found = people.find_credential(session, person.sign_in_name)
    assert found is not None
    assert found.password_hash == "$argon2id$of an admin"


def test_a_first_password_ends_with_its_sign_ins_and_a_chosen_one_stays(
    store: Store,
) -> None:
    new, old = added(store, "new"), added(store, "old")
    with store.write(ACME) as session:
        people.set_password(
            session, new.person_id, HASH, initial_until=NOW + sign_ins.LASTS
        )
    begun, kept = signed_in(store, new), signed_in(store, old)

    with store.write(ACME) as session:
        for person in (new, old):
            people.end_first_password(session, person.person_id)
        bare = people.get_person(session, new.person_id)

    assert (bare.has_password, bare.must_change_password) == (False, False)
    with pytest.raises(NotSignedIn):
        holder(store, begun)
    assert holder(store, kept) == old


def test_a_disabled_person_gets_no_sign_in_and_an_enabled_one_does(
    store: Store,
) -> None:
    person = added(store)
    with store.write(ACME) as session:
        people.disable_person(session, person.person_id, at=NOW)
        people.disable_person(session, person.person_id, at=NOW + HOUR)
        assert people.get_person(session, "wang@acme.example").disabled_at == NOW
    with pytest.raises(NotSignedIn):
        signed_in(store, person)

    with store.write(ACME) as session:
        people.enable_person(session, person.person_id)

    assert holder(store, signed_in(store, person)) == person


def test_a_hash_is_renewed_only_where_it_is_still_the_same(store: Store) -> None:
    person = added(store)
    token = signed_in(store, person)

    def renew(old: str, new: str) -> str | None:
        with store.write(ACME) as session:
            people.renew_hash(session, person.person_id, old, new)
            found = people.find_credential(session, person.sign_in_name)
            assert found is not None
            return found.password_hash

    assert renew("$argon2id$another", "$argon2id$late") == HASH
    assert renew(HASH, "$argon2id$stronger") == "$argon2id$stronger"
    assert holder(store, token) == person


def test_one_account_at_the_provider_is_one_person(store: Store) -> None:
    wang, li = added(store), added(store, "li")
    with store.write(ACME) as session:
        people.link_subject(session, wang.person_id, "https://idp", "u-1")
        assert people.find_subject(session, "https://idp", "u-2") is None
        found = people.find_subject(session, "https://idp", "u-1")
        assert found is not None
        assert found.person_id == wang.person_id
        for person, subject in ((li, "u-1"), (wang, "u-2")):
            with pytest.raises(Conflict):
                people.link_subject(session, person.person_id, "https://idp", subject)


def test_people_of_one_tenant_are_nobody_in_another(store: Store) -> None:
    person = added(store)
    token = signed_in(store, person)

    with store.write(OTHER) as session:
        assert people.list_people(session) == []
        assert people.find_credential(session, person.sign_in_name) is None
        assert sign_ins.list_sign_ins(session, at=NOW) == []
        for change in (
            lambda: people.get_person(session, person.person_id),
            lambda: people.set_password(session, person.person_id, "x"),
            lambda: people.disable_person(session, person.person_id, at=NOW),
            lambda: people.erase_person(session, person.person_id, actor="t", at=NOW),
        ):
            with pytest.raises(NotFound):
                change()
        with pytest.raises(NotSignedIn):
            sign_ins.start_sign_in(session, person.person_id, at=NOW)
    assert holder(store, token) == person


def test_nothing_that_names_an_erased_person_is_left_in_any_table(
    store: Store,
) -> None:
    person = added(store, "wang@acme.example", display_name="王伟")
    with store.write(ACME) as session:
        people.link_subject(session, person.person_id, "https://idp", "u-1")
        count_try(session, TryOf.NAME, person.sign_in_name, at=NOW)
    signed_in(store, person)

    with store.write(ACME) as session:
        erased = people.erase_person(
            session, person.person_id, actor="terminal", at=NOW
        )

    assert erased.counts == {"people": 1, "sign_ins": 1}
    with store.connection() as connection:
        tables = inspect(connection).get_table_names()
        rows = repr(
            [connection.execute(text(f"select * from {t}")).all() for t in tables]
        )
    for word in ("wang", "王伟", HASH, "u-1"):
        assert word not in rows
    with store.read(ACME) as session:
        assert list_erasures(session)[0].subject_id == person.person_id
    with store.system() as session:
        assert session.execute(select(sign_in_tries)).all() == []


def tried(
    store: Store, times: int, kind: TryOf = TryOf.NAME, at: datetime = NOW
) -> int:
    """How many of so many tries are looked at."""
    looked_at = 0
    for _ in range(times):
        with store.write(ACME) as session:
            looked_at += count_try(session, kind, "wang", at=at) is None
    return looked_at


@pytest.mark.parametrize("kind", list(TryOf))
def test_only_so_many_tries_are_looked_at_in_a_quarter_of_an_hour(
    store: Store, kind: TryOf
) -> None:
    assert tried(store, LIMITS[kind] + 5, kind) == LIMITS[kind]
    with store.read(ACME) as session:
        assert barred_until(session, kind, "wang", at=NOW) == NOW + WINDOW
        assert barred_until(session, kind, "li", at=NOW) is None
        assert barred_until(session, kind, "wang", at=NOW + WINDOW) is None

    assert tried(store, LIMITS[kind] + 5, kind, NOW + WINDOW) == LIMITS[kind]


def test_a_try_that_went_well_does_not_count(store: Store) -> None:
    tried(store, LIMITS[TryOf.NAME])
    with store.write(ACME) as session:
        take_back_try(session, TryOf.NAME, "wang")
        assert barred_until(session, TryOf.NAME, "wang", at=NOW) is None
    assert tried(store, 2) == 1

    with store.write(ACME) as session:
        forgive(session, TryOf.NAME, "wang")

    assert tried(store, LIMITS[TryOf.NAME] + 1) == LIMITS[TryOf.NAME]


def test_two_processes_together_get_no_more_tries_than_one(store_url: str) -> None:
    command = [sys.executable, "-m", "tests.contract.try_racer", store_url, "25"]
    racers = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()

    admitted = [int(racer.communicate(timeout=60)[0]) for racer in racers]

    assert sum(admitted) == LIMITS[TryOf.NAME]


def test_who_left_for_the_provider_comes_back_once_and_in_time(store: Store) -> None:
    trip, late = Trip.to("/reps"), Trip.to("/")
    with store.write(ACME) as session:
        sign_ins.keep_trip(session, trip, at=NOW)
        sign_ins.keep_trip(session, late, at=NOW)

        assert sign_ins.end_trip(session, "another", at=NOW) is None
        assert sign_ins.end_trip(session, trip.state, at=NOW) == trip
        assert sign_ins.end_trip(session, trip.state, at=NOW) is None
        over = NOW + sign_ins.TRIP_LASTS
        assert sign_ins.end_trip(session, late.state, at=over) is None


def test_what_is_over_is_removed_and_the_rest_is_kept(store: Store) -> None:
    person = added(store)
    signed_in(store, person)
    late = signed_in(store, person, NOW + HOUR)
    tried(store, 1)
    end = NOW + sign_ins.LASTS
    with store.write(ACME) as session:
        sign_ins.keep_trip(session, Trip.to("/"), at=NOW)

        assert sign_ins.purge_sign_ins(session, at=end) == 2
        assert purge_tries(session, at=end) == 1

    assert holder(store, late, end) == person
