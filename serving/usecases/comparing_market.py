"""Policies side by side on a demo market, whose truth is known."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from experiments.comparison import Comparison, Shown
from experiments.simulate import Market, kept_settings, simulate
from optimizer.optimum import solve
from optimizer.problem import FloatArray, IntArray, PricedPlan
from optimizer.verify import total_value
from rightrep.domain.ids import TenantId
from rightrep.errors import InvalidInput
from rightrep.store.aliases import RecordKind, resolve_many
from serving.usecases.comparing import (
    SHARES,
    WaitingBatch,
    expected,
    read_batch,
    shared_out,
    shares,
    shown,
    sides,
)
from serving.usecases.context import Context
from serving.usecases.entrants import Entrant
from serving.usecases.situation import Situation, problem_of

DEMO = "demo"
"""Folder of the demo market in the home folder."""


@dataclass(frozen=True, eq=False)
class _Known:
    """A market, and what its leads and reps are called here."""

    market: Market
    lead: dict[str, int]
    rep: dict[str, int]

    def p_win(self, situation: Situation) -> FloatArray:
        """True chance of every pair; float64 (n_leads, n_reps)."""
        lead, rep = self.leads_of(situation), situation.rep_ids
        unknown = [one for one in rep if one not in self.rep]
        if unknown:
            raise InvalidInput(
                f"Rep {unknown[0]} is not of the demo market, whose truth is asked for."
            )
        place = np.array([self.rep[one] for one in rep], dtype=np.int64)
        market = self.market
        return market.truth.grid(lead, place, day=market.today).astype(np.float64)

    def leads_of(self, situation: Situation) -> IntArray:
        """Place in the market of each lead; int64 (n_leads,)."""
        return np.array([self.lead[one] for one in situation.lead_ids], dtype=np.int64)


def compare_on_market(
    context: Context,
    tenant_id: TenantId,
    entrants: Sequence[Entrant],
    *,
    baseline: str,
    seed: int = 0,
) -> Comparison:
    """What each entrant really earns on the leads of a demo market that wait now.

    The plans are made as ever, by what the model believes; they are priced by the
    chances that the market's outcomes come from.

    Args:
        context: The parts of this process.
        tenant_id: Whose leads.
        entrants: What is compared; the baseline among it.
        baseline: Policy that gains are over.
        seed: Seed of every draw.

    Raises:
        InvalidInput: The home folder has no demo market, its leads are not here, no
            model is published, or nothing waits.
    """
    known = _known(context, tenant_id)
    batch = read_batch(context, tenant_id, entrants, only=known.lead)
    problem = problem_of(batch.situation, batch.scores)
    p_win = known.p_win(batch.situation)
    deal = known.market.leads.deal_value[known.leads_of(batch.situation)]
    money = p_win * deal[:, None]
    best = solve(replace(problem, value=money))
    optimum = total_value(replace(problem, value=money), best.plan)
    figures = {}
    for entrant in entrants:
        plans, took = shared_out(batch, entrant, seed=seed)
        earned = expected(plans, money)
        figures[entrant.name] = {
            "money": earned,
            "conversions": expected(plans, p_win),
            "believed": expected(plans, batch.believed),
            "regret": 1.0 - earned / optimum if optimum > 0 else 0.0,
            **shares(plans, problem),
            "seconds": took,
        }
    return _told(batch, entrants, figures, baseline, seed, optimum, best)


def _known(context: Context, tenant_id: TenantId) -> _Known:
    market = simulate(kept_settings(context.settings.home / DEMO))
    leads, reps = market.crm_lead_ids, market.crm_rep_ids
    with context.store.read(tenant_id) as session:
        own_leads = resolve_many(session, RecordKind.LEAD, leads)
        own_reps = resolve_many(session, RecordKind.REP, reps)
    return _Known(
        market,
        {own_leads[name]: i for i, name in enumerate(leads) if name in own_leads},
        {own_reps[name]: j for j, name in enumerate(reps) if name in own_reps},
    )


def _told(
    batch: WaitingBatch,
    entrants: Sequence[Entrant],
    figures: dict[str, dict[str, float]],
    baseline: str,
    seed: int,
    optimum: float,
    best: PricedPlan,
) -> Comparison:
    facts = {**batch.facts, "seed": seed, "optimum": optimum, "bound": best.bound}
    currency = batch.situation.tenant.currency
    return Comparison(
        ground="market",
        baseline=baseline,
        sides=sides(entrants, figures, baseline),
        facts=facts,
        shown=(
            *shown(currency),
            Shown(figure="regret", title="regret %", form=".1f", scale=100.0),
            Shown(figure="believed", title="believed"),
            *SHARES,
        ),
        value=("money", None, None),
        heading=(
            f"{facts['n_leads']:,} leads of a demo market, {facts['n_reps']:,} reps; "
            f"what is true of the plans of model {facts['model_version']}"
        ),
        notes=(
            "Regret is what is lost against the best plan there is, which knows the "
            f"truth: {optimum:,.0f} {currency}. Believed is what the model expects.",
        ),
    )
