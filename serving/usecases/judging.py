"""Champion or challenger: what later decisions and randomised ones say of both."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import structlog

from experiments.off_policy import (
    BoolArray,
    FloatArray,
    IntArray,
    Lottery,
    best_of,
    cross_fitted,
    doubly_robust,
    linear_in,
)
from features.history import History
from features.lead_inputs import lead_inputs
from rightrep.domain.ids import DecisionId, RepId
from rightrep.domain.learning import Learning
from rightrep.domain.routing import Objective, Routing
from rightrep.domain.tenant import Tenant
from rightrep.errors import ModelUnavailable, TooFewOutcomes
from rightrep.store import decisions, models
from serving.usecases.context import Context
from training.contest import Contest, Contestant, hold
from training.dataset import Labelled
from training.model import ConversionModel
from training.model_file import load_model
from training.promotion import Randomised, Verdict, judge
from training.retrain import TrainedModel, train

log = structlog.get_logger()

MOST_PAIRS = 400_000
"""Pairs that both models are asked about; of more, the latest decisions."""

_ROUNDING = 0.5


def judge_challenger(
    context: Context,
    tenant: Tenant,
    present: models.PublishedModel | None,
    trained: TrainedModel,
    history: History,
) -> Verdict:
    """Challenger against champion, on later decisions that neither was fitted to.

    Args:
        context: The parts of this process.
        tenant: Whose models.
        present: The champion, or None.
        trained: The challenger.
        history: What it was trained on.
    """
    champion = None if present is None else _loaded(present)
    if champion is None:
        return judge(trained.report.answer, None)
    try:
        found = hold(
            champion,
            history,
            trained.report.as_of,
            lambda as_of: _rehearsed(history, as_of, tenant),
        )
    except TooFewOutcomes:
        found = 0
    if isinstance(found, int):
        return judge(trained.report.answer, None, n_unseen=found)
    return judge(
        found.metrics(found.challenger),
        found.metrics(found.champion),
        randomised=_randomised(context, tenant, found),
        value_margin=Learning.of(tenant.settings).value_margin,
    )


def lottery_ids(contest: Contest) -> list[DecisionId]:
    """The contest's decisions that were drawn by lot."""
    labels = contest.labels
    ids = contest.champion.known.own.decisions.ids
    drawn = labels.decision[np.isfinite(labels.propensity)]
    return [DecisionId(one) for one in ids[drawn]]


def randomised_value(
    contest: Contest,
    drawable: Mapping[DecisionId, Sequence[RepId]],
    *,
    in_money: bool,
) -> Randomised | None:
    """What giving each lead to the rep a model likes best would have earned.

    Only decisions count of which it is known whom the lottery could have drawn: all
    those reps with equal chances must give the propensity that was logged.

    Args:
        contest: Two models and the decisions that judge them.
        drawable: Reps who could have been drawn, by decision.
        in_money: Whether a win counts the lead's deal value, or one.

    Returns:
        The figures; None when there is no such decision.
    """
    known = contest.champion.known
    labels, mask = usable(
        contest.labels, known.own.decisions.ids, known.own.rep_ids, drawable
    )
    if labels.n_rows == 0:
        return None
    worth = np.ones(labels.n_rows)
    if in_money:
        worth = _deal_values(contest.champion, labels)
    lottery = Lottery(
        rep=labels.rep,
        propensity=labels.propensity,
        reward=labels.won * worth,
        drawable=mask,
        unit=labels.lead,
    )
    ours = _chances(contest.challenger, labels, mask)
    theirs = _chances(contest.champion, labels, mask)
    believed = ours * worth[:, None], theirs * worth[:, None]
    expected = cross_fitted(lottery, linear_in(lottery, *believed))
    present, wanted = best_of(theirs, mask), best_of(ours, mask)
    gain = doubly_robust(lottery, wanted, expected, against=present)
    base = doubly_robust(lottery, present, expected)
    return Randomised(
        n_rows=labels.n_rows,
        effective_n=min(gain.effective_n, base.effective_n),
        champion=base.value,
        gain=gain.value,
        low=gain.low,
    )


def usable(
    labels: Labelled,
    decision_ids: pd.Index,
    rep_ids: pd.Index,
    drawable: Mapping[DecisionId, Sequence[RepId]],
) -> tuple[Labelled, BoolArray]:
    """Decisions whose lottery is known, and whom it could have drawn.

    Args:
        labels: Decisions in order of time.
        decision_ids: Ids of all decisions, by code.
        rep_ids: Ids of the reps, by code.
        drawable: Reps who could have been drawn, by decision.

    Returns:
        Those of the decisions for which all these reps with equal chances give the
        propensity that was logged; bool (n_rows, n_reps).
    """
    chosen: list[int] = []
    masks: list[BoolArray] = []
    n_pairs = 0
    for row in np.flatnonzero(np.isfinite(labels.propensity))[::-1].tolist():
        reps = drawable.get(decision_ids[labels.decision[row]], ())
        codes = rep_ids.get_indexer(pd.Index([str(rep_id) for rep_id in reps]))
        codes = codes[codes >= 0]
        odds = 1.0 / float(labels.propensity[row])
        if labels.rep[row] not in codes or abs(odds - codes.size) > _ROUNDING:
            continue
        n_pairs += codes.size
        if n_pairs > MOST_PAIRS:
            break
        mask = np.zeros(len(rep_ids), dtype=np.bool_)
        mask[codes] = True
        chosen.append(row)
        masks.append(mask)
    order: IntArray = np.array(chosen[::-1], dtype=np.int64)
    empty = np.zeros((0, len(rep_ids)), dtype=np.bool_)
    return labels.where(order), np.array(masks[::-1]) if masks else empty


def _chances(one: Contestant, labels: Labelled, mask: BoolArray) -> FloatArray:
    """Chance of every drawable pair, 0 elsewhere; float64 (n_rows, n_reps)."""
    row, rep = np.nonzero(mask)
    out = np.zeros(mask.shape)
    out[row, rep] = one.chances(labels.lead[row], rep, labels.decided_at[row])
    return out


def _deal_values(one: Contestant, labels: Labelled) -> FloatArray:
    """Stated, else usual, deal value as of each decision; 1 where nobody stated one."""
    known = one.known
    value = lead_inputs(known.own, known, labels.lead, labels.decided_at)["deal_value"]
    return np.where(np.isfinite(value), value, 1.0)


def _loaded(present: models.PublishedModel) -> ConversionModel | None:
    """The champion; None where its file is broken, and anything is better."""
    try:
        return load_model(Path(present.path), present.sha256)
    except ModelUnavailable as error:
        log.warning("champion does not load", version=present.version, why=str(error))
        return None


def _rehearsed(
    history: History, as_of: pd.Timestamp, tenant: Tenant
) -> ConversionModel:
    """The same training as of an earlier instant; its file is not kept."""
    with tempfile.TemporaryDirectory() as folder:
        return train(
            history,
            as_of,
            Path(folder),
            label_window_days=tenant.label_window_days,
            zone=tenant.time_zone,
        ).model


def _randomised(context: Context, tenant: Tenant, found: Contest) -> Randomised | None:
    with context.store.read(tenant.tenant_id) as session:
        candidates = decisions.candidates_of(session, lottery_ids(found))
    objective = Routing.of(tenant.settings).objective
    return randomised_value(found, candidates, in_money=objective is Objective.VALUE)
