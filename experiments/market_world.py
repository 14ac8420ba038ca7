"""What there is in a demo market: places, trades, products, channels, in fixed order.

Codes everywhere in the market are positions in these tuples. Effects are on the log
odds of winning; they are invented, as is every other figure here.
"""

import numpy as np

from experiments.market_settings import FloatArray, IntArray

LANGUAGES = ("zh", "en", "de")
LANGUAGE_SHARE = {
    "CN": np.array([0.97, 0.03, 0.0]),
    "US": np.array([0.08, 0.92, 0.0]),
    "GB": np.array([0.03, 0.97, 0.0]),
    "DE": np.array([0.0, 0.35, 0.65]),
}
"""Share of each language among customers by country."""

INDUSTRIES = (
    "manufacturing",
    "software",
    "retail",
    "healthcare",
    "education",
    "logistics",
    "finance",
    "construction",
    "energy",
    "hospitality",
)
# fmt: off
INDUSTRY_SHARE = np.array([0.22, 0.14, 0.13, 0.09, 0.08, 0.09, 0.07, 0.08, 0.05, 0.05])
INDUSTRY_DRIFT = np.array([-0.5, 0.7, -0.2, 0.3, -0.4, 0.2, 0.1, -0.6, 0.8, 0.0])
INDUSTRY_EFFECT = np.array([0.15, 0.2, -0.1, 0.1, -0.25, 0.0, -0.15, -0.1, 0.2, -0.1])
INDUSTRY_SIZE = np.array([5.2, 4.2, 4.3, 5.0, 4.8, 4.7, 5.3, 4.9, 5.5, 4.1])
INDUSTRY_DEAL = np.array([0.15, 0.0, -0.3, 0.15, -0.35, -0.05, 0.5, 0.1, 0.55, -0.4])
# ``_SIZE`` is the mean log of employees, ``_DEAL`` a log factor on the deal value.

PRODUCTS = (
    "Cloud ERP", "CRM Suite", "Data Platform", "Field Service", "Security", "Payroll",
)
PRODUCT_SHARE = np.array([0.24, 0.26, 0.15, 0.12, 0.12, 0.11])
PRODUCT_EFFECT = np.array([-0.1, 0.1, -0.05, 0.05, 0.15, 0.1])
PRODUCT_DEAL = np.array([0.5, 0.0, 0.35, -0.1, 0.0, -0.6])

CHANNELS = (
    "website", "search ads", "social", "trade fair",
    "referral", "partner", "webinar", "cold call",
)
CHANNEL_SHARE = np.array([0.24, 0.20, 0.12, 0.08, 0.10, 0.09, 0.09, 0.08])
CHANNEL_DRIFT = np.array([0.0, -0.5, 0.9, -0.2, 0.1, 0.2, 0.5, -0.8])
CHANNEL_EFFECT = np.array([0.1, -0.15, -0.5, 0.2, 0.8, 0.5, 0.0, -0.75])
CHANNEL_HAS_CAMPAIGNS = np.array([False, True, True, True, False, False, True, False])
CHANNEL_COST = np.array([40.0, 320.0, 180.0, 900.0, 60.0, 250.0, 150.0, 110.0])
"""Money per lead in major units of the tenant's currency."""
# fmt: on

STYLES = ("analytical", "relational", "decisive", "cautious")
"""``attributes.buying_style``: how the customer buys, as noted by the front desk."""

TIMELINES = ("this quarter", "this year", "later")
"""``attributes.timeline``: when the lead says it will buy."""
TIMELINE_SHARE = np.array([0.25, 0.45, 0.30])
TIMELINE_EFFECT = np.array([0.55, 0.0, -0.5])

SIZE_BANDS = np.array([50.0, 200.0, 1000.0])
"""Employees at which the next size band starts."""
N_SIZE_BANDS = 4

GRADES = ("A", "B", "C")

LOST_REASONS = ("price", "competitor", "no budget", "no need", "no response")

N_LATENT = 3
"""Dimensions of the fit that no column holds."""


def draw_codes(rng: np.random.Generator, share: FloatArray, count: int) -> IntArray:
    """``count`` positions drawn in proportion to ``share``."""
    steps = np.cumsum(share / share.sum())
    codes = np.searchsorted(steps, rng.random(count), side="right")
    return np.minimum(codes, share.size - 1).astype(np.int64)
