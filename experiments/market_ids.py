"""Ids of a demo market: UUIDv7 in form and order, the same for the same seed."""

import numpy as np
import pandas as pd
import pyarrow as pa

from experiments.market_settings import IntArray, MarketSettings
from experiments.market_text import digits, join, missing_where

_LENGTH = 36
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
# Where the 32 hex digits stand in the canonical form 8-4-4-4-12.
_PLACES = np.array([k for k in range(_LENGTH) if k not in (8, 13, 18, 23)])


def market_ids(settings: MarketSettings, kind: str, at: IntArray) -> pd.Series:
    """One id per instant, led by its milliseconds as RFC 9562 has it.

    Args:
        settings: Names the seed.
        kind: What is named; each kind has its own random part.
        at: Seconds since 1970 UTC, not before it; int64 (n,).

    Returns:
        Canonical texts of 36 characters; dtype str.
    """
    rng = settings.stream(f"ids of {kind}")
    raw = rng.integers(0, 256, (at.size, 16), dtype=np.uint8)
    millis = (at * 1000).astype(">u8")
    raw[:, :6] = millis.view(np.uint8).reshape(-1, 8)[:, 2:]
    raw[:, 6] = (raw[:, 6] & 0x0F) | 0x70
    raw[:, 8] = (raw[:, 8] & 0x3F) | 0x80
    text = np.full((at.size, _LENGTH), ord("-"), dtype=np.uint8)
    text[:, _PLACES[0::2]] = _HEX[raw >> 4]
    text[:, _PLACES[1::2]] = _HEX[raw & 0x0F]
    starts = np.arange(at.size + 1, dtype=np.int64) * _LENGTH
    column = pa.LargeStringArray.from_buffers(
        at.size, pa.py_buffer(starts), pa.py_buffer(text)
    )
    return pd.Series(column.to_pandas(), dtype="str")


def numbered(prefix: str, numbers: IntArray, width: int) -> pa.Array:
    """A CRM's own ids: ``L000042``; missing where the number is negative."""
    return missing_where(
        join(prefix, digits(np.maximum(numbers, 0), width)), numbers < 0
    )
