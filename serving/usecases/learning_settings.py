"""How a tenant's models are judged and watched, and when: told, and changed."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rightrep.domain import learning, schedule
from rightrep.domain.learning import Learning
from rightrep.domain.schedule import Recurrence, schedule_of
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.tenants import get_tenant, save_settings


def learning_in_force(session: ReadSession) -> dict[str, Any]:
    """Every setting of learning and of recurring jobs, defaults included; JSON."""
    settings = get_tenant(session).settings
    return {
        learning.SETTING: asdict(Learning.of(settings)),
        schedule.SETTING: {
            kind: None if recurs is None else _plain(recurs)
            for kind, recurs in schedule_of(settings).items()
        },
    }


def set_learning(
    session: WriteSession, given: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Put these settings in force instead of those before; the rest are defaults.

    Args:
        session: Where to write.
        given: ``learning`` and ``schedule``, each with its settings by name.

    Returns:
        Every setting with its value.

    Raises:
        InvalidInput: A name is unknown or a value makes no sense.
    """
    Learning.of(given)
    schedule_of(given)
    save_settings(session, given)
    return learning_in_force(session)


def _plain(recurs: Recurrence) -> dict[str, Any]:
    if recurs.every_hours is not None:
        return {"every_hours": recurs.every_hours}
    return {"at": recurs.at.isoformat("minutes"), "every_days": recurs.every_days}
