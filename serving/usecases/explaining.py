"""Why a decision's chance was what it was: from the row and the model it was made with.

Nothing is worked out anew: the decision keeps the chosen pair's columns, and the
version of the model that read them. So the words say what was known then.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rightrep.domain.decision import Decision
from rightrep.errors import ModelUnavailable, NotFound
from rightrep.store.models import PublishedModel, read_model
from rightrep.store.session import ReadSession
from serving.usecases.champions import load_published
from training.explain import Contribution, explain
from training.words import Language

LARGEST = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """What raised and what lowered the chance of the pair that was chosen.

    Attributes:
        decision: The decision.
        contributions: Largest first; empty where they cannot be told.
        because: Why they cannot be told; None where they are.
    """

    decision: Decision
    contributions: Sequence[Contribution]
    because: str | None = None


GONE = "The model that predicted this is not kept any more."
OTHER = "The model that predicted this reads other columns by now."


def published_by(session: ReadSession, decision: Decision) -> PublishedModel | None:
    """The model that predicted a decision; None without one, or when it is gone."""
    if decision.model_version is None:
        return None
    try:
        return read_model(session, decision.model_version)
    except NotFound:
        return None


def explain_decision(
    decision: Decision,
    published: PublishedModel | None,
    *,
    language: Language,
    currency: str,
) -> Explanation | None:
    """The largest contributions to a decision's chance, in words.

    Args:
        decision: The decision.
        published: ``published_by`` of it.
        language: Language of the words.
        currency: The tenant's.

    Returns:
        None where no model predicted it.
    """
    row = decision.feature_row
    if row is None or decision.model_version is None:
        return None
    if published is None:
        return Explanation(decision=decision, contributions=(), because=GONE)
    try:
        model = load_published(published.path, published.sha256)
    except ModelUnavailable as error:
        return Explanation(decision=decision, contributions=(), because=str(error))
    contract = model.contract
    if contract is None or contract.version != decision.columns_version:
        return Explanation(decision=decision, contributions=(), because=OTHER)
    (found,) = explain(
        model, row[None, :], largest=LARGEST, language=language, currency=currency
    )
    return Explanation(decision=decision, contributions=found)
