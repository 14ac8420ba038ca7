"""Words that templates show without writing them: of records, rules and errors.

What a record says in English, such as why a plan fell back, is kept as it was said.
Where its sentence is known, ``recorded`` says it in the page's language, with its
figures; any other is shown as it is.
"""

import re
from collections.abc import Callable
from functools import cache
from string import Formatter

from optimizer.policies import POLICIES
from rightrep.domain.collusion import Severity
from rightrep.domain.eligibility import SENTENCES
from rightrep.domain.lead import Stage
from rightrep.domain.rep import RepStatus
from rightrep.domain.roles import Role
from serving.usecases.cheating import WORDS
from serving.web.signing import NO_KEY, NOT_FROM_HERE, REFUSALS

Translate = Callable[[str], str]

OF_MANAGERS = "Ratings of people are for managers."

RECORDED = (
    "no model",
    "no model is published",
    "the shadow prices have expired",
    "only {n} reps may take the lead",
    "The model {name} cannot be read.",
    "The model {name} is not the one published.",
    "The model {name} is damaged: {error}",
)
"""Sentences of records and errors, their figures in braces."""

SPOKEN = tuple(
    dict.fromkeys(
        [
            *SENTENCES.values(),
            *WORDS.values(),
            *RECORDED,
            *REFUSALS.values(),
            NO_KEY,
            OF_MANAGERS,
            NOT_FROM_HERE,
            "This API key is unknown, expired or revoked.",
            "The cursor was not made here. Give the cursor of the page before, "
            "unchanged, or none.",
            *(
                f"There is no such {kind}."
                for kind in ("plan", "lead", "rep", "decision", "language")
            ),
            *(one.value for one in (*RepStatus, *Stage, *Role, *Severity)),
            *(policy.replace("_", " ") for policy in POLICIES),
            "imported",
            "lottery",
        ]
    )
)
"""Every message that is not written in a template."""


def recorded(text: str, translate: Translate) -> str:
    """A recorded sentence in a language, with its figures; unknown ones as they are."""
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
