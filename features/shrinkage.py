"""How a rep's wins compare with the group's: shrunk ratios with intervals that hold.

A unit (a rep, or a rep in a segment) won some leads, and ``p_lead`` expected so many
of them to be won whoever took them. Over the same quotient of its group this is a
standardised ratio ``y``, noisy where leads are few, and read too high or too low where
somebody chose who got which lead. With drawn decisions (by lot) and chosen ones::

    y_drawn  ~ N(1 + d,     s_drawn^2)
    y_chosen ~ N(1 + d + b, s_chosen^2)        d ~ N(0, tau^2),  b ~ N(0, kappa^2)

``d`` is what the unit is better by and ``b`` what choosing makes it look better by.
``tau`` and ``kappa`` are integrated over a grid, weighted by the likelihood of all
units (with the groups' means estimated) and by priors, so that an interval knows how
unsure they are. The interval is the gamma one of the posterior mean and
variance: a ratio is never negative, and skewed where little is known. Where nothing was
drawn the two spreads cannot be told apart, and half of what is seen counts as choice.

Sources: the normal hierarchical model and its grid, Gelman et al., Bayesian Data
Analysis, 3rd ed., section 5.4; priors off the boundary, Chung et al. 2013
(Psychometrika 78:685); shrunk standardised ratios, Clayton and Kaldor 1987 (Biometrics
43:671); drawn and chosen evidence, Rosenman et al. 2023 (Biometrics 79:2961).
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.special import gammaincinv

from features.as_of import BoolArray, FloatArray, IntArray

LEVEL = 0.9
"""Share of true ratios that lie within their intervals."""

FEWEST_WINS = 10.0
"""Wins in fewer of which a group has no rate that one could be compared with."""

USUAL_SPREAD = 0.14
"""What is believed of both spreads, in ratios, before any record is seen."""

_SPREADS = np.linspace(0.01, 0.61, 11)
_LEAST_RATIO = 0.05
_REFINEMENTS = 2


@dataclass(frozen=True, eq=False)
class Record:
    """What units won, and what was expected; row 0 drawn by lot, row 1 chosen.

    Attributes:
        won: Decayed wins; float64 (2, n_units).
        expected: Decayed sum of ``p_lead``; float64 (2, n_units).
        variance: Sum of the squared decay times ``p_lead (1 - p_lead)``; same shape.
    """

    won: FloatArray
    expected: FloatArray
    variance: FloatArray


@dataclass(frozen=True, eq=False)
class Groups:
    """Which units are compared with which.

    Attributes:
        team: Group of each unit; int64 (n_units,), from 0.
        wider: Group to fall back to where the team is too thin or of one; same shape.
    """

    team: IntArray
    wider: IntArray


@dataclass(frozen=True, eq=False)
class Ratios:
    """How often units win, over their group; one entry per unit.

    Attributes:
        ratio: Posterior mean; missing where there is nothing to compare with.
        low: Lower end of the interval of ``LEVEL``.
        high: Upper end.
        with_team: Whether the group is the team, else the wider one.
    """

    ratio: FloatArray
    low: FloatArray
    high: FloatArray
    with_team: BoolArray


def ratios(record: Record, groups: Groups) -> Ratios:
    """Shrunk ratios of all units with intervals."""
    with_team, comparable = _comparable(record, groups)
    y, noise = _standardised(record, groups, with_team)
    level = np.ones(y.shape[1])
    for _ in range(_REFINEMENTS):
        # Wins of a unit that wins more often also vary more.
        mean, variance = _posterior(y, noise * level, groups, with_team)
        level = np.maximum(1.0 + mean, _LEAST_RATIO)
    of_group = _rate(record.expected.sum(axis=0), level, groups, with_team)
    ratio = np.where(comparable, level / of_group, np.nan)
    shape = level**2 / variance
    low, high = (
        gammaincinv(shape, share) / shape * ratio
        for share in ((1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0)
    )
    return Ratios(ratio, low, high, with_team)


def _rate(
    leads: FloatArray, level: FloatArray, groups: Groups, with_team: BoolArray
) -> FloatArray:
    """Mean of the levels in each unit's group, by leads; ``d`` counts every unit alike.

    Where the better ones get more of the leads, the group wins more than its average
    unit.
    """
    together = _chosen(groups, with_team, leads)
    of_group = np.ones(level.size)
    weighted = _chosen(groups, with_team, leads * level)
    np.divide(weighted, together, out=of_group, where=together > 0)
    return of_group


def _comparable(record: Record, groups: Groups) -> tuple[BoolArray, BoolArray]:
    """Whether each unit's team will do, and whether any group will."""
    active = (record.expected.sum(axis=0) > 0).astype(np.float64)
    enough = []
    for group in (groups.team, groups.wider):
        wins = np.bincount(group, record.won.sum(axis=0))
        members = np.bincount(group, active)
        enough.append(((wins >= FEWEST_WINS) & (members >= 2))[group])
    return enough[0], enough[0] | enough[1]


def _standardised(
    record: Record, groups: Groups, with_team: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Won over expected, over that of the group; and the variance by chance.

    Missing where nothing was expected, or the group won nothing.
    """
    won = np.stack([_chosen(groups, with_team, one) for one in record.won])
    of_group = np.zeros(won.shape)
    summed = np.stack([_chosen(groups, with_team, one) for one in record.expected])
    np.divide(won, summed, out=of_group, where=summed > 0)
    expected = record.expected * of_group
    known = expected > 0
    y = np.full(expected.shape, np.nan)
    noise = y.copy()
    np.divide(record.won, expected, out=y, where=known)
    np.divide(record.variance * of_group, expected**2, out=noise, where=known)
    return y, noise


def _chosen(groups: Groups, with_team: BoolArray, values: FloatArray) -> FloatArray:
    """Sum of the values over the group that each unit is compared with."""
    team = np.bincount(groups.team, values)[groups.team]
    return np.where(with_team, team, np.bincount(groups.wider, values)[groups.wider])


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums over the group that each unit is compared with, many at a time.

    Attributes:
        of_group: 1 where a unit is in a group; (n_units, n_groups).
        group: Group that each unit is compared with; int64 (n_units,).
    """

    of_group: csr_array
    group: IntArray

    @classmethod
    def of(cls, groups: Groups, with_team: BoolArray) -> "_Sums":
        """Of teams, then of wider groups."""
        n_units, n_teams = groups.team.size, int(groups.team.max(initial=-1)) + 1
        wider = groups.wider + n_teams
        group = np.concatenate([groups.team, wider])
        unit = np.tile(np.arange(n_units), 2)
        of_group = csr_array((np.ones(unit.size), (unit, group)))
        return cls(of_group, np.where(with_team, groups.team, wider))

    def over(self, values: FloatArray) -> FloatArray:
        """Each unit's sum; values and sums are (..., n_units)."""
        rows = values.reshape(-1, values.shape[-1])
        return np.asarray(rows @ self.of_group)[:, self.group].reshape(values.shape)


def _posterior(
    y: FloatArray, noise: FloatArray, groups: Groups, with_team: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of ``d`` of each unit; float64 (n_units,) each."""
    sums = _Sums.of(groups, with_team)
    known = ~np.isnan(y)
    spread = np.zeros((_SPREADS.size, 2, 1))
    spread[:, 1, 0] = _SPREADS**2
    own = np.where(known, noise + spread, np.inf)
    log_noise = np.log(own, out=np.zeros(own.shape), where=known).sum(axis=(1, 2))
    found = [_given(np.nan_to_num(y), own, sums, tau) for tau in _SPREADS]
    given, means, variances = (
        np.concatenate(part) for part in zip(*found, strict=True)
    )
    likelihood = given - 0.5 * np.tile(log_noise, _SPREADS.size)
    weight = np.exp(likelihood - likelihood.max())
    weight /= weight.sum()
    mean = weight @ means
    square = weight @ (variances + means**2)
    return mean, square - mean**2


def _log_prior(tau: float, kappa: FloatArray) -> FloatArray:
    """Gamma of shape 2 for ``tau``, half-normal for ``kappa``, apart from a constant.

    The likelihood of few reps is often highest at no difference at all; the gamma
    keeps off 0, where intervals would be too narrow.
    """
    believed = np.log(tau) - 2.0 * tau / USUAL_SPREAD
    return np.asarray(believed - kappa**2 / (2.0 * USUAL_SPREAD**2))


def _given(
    y: FloatArray, own: FloatArray, sums: _Sums, tau: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """What follows from one ``tau`` and each ``kappa`` of the grid.

    Args:
        y: Standardised ratios, (2, n_units).
        own: Variance of each apart from ``tau``, infinite where there is none;
            (n_kappas, 2, n_units).
        sums: Over groups.
        tau: Spread of ``d``.

    Returns:
        Log of prior and likelihood apart from what ``own`` alone says, (n_kappas,);
        posterior means and variances, (n_kappas, n_units) each.
    """
    weight = 1.0 / (own + tau**2)
    known = weight > 0
    total = sums.over(weight)
    of_mean = np.divide(1.0, total, out=np.zeros(total.shape), where=known)
    away = np.where(known, y - sums.over(weight * y) * of_mean, 0.0)
    precision = 1.0 / own
    posterior = 1.0 / tau**2 + precision.sum(axis=1)
    pulled = precision * away
    pull = pulled.sum(axis=1)
    share = precision / posterior[:, None]
    fit = (pulled * away).sum(axis=1) - pull**2 / posterior
    log_p = -0.5 * (np.log(tau**2 * posterior) + fit).sum(axis=1)
    # Each group's mean is estimated from the same units (restricted likelihood).
    log_mean = np.log(of_mean, out=np.zeros(of_mean.shape), where=known)
    log_p += 0.5 * (weight * of_mean * log_mean).sum(axis=(1, 2))
    variance = 1.0 / posterior + (share**2 * of_mean).sum(axis=1)
    return log_p + _log_prior(tau, _SPREADS), pull / posterior, variance
