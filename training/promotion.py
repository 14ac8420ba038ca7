"""Whether a challenger takes the champion's place: a pure function of two reports.

Both reports are on the challenger's later decisions, which neither was trained on. The
challenger must not be worse by more than the margin in log loss, and must be
calibrated: its mean prediction within ``MOST_BIAS`` standard errors of what happened.
"""

from dataclasses import dataclass
from math import sqrt

from training.evaluation import Metrics

MARGIN = 0.002
"""Log loss, in nats, by which a challenger may be worse than the champion."""

MOST_BIAS = 4.0
"""Standard errors by which the mean prediction may miss the share won."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a challenger.

    Attributes:
        promoted: Whether it takes the champion's place.
        reason: Why, in a sentence.
    """

    promoted: bool
    reason: str


def judge(
    challenger: Metrics, champion: Metrics | None, *, n_unseen: int | None = None
) -> Verdict:
    """Decide between a challenger and the champion.

    Args:
        challenger: Its metrics on later decisions.
        champion: The champion's on the same decisions; None when there is none, or
            none that it was not fitted to.
        n_unseen: How many later decisions the champion was not fitted to, where they
            are too few to compare on.
    """
    error = sqrt(
        max(challenger.p_mean * (1 - challenger.p_mean), 1e-12)
        / max(challenger.n_rows, 1)
    )
    bias = abs(challenger.p_mean - challenger.won_share) / error
    if bias > MOST_BIAS:
        return Verdict(
            False,
            f"It predicts {challenger.p_mean:.1%} where {challenger.won_share:.1%} "
            f"were won, {bias:.1f} standard errors off.",
        )
    if champion is None and n_unseen is None:
        return Verdict(True, "There was no champion.")
    if champion is None:
        return Verdict(
            True,
            f"It is calibrated and has seen more; only {n_unseen} later decisions are "
            "new to the champion, too few to compare on.",
        )
    worse = challenger.log_loss - champion.log_loss
    if worse > MARGIN:
        return Verdict(
            False,
            f"Its log loss is {worse:.4f} higher than the champion's on the same "
            f"{challenger.n_rows:,} decisions; {MARGIN} is allowed.",
        )
    return Verdict(
        True,
        f"Its log loss is {-worse:+.4f} lower than the champion's on the same "
        f"{challenger.n_rows:,} decisions, and it is calibrated.",
    )
