"""Policies side by side on the leads that wait now, by what the model expects."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.comparison import Comparison, Shown, Side
from experiments.replay import NOBODY, spread
from optimizer.problem import UNASSIGNED, FloatArray, IntArray, Problem
from rightrep.domain.ids import TenantId
from rightrep.domain.money import minor_digits
from rightrep.errors import InvalidInput
from rightrep.store import bulk
from serving.usecases.advice import Scores
from serving.usecases.context import Context
from serving.usecases.entrants import Entrant, Field
from serving.usecases.fair_shares import read_terms
from serving.usecases.lead_scores import scorer
from serving.usecases.planning import score
from serving.usecases.situation import Situation, problem_of, read_situation


@dataclass(frozen=True, eq=False)
class WaitingBatch:
    """The leads that wait, ready for every entrant.

    Attributes:
        situation: Leads and roster.
        scores: What the model says.
        field: What every entrant makes of it.
    """

    situation: Situation
    scores: Scores
    field: Field

    @property
    def believed(self) -> FloatArray:
        """Money the model expects of every pair, major units."""
        scale = 10 ** minor_digits(self.situation.tenant.currency)
        money = self.scores.deal_value_minor / scale
        chance: FloatArray = self.scores.p_convert.astype(np.float64)
        worth: FloatArray = chance * money[:, None]
        return worth

    @property
    def facts(self) -> dict[str, Any]:
        """What was shared out, and by which model."""
        situation = self.situation
        return {
            "as_of": situation.at.isoformat(),
            "n_leads": len(situation.leads),
            "n_reps": len(situation.roster),
            "model_version": self.scores.model_version,
            "currency": situation.tenant.currency,
        }


def compare_waiting(
    context: Context,
    tenant_id: TenantId,
    entrants: Sequence[Entrant],
    *,
    baseline: str,
    seed: int = 0,
) -> Comparison:
    """What each entrant expects to earn on the leads that have no owner.

    Args:
        context: The parts of this process.
        tenant_id: Whose leads.
        entrants: What is compared; the baseline among it.
        baseline: Policy that gains are over.
        seed: Seed of every draw.

    Raises:
        InvalidInput: No model is published, or nothing waits.
    """
    batch = read_batch(context, tenant_id, entrants)
    problem = problem_of(batch.situation, batch.scores)
    figures = {}
    for entrant in entrants:
        plans, took = shared_out(batch, entrant, seed=seed)
        figures[entrant.name] = {
            "money": expected(plans, batch.believed),
            "conversions": expected(plans, batch.scores.p_convert),
            **shares(plans, problem),
            "seconds": took,
        }
    facts = {**batch.facts, "slots": int(problem.capacity.sum()), "seed": seed}
    return Comparison(
        ground="waiting",
        baseline=baseline,
        sides=sides(entrants, figures, baseline),
        facts=facts,
        shown=(*shown(facts["currency"]), *SHARES),
        value=("money", None, None),
        heading=(
            f"{facts['n_leads']:,} leads, {facts['n_reps']:,} reps, "
            f"{facts['slots']:,} slots; expected by model {facts['model_version']}"
        ),
        notes=(
            "These are the model's own expectations, which flatter whoever follows the "
            "model: see --on history. Only a randomised experiment tells what a policy "
            "earns.",
        ),
    )


def read_batch(
    context: Context,
    tenant_id: TenantId,
    entrants: Sequence[Entrant],
    *,
    only: Collection[str] | None = None,
) -> WaitingBatch:
    """The leads that wait now, scored, with what every entrant asks of the store.

    Args:
        context: The parts of this process.
        tenant_id: Whose leads.
        entrants: What is compared.
        only: Leads to leave it at, or None.

    Raises:
        InvalidInput: No model is published, or nothing waits.
    """
    at = context.clock.now()
    with context.store.read(tenant_id) as session:
        wanted = bulk.open_leads(session, as_of=at)
        if only is not None:
            wanted = [lead_id for lead_id in wanted if lead_id in only]
        situation = read_situation(session, wanted, at=at)
        fair = read_terms(session, situation)
        scores, no_model = score(context, tenant_id, situation)
        if scores is None:
            why = no_model if situation.leads else "no lead waits"
            raise InvalidInput(
                f"Policies cannot be compared: {why}.",
                remedy="Run `rightrep train` first."
                if situation.leads
                else "Import leads first.",
            )
        field = Field(
            session,
            situation,
            scores,
            context.win_rates,
            fair=fair,
            scored=scorer(context, tenant_id),
        )
        for entrant in entrants:
            field.add(entrant)
    return WaitingBatch(situation, scores, field)


def shared_out(
    batch: WaitingBatch, entrant: Entrant, *, seed: int
) -> tuple[list[IntArray], float]:
    """The entrant's plans, and the seconds that one takes."""
    begun = time.perf_counter()
    plans = [
        batch.field.choose(entrant, seed=seed + k).plan.rep_of
        for k in range(entrant.n_plans)
    ]
    return plans, (time.perf_counter() - begun) / len(plans)


def expected(plans: Sequence[IntArray], worth: NDArray[np.floating]) -> float:
    """Worth of the chosen pairs, over the plans on average."""
    sums = []
    for rep_of in plans:
        given = np.flatnonzero(rep_of != UNASSIGNED)
        sums.append(float(worth[given, rep_of[given]].sum(dtype=np.float64)))
    return float(np.mean(sums))


def shares(plans: Sequence[IntArray], problem: Problem) -> dict[str, float]:
    """Leads left, and how far load and quality shares are from the weights."""
    chance = np.zeros(problem.value.shape)
    for rep_of in plans:
        given = np.flatnonzero(rep_of != NOBODY)
        chance[given, rep_of[given]] += 1.0 / len(plans)
    n_leads = problem.n_leads
    weight = np.ones(problem.n_reps) if problem.weight is None else problem.weight
    # Who may take nothing now is owed nothing.
    there = problem.eligible.any(axis=0) & (problem.capacity > 0)
    quality = np.ones(n_leads) if problem.quality is None else problem.quality
    weight = np.where(there, weight, 0.0)
    return {
        "unassigned": n_leads - float(chance.sum()),
        "load_spread": spread(chance, weight=weight, quality=np.ones(n_leads)),
        "quality_spread": spread(chance, weight=weight, quality=quality),
    }


def sides(
    entrants: Sequence[Entrant],
    figures: Mapping[str, Mapping[str, float]],
    baseline: str,
) -> list[Side]:
    """Every entrant with its gain over the baseline.

    Args:
        entrants: What is compared.
        figures: What was found of each; "money" among it.
        baseline: One of them.
    """
    base = figures[baseline]["money"]
    return [
        Side(
            name=one.name,
            figures={
                **figures[one.name],
                "gain": figures[one.name]["money"] - base,
                "relative_gain": figures[one.name]["money"] / base - 1.0
                if base > 0
                else None,
            },
            rules=one.as_json,
        )
        for one in entrants
    ]


def shown(currency: str) -> tuple[Shown, ...]:
    """Columns of money and wins."""
    return (
        Shown(figure="money", title=currency),
        Shown(figure="gain", title="more", form="+,.0f"),
        Shown(figure="relative_gain", title="%", form="+.1f", scale=100.0),
        Shown(figure="conversions", title="wins", form=",.1f"),
    )


SHARES = (
    Shown(figure="unassigned", title="left", form=",.0f"),
    Shown(figure="load_spread", title="load spread", form=".3f"),
    Shown(figure="quality_spread", title="quality spread", form=".3f"),
    Shown(figure="seconds", title="s", form=".2f"),
)
"""Columns of fairness and time."""
