"""Is it better? One experiment as of today, and the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

import numpy as np

from experiments.effects import Effect
from experiments.report import Look
from rightrep.domain.days import local_day
from rightrep.domain.experiment import Experiment
from rightrep.domain.tenant import Tenant
from rightrep.errors import NotFound
from rightrep.store.experiments import list_experiments
from rightrep.store.session import ReadSession
from rightrep.store.tenants import get_tenant
from serving.usecases.experiment_report import Reported, report_of

LOOKS_SHOWN = 14
"""Looks in the table beside the chart, the last one among them."""


class Verdict(StrEnum):
    """What may be concluded today."""

    WAITING = "waiting"
    """It was not started."""
    LOST = "lost"
    """Units were lost; nothing is reported."""
    EARLY = "early"
    """Too few leads have passed their horizon."""
    OPEN = "open"
    BETTER = "better"
    WORSE = "worse"


@dataclass(frozen=True, kw_only=True)
class TrialPage:
    """One experiment, and all there are.

    Attributes:
        tenant: Whose.
        at: When it was read.
        experiments: Every one, the newest first.
        chosen: The one shown, or None.
        found: Its report; None before its start.
    """

    tenant: Tenant
    at: datetime
    experiments: Sequence[Experiment]
    chosen: Experiment | None
    found: Reported | None

    @property
    def main(self) -> Effect | None:
        """The effect that the conclusion is about, once it has an interval."""
        main = None if self.found is None else self.found.report.main
        return main if main is not None and np.isfinite(main.low) else None

    @property
    def verdict(self) -> Verdict:
        """What may be concluded today."""
        if self.found is None:
            return Verdict.WAITING
        if self.found.report.srm.mismatch:
            return Verdict.LOST
        if self.main is None:
            return Verdict.EARLY
        if not self.main.concluded:
            return Verdict.OPEN
        return Verdict.BETTER if self.main.low > 0 else Verdict.WORSE

    @property
    def first_day(self) -> date | None:
        """Day from which the first leads count; None before the start."""
        if self.chosen is None or self.chosen.started_at is None:
            return None
        days = timedelta(days=self.horizon_days)
        return local_day(self.chosen.started_at + days, self.tenant.time_zone)

    @property
    def horizon_days(self) -> int:
        """Days that a lead has to be won."""
        return 0 if self.found is None else self.found.design.horizon_days

    @property
    def looks(self) -> list[Look]:
        """Every look that has a relative interval, oldest first."""
        looks = () if self.found is None else self.found.report.looks
        return [one for one in looks if np.isfinite(one.effect.relative_high)]

    @property
    def looks_shown(self) -> list[Look]:
        """Looks of the table, evenly apart, the newest first."""
        step = max(1, -(-len(self.looks) // LOOKS_SHOWN))
        return self.looks[::-1][::step]

    def seen_on(self, look: Look) -> date:
        """Day on which a look's last lead had passed its horizon."""
        return date.fromordinal(look.day + self.horizon_days)


def read_trial(session: ReadSession, *, name: str | None, at: datetime) -> TrialPage:
    """An experiment by name, or the one that matters most today.

    Without a name: the one that runs, else the holdout that runs, else the last one
    that was started, else the last one designed.

    Raises:
        NotFound: There is no experiment of this name.
    """
    every = list_experiments(session)
    chosen = _named(every, name) if name is not None else _foremost(every)
    started = chosen is not None and chosen.started_at is not None
    return TrialPage(
        tenant=get_tenant(session),
        at=at,
        experiments=every,
        chosen=chosen,
        found=report_of(session, chosen, at=at) if chosen and started else None,
    )


def _named(every: Sequence[Experiment], name: str) -> Experiment:
    for one in every:
        if one.experiment == name:
            return one
    raise NotFound("experiment", name)


def _foremost(every: Sequence[Experiment]) -> Experiment | None:
    def rank(one: Experiment) -> tuple[bool, bool, bool, datetime]:
        runs = one.started_at is not None and one.stopped_at is None
        return (
            runs and not one.standing,
            runs,
            one.started_at is not None,
            (one.started_at or one.created_at),
        )

    return max(every, key=rank, default=None)
