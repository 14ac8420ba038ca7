"""How a tenant wants its leads shared out: told, and changed as a whole."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from optimizer.policies import POLICIES
from rightrep.calendars import require_calendar
from rightrep.domain.fairness import SETTING as FAIRNESS
from rightrep.domain.routing import SETTING, Routing
from rightrep.errors import InvalidInput
from rightrep.store.aliases import RecordKind, resolve_many
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.tenants import get_tenant, save_settings
from serving.usecases.holdout import keep_holdout


def routing_in_force(session: ReadSession) -> dict[str, Any]:
    """Every routing setting with its value, defaults included; JSON."""
    return asdict(Routing.of(get_tenant(session).settings))


def set_routing(
    session: WriteSession, given: Mapping[str, Any], *, at: datetime, actor: str
) -> dict[str, Any]:
    """Put routing settings in force, instead of those before; the rest are defaults.

    Args:
        session: Where to write.
        given: Settings by name.
        at: Now.
        actor: Who asks.

    Returns:
        Every routing setting with its value.

    Raises:
        InvalidInput: A name is unknown, a value makes no sense, or a floor is promised
            to nobody.
    """
    routing = Routing.of({SETTING: given})
    if routing.policy not in POLICIES:
        raise InvalidInput(
            f"There is no policy {routing.policy!r}.",
            field=f"{SETTING}.policy",
            remedy=f"Give one of {', '.join(POLICIES)}.",
        )
    if routing.calendar:
        require_calendar(routing.calendar, field=f"{SETTING}.calendar")
    require_reps(session, routing.fairness.floors)
    save_settings(session, {SETTING: given})
    keep_holdout(session, routing.holdout_share, at=at, actor=actor)
    return asdict(routing)


def require_reps(session: ReadSession, floors: Mapping[str, int]) -> dict[str, int]:
    """Promised floors by our ids of the reps.

    Raises:
        InvalidInput: One is promised to somebody who is no rep.
    """
    own_id = resolve_many(session, RecordKind.REP, floors)
    for name in floors:
        if name not in own_id:
            raise InvalidInput(
                f"{FAIRNESS}.floors promises leads to {name!r}, who is no rep.",
                field=f"{FAIRNESS}.floors",
                remedy="Remove the entry or add the rep.",
            )
    return {own_id[name]: floor for name, floor in floors.items()}
