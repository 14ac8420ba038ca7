"""Champion or challenger: a rule over two reports, with its reason."""

from dataclasses import dataclass

from training.evaluation import Metrics

MOST_OFF = 0.02
"""How far mean prediction and share won may be apart, at least."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the challenger becomes champion.

    Attributes:
        promoted: Whether it does.
        reason: Why, in a sentence.
    """

    promoted: bool
    reason: str


def judge(
    challenger: Metrics, champion: Metrics | None, *, n_unseen: int | None = None
) -> Verdict:
    """Promote a challenger that predicts later decisions no worse than the champion.

    Its log loss must be at most the champion's, and its mean prediction at most
    ``MOST_OFF`` from the share won, or at most as far as the champion's.

    Args:
        challenger: Metrics on decisions that neither model was fitted to.
        champion: The champion's on the same decisions; None when there is none, or
            nothing to compare it on.
        n_unseen: Decisions there are to compare on, where these are too few.
    """
    if n_unseen is not None:
        return Verdict(
            promoted=False,
            reason=f"The champion stays: only {n_unseen} judged decisions are new to "
            "it, too few to compare on.",
        )
    if champion is None:
        return Verdict(promoted=True, reason="There is no champion to beat.")
    losses = f"log loss {challenger.log_loss:.4f} against {champion.log_loss:.4f}"
    if challenger.log_loss > champion.log_loss:
        return Verdict(
            promoted=False, reason=f"It predicts later decisions worse: {losses}."
        )
    off, allowed = _off(challenger), max(MOST_OFF, _off(champion))
    if off > allowed:
        return Verdict(
            promoted=False,
            reason=f"Its chances are {off:.3f} off the share won, more than the "
            f"{allowed:.3f} allowed.",
        )
    return Verdict(
        promoted=True, reason=f"It predicts later decisions at least as well: {losses}."
    )


def _off(metrics: Metrics) -> float:
    return abs(metrics.p_mean - metrics.won_share)
