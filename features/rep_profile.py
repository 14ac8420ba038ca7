"""Rep profile columns: the rep rating and what surrounds it. One function per column.

The rating asks how much more often a rep wins than the leads given to the rep would
lead one to expect: the decayed sum of ``won - p_lead`` over past judged decisions, over
their decayed number, shrunk toward the team's rating, and the team's toward that of
all. Raw rep ids in the trees remember reps instead of what they can do, and lose on
later decisions (measured by the quarterly backtest of "deals over time").

Every column compares the rep with the other reps of the same instant. A plain count
(leads given last week) rises and falls with the market; a model that is given it takes
the season for the rep, and finds that "reps differ" where they do not (3 of 12 null
worlds of the demo market, against 0 of 12 with shares).
"""

from collections.abc import Sequence

import numpy as np

from features.as_of import FloatArray, IntArray, days_between
from features.columns import Side
from features.declare import Feature, feature

PRIOR_VALUES = 10.0
"""Response times, or survey scores, at which a rep's mean counts half."""


def shrunk_residual(
    residual: FloatArray, judged: FloatArray, toward: FloatArray, prior_leads: float
) -> FloatArray:
    """Mean residual, shrunk toward that of the group above.

    Args:
        residual: Decayed sum of ``won - p_lead``; float64 (n_rows,).
        judged: Decayed number of judged decisions; same shape, >= 0.
        toward: What a row without history gets; same shape.
        prior_leads: Judged decisions at which both weigh the same; positive.
    """
    return (residual + prior_leads * toward) / (judged + prior_leads)


@feature(
    Side.REP, unit="share", meaning="how much more often the rep wins than expected"
)
def rep_rating(
    rep_residual: FloatArray,
    rep_judged: FloatArray,
    team_residual_rate: FloatArray,
    overall_residual_rate: FloatArray,
    prior_leads: float,
) -> FloatArray:
    """Shrunk residual win rate of the rep, over that of all reps; in [-1, 1].

    Falls back to the team's, and from there to 0, the average of all.
    """
    own = shrunk_residual(rep_residual, rep_judged, team_residual_rate, prior_leads)
    return own - overall_residual_rate


@feature(
    Side.REP, unit="ratio", meaning="how unsure the rep's rating is, against others'"
)
def rep_rating_error(
    rep_judged: FloatArray,
    all_judged: FloatArray,
    n_judged_reps: FloatArray,
    prior_leads: float,
) -> FloatArray:
    """Posterior deviation of the rating over that of a rep with the mean record.

    Above 1 for reps with a thin record. (The deviation itself falls from year to year
    for all; trees would read the year from it.)
    """
    mean = all_judged / np.maximum(n_judged_reps, 1.0)
    return np.sqrt((mean + prior_leads) / (rep_judged + prior_leads))


@feature(
    Side.REP, unit="share", meaning="how much more often the team wins than expected"
)
def team_rating(
    team_residual_rate: FloatArray, overall_residual_rate: FloatArray
) -> FloatArray:
    """Shrunk residual win rate of the rep's team, over that of all; in [-1, 1]."""
    return team_residual_rate - overall_residual_rate


@feature(Side.REP, unit="share", meaning="share of the last 7 days' leads")
def given_share_7d(given_7d: FloatArray, given_7d_to_all: FloatArray) -> FloatArray:
    """Leads given to the rep over those given to all in 7 days; 0 where none was."""
    return given_7d / np.maximum(given_7d_to_all, 1.0)


@feature(Side.REP, unit="share", meaning="share of the last 30 days' leads")
def given_share_30d(given_30d: FloatArray, given_30d_to_all: FloatArray) -> FloatArray:
    """Leads given to the rep over those given to all in 30 days; 0 where none was."""
    return given_30d / np.maximum(given_30d_to_all, 1.0)


@feature(Side.REP, unit="share", meaning="share of all open leads")
def open_share(open_leads: FloatArray, open_leads_of_all: FloatArray) -> FloatArray:
    """The rep's open leads over those of all; 0 where none is open."""
    return open_leads / np.maximum(open_leads_of_all, 1.0)


@feature(
    Side.REP,
    unit="days",
    meaning="days in the company",
    missing="the first day is not known",
)
def tenure_days(hired_on: IntArray, at: IntArray) -> FloatArray:
    """Days since the rep's first day; 0 before it."""
    return np.maximum(days_between(hired_on, at), 0.0)


def shrunk_difference(
    total: FloatArray, count: FloatArray, of_all: FloatArray, prior: float
) -> FloatArray:
    """Mean of a rep minus that of all, shrunk toward 0.

    Args:
        total: Decayed sum of the rep's values; float64 (n_rows,).
        count: Decayed number of them; same shape, >= 0.
        of_all: Mean over all reps; same shape.
        prior: Values at which own mean and 0 weigh the same; positive.
    """
    # Rounded, so that equal means differ by 0 and not by what floats leave over, which
    # trees would split on.
    return np.round((total - count * of_all) / (count + prior), 6)


@feature(
    Side.REP,
    unit="difference of log hours",
    meaning="how much slower than others the rep makes first contact",
    missing="no lead was ever given to anybody",
)
def response_difference(
    response_sum: FloatArray, response_count: FloatArray, response_of_all: FloatArray
) -> FloatArray:
    """Mean log of one plus the hours from decision to first contact, minus all's.

    A lead not contacted within ``features.rep_facts.RESPONSE_CAP_HOURS`` counts as
    contacted then. Negative is faster.
    """
    return shrunk_difference(
        response_sum, response_count, response_of_all, PRIOR_VALUES
    )


@feature(
    Side.REP,
    unit="score",
    meaning="how much happier than others' the rep's leads are",
    missing="no survey was answered yet",
)
def satisfaction_difference(
    survey_sum: FloatArray, survey_count: FloatArray, survey_of_all: FloatArray
) -> FloatArray:
    """Mean survey score minus that of all reps, shrunk toward 0."""
    return shrunk_difference(survey_sum, survey_count, survey_of_all, PRIOR_VALUES)


REP_FEATURES: Sequence[Feature] = (
    rep_rating,
    rep_rating_error,
    team_rating,
    given_share_7d,
    given_share_30d,
    open_share,
    tenure_days,
    response_difference,
    satisfaction_difference,
)
"""Every rep column, in the contract's order."""
