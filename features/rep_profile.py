"""Rep profile columns: the rep rating and what surrounds it. One function per column.

The rating asks how much more often a rep wins than the leads given to the rep would
lead one to expect: the decayed sum of ``won - p_lead`` over past judged decisions, over
their decayed number, shrunk toward the team's rating, and the team's toward that of
all. Raw rep ids in the trees remember reps instead of what they can do, and lose on
later decisions (measured by the quarterly backtest of "deals over time").
"""

from collections.abc import Sequence

import numpy as np

from features.as_of import FloatArray, IntArray, days_between
from features.columns import Side
from features.declare import Feature, as_given, feature


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


@feature(Side.REP, unit="share", meaning="how sure the rep's rating is")
def rep_rating_error(
    variance_per_lead: FloatArray, rep_judged: FloatArray, prior_leads: float
) -> FloatArray:
    """Standard deviation of the rating's posterior; in [0, 1].

    The variance of one residual over the decisions that the rating is worth, those of
    the prior among them.
    """
    return np.sqrt(variance_per_lead / (rep_judged + prior_leads))


@feature(Side.REP, unit="leads", meaning="judged leads behind the rep's rating")
def rep_evidence(rep_judged: FloatArray) -> FloatArray:
    """Decayed number of the rep's judged decisions."""
    return rep_judged


@feature(
    Side.REP, unit="share", meaning="how much more often the team wins than expected"
)
def team_rating(
    team_residual_rate: FloatArray, overall_residual_rate: FloatArray
) -> FloatArray:
    """Shrunk residual win rate of the rep's team, over that of all; in [-1, 1]."""
    return team_residual_rate - overall_residual_rate


@feature(
    Side.REP,
    unit="share",
    meaning="open leads against the holding limit",
    missing="the rep has no holding limit",
)
def holding_share(open_leads: FloatArray, holding_limit: FloatArray) -> FloatArray:
    """Open leads over the holding limit; a limit of 0 counts as 1."""
    return open_leads / np.maximum(holding_limit, 1.0)


@feature(
    Side.REP,
    unit="days",
    meaning="days in the company",
    missing="the first day is not known",
)
def tenure_days(hired_on: IntArray, at: IntArray) -> FloatArray:
    """Days since the rep's first day; 0 before it."""
    return np.maximum(days_between(hired_on, at), 0.0)


@feature(
    Side.REP,
    unit="log hours",
    meaning="usual time to the first contact",
    missing="no lead was ever given to anybody",
)
def response_log_hours(
    response_sum: FloatArray,
    response_count: FloatArray,
    response_of_all: FloatArray,
    prior_leads: float,
) -> FloatArray:
    """Mean log of one plus the hours from decision to first contact, shrunk to all's.

    A lead not contacted within ``features.rep_facts.RESPONSE_CAP_HOURS`` counts as
    contacted then.
    """
    return (response_sum + prior_leads * response_of_all) / (
        response_count + prior_leads
    )


@feature(
    Side.REP,
    unit="score",
    meaning="usual survey score of the rep's leads",
    missing="no survey was answered yet",
)
def rep_satisfaction(
    survey_sum: FloatArray,
    survey_count: FloatArray,
    survey_of_all: FloatArray,
    prior_leads: float,
) -> FloatArray:
    """Mean survey score, shrunk toward that of all reps."""
    return (survey_sum + prior_leads * survey_of_all) / (survey_count + prior_leads)


REP_FEATURES: Sequence[Feature] = (
    rep_rating,
    rep_rating_error,
    rep_evidence,
    team_rating,
    as_given(
        Side.REP, "given_7d", unit="leads", meaning="leads given in the last 7 days"
    ),
    as_given(
        Side.REP, "given_30d", unit="leads", meaning="leads given in the last 30 days"
    ),
    as_given(Side.REP, "open_leads", unit="leads", meaning="leads the rep has open"),
    holding_share,
    tenure_days,
    as_given(
        Side.REP,
        "days_since_given",
        unit="days",
        meaning="days since the rep was last given a lead",
        missing="never given a lead",
    ),
    response_log_hours,
    rep_satisfaction,
)
"""Every rep column, in the contract's order."""
