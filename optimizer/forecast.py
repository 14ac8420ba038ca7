"""How many leads are still to come in a window, from what came before.

Time is cut into periods (hours, say), and every period has a kind known in advance:
its place in the window, and whether it is a holiday. Arrivals in periods of the same
kind in earlier windows, recent ones first, say what is usual; what the present window
has brought so far corrects it. Arrivals are taken as Poisson around a pace that varies
from window to window like a Gamma variable, so the correction is the mean of a
Gamma-Poisson posterior: small while little has been seen, in full at the end.
"""

import math
from dataclasses import dataclass

import numpy as np

from optimizer.problem import BoolArray, FloatArray, IntArray
from rightrep.errors import InvalidInput

_MOST_SHAPE = 1e6


@dataclass(frozen=True, slots=True)
class Forecast:
    """Leads still expected, and how surely.

    Attributes:
        leads: Mean; >= 0.
        shape: Shape of the Gamma distribution of the pace, > 0: its relative standard
            deviation is ``shape ** -0.5``. Infinite where the pace is known.

    Raises:
        InvalidInput: A range above does not hold.
    """

    leads: float
    shape: float = math.inf

    def __post_init__(self) -> None:
        if not (self.leads >= 0 and self.shape > 0):
            raise InvalidInput(
                f"{self.leads} leads with shape {self.shape}: leads must be at least 0 "
                "and the shape positive.",
                field="leads",
            )

    def draw(self, rng: np.random.Generator) -> int:
        """Number of leads in one possible future."""
        pace = 1.0 if math.isinf(self.shape) else rng.gamma(self.shape) / self.shape
        return int(rng.poisson(self.leads * pace))


def forecast_leads(
    count: IntArray,
    kind: IntArray,
    window: IntArray,
    *,
    elapsed: float = 1.0,
    half_life: float = 2.0,
) -> Forecast:
    """Leads still to come in the present window.

    Args:
        count: Leads that arrived in each period so far, in order of time, the current
            one last; int64 (n_done,).
        kind: What each period is like, those still to come in the present window
            included; int64 (n_periods,), >= 0, n_periods >= n_done.
        window: Window of each period, never falling; int64 (n_periods,). The last is
            the present one.
        elapsed: Part of the current period that is over, in [0, 1].
        half_life: Windows after which an earlier window counts half; > 0.

    Returns:
        The forecast. A kind not seen before counts as usual for all kinds; without
        earlier windows the present one's own pace goes on.
    """
    n_done, present = count.size, int(window[-1])
    exposure = np.ones(kind.size)
    exposure[n_done:] = 0.0
    if n_done:
        exposure[n_done - 1] = elapsed
    earlier = window < present
    usual = _usual(count, kind, exposure, window, earlier, half_life)
    now = ~earlier
    came = int(count[now[:n_done]].sum())
    seen = float((usual * exposure)[now].sum())
    left = float((usual * (1.0 - exposure))[now].sum())
    if not earlier.any():
        return Forecast(left, max(came, 1.0))
    shape = _shape(count, usual, window, earlier)
    return Forecast(left * (came + shape) / (seen + shape), shape + came)


def _usual(
    count: IntArray,
    kind: IntArray,
    exposure: FloatArray,
    window: IntArray,
    earlier: BoolArray,
    half_life: float,
) -> FloatArray:
    """Leads that each period would usually bring; float64 (n_periods,)."""
    age = (window[-1] - window) / half_life
    weight = np.where(earlier | (not earlier.any()), 0.5**age, 0.0) * exposure
    came = np.zeros(kind.size)
    came[: count.size] = count
    # An unfinished period brought what it brought in the part that is over.
    rate = np.divide(came, exposure, out=np.zeros_like(came), where=exposure > 0)
    time = np.bincount(kind, weights=weight)
    leads = np.bincount(kind, weights=weight * rate)
    overall = leads.sum() / time.sum() if time.sum() > 0 else 0.0
    by_kind = np.divide(leads, time, out=np.full(time.size, overall), where=time > 0)
    return np.asarray(by_kind[kind])


def _shape(
    count: IntArray, usual: FloatArray, window: IntArray, earlier: BoolArray
) -> float:
    """Shape of the pace, from how far earlier windows were from usual (moments)."""
    place = window[earlier] - window[0]
    came = np.bincount(place, weights=count[: place.size])
    expected = np.bincount(place, weights=usual[earlier])
    spread = float(((came - expected) ** 2 - expected).sum())
    if spread <= 0:
        return _MOST_SHAPE
    return float(np.clip((expected**2).sum() / spread, 1.0, _MOST_SHAPE))
