"""Sample ratio mismatch: arms that are not of the planned sizes stop the report.

A hash that is not uniform, units lost in one arm, a filter applied after the draw: each
shows as counts that the planned shares do not explain, and makes every effect wrong.
The test may be looked at after every unit.

Source: Lindon and Malek, "Anytime-valid inference for multinomial count data", NeurIPS
2022, section 3: a Dirichlet mixture of multinomials against the planned one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp, xlogy

from rightrep.errors import InvalidInput

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

ALPHA = 0.001
"""Chance of a false alarm over an experiment's whole life."""

CONCENTRATIONS = (30.0, 300.0, 3000.0)
"""Prior units that a mixture around the planned shares is worth: departures of ten,
three and one points of percent are looked for. An average of such tests is one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Srm:
    """Whether the arms have the sizes that were planned.

    Attributes:
        p: Always-valid p-value, in (0, 1].
        counts: Units of each arm, in the order of the arms.
        shares: Planned shares, adding up to 1.
        alpha: Below this p the report is stopped.
    """

    p: float
    counts: tuple[int, ...]
    shares: tuple[float, ...]
    alpha: float = ALPHA

    @property
    def mismatch(self) -> bool:
        """Whether the report is stopped."""
        return self.p < self.alpha

    def in_words(self) -> str:
        """What is wrong, or that nothing is."""
        seen = ", ".join(f"{n:,}" for n in self.counts)
        if not self.mismatch:
            return f"Arms have {seen} units, as planned (p = {self.p:.3g})."
        total = sum(self.counts)
        planned = ", ".join(f"{total * share:,.0f}" for share in self.shares)
        return (
            f"Arms have {seen} units where {planned} were planned (p = {self.p:.2g}): "
            "units were lost or given wrongly, so no effect is reported."
        )


def srm(counts: IntArray, shares: FloatArray, *, alpha: float = ALPHA) -> Srm:
    """Test the arms' sizes at every look together.

    Args:
        counts: Units of each arm that came at each look, such as each day;
            int64 (n_looks, n_arms).
        shares: Planned share of each arm; float64 (n_arms,), positive, summing to 1.
        alpha: Chance of a false alarm over all looks.

    Raises:
        InvalidInput: The shares do not fit the counts.
    """
    counts, shares = np.atleast_2d(counts), np.asarray(shares, dtype=np.float64)
    if counts.shape[1] != shares.size or not np.isclose(shares.sum(), 1):
        raise InvalidInput("Each arm has a share, together 1.", field="shares")
    upto = np.cumsum(counts, axis=0)
    evidence = np.exp(np.minimum(_log_evidence(upto, shares), 700.0))
    p = float(1 / max(1.0, evidence.max(initial=1.0)))
    seen = upto[-1] if len(upto) else np.zeros(shares.size, np.int64)
    return Srm(
        p=p, counts=tuple(seen.tolist()), shares=tuple(shares.tolist()), alpha=alpha
    )


def _log_evidence(upto: IntArray, shares: FloatArray) -> FloatArray:
    """Log of the mixtures' mean likelihood over the planned one, at each look."""
    mixtures = [_log_mixture(upto, c * shares) for c in CONCENTRATIONS]
    mean = logsumexp(mixtures, axis=0) - np.log(len(mixtures))
    return np.asarray(mean - xlogy(upto, shares).sum(axis=1))


def _log_mixture(upto: IntArray, prior: FloatArray) -> FloatArray:
    """Log likelihood of counts whose shares a Dirichlet prior draws."""
    total = upto.sum(axis=1)
    arms = (gammaln(prior + upto) - gammaln(prior)).sum(axis=1)
    return np.asarray(gammaln(prior.sum()) - gammaln(prior.sum() + total) + arms)
