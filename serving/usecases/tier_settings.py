"""From which lead score on a lead is in which tier: told, and changed."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rightrep.domain.tier import SETTING, Tiers
from rightrep.store.session import ReadSession, WriteSession
from rightrep.store.tenants import get_tenant, save_settings


def tiers_in_force(session: ReadSession) -> dict[str, Any]:
    """Every threshold, defaults included; JSON."""
    return asdict(Tiers.of(get_tenant(session).settings))


def set_tiers(session: WriteSession, given: Mapping[str, Any]) -> dict[str, Any]:
    """Put these thresholds in force instead of those before; the rest are defaults.

    Returns:
        Every threshold.

    Raises:
        InvalidInput: A name is unknown or a value makes no sense.
    """
    Tiers.of({SETTING: given})
    save_settings(session, {SETTING: given})
    return tiers_in_force(session)
