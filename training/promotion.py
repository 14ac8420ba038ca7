"""Champion or challenger: a rule over two reports, with its reasons."""

from dataclasses import dataclass

from training.evaluation import Metrics

MOST_OFF = 0.02
"""How far mean prediction and share won may be apart, at least."""

ENOUGH = 200
"""Effective sample of randomised decisions below which their value decides nothing."""

VALUE_MARGIN = 0.1
"""Share of the champion's value that a challenger may lose, unless told otherwise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Randomised:
    """What randomised decisions say of giving leads as each model would.

    Attributes:
        n_rows: Randomised decisions that neither model had learnt from.
        effective_n: Leads they are worth for this question.
        champion: Value per lead under the champion, doubly robust.
        gain: By how much the challenger's is more.
        low: Lower end of the gain's 95 % interval.
    """

    n_rows: int
    effective_n: float
    champion: float
    gain: float
    low: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What: "log loss", "calibration", "randomised value".
        passed: Whether it speaks for the challenger; None where it cannot say.
        words: What was found, in a sentence.
    """

    name: str
    passed: bool | None
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the challenger becomes champion.

    Attributes:
        promoted: Whether it does.
        reason: Why, in a sentence or two.
        checks: Everything that was looked at.
    """

    promoted: bool
    reason: str
    checks: tuple[Check, ...] = ()


def judge(
    challenger: Metrics,
    champion: Metrics | None,
    *,
    n_unseen: int | None = None,
    randomised: Randomised | None = None,
    value_margin: float = VALUE_MARGIN,
) -> Verdict:
    """Promote a challenger that predicts later decisions no worse than the champion.

    Its log loss must be at most the champion's, and its mean prediction at most
    ``MOST_OFF`` from the share won, or at most as far as the champion's. Where there
    are enough randomised decisions, its value on them must not be inferior: the lower
    end of the 95 % interval of the gain must not be below ``-value_margin`` times the
    champion's value. Nothing else is looked at.

    Args:
        challenger: Metrics on decisions that neither model was fitted to.
        champion: The champion's on the same decisions; None when there is none, or
            nothing to compare it on.
        n_unseen: Decisions there are to compare on, where these are too few.
        randomised: What randomised decisions say; None when there are none at all.
        value_margin: Share of the champion's value that may be lost; in (0, 1].
    """
    if n_unseen is not None:
        return Verdict(
            promoted=False,
            reason=f"The champion stays: only {n_unseen} judged decisions are new to "
            "it, too few to compare on.",
        )
    if champion is None:
        return Verdict(promoted=True, reason="There is no champion to beat.")
    checks = (
        _log_loss(challenger, champion),
        _calibration(challenger, champion),
        _value(randomised, value_margin),
    )
    against = [check.words for check in checks if check.passed is False]
    why = against or [checks[0].words, checks[2].words]
    return Verdict(not against, " ".join(why), checks)


def _log_loss(challenger: Metrics, champion: Metrics) -> Check:
    losses = f"log loss {challenger.log_loss:.4f} against {champion.log_loss:.4f}"
    passed = challenger.log_loss <= champion.log_loss
    how = "at least as well" if passed else "worse"
    return Check(
        name="log loss",
        passed=passed,
        words=f"It predicts later decisions {how}: {losses}.",
    )


def _calibration(challenger: Metrics, champion: Metrics) -> Check:
    off, allowed = _off(challenger), max(MOST_OFF, _off(champion))
    passed = off <= allowed
    more = "within" if passed else "more than"
    return Check(
        name="calibration",
        passed=passed,
        words=f"Its chances are {off:.3f} off the share won, {more} the "
        f"{allowed:.3f} allowed.",
    )


def _value(found: Randomised | None, margin: float) -> Check:
    name = "randomised value"
    if found is None or found.effective_n < ENOUGH:
        n_rows = 0 if found is None else found.n_rows
        worth = 0.0 if found is None else found.effective_n
        return Check(
            name=name,
            passed=None,
            words=f"Not enough randomised decisions: {n_rows:,} are worth "
            f"{worth:,.0f}, {ENOUGH} needed.",
        )
    base = max(abs(found.champion), 1e-12)
    passed = found.low >= -margin * base
    return Check(
        name=name,
        passed=passed,
        words=f"On {found.n_rows:,} randomised decisions (worth "
        f"{found.effective_n:,.0f}) it earns {found.gain / base:+.1%}, at worst "
        f"{found.low / base:+.1%}; a loss of {margin:.0%} is allowed.",
    )


def _off(metrics: Metrics) -> float:
    return abs(metrics.p_mean - metrics.won_share)
