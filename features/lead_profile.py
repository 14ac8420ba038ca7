"""Lead profile columns. One pure function per column, named for the column.

Functions take arrays with one value per row, a row being a lead at an instant. Times
are int64 microseconds since 1970 UTC; ``before_*`` inputs count events strictly before
the instant, so that what the decision itself sets off is not seen.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from features.as_of import FloatArray, IntArray, days_between
from features.columns import Column, Side
from features.declare import Feature, as_given, feature
from features.lead_facts import TEXTS
from features.recipe import Recipe

_TEXT_MEANINGS = {
    "industry": "the customer's trade",
    "region": "the lead's sales region",
    "language": "the lead's language",
    "product": "the product asked for",
    "channel": "where the lead came from",
    "campaign": "the campaign it came from",
    "stage": "the life-cycle step",
    "grade": "the customer's grade",
}


@feature(
    Side.LEAD,
    unit="log employees",
    meaning="company size",
    missing="company size is not stated",
)
def log_company_size(company_size: FloatArray) -> FloatArray:
    """Natural log of one plus the employees."""
    return np.log1p(np.maximum(company_size, 0.0))


@feature(Side.LEAD, unit="log money", meaning="budget", missing="budget is not stated")
def log_budget(budget: FloatArray) -> FloatArray:
    """Natural log of one plus the budget in major units."""
    return np.log1p(np.maximum(budget, 0.0))


@feature(
    Side.LEAD,
    unit="log money",
    meaning="deal value",
    missing="no lead has stated a deal value yet",
)
def log_deal_value(deal_value: FloatArray) -> FloatArray:
    """Natural log of one plus the deal value, the usual one where none is stated."""
    return np.log1p(deal_value)


@feature(Side.LEAD, unit="0 or 1", meaning="whether the deal value is stated")
def deal_value_stated(stated_deal_value: FloatArray) -> FloatArray:
    """1.0 where the lead states a positive deal value."""
    return (stated_deal_value > 0).astype(np.float64)


@feature(Side.LEAD, unit="share", meaning="how much of the lead's record is filled in")
def completeness(filled: FloatArray, n_fields: int) -> FloatArray:
    """Filled fields over all fields, in [0, 1]."""
    return filled / n_fields


@feature(Side.LEAD, unit="days", meaning="age of the lead")
def lead_age_days(created_at: IntArray, at: IntArray) -> FloatArray:
    """Days since the lead was made; 0 where it was made later than asked about."""
    return np.maximum(days_between(created_at, at), 0.0)


@feature(
    Side.LEAD,
    unit="share",
    meaning="share of all decided leads won lately",
)
def recent_win_rate(won_of_all: FloatArray, judged_of_all: FloatArray) -> FloatArray:
    """Decayed share won of all judged decisions, shrunk toward one half by one."""
    return (won_of_all + 0.5) / (judged_of_all + 1.0)


def shrunk_share(
    won: FloatArray, judged: FloatArray, toward: FloatArray, prior_leads: float
) -> FloatArray:
    """Share won, shrunk: the mean of a Beta posterior with ``prior_leads`` of weight.

    Args:
        won: Decayed wins; float64 (n_rows,), >= 0.
        judged: Decayed judged decisions; same shape, >= won.
        toward: Share that rows without history get; same shape, in [0, 1].
        prior_leads: Judged decisions at which own history and ``toward`` weigh the
            same; positive.
    """
    return (won + prior_leads * toward) / (judged + prior_leads)


@feature(Side.LEAD, unit="share", meaning="share of this channel's leads won")
def channel_win_rate(
    won_by_channel: FloatArray,
    judged_by_channel: FloatArray,
    overall_win_rate: FloatArray,
    prior_leads: float,
) -> FloatArray:
    """Channel quality: share won, shrunk toward the share of all."""
    return shrunk_share(
        won_by_channel, judged_by_channel, overall_win_rate, prior_leads
    )


@feature(Side.LEAD, unit="share", meaning="share of this campaign's leads won")
def campaign_win_rate(
    won_by_campaign: FloatArray,
    judged_by_campaign: FloatArray,
    overall_win_rate: FloatArray,
    prior_leads: float,
) -> FloatArray:
    """Campaign quality: share won, shrunk toward the share of all."""
    return shrunk_share(
        won_by_campaign, judged_by_campaign, overall_win_rate, prior_leads
    )


@feature(Side.LEAD, unit="share", meaning="share of this product's leads won")
def product_win_rate(
    won_by_product: FloatArray,
    judged_by_product: FloatArray,
    overall_win_rate: FloatArray,
    prior_leads: float,
) -> FloatArray:
    """Share of the product's leads won, shrunk toward the share of all."""
    return shrunk_share(
        won_by_product, judged_by_product, overall_win_rate, prior_leads
    )


@feature(Side.LEAD, unit="share", meaning="share of this industry's leads won")
def industry_win_rate(
    won_by_industry: FloatArray,
    judged_by_industry: FloatArray,
    overall_win_rate: FloatArray,
    prior_leads: float,
) -> FloatArray:
    """Share of the industry's leads won, shrunk toward the share of all."""
    return shrunk_share(
        won_by_industry, judged_by_industry, overall_win_rate, prior_leads
    )


@feature(Side.LEAD, unit="share", meaning="share of this customer's leads won")
def customer_win_rate(
    won_by_customer: FloatArray,
    judged_by_customer: FloatArray,
    overall_win_rate: FloatArray,
    prior_leads: float,
) -> FloatArray:
    """Share of the customer's judged leads won, shrunk toward the share of all."""
    return shrunk_share(
        won_by_customer, judged_by_customer, overall_win_rate, prior_leads
    )


@feature(Side.LEAD, unit="code", meaning="day of the week, from Monday")
def weekday(local_at: pd.DatetimeIndex) -> FloatArray:
    """0 is Monday, 6 is Sunday, in the tenant's zone."""
    return np.asarray(local_at.day_of_week, dtype=np.float64)


@feature(Side.LEAD, unit="hours", meaning="hour of the day")
def hour(local_at: pd.DatetimeIndex) -> FloatArray:
    """0 to 23, in the tenant's zone."""
    return np.asarray(local_at.hour, dtype=np.float64)


@feature(Side.LEAD, unit="days", meaning="days to the end of the quarter")
def days_to_quarter_end(local_at: pd.DatetimeIndex) -> FloatArray:
    """Whole days from the local day to the last day of its calendar quarter."""
    day = local_at.to_numpy().astype("datetime64[D]")
    month = day.astype("datetime64[M]").astype(np.int64)
    after = (month // 3 * 3 + 3).astype("datetime64[M]").astype("datetime64[D]")
    return np.asarray((after - day).astype(np.float64) - 1.0)


def _count(name: str, meaning: str) -> Feature:
    return as_given(Side.LEAD, name, unit="count", meaning=meaning)


def _since(name: str, meaning: str, missing: str) -> Feature:
    return as_given(Side.LEAD, name, unit="days", meaning=meaning, missing=missing)


_BEHAVIOUR = (
    _count("touches_7d", "contacts in the last 7 days"),
    _count("touches_30d", "contacts in the last 30 days"),
    _count("touches", "contacts so far"),
    _since("days_since_touch", "days since the last contact", "never in contact"),
    _count("page_views_7d", "pages viewed in the last 7 days"),
    _count("page_views_30d", "pages viewed in the last 30 days"),
    _since("days_since_page_view", "days since the last page view", "no page viewed"),
    as_given(
        Side.LEAD,
        "lead_satisfaction",
        unit="score",
        meaning="the lead's last survey score",
        missing="no survey answered",
    ),
    _count("earlier_decisions", "how often this lead was given to a rep before"),
)


@feature(
    Side.LEAD,
    unit="log money",
    meaning="what this customer bought before",
    missing="never won, or no deal value was stated",
)
def log_customer_value(
    customer_wins: FloatArray,
    customer_stated_value: FloatArray,
    customer_stated_wins: FloatArray,
) -> FloatArray:
    """Natural log of one plus the deal values of the customer's earlier wins.

    Those stated when the win was known; a win that states none counts as the mean of
    the others. Money of outcomes is never a feature.
    """
    known = (customer_stated_wins > 0) & (customer_wins > 0)
    total = np.full(customer_wins.shape, np.nan)
    np.divide(
        customer_stated_value * customer_wins,
        customer_stated_wins,
        out=total,
        where=known,
    )
    # Sums of wins taken back may leave a hair below nothing.
    return np.asarray(np.log1p(np.maximum(total, 0.0)))


_CUSTOMER = (
    _count("customer_leads", "earlier leads of this customer"),
    _count("customer_contacts", "earlier contacts of any rep with this customer"),
    _count("customer_wins", "earlier wins with this customer"),
    _since(
        "days_since_customer_lead",
        "days since the customer's last lead",
        "a first lead",
    ),
    _since(
        "days_since_customer_win", "days since the customer's last win", "never won"
    ),
    log_customer_value,
    customer_win_rate,
)

_FIXED: tuple[Feature, ...] = (
    log_company_size,
    log_budget,
    log_deal_value,
    deal_value_stated,
    completeness,
    lead_age_days,
    *_BEHAVIOUR,
    *_CUSTOMER,
    recent_win_rate,
    channel_win_rate,
    campaign_win_rate,
    product_win_rate,
    industry_win_rate,
    weekday,
    hour,
    days_to_quarter_end,
)


def lead_features(recipe: Recipe) -> Sequence[Feature]:
    """Every lead column of a recipe, in the contract's order."""
    texts = [
        _category(name, _TEXT_MEANINGS[name], recipe.categories.get(name, ()))
        for name in TEXTS
    ]
    numbers = [
        as_given(
            Side.LEAD,
            f"attributes.{name}",
            unit="number",
            meaning=f"your own field {name}",
            missing="the field is not a number, or not stated",
        )
        for name in recipe.own_numbers
    ]
    own = [
        _category(f"attributes.{name}", f"your own field {name}", values)
        for name, values in recipe.own_categories.items()
    ]
    return (*texts, *_FIXED, *numbers, *own)


def _category(name: str, meaning: str, values: Sequence[str]) -> Feature:
    # The version of the contract has to tell two lists of categories apart.
    return as_given(
        Side.LEAD,
        name,
        unit=f"code of {'|'.join(values)}",
        meaning=meaning,
        categorical=True,
        missing="not stated",
    )


def lead_columns(recipe: Recipe) -> tuple[Column, ...]:
    """What ``lead_features`` mean."""
    return tuple(one.column for one in lead_features(recipe))
