"""Segments: what a rep's record is split by."""

import numpy as np

from features.as_of import FloatArray, IntArray, take
from features.lead_facts import LeadFacts
from features.market import Market, lead_version
from features.pair import SEGMENTS
from features.recipe import Recipe


def band(value: FloatArray, edges: tuple[float, ...]) -> IntArray:
    """Number of edges at or below each value; -1 if it is missing or no edges are."""
    code = np.searchsorted(np.asarray(edges), value, side="right").astype(np.int64)
    code[np.isnan(value)] = -1
    return code if edges else np.full(value.shape, -1, dtype=np.int64)


def deal_value(
    own: LeadFacts, everyone: LeadFacts, market: Market, version: IntArray, at: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Stated deal values, and the same with the usual one where none is stated.

    Args:
        own: Facts that the versions are of.
        everyone: Facts that the market was made from.
        market: What gives the usual value.
        version: Version in force of each row, or -1; int64 (n_rows,).
        at: int64 (n_rows,).

    Returns:
        Two float64 (n_rows,), in major units of the tenant's currency; missing where
        not stated (or, in the second, where nobody ever stated one).
    """
    stated = take(own.numbers["deal_value"], version, np.nan)
    stated = np.where(stated > 0, stated, np.nan)
    product = market_code(own, everyone, "product", own.texts["product"].at(version))
    usual = market.deal_values.log_usual(product, at)
    return stated, np.where(np.isnan(stated), np.exp(usual), stated)


def market_code(
    own: LeadFacts, everyone: LeadFacts, name: str, code: IntArray
) -> IntArray:
    """Codes of a text of ``own`` as ``everyone`` codes it; -1 where that has none."""
    if own is everyone:
        return code
    onto = own.texts[name].onto(everyone.texts[name].texts)
    return take(onto, code, -1)


def segments_of(
    own: LeadFacts,
    everyone: LeadFacts,
    market: Market,
    recipe: Recipe,
    lead: IntArray,
    at: IntArray,
) -> dict[str, IntArray]:
    """Segment of each lead as of an instant, in the codes of ``own``, by name.

    Args:
        own: Facts that the leads are of.
        everyone: Facts that the market was made from.
        market: What gives the usual deal value.
        recipe: What gives the bands.
        lead: int64 (n_rows,).
        at: int64 (n_rows,).
    """
    version = lead_version(own, lead, at)
    _, value = deal_value(own, everyone, market, version, at)
    size = take(own.numbers["company_size"], version, np.nan)
    codes = {
        name: own.texts[name].at(version) for name in SEGMENTS if name in own.texts
    }
    bands = {
        "deal_band": band(value, recipe.deal_bands),
        "size_band": band(size, recipe.size_bands),
    }
    return {name: {**codes, **bands}[name] for name in SEGMENTS}
