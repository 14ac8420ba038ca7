"""The past as lottery decisions see it: models that had not seen them, and their days.

A model that chooses must not have learnt from what judges it, so the history is gone
through as in a backtest: a model is trained on what was known at each refit, and the
randomised decisions up to the next one are its test.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.replay import Logged
from features.as_of import instant
from features.columns import Float32Array
from features.history import History
from features.known import Own
from features.lead_inputs import lead_inputs
from features.learn import learn_recipe
from features.profiles import lead_rows
from optimizer.problem import BoolArray, FloatArray, IntArray
from rightrep.domain.days import day_bounds
from rightrep.domain.eligibility import exclusions
from rightrep.domain.ids import DecisionId, LeadId, RepId
from rightrep.domain.roster import micros
from rightrep.domain.tenant import Tenant
from rightrep.errors import InvalidInput
from rightrep.store import decisions, rule_facts
from rightrep.store.session import ReadSession
from serving.usecases.judging import usable
from serving.usecases.situation import Situation, read_situation
from training.backtest import refit_instants
from training.contest import Contestant
from training.dataset import Labelled, labelled
from training.retrain import train

_MOMENT = timedelta(microseconds=1)
_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_NO_LOTTERY = (
    "Give routing an exploration_share above 0, or share out by round_robin_lot or "
    "random, and wait until the label window of those decisions has ended."
)


@dataclass(frozen=True, eq=False)
class Lesson:
    """A model of the past, and the randomised decisions that it had not seen.

    Attributes:
        contestant: The model, and what it knows as of each instant.
        labels: The decisions.
        trained_as_of: Nothing later was seen in training.
    """

    contestant: Contestant
    labels: Labelled
    trained_as_of: datetime

    @property
    def lead_ids(self) -> list[LeadId]:
        """Lead of each decision."""
        names = self.contestant.known.own.leads.ids[self.labels.lead]
        return [LeadId(name) for name in names]

    @property
    def decision_ids(self) -> list[DecisionId]:
        """Id of each decision."""
        names = self.contestant.known.own.decisions.ids[self.labels.decision]
        return [DecisionId(name) for name in names]

    def window_of(self, zone: str, window_days: int) -> IntArray:
        """Window of each decision, of so many local days since year 1."""
        at = pd.to_datetime(self.labels.decided_at, unit="us", utc=True)
        days = [one.toordinal() for one in at.tz_convert(zone).date]
        return np.array(days, dtype=np.int64) // window_days


@dataclass(frozen=True, eq=False)
class Window:
    """One batch as it was: its leads, and the roster of then.

    Attributes:
        situation: Leads as known when it ended; reps with what they held before it.
        place: Place of each lead in the situation.
    """

    situation: Situation
    place: Mapping[LeadId, int]

    def open_to(self, lead_id: LeadId) -> list[RepId]:
        """Reps who could have taken a lead then."""
        row = self.situation.eligible[self.place[lead_id]]
        return [self.situation.rep_ids[j] for j in np.flatnonzero(row)]


@dataclass(frozen=True, eq=False)
class LotteryPast:
    """Randomised decisions whose lottery is known; n of them, m reps of the history.

    Attributes:
        logged: The decisions.
        lead_ids: Their leads; n of them.
        decided_at: Microseconds since 1970 UTC; int64 (n,).
        quality: Lead-only chance; float64 (n,).
        lead_score: The same as a lead score, 0 to 100; int64 (n,).
        rep_ids: Reps by code; m of them.
        windows: Situation of each window.
        label_window_days: Days in which a win counts, for models and for wins.
        n_drawn: Decisions by lot, those included whose lottery is not known.
        models: As of when each model was trained.
    """

    logged: Logged
    lead_ids: Sequence[LeadId]
    decided_at: IntArray
    quality: FloatArray
    lead_score: IntArray
    rep_ids: pd.Index
    windows: Mapping[int, Window]
    label_window_days: int
    n_drawn: int
    models: Sequence[datetime]


def read_lottery_past(
    session: ReadSession,
    history: History,
    tenant: Tenant,
    *,
    as_of: datetime,
    n_refits: int,
    window_days: int,
) -> LotteryPast:
    """Go through the past.

    Args:
        session: Where to read.
        history: The tenant's history.
        tenant: Whose.
        as_of: Outcomes are taken as known then; aware.
        n_refits: Trainings in the past; at least 2.
        window_days: Local days whose leads are one batch.

    Raises:
        InvalidInput: No randomised decision can judge.
        TooFewOutcomes: There is too little to train on, or to judge by, at all.
    """
    lessons = _lessons(history, tenant, as_of, n_refits)
    zone = tenant.time_zone
    windows = _windows(session, lessons, tenant, as_of, window_days)
    kept = [_known(session, one, windows, zone, window_days) for one in lessons]
    if not any(lesson.labels.n_rows for lesson, _ in kept):
        raise InvalidInput(
            "Of no decision drawn by lot is it known who else could have been.",
            remedy="Only decisions whose candidates were logged, or can be worked out "
            "from the reps of then, can judge a policy.",
        )
    parts = [
        _logged(lesson, mask, lesson.window_of(zone, window_days))
        for lesson, mask in kept
    ]
    return LotteryPast(
        logged=_joined(parts),
        lead_ids=[one for lesson, _ in kept for one in lesson.lead_ids],
        decided_at=np.concatenate([lesson.labels.decided_at for lesson, _ in kept]),
        quality=np.concatenate(
            [lesson.contestant.model.p_lead(_leads(lesson)) for lesson, _ in kept]
        ),
        lead_score=np.concatenate(
            [lesson.contestant.model.lead_score(_leads(lesson)) for lesson, _ in kept]
        ),
        rep_ids=lessons[0].contestant.known.own.rep_ids,
        windows=windows,
        label_window_days=lessons[0].contestant.known.recipe.label_window_days,
        n_drawn=sum(lesson.labels.n_rows for lesson in lessons),
        models=[lesson.trained_as_of for lesson in lessons],
    )


def _lessons(
    history: History, tenant: Tenant, as_of: datetime, n_refits: int
) -> list[Lesson]:
    """Train at each refit, and find the randomised decisions up to the next."""
    if not np.isfinite(history.decisions["propensity"]).any():
        raise InvalidInput("No decision was drawn by lot.", remedy=_NO_LOTTERY)
    end, zone = pd.Timestamp(as_of), tenant.time_zone
    usual = learn_recipe(
        Own.of(history),
        instant(end),
        label_window_days=tenant.label_window_days,
        zone=zone,
    )
    days = usual.label_window_days
    refits = refit_instants(history, n_refits, end, label_window_days=days, zone=zone)
    found = [
        _lesson(history, start, stop, end, label_window_days=days, zone=zone)
        for start, stop in pairwise([*refits, end])
    ]
    if not any(lesson.labels.n_rows for lesson in found):
        raise InvalidInput(
            f"No decision drawn by lot since {refits[0]:%Y-%m-%d} has ended its label "
            "window.",
            remedy=_NO_LOTTERY,
        )
    return found


def _lesson(
    history: History,
    start: pd.Timestamp,
    stop: pd.Timestamp,
    end: pd.Timestamp,
    *,
    label_window_days: int,
    zone: str,
) -> Lesson:
    with tempfile.TemporaryDirectory() as folder:
        model = train(
            history,
            start,
            Path(folder),
            label_window_days=label_window_days,
            zone=zone,
        ).model
    contestant = Contestant.of(model, history)
    recipe = contestant.known.recipe
    labels = labelled(contestant.known.own, recipe, instant(end))
    later = labels.decided_at > instant(start)
    later &= (labels.decided_at <= instant(stop)) & np.isfinite(labels.propensity)
    return Lesson(contestant, labels.where(later), start.to_pydatetime())


def _windows(
    session: ReadSession,
    lessons: Sequence[Lesson],
    tenant: Tenant,
    as_of: datetime,
    window_days: int,
) -> dict[int, Window]:
    """The situation of every window with a randomised decision."""
    by_window: dict[int, dict[LeadId, None]] = {}
    for lesson in lessons:
        window = lesson.window_of(tenant.time_zone, window_days)
        for key, lead_id in zip(window.tolist(), lesson.lead_ids, strict=True):
            by_window.setdefault(key, {})[lead_id] = None
    return {
        key: _window(
            session, key * window_days, list(leads), tenant, as_of, window_days
        )
        for key, leads in by_window.items()
    }


def _window(
    session: ReadSession,
    first: int,
    lead_ids: Sequence[LeadId],
    tenant: Tenant,
    as_of: datetime,
    window_days: int,
) -> Window:
    start = day_bounds(date.fromordinal(first), tenant.time_zone)[0]
    last = date.fromordinal(first + window_days - 1)
    at = min(day_bounds(last, tenant.time_zone)[1] - _MOMENT, as_of)
    situation = read_situation(session, lead_ids, at=at, barred={})
    held = rule_facts.held_at(session, start, only=situation.counted)
    given = rule_facts.last_given_at(session, start)
    team = situation.roster
    since = [micros(given.get(rep_id, _EVER)) for rep_id in team.rep_ids]
    roster = replace(
        team,
        held=np.array([held.get(rep_id, 0) for rep_id in team.rep_ids], np.int64),
        taken_today=np.zeros(len(team), np.int64),
        taken_this_month=np.zeros(len(team), np.int64),
        waited=np.maximum(micros(at) - np.maximum(team.back_since, since), 0) / 1e6,
    )
    rules = situation.routing.eligibility
    codes = exclusions(situation.columns, roster, rules, at=at)
    place = {lead_id: k for k, lead_id in enumerate(situation.lead_ids)}
    return Window(replace(situation, roster=roster, codes=codes), place)


def _known(
    session: ReadSession,
    lesson: Lesson,
    windows: Mapping[int, Window],
    zone: str,
    window_days: int,
) -> tuple[Lesson, BoolArray]:
    """Decisions of which it is known whom the lottery could have drawn, and whom.

    Of our own decisions the store knows it; of imported ones it is worked out from the
    reps and the leads as they were. Either way it must give the propensity logged. Of
    a lead that was drawn again, the first decision counts.
    """
    own, ids = lesson.contestant.known.own, lesson.decision_ids
    window = lesson.window_of(zone, window_days)
    worked_out = {
        decision_id: windows[key].open_to(lead_id)
        for decision_id, lead_id, key in zip(
            ids, lesson.lead_ids, window.tolist(), strict=True
        )
        if lead_id in windows[key].place
    }
    drawable = worked_out | decisions.candidates_of(session, ids)
    labels, mask = usable(lesson.labels, own.decisions.ids, own.rep_ids, drawable)
    first = np.sort(np.unique(labels.lead, return_index=True)[1])
    return replace(lesson, labels=labels.where(first)), mask[first]


def _logged(lesson: Lesson, drawable: BoolArray, window: IntArray) -> Logged:
    labels, known = lesson.labels, lesson.contestant.known
    row, rep = np.nonzero(drawable)
    p_convert = np.zeros(drawable.shape)
    p_convert[row, rep] = lesson.contestant.chances(
        labels.lead[row], rep, labels.decided_at[row]
    )
    inputs = lead_inputs(known.own, known, labels.lead, labels.decided_at)
    worth = inputs["deal_value"]
    return Logged(
        rep=labels.rep,
        propensity=labels.propensity,
        drawable=drawable,
        won=labels.won,
        worth=np.where(np.isfinite(worth), worth, 1.0),
        p_convert=p_convert,
        window=window,
        unit=labels.lead,
    )


def _joined(parts: Sequence[Logged]) -> Logged:
    return Logged(
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in Logged.__dataclass_fields__
        }
    )


def _leads(lesson: Lesson) -> Float32Array:
    """Each decision's lead as it was known then."""
    labels = lesson.labels
    return lead_rows(lesson.contestant.known, labels.lead, labels.decided_at)
