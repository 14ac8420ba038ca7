"""What is known of reps, ready to be asked as of any instant."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import orjson
import pandas as pd

from features.as_of import (
    DAY,
    FloatArray,
    IntArray,
    Log,
    Tally,
    in_force,
    instants,
    row_in_force,
    take,
)
from features.codes import Coded, codes_of
from features.decision_facts import DecisionFacts
from features.history import History
from features.lead_facts import TOUCHES, LeadFacts

RESPONSE_CAP_HOURS = 72.0
"""A lead not touched by then counts as touched then; waiting on is no worse."""

LISTS = ("languages", "products", "industries")
"""Columns of a rep's version that are JSON lists."""

_EVERYBODY = 0


@dataclass(frozen=True, eq=False)
class RepFacts:
    """Reps, their versions, loads, response times and survey scores.

    Attributes:
        ids: Rep ids; a rep's code is its place here.
        versions: Versions in force, by rep.
        team: Team of each version.
        region: Region of each version.
        lists: Languages, products and industries: (version, value) pairs.
        hired_on: int64 (n_versions,), ``NEVER`` when unknown.
        holding_limit: Leads; float64 (n_versions,), missing for no limit.
        given: Decisions, by rep.
        ended: Decisions whose lead the rep no longer has open, by rep.
        given_to_all: Decisions, under key 0.
        ended_of_all: Decisions whose lead is no longer open, under key 0.
        response: Log hours to first touch, and count; by rep.
        response_of_all: The same over all reps.
        satisfaction: Survey scores, and count; by rep.
        satisfaction_of_all: The same over all reps.
    """

    ids: pd.Index
    versions: Log
    team: Coded
    region: Coded
    lists: Mapping[str, "Members"]
    hired_on: IntArray
    holding_limit: FloatArray
    given: Log
    ended: Log
    given_to_all: Log
    ended_of_all: Log
    response: Tally
    response_of_all: Tally
    satisfaction: Tally
    satisfaction_of_all: Tally

    @classmethod
    def of(
        cls,
        history: History,
        leads: LeadFacts,
        decisions: DecisionFacts,
        ids: pd.Index,
        *,
        half_life_days: float,
    ) -> "RepFacts":
        """From a tenant's history.

        Args:
            history: The tables.
            leads: The leads of the same history.
            decisions: The decisions of the same history.
            ids: Rep ids by code, as the decisions have them.
            half_life_days: Age at which a response or a survey counts half.
        """
        versions = history.rep_versions
        anybody = np.where(decisions.rep >= 0, _EVERYBODY, -1)
        touched = _responses(history.activities, leads, decisions, ids)
        surveyed = _surveys(history.activities, leads, decisions, ids)
        tallies = [
            Tally.of(
                key, at, [value, np.ones(value.size)], half_life_days=half_life_days
            )
            for key, at, value in (
                touched,
                _of_everybody(touched),
                surveyed,
                _of_everybody(surveyed),
            )
        ]
        return cls(
            ids=ids,
            versions=in_force(
                codes_of(ids, versions["rep_id"]),
                instants(versions["valid_from"]),
                instants(versions["recorded_at"]),
            ),
            team=Coded.of(versions["team"]),
            region=Coded.of(versions["region"]),
            lists={name: Members.of(versions[name]) for name in LISTS},
            hired_on=instants(versions["hired_on"]),
            holding_limit=versions["holding_limit"].to_numpy(np.float64),
            given=Log.of(decisions.rep, decisions.known_at),
            ended=Log.of(decisions.rep, decisions.end_at),
            given_to_all=Log.of(anybody, decisions.known_at),
            ended_of_all=Log.of(anybody, decisions.end_at),
            response=tallies[0],
            response_of_all=tallies[1],
            satisfaction=tallies[2],
            satisfaction_of_all=tallies[3],
        )

    def version(self, rep: IntArray, at: IntArray) -> IntArray:
        """Row of the version in force of each rep, or -1."""
        return row_in_force(self.versions, rep, at)

    def team_of(self, rep: IntArray, at: IntArray) -> IntArray:
        """Code of each rep's team as of ``at``, or -1."""
        return self.team.at(self.version(rep, at))


@dataclass(frozen=True, eq=False)
class Members:
    """A column of JSON lists, as pairs of row and value.

    Attributes:
        texts: The distinct values.
        listed: Rows whose list is not empty; bool (n_rows,).
    """

    texts: pd.Index
    listed: np.ndarray[tuple[int], np.dtype[np.bool_]]
    _pairs: IntArray

    @classmethod
    def of(cls, lists: pd.Series) -> "Members":
        """From a column of JSON lists; a missing list is empty."""
        text, distinct = pd.factorize(lists)
        parsed = pd.Series([orjson.loads(one) for one in distinct], dtype=object)
        members = parsed.explode().dropna()
        code, values = pd.factorize(members.astype("str"))
        by_text = pd.DataFrame({"text": members.index, "value": code})
        rows = pd.DataFrame({"row": np.arange(text.size), "text": text})
        joined = rows.merge(by_text, on="text")
        listed = np.zeros(text.size, dtype=np.bool_)
        listed[joined["row"]] = True
        pairs = joined["row"].to_numpy() * max(len(values), 1) + joined["value"]
        return cls(pd.Index(values), listed, np.sort(pairs.to_numpy(np.int64)))

    def has(self, row: IntArray, value: IntArray) -> FloatArray:
        """1.0 where the row's list has the value, 0.0 where not.

        Missing where the list is empty, or the value or row is unknown (-1). A value
        on nobody's list is ``len(texts)`` or more.
        """
        out = np.full(row.shape, np.nan)
        known = (row >= 0) & (value != -1)
        known[known] = self.listed[row[known]]
        width = max(len(self.texts), 1)
        pair = row[known] * width + value[known]
        out[known] = np.isin(pair, self._pairs) & (value[known] < width)
        return out


def _of_everybody(
    events: tuple[IntArray, IntArray, FloatArray],
) -> tuple[IntArray, IntArray, FloatArray]:
    key, at, value = events
    return np.where(key >= 0, _EVERYBODY, -1), at, value


def _responses(
    activities: pd.DataFrame,
    leads: LeadFacts,
    decisions: DecisionFacts,
    rep_ids: pd.Index,
) -> tuple[IntArray, IntArray, FloatArray]:
    """Log hours from each decision to the rep's first touch; rep, when known, value.

    The first touch is the first one known. One that happened before it and was
    recorded after it is not waited for: as of the first, nobody knew of it.
    """
    touch = activities[activities["kind"].isin(TOUCHES)]
    lead = codes_of(leads.ids, touch["lead_id"])
    rep = codes_of(rep_ids, touch["rep_id"])
    known = np.maximum(instants(touch["happened_at"]), instants(touch["recorded_at"]))
    width = len(rep_ids) + 1
    log = Log.of(np.where((lead >= 0) & (rep >= 0), lead * width + rep, -1), known)
    usable = (decisions.lead >= 0) & (decisions.rep >= 0)
    key = np.where(usable, decisions.lead * width + decisions.rep, -1)
    cap = decisions.decided_at + round(RESPONSE_CAP_HOURS / 24 * DAY)
    at = np.minimum(_first_after(log, key, decisions.decided_at), cap)
    hours = (at - decisions.decided_at) / DAY * 24.0
    # A decision recorded late was not known to have been answered before that.
    seen = np.maximum(at, decisions.known_at)
    return np.where(usable, decisions.rep, -1), seen, np.log1p(hours)


def _first_after(log: Log, key: IntArray, at: IntArray) -> IntArray:
    """Instant of the first event of each key at or after ``at``, or the largest."""
    last = log.last(key, at - 1)
    position = np.where(last >= 0, last + 1, np.searchsorted(log.key, key))
    found = position < log.key.size
    found[found] = log.key[position[found]] == key[found]
    first = np.full(key.size, np.iinfo(np.int64).max)
    first[found] = log.known_at[position[found]]
    return first


def _surveys(
    activities: pd.DataFrame,
    leads: LeadFacts,
    decisions: DecisionFacts,
    rep_ids: pd.Index,
) -> tuple[IntArray, IntArray, FloatArray]:
    """Survey scores of each rep; one that names no rep is the lead's last rep's."""
    survey = activities[(activities["kind"] == "survey") & activities["score"].notna()]
    rep = codes_of(rep_ids, survey["rep_id"])
    rep[survey["rep_id"].isna().to_numpy()] = -1
    happened = instants(survey["happened_at"])
    known = np.maximum(happened, instants(survey["recorded_at"]))
    lead = codes_of(leads.ids, survey["lead_id"])
    decision = row_in_force(leads.given, lead, happened - 1)
    rep = np.where(rep >= 0, rep, take(decisions.rep, decision, -1))
    return rep, known, survey["score"].to_numpy(np.float64)
