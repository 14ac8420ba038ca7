"""Labelled decisions with their feature rows, each as of its own decision."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.as_of import FloatArray, instant
from features.columns import Contract, Float32Array, Side
from features.history import History
from features.known import Known, Own
from features.learn import learn_recipe
from features.profiles import contract_of, lead_rows, rep_and_pair_rows
from features.recipe import Recipe
from training.boosting import Trees
from training.dataset import Labelled, labelled
from training.lead_slices import LeadSlices, fit_slices


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """What a model is fitted to.

    Attributes:
        as_of: Aware instant; nothing later was seen.
        contract: What the columns are.
        recipe: What they were made by.
        labels: The decisions, in order of time.
        columns: float32 (n_rows, n_columns), as of each decision.
        slices: What gave past decisions their ``p_lead``.
        known: What the history teaches, rated.
    """

    as_of: pd.Timestamp
    contract: Contract
    recipe: Recipe
    labels: Labelled
    columns: Float32Array
    slices: LeadSlices
    known: Known

    def data_hash(self) -> str:
        """SHA-256 of the rows, the labels and what the columns mean."""
        digest = hashlib.sha256(self.contract.version.encode())
        ids = self.known.own.decisions.ids[self.labels.decision]
        digest.update("\n".join(ids).encode())
        digest.update(self.labels.won.tobytes())
        digest.update(np.ascontiguousarray(self.columns).data)
        return digest.hexdigest()


def training_rows(
    history: History,
    as_of: pd.Timestamp,
    *,
    label_window_days: int | None = None,
    zone: str = "UTC",
    trees: Trees | None = None,
) -> TrainingRows:
    """Labelled decisions as of an instant.

    Args:
        history: The tenant's history; rows later than ``as_of`` are not seen.
        as_of: Aware instant.
        label_window_days: Days after a decision in which a win counts; the usual time
            to win when not given.
        zone: IANA zone of the tenant.
        trees: Parameters of the lead-only models that give ``p_lead``.

    Raises:
        TooFewOutcomes: There is not enough to learn from.
    """
    at = instant(as_of)
    own = Own.of(history)
    recipe = learn_recipe(own, at, label_window_days=label_window_days, zone=zone)
    labels = labelled(own, recipe, at)
    labels.require()
    known = Known.of(history, recipe, own)
    contract = contract_of(recipe)
    of_leads = _lead_rows(known, at, len(contract.of(Side.LEAD)))
    trees = trees or Trees.usual(labels.n_rows)
    slices = fit_slices(own, recipe, at, contract.of(Side.LEAD), of_leads, trees)
    known = known.rated(_p_lead(slices, known, of_leads))
    others = rep_and_pair_rows(known, labels.lead, labels.rep, labels.decided_at)
    columns = np.hstack([of_leads[labels.decision], others])
    return TrainingRows(as_of, contract, recipe, labels, columns, slices, known)


def _lead_rows(known: Known, at: int, n_columns: int) -> Float32Array:
    """Lead columns of every decision known by then; missing elsewhere."""
    decisions = known.own.decisions
    usable = (decisions.lead >= 0) & (decisions.known_at <= at)
    rows = np.full((usable.size, n_columns), np.nan, dtype=np.float32)
    rows[usable] = lead_rows(
        known, decisions.lead[usable], decisions.decided_at[usable]
    )
    return rows


def _p_lead(slices: LeadSlices, known: Known, of_leads: Float32Array) -> FloatArray:
    decisions = known.own.decisions
    p = slices.p_lead(of_leads, decisions.decided_at)
    return np.where(np.isnan(of_leads[:, slices.prior_column]), np.nan, p)
