"""Tenants: one organisation's separate world."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rightrep.domain.ids import TenantId


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenant:
    """One organisation.

    Attributes:
        tenant_id: Its id, as keys and terminal commands name it.
        name: What people call it.
        time_zone: IANA zone; every "day" of a limit is a day of this zone.
        currency: ISO 4217 code that money is reported in.
        label_window_days: Days after a decision in which a win counts; None takes
            the 90th percentile of the time to win when training.
        settings: Other settings by name, any JSON value.
        created_at: When the tenant was made; aware UTC.
    """

    tenant_id: TenantId
    created_at: datetime
    name: str
    time_zone: str = "UTC"
    currency: str = "USD"
    label_window_days: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
