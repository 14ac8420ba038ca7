"""What holds for handovers and after the sale: told, and changed as a whole."""

from collections.abc import Mapping
from typing import Any

from rightrep.domain.handover import SETTING, HandoverRules
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.tenants import get_tenant, save_settings


def handover_in_force(session: ReadSession) -> dict[str, Any]:
    """Every setting, defaults included; JSON."""
    return HandoverRules.of(get_tenant(session).settings).to_json()


def set_handover(session: WriteSession, given: Mapping[str, Any]) -> dict[str, Any]:
    """Put these settings in force instead of those before; the rest are defaults.

    Returns:
        Every setting.

    Raises:
        InvalidInput: A name is unknown or a value makes no sense.
    """
    HandoverRules.of({SETTING: given})
    save_settings(session, {SETTING: given})
    return handover_in_force(session)
