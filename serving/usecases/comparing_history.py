"""Policies side by side on the past: what lottery decisions say of each."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pandas as pd

from experiments.comparison import Comparison, Shown, Side
from experiments.off_policy import Estimate
from experiments.replay import (
    NOBODY,
    equal_slots,
    estimates,
    judge_policies,
    replay,
    spread,
)
from features.history import History
from optimizer.problem import UNASSIGNED, FloatArray, IntArray
from rightrep.domain.eligibility import Exclusion
from rightrep.domain.fairness import FairnessRules
from rightrep.domain.ids import TenantId
from rightrep.domain.money import minor_digits
from rightrep.domain.roster import UNLIMITED
from rightrep.domain.tenant import Tenant
from rightrep.errors import InvalidInput
from rightrep.store import bulk
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant
from rightrep.store.types import from_micros
from serving.usecases.advice import Chances
from serving.usecases.context import Context
from serving.usecases.entrants import Entrant, Field
from serving.usecases.lottery_past import LotteryPast, read_lottery_past
from serving.usecases.ruling import already
from serving.usecases.situation import Situation, rows_of

REWARDS = ("money", "conversions")
"""What a win counts: its money, or one."""

MOST_WINDOW_DAYS = 31


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryAsk:
    """How the past is gone through.

    Attributes:
        as_of: Outcomes are taken as known then; aware.
        baseline: Policy that gains are over.
        window_days: Local days whose leads are one batch; 1 to 31.
        n_refits: Trainings in the past; at least 2.
        clip: Weights above are cut off there; positive.
        seed: Seed of every draw a policy makes.

    Raises:
        InvalidInput: A window or a clip is out of range.
    """

    as_of: datetime
    baseline: str
    window_days: int = 1
    n_refits: int = 2
    clip: float = np.inf
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.window_days <= MOST_WINDOW_DAYS:
            raise InvalidInput(
                f"A window has 1 to {MOST_WINDOW_DAYS} days, not {self.window_days}.",
                field="window_days",
            )
        if not self.clip > 0:
            raise InvalidInput("Weights are cut off above 0.", field="clip")


def compare_on_history(
    context: Context, tenant_id: TenantId, entrants: Sequence[Entrant], ask: HistoryAsk
) -> Comparison:
    """What each entrant would have earned on the lottery's decisions.

    Args:
        context: The parts of this process.
        tenant_id: Whose history.
        entrants: What is compared; the baseline among it.
        ask: How.

    Raises:
        InvalidInput: No randomised decision can judge.
        TooFewOutcomes: There is too little to train on, or to judge by, at all.
    """
    with context.store.read(tenant_id) as session:
        tenant = get_tenant(session)
        tables = bulk.read_history(session, recorded_until=ask.as_of)
        past = read_lottery_past(
            session,
            History.of(tables),
            tenant,
            as_of=ask.as_of,
            n_refits=ask.n_refits,
            window_days=ask.window_days,
        )
        replays = _replays(session, context, past, tenant, entrants)
    found = [_replayed(past, replays, entrant, ask) for entrant in entrants]
    chances = {
        entrant.name: chance
        for entrant, (chance, _) in zip(entrants, found, strict=True)
    }
    judged = {
        reward: judge_policies(
            past.logged,
            chances,
            ask.baseline,
            in_money=reward == "money",
            clip=ask.clip,
        )
        for reward in REWARDS
    }
    money = judged["money"]
    sides = [
        Side(
            name=entrant.name,
            figures={
                **_support(past, money[entrant.name].ips),
                **estimates(judged, entrant.name, ask.baseline),
                "unassigned": 1.0 - float(chance.sum()) / past.logged.n_rows,
                **_spreads(past, chance),
                "seconds": took,
            },
            said=None
            if money[entrant.name].ips.enough
            else money[entrant.name].ips.in_words(),
            rules=entrant.as_json,
            weights=past.logged.weights(chance, ask.clip),
        )
        for entrant, (chance, took) in zip(entrants, found, strict=True)
    ]
    return _told(past, tenant, sides, ask)


@dataclass(frozen=True, eq=False)
class _Replay:
    """One window, ready for every entrant."""

    field: Field
    rep_code: IntArray

    def choose(self, entrant: Entrant, seed: int) -> IntArray:
        """Code of the rep of each lead, or ``NOBODY``."""
        rep_of = self.field.choose(entrant, seed=seed).plan.rep_of
        return np.where(rep_of == UNASSIGNED, NOBODY, self.rep_code[rep_of])


def _replays(
    session: ReadSession,
    context: Context,
    past: LotteryPast,
    tenant: Tenant,
    entrants: Sequence[Entrant],
) -> dict[int, _Replay]:
    """Every window by its first row."""
    minor = 10 ** minor_digits(tenant.currency)
    found = {}
    for rows in past.logged.windows:
        situation, rep_code = _situation(past, rows)
        drawable = past.logged.drawable[np.ix_(rows, rep_code)]
        chances = Chances(
            p_convert=past.logged.p_convert[np.ix_(rows, rep_code)].astype(np.float32),
            quality=past.quality[rows],
            deal_value_minor=past.logged.worth[rows] * minor,
        )
        names = [past.lead_ids[row] for row in rows]
        scored = dict(zip(names, past.lead_score[rows].tolist(), strict=True))
        field = Field(
            session,
            situation,
            chances,
            context.win_rates,
            each_at=[from_micros(at) for at in past.decided_at[rows].tolist()],
            only=drawable,
            scored=already(scored),
        )
        for entrant in entrants:
            field.add(entrant)
        found[int(rows[0])] = _Replay(field, rep_code)
    return found


def _situation(past: LotteryPast, rows: IntArray) -> tuple[Situation, IntArray]:
    """A window's decisions as a batch: who could be drawn, and equal slots for all."""
    window = past.windows[int(past.logged.window[rows[0]])]
    situation = window.situation
    rep_code = past.rep_ids.get_indexer(pd.Index(situation.rep_ids))
    drawable = past.logged.drawable[np.ix_(rows, rep_code)]
    places = np.array([window.place[past.lead_ids[row]] for row in rows])
    codes = np.where(drawable, Exclusion.ELIGIBLE, Exclusion.NOT_A_CANDIDATE)
    roster = situation.roster
    none = np.full(len(roster), UNLIMITED)
    team = replace(
        roster.team,
        holding_limit=roster.held + equal_slots(drawable),
        intake_per_day=none,
        intake_per_month=none,
    )
    return (
        replace(
            situation,
            leads=[situation.leads[k] for k in places],
            columns=rows_of(situation.columns, places),
            codes=codes.astype(np.uint8),
            roster=replace(roster, team=team),
            waiting_days=None,
        ),
        rep_code.astype(np.int64),
    )


def _replayed(
    past: LotteryPast, replays: Mapping[int, _Replay], entrant: Entrant, ask: HistoryAsk
) -> tuple[FloatArray, float]:
    """Chances of every pair, and the seconds it took to find them."""

    def choose(rows: IntArray, seed: int) -> IntArray:
        return replays[int(rows[0])].choose(entrant, seed)

    begun = time.perf_counter()
    chance = replay(past.logged, choose, n_plans=entrant.n_plans, seed=ask.seed)
    return chance, time.perf_counter() - begun


def _support(past: LotteryPast, found: Estimate) -> dict[str, float | None]:
    return {
        "n_rows": past.logged.n_rows,
        "effective_n": found.effective_n,
        "overlap": found.overlap,
        "clipped_share": found.clipped_share,
    }


def _spreads(past: LotteryPast, chance: FloatArray) -> dict[str, float | None]:
    """How far load and quality are from where the lottery puts them."""
    drawable = past.logged.drawable
    by_lot = drawable / drawable.sum(axis=1, keepdims=True)
    ones, quality = np.ones(past.logged.n_rows), past.quality
    return {
        "load_spread": spread(chance, weight=ones @ by_lot, quality=ones),
        "quality_spread": spread(chance, weight=quality @ by_lot, quality=quality),
    }


def _told(
    past: LotteryPast, tenant: Tenant, sides: Sequence[Side], ask: HistoryAsk
) -> Comparison:
    n_rows, currency = past.logged.n_rows, tenant.currency
    models = ", ".join(f"{at:%Y-%m-%d}" for at in past.models)
    clipped = "no weight is cut off"
    if np.isfinite(ask.clip):
        clipped = (
            f"weights are cut off at {ask.clip:g}, which leaves the rest to a model"
        )
    return Comparison(
        ground="history",
        baseline=ask.baseline,
        sides=sides,
        facts={
            "as_of": ask.as_of.isoformat(),
            "n_decisions": n_rows,
            "n_drawn": past.n_drawn,
            "n_windows": len(past.logged.windows),
            "window_days": ask.window_days,
            "label_window_days": past.label_window_days,
            "models_as_of": [at.isoformat() for at in past.models],
            "clip": None if np.isinf(ask.clip) else ask.clip,
            "seed": ask.seed,
            "currency": currency,
        },
        shown=_SHOWN,
        value=_VALUE,
        heading=(
            f"{n_rows:,} of {past.n_drawn:,} decisions drawn by lot, in "
            f"{len(past.logged.windows):,} windows; {currency} and wins per lead "
            f"within {past.label_window_days} days, gains over {ask.baseline}"
        ),
        notes=(
            f"Models of {models} chose, each on later leads; believed is what they "
            "expect of their own choices, judged what a model of other decisions does.",
            "Doubly robust (DR) with 95 % intervals; every policy has the lottery's "
            f"leads, its candidates and equal slots, and {clipped}.",
            *unseen(next(iter(past.windows.values())).situation.routing.fairness),
        ),
    )


def unseen(fairness: FairnessRules) -> list[str]:
    """What these figures leave out of what a policy would really have done.

    Args:
        fairness: What the tenant asks for now.
    """
    told = [
        "A window begins in the world that was logged: what a policy changes for "
        "later windows is not seen."
    ]
    if fairness.is_set:
        # What was asked for at an earlier time is not kept; and bands are of all the
        # leads of a window, of which only the lottery's are planned here.
        told.append(
            "The tenant's fairness (routing.fairness: bands, dial, floors) is left "
            "out: only the lottery's leads are shared out, and equal slots stand in "
            "its place. --on waiting keeps it."
        )
    return told


_VALUE = ("money.doubly_robust", "money.doubly_robust.low", "money.doubly_robust.high")
_SHOWN = (
    Shown(figure="effective_n", title="worth"),
    Shown(figure="money.believed", title="believed"),
    Shown(figure="money.judged", title="judged"),
    Shown(figure="money.ips", title="IPS"),
    Shown(figure="money.snips", title="SNIPS"),
    Shown(figure=_VALUE[0], title="DR", ends=_VALUE[1:]),
    Shown(
        figure="money.gain",
        title="gain",
        form="+,.0f",
        ends=("money.gain.low", "money.gain.high"),
    ),
    Shown(
        figure="conversions.doubly_robust",
        title="wins % DR",
        form=".1f",
        scale=100.0,
        ends=("conversions.doubly_robust.low", "conversions.doubly_robust.high"),
    ),
    Shown(figure="load_spread", title="spread", form=".3f"),
    Shown(figure="seconds", title="s", form=".1f"),
)
