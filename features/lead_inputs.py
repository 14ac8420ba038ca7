"""From facts to the inputs of lead columns: one array per name, one value per row."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray

from features.as_of import (
    NEVER,
    FloatArray,
    IntArray,
    Log,
    Tally,
    days_between,
    take,
)
from features.codes import codes_of
from features.encoders import encode
from features.known import Known, Own
from features.lead_facts import NUMBERS, TEXTS, LeadFacts
from features.lead_profile import shrunk_share
from features.market import WIN_KEYS, lead_version
from features.segments import deal_value, market_code

_EVERYBODY = 0


def lead_inputs(own: Own, known: Known, lead: IntArray, at: IntArray) -> dict[str, Any]:
    """Inputs of every lead column.

    Args:
        own: Facts that the leads are of.
        known: What the whole history teaches.
        lead: Lead of each row; int64 (n_rows,). A merged lead stands for its survivor.
        at: Instant of each row; int64 (n_rows,).
    """
    lead = own.leads.merges.survivor_of(lead, at)
    version = lead_version(own.leads, lead, at)
    utc = pd.DatetimeIndex(at.view("datetime64[us]")).tz_localize("UTC")
    return {
        "at": at,
        "local_at": utc.tz_convert(known.recipe.zone).tz_localize(None),
        "created_at": own.leads.created_at[lead],
        "prior_leads": known.recipe.prior_leads,
        **_attributes(own.leads, known, version, at),
        **_own_fields(own.leads, known, version),
        **_behaviour(own.leads, lead, at),
        **_customer(own, lead, at),
        **_shares(own, known, lead, version, at),
    }


def _attributes(
    leads: LeadFacts, known: Known, version: IntArray, at: IntArray
) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    filled = np.zeros(version.size)
    for name in TEXTS:
        texts = leads.texts[name]
        categories = _categories(known.recipe.categories.get(name, ()))
        code = texts.at(version)
        codes = encode(texts.texts, categories).astype(np.float64)
        inputs[name] = take(codes, code, np.nan)
        filled += code >= 0
    for name in NUMBERS:
        inputs[name] = take(leads.numbers[name], version, np.nan)
        filled += ~np.isnan(inputs[name])
    stated, value = deal_value(leads, known.own.leads, known.market, version, at)
    return {
        **inputs,
        "filled": filled,
        "n_fields": len(TEXTS) + len(NUMBERS),
        "stated_deal_value": stated,
        "deal_value": value,
    }


def _own_fields(
    leads: LeadFacts, known: Known, version: IntArray
) -> dict[str, FloatArray]:
    recipe = known.recipe
    if not recipe.own_numbers and not recipe.own_categories:
        return {}
    text, distinct = pd.factorize(leads.attributes)
    parsed = [orjson.loads(one) for one in distinct]
    row = take(text.astype(np.int64), version, -1)
    inputs = {
        f"attributes.{name}": take(
            as_numbers([one.get(name) for one in parsed]), row, np.nan
        )
        for name in recipe.own_numbers
    }
    for name, values in recipe.own_categories.items():
        texts = as_texts([one.get(name) for one in parsed])
        codes = encode(texts, _categories(values))
        inputs[f"attributes.{name}"] = take(codes.astype(np.float64), row, np.nan)
    return inputs


@lru_cache(maxsize=1_024)
def _categories(values: tuple[str, ...]) -> pd.Index:
    """The categories with their lookup, which takes longer to make than to ask."""
    return pd.Index(values, dtype="str")


def as_numbers(values: Iterable[object]) -> FloatArray:
    """JSON numbers and booleans as floats; anything else is missing."""
    plain = [float(v) if isinstance(v, (int, float)) else np.nan for v in values]
    return np.array(plain, dtype=np.float64)


def as_texts(values: Iterable[object]) -> NDArray[np.object_]:
    """JSON strings; anything else is missing."""
    plain = [v if isinstance(v, str) else None for v in values]
    return np.array(plain, dtype=object)


def _behaviour(leads: LeadFacts, lead: IntArray, at: IntArray) -> dict[str, FloatArray]:
    before = at - 1
    part = leads.merges.parts_of(lead, at)

    def count(log: Log, days: int | None = None) -> FloatArray:
        def one(key: IntArray, when: IntArray) -> IntArray:
            return log.count(key, when) if days is None else log.within(key, when, days)

        total = one(lead, before).astype(np.float64)
        np.add.at(total, part[0], one(part[1], before[part[0]]))
        return total

    def latest(log: Log) -> IntArray:
        last = take(log.known_at, log.last(lead, before), NEVER)
        others = take(log.known_at, log.last(part[1], before[part[0]]), NEVER)
        np.maximum.at(last, part[0], others)
        return last

    survey = leads.surveys.last(lead, before)
    return {
        "touches_7d": count(leads.touches, 7),
        "touches_30d": count(leads.touches, 30),
        "touches": count(leads.touches),
        "days_since_touch": days_between(latest(leads.touches), at),
        "page_views_7d": count(leads.page_views, 7),
        "page_views_30d": count(leads.page_views, 30),
        "days_since_page_view": days_between(latest(leads.page_views), at),
        "lead_satisfaction": take(
            leads.survey_score, take(leads.surveys.order, survey, -1), np.nan
        ),
        "earlier_decisions": count(leads.given),
    }


def _customer(own: Own, lead: IntArray, at: IntArray) -> dict[str, FloatArray]:
    leads, before = own.leads, at - 1
    customer = leads.customer[lead]
    created = leads.created_at[lead]
    arrivals = leads.arrivals.count(customer, before) - (created <= before)
    asking, part = leads.merges.parts_of(lead, at)
    same = (leads.customer[part] == customer[asking]) & (
        leads.created_at[part] <= before[asking]
    )
    np.subtract.at(arrivals, asking[same], 1)
    previous = leads.arrivals.last(customer, np.minimum(created, at) - 1)
    wins, stated, n_stated = leads.wins.sums(customer, before)
    won = take(leads.won.known_at, leads.won.last(customer, before), NEVER)
    return {
        "customer_leads": arrivals.astype(np.float64),
        "customer_contacts": own.contacts.by_customer.count(customer, before).astype(
            np.float64
        ),
        "customer_wins": wins,
        "customer_stated_value": stated,
        "customer_stated_wins": n_stated,
        "days_since_customer_lead": days_between(
            take(leads.arrivals.known_at, previous, NEVER), at
        ),
        "days_since_customer_win": np.where(wins > 0, days_between(won, at), np.nan),
    }


def _shares(
    own: Own, known: Known, lead: IntArray, version: IntArray, at: IntArray
) -> dict[str, FloatArray]:
    market, everyone = known.market, known.own.leads
    inputs: dict[str, FloatArray] = {}

    def ask(name: str, tally: Tally, key: IntArray) -> None:
        inputs[f"won_{name}"], inputs[f"judged_{name}"] = tally.sums(key, at)

    ask("of_all", market.overall, np.full(lead.size, _EVERYBODY, dtype=np.int64))
    for name in WIN_KEYS:
        code = own.leads.texts[name].at(version)
        ask(
            f"by_{name}",
            market.by_text[name],
            market_code(own.leads, everyone, name, code),
        )
    customer = own.leads.customer[lead]
    if own.leads is not everyone:
        onto = codes_of_customers(own.leads, everyone)
        customer = onto[customer]
    ask("by_customer", market.by_customer, customer)
    inputs["overall_win_rate"] = shrunk_share(
        inputs["won_of_all"],
        inputs["judged_of_all"],
        np.full(lead.size, 0.5),
        1.0,
    )
    return inputs


def codes_of_customers(own: LeadFacts, everyone: LeadFacts) -> IntArray:
    """Place of each of our customers among everyone's, or -1."""
    return codes_of(everyone.customer_ids, own.customer_ids)
