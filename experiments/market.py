"""A whole demo market: the arrays it is made of, and its tables on demand."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from experiments import market_world as world
from experiments.market_activities import Activities, draw_activities, positions
from experiments.market_calendar import Calendar
from experiments.market_exports import (
    activity_rows,
    crm_lead_ids,
    crm_rep_ids,
    decision_rows,
    lead_rows,
    outcome_rows,
    rep_rows,
    write_files,
)
from experiments.market_leads import Leads
from experiments.market_past import Past
from experiments.market_people import contacts, rep_names
from experiments.market_records import Closes, RepVersions, closes, rep_versions
from experiments.market_reps import Reps
from experiments.market_settings import (
    BoolArray,
    FloatArray,
    IntArray,
    MarketSettings,
)
from experiments.market_story import Versions, tell_story, write_versions
from experiments.market_tables import Ids, event_tables, lead_tables, rep_tables
from experiments.market_truth import Truth
from features.history import History


@dataclass(frozen=True, eq=False)
class Market:
    """A demo market; i over leads, j over reps, both by position.

    Attributes:
        settings: What it was made from.
        calendar: Its days.
        leads: Its leads in order of arrival.
        reps: Its reps by region.
        past: The decisions of the old organisation and what came of them, also what
            nobody knows yet at the market's end.
        truth: The chance of every rep with every lead.
    """

    settings: MarketSettings
    calendar: Calendar
    leads: Leads
    reps: Reps
    past: Past
    truth: Truth

    @property
    def today(self) -> int:
        """The day that the market's end falls in."""
        return self.calendar.n_days - 1

    def day_at(self, at: datetime) -> int:
        """The market's day that an aware instant falls in; day 0 is the first."""
        second = np.array([int(at.timestamp())])
        return int(self.calendar.day_of(second)[0])

    @cached_property
    def unassigned(self) -> IntArray:
        """Leads without a decision at the end, in order of arrival; int64."""
        decided = np.zeros(self.leads.n_leads, dtype=np.bool_)
        decided[self.past.lead] = True
        return np.flatnonzero(~decided)

    @property
    def available(self) -> IntArray:
        """Reps who take leads on the last day; int64."""
        return np.flatnonzero(self.reps.at_work[-1])

    def eligible(self, leads: IntArray, reps: IntArray) -> BoolArray:
        """Whether language and product allow each pair; bool (n, m)."""
        speaks = self.reps.languages[reps].T[self.leads.language[leads]]
        sells = self.reps.products[reps].T[self.leads.product[leads]]
        return np.asarray(speaks & sells)

    @property
    def held(self) -> IntArray:
        """Open leads of each rep at the end; int64 (n_reps,)."""
        free_at = np.minimum(self.past.closed_at, self.past.released_at)
        still = self.past.owner[free_at >= self.calendar.end]
        return np.bincount(still, minlength=self.reps.n_reps).astype(np.int64)

    @property
    def positions(self) -> FloatArray:
        """Degrees north and east of each lead's customer; (n_leads, 2)."""
        return positions(self.settings, self.leads)

    @cached_property
    def lead_ids(self) -> pd.Series:
        """Our id of each lead, as in ``history``; dtype str."""
        return self._ids.lead

    @cached_property
    def rep_ids(self) -> pd.Series:
        """Our id of each rep, as in ``history``; dtype str."""
        return self._ids.rep

    @property
    def crm_lead_ids(self) -> list[str]:
        """What the exports call each lead."""
        names: list[str] = crm_lead_ids(np.arange(self.leads.n_leads)).to_pylist()
        return names

    @property
    def crm_rep_ids(self) -> list[str]:
        """What the exports call each rep."""
        names: list[str] = crm_rep_ids(np.arange(self.reps.n_reps)).to_pylist()
        return names

    def contacts(self) -> pd.DataFrame:
        """Who is behind the leads: one row per customer, as in ``leads.customer``.

        Returns:
            Columns company, contact_name, phone, email, address, tax_number.
        """
        return contacts(self.settings, self.leads)

    def channel_costs(self) -> pd.DataFrame:
        """What each channel cost on each day with leads.

        Returns:
            Columns channel, day (a date), cost (major units of the currency).
        """
        day = self.calendar.day_of(self.leads.created)
        n_channels = len(world.CHANNELS)
        cell, count = np.unique(
            day * n_channels + self.leads.channel, return_counts=True
        )
        wobble = self.settings.stream("costs").uniform(0.8, 1.2, cell.size)
        channel = cell % n_channels
        dates = [self.calendar.date_of(d) for d in range(self.calendar.n_days)]
        return pd.DataFrame(
            {
                "channel": np.array(world.CHANNELS)[channel],
                "day": [dates[d] for d in cell // n_channels],
                "cost": np.round(world.CHANNEL_COST[channel] * count * wobble, 2),
            }
        )

    def history(self) -> History:
        """What is known by the market's end, as features read it.

        Row i of ``leads`` is lead i, row j of ``reps`` rep j, and row k of
        ``decisions`` decision k of ``past``.
        """
        return History.of(
            lead_tables(self.leads, self._versions, self._ids)
            | rep_tables(self.calendar, self.reps, self._rep_versions, self._ids)
            | event_tables(
                self.past, self._closes, self._activities, self._ids, self.calendar.end
            )
        )

    def exports(self) -> Mapping[str, pa.Table]:
        """The same as files of an old CRM: leads, reps, decisions, ... by name.

        Lead i is ``L`` and i in seven digits there, rep j ``R`` and four digits,
        decision k ``D`` and seven.
        """
        names = rep_names(self.settings, self.reps)
        return {
            "leads": lead_rows(self.leads, self._versions, self.contacts()),
            "reps": rep_rows(self.calendar, self.reps, self._rep_versions, names),
            "decisions": decision_rows(self.past),
            "outcomes": outcome_rows(self.past, self._closes),
            "activities": activity_rows(self._activities),
        }

    def write_exports(self, folder: Path) -> dict[str, Path]:
        """Write ``exports`` as CSV files; returns their paths by name."""
        return write_files(folder, self.exports())

    @cached_property
    def _closes(self) -> Closes:
        return closes(self.settings, self.calendar, self.leads, self.past)

    @cached_property
    def _rep_versions(self) -> RepVersions:
        return rep_versions(self.calendar, self.reps)

    @cached_property
    def _ids(self) -> Ids:
        return Ids.of(
            self.settings,
            self.calendar,
            self.leads,
            self.reps,
            self.past,
            self._closes,
        )

    @cached_property
    def _written(self) -> tuple[Versions, Activities]:
        story = tell_story(self.settings, self.calendar, self.reps, self.past)
        return (
            write_versions(self.settings, self.calendar, self.leads, self.past, story),
            draw_activities(
                self.settings, self.calendar, self.leads, self.reps, self.past, story
            ),
        )

    @property
    def _versions(self) -> Versions:
        return self._written[0]

    @property
    def _activities(self) -> Activities:
        return self._written[1]
