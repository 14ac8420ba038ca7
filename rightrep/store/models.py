"""Published models: what serving reads, and every move of the champion.

Publishing adds a version; promoting moves the alias ``champion`` to it. Moves are only
added, so any version can be brought back, and what was champion when can be read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, and_, bindparam, insert, select

from rightrep.errors import Conflict, NotFound
from rightrep.store.guard import of_tenant
from rightrep.store.moves import append_numbered
from rightrep.store.schema_plans import models, promotions
from rightrep.store.session import ReadSession, WriteSession

CHAMPION = "champion"


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedModel:
    """One version of a model, as serving finds it.

    Attributes:
        version: Its name; never used for another file.
        path: Where the file is.
        sha256: Hash the file must have; 64 hex digits.
        columns_version: Version of the columns contract it was trained on.
        label_window_days: Days in which a win counts, in its training.
        metrics: Figures of its evaluation, by name.
        data_hash: Hash of the training rows.
        trained_as_of: Nothing later was seen in training.
        published_at: When it was published.
    """

    version: str
    path: str
    sha256: str
    columns_version: str
    label_window_days: int
    metrics: Mapping[str, Any]
    data_hash: str
    trained_as_of: datetime
    published_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Promotion:
    """One move of an alias.

    Attributes:
        move: Which one, from 1.
        version: Where to.
        actor: Who moved it.
        reason: Why, in a sentence.
        moved_at: When.
    """

    move: int
    version: str
    actor: str
    reason: str
    moved_at: datetime


def publish_model(session: WriteSession, model: PublishedModel) -> bool:
    """Add a version; the same one again changes nothing.

    Returns:
        Whether it was new.

    Raises:
        Conflict: The version exists with another file.
    """
    known = _find(session, model.version)
    if known is None:
        row = {name: getattr(model, name) for name in PublishedModel.__slots__}
        session.execute(insert(models), row)
        return True
    if known.sha256 != model.sha256:
        raise Conflict(f"Model {model.version!r} is published with another file.")
    return False


def promote(
    session: WriteSession,
    version: str,
    *,
    actor: str,
    reason: str,
    at: datetime,
    alias: str = CHAMPION,
) -> Promotion:
    """Move an alias to a version, new or old.

    Args:
        session: Whose.
        version: Where to.
        actor: Who moves it.
        reason: Why, in a sentence.
        at: Now.
        alias: What moves.

    Raises:
        NotFound: No such version.
        Conflict: Somebody else moved it at the same moment.
    """
    read_model(session, version)
    values = {"version": version, "actor": actor, "reason": reason, "moved_at": at}
    move = append_numbered(session, promotions, "move", values, within={"alias": alias})
    return Promotion(
        move=move, version=version, actor=actor, reason=reason, moved_at=at
    )


def champion(session: ReadSession, *, alias: str = CHAMPION) -> PublishedModel | None:
    """The model in use, in one query; None when there never was one."""
    row = session.execute(_CHAMPION, {"alias": alias}).mappings().first()
    return None if row is None else _model(row)


def promotion_history(
    session: ReadSession, *, alias: str = CHAMPION
) -> list[Promotion]:
    """Every move of an alias, the first one first."""
    query = (
        select(*(promotions.c[name] for name in Promotion.__slots__))
        .where(of_tenant(promotions), promotions.c.alias == alias)
        .order_by(promotions.c.move)
    )
    return [Promotion(**row) for row in session.execute(query).mappings()]


def read_model(session: ReadSession, version: str) -> PublishedModel:
    """One version.

    Raises:
        NotFound: No such version.
    """
    found = _find(session, version)
    if found is None:
        raise NotFound("model", version)
    return found


def list_models(session: ReadSession) -> list[PublishedModel]:
    """Every version, the newest first."""
    query = _own().order_by(models.c.published_at.desc(), models.c.version.desc())
    return [_model(row) for row in session.execute(query).mappings()]


def _find(session: ReadSession, version: str) -> PublishedModel | None:
    query = _own().where(models.c.version == version)
    row = session.execute(query).mappings().first()
    return None if row is None else _model(row)


def _own() -> "Select[Any]":
    return select(models).where(of_tenant(models))


def _model(row: RowMapping) -> PublishedModel:
    return PublishedModel(**{name: row[name] for name in PublishedModel.__slots__})


_CHAMPION = (
    select(models)
    .join_from(
        promotions,
        models,
        and_(
            models.c.tenant_id == promotions.c.tenant_id,
            models.c.version == promotions.c.version,
        ),
    )
    .where(of_tenant(promotions), promotions.c.alias == bindparam("alias"))
    .order_by(promotions.c.move.desc())
    .limit(1)
)
