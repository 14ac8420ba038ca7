"""Which leads enter the lottery: a salted hash, so that nobody can aim at it."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SCALE = float(1 << 64)


def lottery_draw(lead_id: str, salt: str) -> float:
    """A number in [0, 1) fixed by lead and salt, uniform over leads."""
    digest = hashlib.sha256(f"{salt}\x00{lead_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / _SCALE


def enters_lottery(
    lead_ids: Sequence[str], *, salt: str, share: float
) -> NDArray[np.bool_]:
    """Whether each lead is given by lottery.

    Args:
        lead_ids: The leads.
        salt: The tenant's secret word.
        share: Wanted share of lottery leads, in [0, 1].

    Returns:
        bool (n_leads,); a lead's answer never depends on the others.
    """
    return np.array([lottery_draw(i, salt) < share for i in lead_ids], dtype=np.bool_)
