"""Published models: versions, and every move of the champion."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, event, update
from sqlalchemy.exc import DBAPIError

from rightrep.domain.ids import TenantId
from rightrep.errors import Conflict, NotFound
from rightrep.store.engine import Store
from rightrep.store.guard import of_tenant
from rightrep.store.models import (
    PublishedModel,
    champion,
    list_models,
    promote,
    promotion_history,
    publish_model,
    read_model,
)
from rightrep.store.schema_plans import promotions
from tests.threads import at_once

ACME = TenantId("acme")
OTHER = TenantId("other")
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
MODEL = PublishedModel(
    version="1",
    path="models/1.zip",
    sha256="ab" * 32,
    columns_version="c1",
    label_window_days=45,
    metrics={"log_loss": 0.41, "auc": {"pair": 0.71}},
    data_hash="cd" * 32,
    trained_as_of=NOW - timedelta(days=1),
    published_at=NOW,
)


def published(store: Store, *versions: str) -> None:
    with store.write(ACME) as session:
        for number, version in enumerate(versions):
            later = NOW + timedelta(minutes=number)
            publish_model(session, replace(MODEL, version=version, published_at=later))


def moved(store: Store, version: str, reason: str = "It is better.") -> None:
    with store.write(ACME) as session:
        promote(session, version, actor="job", reason=reason, at=NOW)


def in_use(store: Store, tenant: TenantId = ACME) -> str | None:
    with store.read(tenant) as session:
        model = champion(session)
    return None if model is None else model.version


def test_a_published_model_comes_back_as_it_was(store: Store) -> None:
    published(store, "1")

    with store.read(ACME) as session:
        assert read_model(session, "1") == MODEL
        with pytest.raises(NotFound):
            read_model(session, "2")
    with store.read(OTHER) as session:
        assert list_models(session) == []


def test_publishing_again_changes_nothing_and_another_file_is_refused(
    store: Store,
) -> None:
    published(store, "1")

    with store.write(ACME) as session:
        assert not publish_model(session, replace(MODEL, path="elsewhere"))
    with store.write(ACME) as session, pytest.raises(Conflict):
        publish_model(session, replace(MODEL, sha256="ef" * 32))
    with store.read(ACME) as session:
        assert read_model(session, "1") == MODEL


def test_publishing_alone_changes_no_champion(store: Store) -> None:
    published(store, "1")

    assert in_use(store) is None


def test_any_version_can_be_brought_back_and_every_move_is_kept(store: Store) -> None:
    published(store, "1", "2")

    moved(store, "1", "First one.")
    moved(store, "2", "Better log loss.")
    assert in_use(store) == "2"
    moved(store, "1", "Calibration drifted.")

    assert in_use(store) == "1"
    assert in_use(store, OTHER) is None
    with store.read(ACME) as session:
        history = [(p.move, p.version, p.reason) for p in promotion_history(session)]
        assert [model.version for model in list_models(session)] == ["2", "1"]
    assert history == [
        (1, "1", "First one."),
        (2, "2", "Better log loss."),
        (3, "1", "Calibration drifted."),
    ]


def test_a_version_that_is_not_published_cannot_be_champion(store: Store) -> None:
    with store.write(ACME) as session, pytest.raises(NotFound):
        promote(session, "1", actor="job", reason="", at=NOW)


@pytest.mark.parametrize(
    "change",
    [
        update(promotions).where(of_tenant(promotions)).values(version="2"),
        delete(promotions).where(of_tenant(promotions)),
    ],
    ids=["update", "delete"],
)
def test_the_database_refuses_to_rewrite_history(store: Store, change: object) -> None:
    published(store, "1", "2")
    moved(store, "1")

    with pytest.raises(DBAPIError), store.write(ACME) as session:
        session.execute(change)  # type: ignore[arg-type]
    assert in_use(store) == "1"


def test_the_champion_is_read_in_one_query(store: Store) -> None:
    published(store, "1")
    moved(store, "1")
    seen: list[str] = []

    with store.read(ACME) as session:
        event.listen(
            session.connection,
            "before_cursor_execute",
            lambda *args: seen.append(str(args[2])),
        )
        assert champion(session) is not None

    assert len(seen) == 1


def test_of_two_movers_at_once_both_moves_are_known(store: Store) -> None:
    published(store, "1", "2")
    refused: list[str] = []

    def move(version: str) -> None:
        for _ in range(5):
            try:
                moved(store, version)
            except Conflict:
                refused.append(version)

    at_once(*[lambda v=v: move(v) for v in ("1", "2", "1", "2")])

    with store.read(ACME) as session:
        history = promotion_history(session)
    assert [p.move for p in history] == list(range(1, len(history) + 1))
    assert len(history) + len(refused) == 20
    assert in_use(store) == history[-1].version
