"""Calibration: from a raw score to a chance that comes true that often.

Beta calibration (Kull, Silva Filho and Flach, 2017, "Beta calibration: a well-founded
and easily implemented improvement on logistic calibration for binary classifiers"):

    p = sigmoid(a log q - b log(1 - q) + c),    q = sigmoid(raw),    a, b > 0

It is smooth and strictly increasing, so it never ties two pairs or changes their order
(isotonic regression does both), and a = b = 1, c = 0 leaves q as it is.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit

FloatArray = NDArray[np.float64]

_LOG_SLOPE_SPREAD = 0.5
_SHIFT_SPREAD = 1.0


@dataclass(frozen=True, slots=True)
class BetaCalibration:
    """The map's parameters.

    Attributes:
        a: Weight of ``log q``; positive.
        b: Weight of ``-log(1 - q)``; positive.
        c: Shift, in log odds.

    Raises:
        ValueError: A weight is not positive, or a value is not finite.
    """

    a: float = 1.0
    b: float = 1.0
    c: float = 0.0

    def __post_init__(self) -> None:
        if not (self.a > 0 and self.b > 0):
            raise ValueError("The weights of a calibration must be positive.")
        if not np.isfinite([self.a, self.b, self.c]).all():
            raise ValueError("The parameters of a calibration must be finite.")

    @classmethod
    def fit(
        cls, raw: FloatArray, won: NDArray[np.bool_], weight: FloatArray | None = None
    ) -> "BetaCalibration":
        """The most likely map, held near the identity where there are few rows.

        Log weights have a normal prior around 0 with spread ``_LOG_SLOPE_SPREAD``, the
        shift one with spread ``_SHIFT_SPREAD``; a few hundred rows outweigh both.

        Args:
            raw: Raw scores (log odds); float64 (n_rows,).
            won: What happened; bool (n_rows,).
            weight: Weight of each row, positive; 1 when not given.
        """
        weight = np.ones(raw.size) if weight is None else weight
        log_q, log_rest = _logs(raw)
        sign = np.where(won, -1.0, 1.0)

        def loss(theta: FloatArray) -> tuple[float, FloatArray]:
            a, b = np.exp(theta[0]), np.exp(theta[1])
            z = a * log_q - b * log_rest + theta[2]
            prior = theta / np.array([_LOG_SLOPE_SPREAD**2] * 2 + [_SHIFT_SPREAD**2])
            value = weight @ np.logaddexp(0.0, sign * z) + 0.5 * theta @ prior
            slope = weight * (expit(z) - won)
            gradient = np.array(
                [slope @ log_q * a, -(slope @ log_rest) * b, slope.sum()]
            )
            return float(value), gradient + prior

        found = minimize(loss, np.zeros(3), jac=True, method="L-BFGS-B")
        a, b, c = np.exp(found.x[0]), np.exp(found.x[1]), found.x[2]
        return cls(float(a), float(b), float(c))

    def levelled(
        self, raw: FloatArray, won: NDArray[np.bool_], weight: FloatArray
    ) -> "BetaCalibration":
        """The same slopes, and the shift most likely for other scores.

        The shift has a normal prior around the one there is, with spread
        ``_SHIFT_SPREAD``.

        Args:
            raw: Raw scores (log odds); float64 (n_rows,).
            won: What happened; bool (n_rows,).
            weight: Weight of each row, positive; float64 (n_rows,).
        """
        now = self.log_odds(raw)

        def slope(shift: float) -> float:
            prior = shift / _SHIFT_SPREAD**2
            return float(weight @ (expit(now + shift) - won)) + prior

        most = 1.0 + float(weight.sum()) * _SHIFT_SPREAD**2
        return replace(self, c=self.c + float(brentq(slope, -most, most)))

    def log_odds(self, raw: FloatArray) -> FloatArray:
        """Calibrated log odds of raw scores; same shape."""
        log_q, log_rest = _logs(np.asarray(raw, dtype=np.float64))
        return self.a * log_q - self.b * log_rest + self.c

    def apply(self, raw: FloatArray) -> FloatArray:
        """Calibrated chances of raw scores, in [0, 1]; same shape."""
        return np.asarray(expit(self.log_odds(raw)))


def _logs(raw: FloatArray) -> tuple[FloatArray, FloatArray]:
    """``log q`` and ``log(1 - q)`` without the rounding of q near 0 and 1."""
    return -np.logaddexp(0.0, -raw), -np.logaddexp(0.0, raw)
