"""Feature rows: a batch at one instant for scoring, many instants for training.

Both ask the same functions of the same facts, so that a decision's row recomputed later
as of the decision equals the one it was made with.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.as_of import FloatArray, IntArray, instant
from features.codes import known_codes
from features.columns import Affinity, Column, Contract, Float32Array
from features.declare import compute
from features.known import Known, Own
from features.lead_inputs import lead_inputs
from features.lead_profile import lead_columns, lead_features
from features.pair import PAIR_COLUMNS
from features.pair_inputs import PairColumns
from features.recipe import Recipe
from features.rep_inputs import RepRows, rep_inputs
from features.rep_profile import REP_FEATURES


@dataclass(frozen=True, eq=False)
class Batch:
    """Leads, reps and what they have in common, as of one instant.

    Attributes:
        lead_ids: The leads, in the order asked for.
        rep_ids: The reps, in the order asked for.
        leads: Lead columns; float32 (n_leads, n_lead_columns).
        reps: Rep columns; float32 (n_reps, n_rep_columns).
        affinity: Pair columns.
        deal_value: Stated, else usual, deal value in major units of the tenant's
            currency; float64 (n_leads,), missing while nobody ever stated one.
        deal_value_stated: Whether the lead states it; bool (n_leads,).
    """

    lead_ids: Sequence[str]
    rep_ids: Sequence[str]
    leads: Float32Array
    reps: Float32Array
    affinity: Affinity
    deal_value: FloatArray
    deal_value_stated: np.ndarray[tuple[int], np.dtype[np.bool_]]

    def of_lead(self, lead: int) -> "Batch":
        """One lead of the batch, with all reps."""
        one = slice(lead, lead + 1)
        return Batch(
            lead_ids=self.lead_ids[one],
            rep_ids=self.rep_ids,
            leads=self.leads[one],
            reps=self.reps,
            affinity=self.affinity.of_lead(lead),
            deal_value=self.deal_value[one],
            deal_value_stated=self.deal_value_stated[one],
        )

    def of_leads(self, leads: IntArray) -> "Batch":
        """Some leads of the batch, each at most once, with all reps."""
        return Batch(
            lead_ids=[self.lead_ids[i] for i in leads.tolist()],
            rep_ids=self.rep_ids,
            leads=self.leads[leads],
            reps=self.reps,
            affinity=self.affinity.of_leads(leads),
            deal_value=self.deal_value[leads],
            deal_value_stated=self.deal_value_stated[leads],
        )


def contract_of(recipe: Recipe) -> Contract:
    """The columns of a recipe: lead, rep, pair."""
    reps: tuple[Column, ...] = tuple(one.column for one in REP_FEATURES)
    return Contract((*lead_columns(recipe), *reps, *PAIR_COLUMNS))


@dataclass(frozen=True, eq=False)
class RepSide:
    """Reps as of one instant: the part of a batch that has nothing to do with leads.

    Attributes:
        rep_ids: The reps, in the order asked for.
        columns: Rep columns; float32 (n_reps, n_rep_columns).
        rows: What pair columns need to know of them.
    """

    rep_ids: Sequence[str]
    columns: Float32Array
    rows: RepRows


def rep_side(known: Known, as_of: pd.Timestamp, rep_ids: Sequence[str]) -> RepSide:
    """Columns of reps as of one instant.

    Raises:
        InvalidInput: A rep is not in the history, or nothing is rated.
    """
    rep = known_codes(known.own.rep_ids, rep_ids, "rep")
    at = np.full(rep.size, instant(as_of), dtype=np.int64)
    inputs, rows = rep_inputs(known, rep, at)
    return RepSide(rep_ids, compute(REP_FEATURES, inputs, rep.size), rows)


def batch(
    known: Known,
    as_of: pd.Timestamp,
    lead_ids: Sequence[str],
    rep_ids: Sequence[str],
    *,
    own: Own | None = None,
    reps: "RepSide | None" = None,
) -> Batch:
    """Columns of leads and reps as of one instant.

    Args:
        known: What the whole history teaches, rated.
        as_of: Aware instant; nothing later is seen.
        lead_ids: Leads of ``own``.
        rep_ids: Reps of ``known``.
        own: Facts of these leads, where they are fresher than ``known``.
        reps: ``rep_side`` of these reps, as of this instant or a moment before.

    Raises:
        InvalidInput: A lead or a rep is not in the history, or nothing is rated.
    """
    reps = rep_side(known, as_of, rep_ids) if reps is None else reps
    own = known.own if own is None else own
    at = instant(as_of)
    lead = known_codes(own.leads.ids, lead_ids, "lead")
    inputs = lead_inputs(own, known, lead, np.full(lead.size, at, dtype=np.int64))
    return Batch(
        lead_ids=lead_ids,
        rep_ids=rep_ids,
        leads=compute(lead_features(known.recipe), inputs, lead.size),
        reps=reps.columns,
        affinity=PairColumns(own, known).affinity(lead, reps.rows, at),
        deal_value=inputs["deal_value"],
        deal_value_stated=~np.isnan(inputs["stated_deal_value"]),
    )


def lead_rows(known: Known, lead: IntArray, at: IntArray) -> Float32Array:
    """Lead columns of leads at their own instants.

    Args:
        known: What the whole history teaches; ratings are not needed.
        lead: Code of each row's lead; int64 (n_rows,).
        at: Microseconds since 1970 UTC; int64 (n_rows,).

    Returns:
        float32 (n_rows, n_lead_columns).
    """
    inputs = lead_inputs(known.own, known, lead, at)
    return compute(lead_features(known.recipe), inputs, lead.size)


def rep_and_pair_rows(
    known: Known, lead: IntArray, rep: IntArray, at: IntArray
) -> Float32Array:
    """Rep and pair columns of pairs at their own instants.

    Args:
        known: What the whole history teaches, rated.
        lead: Code of each row's lead; int64 (n_rows,).
        rep: Code of each row's rep; int64 (n_rows,).
        at: Microseconds since 1970 UTC; int64 (n_rows,).

    Returns:
        float32 (n_rows, n_rep_columns + n_pair_columns).
    """
    inputs, rows = rep_inputs(known, rep, at)
    reps = compute(REP_FEATURES, inputs, rep.size)
    return np.hstack([reps, PairColumns(known.own, known).rows(lead, rows)])
