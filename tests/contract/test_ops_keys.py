"""API keys: who is asking."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select

from rightrep.domain.ids import RepId, TenantId
from rightrep.domain.roles import Role
from rightrep.errors import Conflict, InvalidInput, NotFound, NotSignedIn
from rightrep.store.engine import Store
from rightrep.store.keys import (
    ApiKey,
    NewKey,
    create_key,
    find_key,
    find_page_token,
    list_keys,
    page_token,
    revoke_key,
    rotate_key,
)
from rightrep.store.schema import reps
from rightrep.store.schema_ops import api_keys

ACME = TenantId("acme")
OTHER = TenantId("other")
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANN = RepId("019cadc6-0000-7000-8000-000000000001")


def made(store: Store, role: Role = Role.SERVICE, tenant: TenantId = ACME) -> NewKey:
    with store.write(tenant) as session:
        return create_key(session, role, "CRM", at=NOW)


def found(store: Store, secret: str, at: datetime = NOW) -> ApiKey:
    with store.system_read() as session:
        return find_key(session, secret, at=at)


def hire(store: Store, rep_id: RepId) -> None:
    with store.write(ACME) as session:
        row = {"rep_id": rep_id, "name": "Ann", "created_at": NOW}
        session.execute(insert(reps), row)


def test_a_key_tells_whose_it_is_and_what_it_may(store: Store) -> None:
    made(store)
    new = made(store, Role.ANALYST, OTHER)

    key = found(store, new.secret)

    assert (key.tenant_id, key.role) == (OTHER, Role.ANALYST)
    assert key == new.key


def test_a_secret_can_be_recognised_and_is_never_guessable(store: Store) -> None:
    new = made(store)

    assert new.secret.startswith("rr_")
    assert len(new.secret) == len("rr_") + 43  # 32 bytes as base64url
    assert new.secret.startswith(new.key.hint)
    assert len(new.key.hint) < 12


def test_the_secret_itself_is_not_stored(store: Store) -> None:
    new = made(store)

    with store.system() as session:
        row = session.execute(select(api_keys)).one()
    assert new.secret not in repr(row)


@pytest.mark.parametrize("secret", ["", "rr_", "rr_unknown", "中文"])
def test_an_unknown_key_names_nobody(store: Store, secret: str) -> None:
    made(store)

    with pytest.raises(NotSignedIn):
        found(store, secret)


def test_a_key_ends_when_it_expires(store: Store) -> None:
    with store.write(ACME) as session:
        new = create_key(session, Role.ADMIN, "CI", at=NOW, expires_at=NOW + HOUR)

    assert found(store, new.secret, NOW + HOUR / 2) == new.key
    with pytest.raises(NotSignedIn):
        found(store, new.secret, NOW + HOUR)


def test_a_revoked_key_is_refused_from_then_on(store: Store) -> None:
    new = made(store)

    for later in (0, 1):
        with store.write(ACME) as session:
            revoke_key(session, new.key.key_id, at=NOW + later * HOUR)

    with pytest.raises(NotSignedIn):
        found(store, new.secret)
    with store.read(ACME) as session:
        assert [key.revoked_at for key in list_keys(session)] == [NOW]


def test_a_tenant_cannot_revoke_anothers_key(store: Store) -> None:
    new = made(store)

    with store.write(OTHER) as session, pytest.raises(NotFound):
        revoke_key(session, new.key.key_id, at=NOW)

    assert found(store, new.secret) == new.key


def test_rotation_leaves_both_keys_good_for_a_while(store: Store) -> None:
    old = made(store, Role.MANAGER)

    with store.write(ACME) as session:
        new = rotate_key(session, old.key.key_id, at=NOW, overlap=HOUR)

    assert (new.key.role, new.key.name) == (Role.MANAGER, "CRM")
    assert found(store, old.secret, NOW + HOUR / 2).key_id == old.key.key_id
    assert found(store, new.secret, NOW + HOUR / 2) == new.key
    with pytest.raises(NotSignedIn):
        found(store, old.secret, NOW + HOUR)
    assert found(store, new.secret, NOW + HOUR) == new.key
    with store.read(ACME) as session:
        assert list_keys(session, live_at=NOW + HOUR) == [new.key]


def test_a_dead_key_is_not_rotated(store: Store) -> None:
    old = made(store)
    with store.write(ACME) as session:
        revoke_key(session, old.key.key_id, at=NOW)

    with store.write(ACME) as session, pytest.raises(Conflict):
        rotate_key(session, old.key.key_id, at=NOW, overlap=HOUR)
    with store.write(OTHER) as session, pytest.raises(NotFound):
        rotate_key(session, old.key.key_id, at=NOW, overlap=HOUR)


def test_a_reps_key_is_bound_to_the_rep(store: Store) -> None:
    hire(store, ANN)
    with store.write(ACME) as session:
        new = create_key(session, Role.REP, "Ann's phone", at=NOW, rep_id=ANN)
    with store.write(ACME) as session:
        next_one = rotate_key(session, new.key.key_id, at=NOW, overlap=HOUR)

    assert found(store, new.secret).rep_id == ANN
    assert found(store, next_one.secret).rep_id == ANN


def test_only_reps_keys_name_a_rep_and_only_real_ones(store: Store) -> None:
    hire(store, ANN)

    with store.write(ACME) as session, pytest.raises(InvalidInput):
        create_key(session, Role.REP, "Nobody's", at=NOW)
    with store.write(ACME) as session, pytest.raises(InvalidInput):
        create_key(session, Role.ADMIN, "Ann's", at=NOW, rep_id=ANN)
    with store.write(ACME) as session, pytest.raises(NotFound):
        create_key(session, Role.REP, "Nobody's", at=NOW, rep_id=RepId("none"))
    with store.write(OTHER) as session, pytest.raises(NotFound):
        create_key(session, Role.REP, "Theirs", at=NOW, rep_id=ANN)


def of_page(store: Store, token: str, at: datetime = NOW) -> ApiKey:
    with store.system_read() as session:
        return find_page_token(session, token, at=at)


def test_a_page_token_stands_for_its_key_until_it_ends(store: Store) -> None:
    new = made(store, Role.MANAGER)
    token = page_token(new.key, new.secret, until=NOW + HOUR)

    assert of_page(store, token) == new.key
    assert new.secret not in token
    with pytest.raises(NotSignedIn):
        of_page(store, token, at=NOW + HOUR)


def test_a_page_token_ends_with_its_key(store: Store) -> None:
    new = made(store, Role.MANAGER)
    token = page_token(new.key, new.secret, until=NOW + 10 * HOUR)
    with store.write(ACME) as session:
        revoke_key(session, new.key.key_id, at=NOW + HOUR)

    with pytest.raises(NotSignedIn):
        of_page(store, token, at=NOW + HOUR)


def test_a_page_token_is_no_key(store: Store) -> None:
    new = made(store, Role.MANAGER)
    token = page_token(new.key, new.secret, until=NOW + HOUR)

    with pytest.raises(NotSignedIn):
        found(store, token)


def test_a_page_token_cannot_be_made_up_or_made_to_last(store: Store) -> None:
    new, other = made(store, Role.MANAGER), made(store, Role.ADMIN)
    token = page_token(new.key, new.secret, until=NOW + HOUR)
    key_id, until, mac = token.split(".")
    forged = (
        "",
        "x",
        f"{key_id}.{until}.",
        f"{key_id}.{int(until) + 9}.{mac}",
        f"{key_id}.{'9' * 40}.{mac}",
        f"{other.key.key_id}.{until}.{mac}",
        f"x.{until}.{mac}",
        f"{key_id}.{until}.\u00e9",
    )
    for text in forged:
        with pytest.raises(NotSignedIn):
            of_page(store, text)
