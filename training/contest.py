"""Champion against challenger on decisions whose outcomes neither had learnt from.

A challenger learns from everything up to now, so nothing is left to judge it by. What
is judged is its rehearsal: the same training as of an earlier instant, by what became
known after it. Of the decisions judged since the champion was trained, the rehearsal
learns from the first part, and the later part judges both.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.as_of import FloatArray, IntArray, instant
from features.columns import Float32Array
from features.history import History
from features.known import Known
from features.profiles import lead_rows, rep_and_pair_rows
from training.dataset import Labelled, labelled
from training.evaluation import Metrics, metrics_of
from training.model import ConversionModel
from training.origin import Origin

FEWEST = 200
"""Fewest decisions to judge by."""

Rehearse = Callable[[pd.Timestamp], ConversionModel]
"""The challenger's training as of an earlier instant."""


@dataclass(frozen=True, eq=False)
class Contestant:
    """A model, and what it knows of the history.

    Attributes:
        model: The model.
        known: The history under its recipe, rated by its own earlier models.
    """

    model: ConversionModel
    known: Known

    @classmethod
    def of(cls, model: ConversionModel, history: History) -> "Contestant":
        """A model with its origin, and the history under its recipe.

        Raises:
            ValueError: The model does not say what it was made by.
        """
        return cls(model, _origin(model).known(history))

    def chances(self, lead: IntArray, rep: IntArray, at: IntArray) -> FloatArray:
        """Chance of each pair, as of its instant; float64 (n_pairs,).

        Args:
            lead: Code of each pair's lead; int64 (n_pairs,).
            rep: Code of its rep; int64 (n_pairs,).
            at: Microseconds since 1970 UTC; int64 (n_pairs,).
        """
        rows: Float32Array = np.hstack(
            [
                lead_rows(self.known, lead, at),
                rep_and_pair_rows(self.known, lead, rep, at),
            ]
        )
        return self.model.predict_proba(rows)[:, 1]


@dataclass(frozen=True, eq=False)
class Contest:
    """Two models and the decisions that judge both.

    Attributes:
        champion: The model in use.
        challenger: The rehearsal of the model that wants its place.
        labels: The decisions, in order of time.
    """

    champion: Contestant
    challenger: Contestant
    labels: Labelled

    def metrics(self, one: Contestant) -> Metrics:
        """How well a contestant predicts them."""
        labels = self.labels
        p = one.chances(labels.lead, labels.rep, labels.decided_at)
        return metrics_of(labels.won, p)


def hold(
    champion: ConversionModel,
    history: History,
    as_of: pd.Timestamp,
    rehearse: Rehearse,
    *,
    fewest: int = FEWEST,
) -> Contest | int:
    """Set two models against each other.

    Args:
        champion: The model in use, with its origin.
        history: The tenant's history.
        as_of: Aware instant; outcomes are taken as known then.
        rehearse: Trains as the challenger was trained, as of an earlier instant.
        fewest: Fewest decisions to judge by.

    Returns:
        The contest, or how many decisions there are where these are too few.

    Raises:
        TooFewOutcomes: The rehearsal has too little to learn from.
        ValueError: The champion does not say what it was made by.
    """
    first = Contestant.of(champion, history)
    labels = labelled(first.known.own, _origin(champion).recipe, instant(as_of))
    new = np.flatnonzero(labels.window_end > instant(_origin(champion).as_of))
    if new.size < fewest:
        return int(new.size)
    judging = labels.where(new[-max(fewest, new.size // 2) :])
    cut = pd.Timestamp(int(judging.window_end.min()) - 1, unit="us", tz="UTC")
    second = Contestant.of(rehearse(cut), history)
    return Contest(first, second, judging)


def _origin(model: ConversionModel) -> Origin:
    if model.origin is None:
        raise ValueError("Only a model with an origin can be compared.")
    return model.origin
