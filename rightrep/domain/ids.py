"""Our own ids: UUIDv7 (RFC 9562), so that they sort by the time they were made.

A CRM's own ids are aliases: (tenant, kind, source, external_id) names one of ours.
"""

import hashlib
import os
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import NewType

TenantId = NewType("TenantId", str)
CustomerId = NewType("CustomerId", str)
ContactId = NewType("ContactId", str)
LeadId = NewType("LeadId", str)
RepId = NewType("RepId", str)
DecisionId = NewType("DecisionId", str)

_VERSION = 0x7 << 76
_VARIANT = 0b10 << 62
_VARIANT_OF = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
_LOW_MASK = (1 << 62) - 1
_MID_MASK = (1 << 12) - 1


def new_id(at: datetime) -> str:
    """One new id in canonical form, ordered by ``at``.

    Args:
        at: Aware instant whose milliseconds lead the id.
    """
    return new_ids(at, 1)[0]


def new_ids(at: datetime, count: int) -> Sequence[str]:
    """``count`` new ids of the same instant, in no order among themselves."""
    millis = f"{int(at.timestamp() * 1000):012x}"
    head = f"{millis[:8]}-{millis[8:]}-7"
    noise = os.urandom(10 * count).hex()
    # By its digits: a batch makes four per lead, and integers take four times as long.
    return [
        f"{head}{noise[k : k + 3]}-{_VARIANT_OF[noise[k + 3]]}"
        f"{noise[k + 4 : k + 7]}-{noise[k + 7 : k + 19]}"
        for k in range(0, 20 * count, 20)
    ]


def derived_id(at: datetime, body: str) -> str:
    """An id made from what it names: the same instant and body give the same id.

    Args:
        at: Aware instant whose milliseconds lead the id.
        body: What tells the record from others of the instant.
    """
    millis = int(at.timestamp() * 1000) << 80
    noise = hashlib.blake2b(body.encode(), digest_size=10).digest()
    return _text(_layout(millis, noise))


def is_id(text: str) -> bool:
    """Whether the text is one of our ids in canonical form."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _layout(millis: int, noise: bytes) -> int:
    bits = int.from_bytes(noise, "big")
    mid = (bits >> 62) & _MID_MASK
    return millis | _VERSION | (mid << 64) | _VARIANT | (bits & _LOW_MASK)


def _text(layout: int) -> str:
    # An import makes three per row; uuid.UUID takes three times as long.
    digits = f"{layout:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
