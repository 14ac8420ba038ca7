"""How many leads are still to come in a window, from what came before.

Time is cut into periods (hours, say), and every period has a kind known in advance:
its place in the window, and whether it is a holiday. Arrivals in periods of the same
kind in earlier windows say what is usual for a kind, the last windows say at what pace
the market runs now, and what the present window has brought so far corrects that.
Arrivals are taken as Poisson around a pace that varies from window to window like a
Gamma variable, so the correction is the mean of a Gamma-Poisson posterior: small while
little has been seen, in full at the end. How much the pace varies is learned from how
far earlier windows were from what the ones before them said.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from optimizer.problem import FloatArray, IntArray
from rightrep.errors import InvalidInput

_MOST_SHAPE = 1e6
_FIRST_SHAPE = 20.0
"""Shape with one earlier window: a pace known to some 20 %."""
_MEMORY = 12.0
"""Windows after which an earlier one counts half for what is usual."""
_TURNS = 3
_HALF_LIVES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Speeds at which the pace is followed: windows after which one counts half."""


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

    Returns:
        The forecast. A kind not seen before counts as usual for all kinds; without
        earlier windows the present one's own pace goes on.
    """
    n_done, place = count.size, window - window[0]
    exposure = np.ones(kind.size)
    exposure[n_done:] = 0.0
    if n_done:
        exposure[n_done - 1] = elapsed
    came = np.zeros(kind.size)
    came[:n_done] = count
    now = place == place[-1]
    if now.all():
        total, time = float(came.sum()), float(exposure.sum())
        left = (kind.size - time) * total / time if time > 0 else 0.0
        return Forecast(left, max(total, 1.0))
    usual = _usual(came[~now], kind, place)
    pace, shape = _pace(_sums(place[~now], came[~now]), _sums(place[~now], usual[~now]))
    seen = pace * float((usual * exposure)[now].sum())
    left = pace * float((usual * (1.0 - exposure))[now].sum())
    arrived = float(came[now].sum())
    return Forecast(left * (arrived + shape) / (seen + shape), shape + arrived)


def _usual(came: FloatArray, kind: IntArray, place: IntArray) -> FloatArray:
    """Leads that each period would bring at pace 1; float64 (n_periods,).

    Rates by kind and paces by window are fitted in turns, so that a kind seen only in
    busy windows is not taken for a busy kind. Old windows count less.
    """
    done = came.size
    weight = 0.5 ** ((place[-1] - place[:done]) / _MEMORY)
    pace = np.ones(place[-1])
    for _ in range(_TURNS):
        time = np.bincount(
            kind[:done], weights=weight * pace[place[:done]], minlength=kind.max() + 1
        )
        leads = np.bincount(kind[:done], weights=weight * came, minlength=time.size)
        overall = leads.sum() / time.sum() if time.sum() > 0 else 0.0
        rate = np.divide(leads, time, out=np.full(time.size, overall), where=time > 0)
        pace = _ratio(_sums(place[:done], came), _sums(place[:done], rate[kind[:done]]))
    return np.asarray(rate[kind])


class _Followed(NamedTuple):
    """How one speed of following the pace did on the earlier windows.

    Attributes:
        misfit: Sum of squared errors over what was told, each a window ahead.
        pace: Pace told for the coming window.
        shape: Shape of its spread (by moments).
    """

    misfit: float
    pace: float
    shape: float


def _pace(came: FloatArray, expected: FloatArray) -> tuple[float, float]:
    """Pace of the coming window and its shape, followed at the speed that did best.

    Args:
        came: Leads of each earlier window, in order; float64 (n_windows,).
        expected: What it would have brought at pace 1; float64 (n_windows,).
    """
    best = min(_follow(came, expected, half_life) for half_life in _HALF_LIVES)
    return best.pace, best.shape


def _follow(came: FloatArray, expected: FloatArray, half_life: float) -> _Followed:
    """Tell each window from the ones before, which count half after a half-life."""
    fade = 0.5 ** (1.0 / half_life)
    leads = usual = misfit = spread = square = 0.0
    for got, normal in zip(came.tolist(), expected.tolist(), strict=True):
        told = normal * leads / usual if usual > 0 else 0.0
        if told > 0:
            misfit += (got - told) ** 2 / told
            spread += (got - told) ** 2 - told
            square += told**2
        leads, usual = fade * leads + got, fade * usual + normal
    shape = square / spread if spread > 0 else _MOST_SHAPE
    shape = float(np.clip(shape, 1.0, _MOST_SHAPE)) if square > 0 else _FIRST_SHAPE
    return _Followed(misfit, leads / usual if usual > 0 else 0.0, shape)


def _sums(place: IntArray, leads: FloatArray) -> FloatArray:
    """Leads of each window; float64 (n_windows,)."""
    return np.asarray(np.bincount(place, weights=leads), np.float64)


def _ratio(top: FloatArray, bottom: FloatArray) -> FloatArray:
    """One over the other, 1 where there is nothing to compare."""
    return np.divide(top, bottom, out=np.ones_like(top), where=bottom > 0)
