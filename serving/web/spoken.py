"""Words that templates show without writing them: of records, rules and errors.

What a record says in English, such as why a plan fell back, is kept as it was said.
Where its sentence is known, ``recorded`` says it in the page's language, with its
figures; any other is shown as it is.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from string import Formatter

from experiments.drawn import GUARDRAILS
from optimizer.policies import POLICIES
from rightrep.domain.activity import ActivityKind
from rightrep.domain.collusion import Severity
from rightrep.domain.eligibility import SENTENCES
from rightrep.domain.experiment import AS_RULED, CONTROL, TREATMENT, UnitKind
from rightrep.domain.lead import Stage
from rightrep.domain.outcome import Result
from rightrep.domain.person import LONG, PLAIN, SHORT
from rightrep.domain.rep import RepStatus
from rightrep.domain.roles import Role
from rightrep.store.people import CHANGED
from rightrep.store.sign_ins import ENDED
from serving.oidc import AWAY, NOT_AS_AGREED
from serving.turnstile import CROWDED
from serving.usecases import people_oidc
from serving.usecases.cheating import WORDS
from serving.usecases.experiment_report import COUPLINGS
from serving.usecases.people import SAME, TOO_MANY, WRONG
from serving.web.signing import (
    FOR_REPS,
    NO_KEY,
    NOT_FOR_REPS,
    NOT_FROM_HERE,
    REFUSALS,
)

Translate = Callable[[str], str]
_ENDS = re.compile(r"(?<=[a-z%)0-9]\.) (?=[A-Z])")

DRAWN: Mapping[UnitKind, str] = {
    UnitKind.LEAD: "single leads",
    UnitKind.TEAM_DAY: "teams' days",
    UnitKind.TIME_SLICE: "slices of time",
}
"""What is drawn, by kind of unit."""

OF_MANAGERS = "Ratings of people are for managers."
NOT_REPEATED = "The new password was repeated differently."
NO_PASSWORD = "There is no password to change here."  # noqa: S105 - a sentence
NOT_YOURS = "This is not your present password."

SIGNING_IN = (
    WRONG,
    TOO_MANY,
    CROWDED,
    ENDED,
    CHANGED,
    SHORT,
    LONG,
    PLAIN,
    SAME,
    NOT_REPEATED,
    NO_PASSWORD,
    NOT_YOURS,
    AWAY,
    NOT_AS_AGREED,
    people_oidc.NOT_ADDED,
    people_oidc.NOT_VERIFIED,
    people_oidc.OTHER_ACCOUNT,
    people_oidc.NO_ROLE,
    people_oidc.LOST,
    NO_KEY,
    NOT_FROM_HERE,
    NOT_FOR_REPS,
    FOR_REPS,
)
"""Why somebody is not let in, or a password is not changed."""

RECORDED = (
    "no model",
    "no model is published",
    "the shadow prices have expired",
    "only {n} reps may take the lead",
    "by hand",
    "There is no champion to beat.",
    "The champion stays: only {n} judged decisions are new to it, too few to compare "
    "on.",
    "It predicts later decisions at least as well: log loss {own} against {other}.",
    "It predicts later decisions worse: log loss {own} against {other}.",
    "Its chances are {off} off the share won, within the {allowed} allowed.",
    "Its chances are {off} off the share won, more than the {allowed} allowed.",
    "Not enough randomised decisions: {n} are worth {worth}, {needed} needed.",
    "On {n} randomised decisions (worth {worth}) it earns {gain}, at worst {low}; a "
    "loss of {margin} is allowed.",
    "{name}: its values shifted (PSI {psi}).",
    "{name}: it is missing in {now}, before in {before}.",
    "{name}: its values shifted (PSI {psi}) and it is missing in {now}, before in "
    "{before}.",
    "Calibration: {found} are won where {expected} were predicted.",
    "Outcomes: {found} are known after {days} days, before {expected}.",
    "Not enough decisions to say: {n} of {needed} needed.",
    "No drift in {n} decisions.",
    "Reps have {slots} slots a day; split between two arms, fewer than {few} leave a "
    "policy little to choose from.",
    "Draw team-days instead.",
    "The model {name} cannot be read.",
    "The model {name} is not the one published.",
    "The model {name} is damaged: {error}",
    "Another model answers by now than made the plan.",
    "The model that predicted this is not kept any more.",
    "The model that predicted this reads other columns by now.",
)
"""Sentences of records and errors, their figures in braces."""

SPOKEN = tuple(
    dict.fromkeys(
        [
            *SENTENCES.values(),
            *WORDS.values(),
            *RECORDED,
            *REFUSALS.values(),
            *SIGNING_IN,
            OF_MANAGERS,
            "This API key is unknown, expired or revoked.",
            "The cursor was not made here. Give the cursor of the page before, "
            "unchanged, or none.",
            *(
                f"There is no such {kind}."
                for kind in (
                    "plan",
                    "lead",
                    "rep",
                    "decision",
                    "experiment",
                    "language",
                )
            ),
            *(one.value for one in (*RepStatus, *Stage, *Role, *Severity)),
            *(policy.replace("_", " ") for policy in POLICIES),
            *(kind.value.replace("_", " ") for kind in ActivityKind),
            *(result.value for result in Result),
            *DRAWN.values(),
            *GUARDRAILS,
            *(one for said in COUPLINGS.values() for one in said),
            AS_RULED,
            CONTROL,
            TREATMENT,
            "imported",
            "lottery",
        ]
    )
)
"""Every message that is not written in a template."""


def recorded(text: str, translate: Translate) -> str:
    """Recorded sentences in a language with their figures; unknown ones as they are."""
    return " ".join(_one(sentence, translate) for sentence in _ENDS.split(text))


def _one(text: str, translate: Translate) -> str:
    for template in RECORDED:
        found = _pattern(template).fullmatch(text)
        if found:
            return translate(template).format(**found.groupdict())
    return text


@cache
def _pattern(template: str) -> re.Pattern[str]:
    pieces = []
    for words, field, _, _ in Formatter().parse(template):
        pieces.append(re.escape(words))
        if field is not None:
            pieces.append(f"(?P<{field}>.+?)")
    return re.compile("".join(pieces), re.DOTALL)
