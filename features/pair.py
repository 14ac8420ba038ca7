"""Pair columns: what only a lead and a rep together have. One function per column.

A row is a lead, a rep and an instant. ``rating_in_*`` columns say how much better than
the rep's own rating the rep does in the lead's segment; they are tables over (segment,
rep) when a batch is scored, and are computed by the same functions cell by cell.
"""

from collections.abc import Sequence

import numpy as np

from features.as_of import FloatArray, IntArray
from features.columns import Column, Side

SEGMENTS = (
    "industry",
    "region",
    "product",
    "channel",
    "language",
    "deal_band",
    "size_band",
)
"""What a rep's record is split by."""

_IN_WORDS = {
    "deal_band": "deals of this value",
    "size_band": "companies of this size",
    "industry": "this industry",
    "region": "this region",
    "product": "this product",
    "channel": "this channel",
    "language": "this language",
}


def rating_in_segment(
    residual: FloatArray,
    judged: FloatArray,
    rep_residual_rate: FloatArray,
    prior_leads: float,
) -> FloatArray:
    """How much better the rep does in a segment than everywhere; shrunk toward 0.

    Args:
        residual: Decayed sum of ``won - p_lead`` of the rep in the segment.
        judged: Decayed number of judged decisions there.
        rep_residual_rate: The rep's own shrunk residual rate.
        prior_leads: Judged decisions at which record and 0 weigh the same; positive.
    """
    return (residual - judged * rep_residual_rate) / (judged + prior_leads)


def same_region(lead_region: IntArray, rep_region: IntArray) -> FloatArray:
    """1.0 where both are in one region; missing where either is unknown (-1)."""
    same: FloatArray = np.equal(lead_region, rep_region).astype(np.float64)
    same[(lead_region == -1) | (rep_region == -1)] = np.nan
    return same


def _rating_in(segment: str) -> Column:
    return Column(
        name=f"rating_in_{segment}",
        side=Side.PAIR,
        unit="share",
        meaning=f"how much better the rep does in {_IN_WORDS[segment]}",
        missing="the lead does not state it",
    )


def _shared(name: str, meaning: str, missing: str) -> Column:
    return Column(
        name=name, side=Side.PAIR, unit="0 or 1", meaning=meaning, missing=missing
    )


PAIR_COLUMNS: Sequence[Column] = (
    *(_rating_in(segment) for segment in SEGMENTS),
    _shared(
        "same_region", "whether rep and lead are in one region", "a region is not known"
    ),
    _shared(
        "speaks_language",
        "whether the rep speaks the lead's language",
        "not stated, or the rep lists none",
    ),
    _shared(
        "sells_product",
        "whether the product is one of the rep's",
        "not stated, or the rep lists none",
    ),
    _shared(
        "knows_industry",
        "whether the industry is one of the rep's",
        "not stated, or the rep lists none",
    ),
    Column(
        name="earlier_contacts",
        side=Side.PAIR,
        unit="count",
        meaning="earlier contacts of this rep with this customer",
    ),
    Column(
        name="earlier_wins",
        side=Side.PAIR,
        unit="count",
        meaning="earlier wins of this rep with this customer",
    ),
)
"""Every pair column, in the contract's order."""
