"""The champion's file, loaded; the last good one where it is broken.

A file that is missing, damaged or not the one published is refused. What answered
before then goes on answering: the model this process has, or after a restart the last
champion before it whose file is whole.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import structlog

from rightrep.domain.ids import TenantId
from rightrep.errors import ModelUnavailable
from rightrep.store import models
from rightrep.store.engine import Store
from training.model import ConversionModel
from training.model_file import load_model

log = structlog.get_logger()


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model that loads.

    Attributes:
        version: Which one.
        model: The model.
    """

    version: str
    model: ConversionModel


def load_champion(
    store: Store,
    tenant_id: TenantId,
    published: models.PublishedModel,
    present: Loaded | None,
) -> Loaded:
    """The champion, or the last good model before it.

    Args:
        store: Where earlier champions are found.
        tenant_id: Whose.
        published: The champion.
        present: What this process answers with now, or None.

    Raises:
        ModelUnavailable: Neither the champion nor any before it can be loaded.
    """
    if present is not None and present.version == published.version:
        return present
    try:
        return Loaded(published.version, _file(published))
    except ModelUnavailable as error:
        log.warning(
            "champion does not load; the last good one stays",
            tenant=tenant_id,
            version=published.version,
            why=str(error),
        )
        found = present or _last_good(store, tenant_id, published.version)
        if found is None:
            raise
        return found


def _last_good(store: Store, tenant_id: TenantId, broken: str) -> Loaded | None:
    """The latest champion before the broken one whose file is whole."""
    with store.read(tenant_id) as session:
        moves = models.promotion_history(session)
        versions = dict.fromkeys(move.version for move in reversed(moves))
        earlier = [models.read_model(session, name) for name in versions]
    for published in earlier:
        if published.version == broken:
            continue
        try:
            return Loaded(published.version, _file(published))
        except ModelUnavailable as error:
            log.warning(
                "model does not load", version=published.version, why=str(error)
            )
    return None


@lru_cache(maxsize=4)
def load_published(path: str, sha256: str) -> ConversionModel:
    """A published model's file, the last few kept in memory.

    Raises:
        ModelUnavailable: It is missing, damaged or not the one published.
    """
    return load_model(Path(path), sha256)


def _file(published: models.PublishedModel) -> ConversionModel:
    return load_model(Path(published.path), published.sha256)
