"""Made-up histories: one with every oddity features must cope with, and tiny ones.

Late records, corrections, outcomes that name no decision, merges done and undone,
declined decisions, empty lists, missing values. It is no market: nothing can be learnt
from it but who wins more often (``skill``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from features.history import TABLES, History

START = pd.Timestamp("2024-01-01", tz="UTC")
SPAN_DAYS = 400
REGIONS = ("north", "south", "east", "west")
PRODUCTS = ("basic", "plus", "pro")
CHANNELS = ("web", "fair", "phone")
INDUSTRIES = ("steel", "retail", "health", "food")
Row = Mapping[str, Any]
LANGUAGES = ("zh", "zh-Hant", "en", "de")


class _Draws:
    """Random columns, some of them missing."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def text(
        self, size: int, choices: Sequence[str], missing: float = 0.1
    ) -> pd.Series:
        codes = self.rng.integers(len(choices), size=size)
        drawn = pd.Series(np.array(choices, dtype=object)[codes])
        return drawn.mask(self.rng.random(size) < missing)

    def number(self, size: int, scale: float, missing: float = 0.2) -> pd.Series:
        drawn = pd.Series(np.round(self.rng.lognormal(np.log(scale), 1.0, size), 2))
        return drawn.mask(self.rng.random(size) < missing)

    def times(self, size: int, low: float = 0.0, high: float = SPAN_DAYS) -> pd.Series:
        minutes = self.rng.integers(int(low * 1440), int(high * 1440), size=size)
        return pd.Series(START + pd.to_timedelta(minutes, unit="min"))

    def later(self, times: pd.Series, days: float) -> pd.Series:
        minutes = np.ceil(self.rng.exponential(days * 1440, size=len(times)))
        return times + pd.to_timedelta(minutes, unit="min")

    def recorded(self, times: pd.Series) -> pd.Series:
        """Mostly at once, now and then days later."""
        late = self.rng.random(len(times)) < 0.2
        return times.where(~late, self.later(times, 8.0))


def made_history(
    seed: int = 0,
    *,
    n_leads: int = 300,
    n_reps: int = 8,
    skill: float = 0.0,
    oddities: bool = True,
) -> History:
    """A history of one tenant.

    Args:
        seed: Same seed, same history.
        n_leads: Leads; nearly all are decided once, some more often.
        n_reps: Reps, in two teams.
        skill: Largest difference of a rep's chance to win from the average.
        oddities: Whether there are merges and declined decisions.
    """
    draw = _Draws(seed)
    leads = _leads(draw, n_leads)
    reps = pd.DataFrame(
        {"rep_id": [f"rep-{j:04}" for j in range(n_reps)], "created_at": START}
    )
    decisions = _decisions(draw, leads, reps, skill)
    return History.of(
        {
            "leads": leads,
            "lead_versions": _lead_versions(draw, leads),
            "reps": reps,
            "rep_versions": _rep_versions(draw, reps),
            "decisions": decisions.drop(columns="won"),
            "outcomes": _outcomes(draw, decisions),
            "activities": _activities(draw, decisions),
            "ownership": _ownership(draw, decisions, oddities),
            "merges": _merges(draw, leads, oddities),
        }
    )


def _leads(draw: _Draws, n: int) -> pd.DataFrame:
    customers = [f"customer-{k:05}" for k in range(max(n // 3, 1))]
    return pd.DataFrame(
        {
            "lead_id": [f"lead-{i:06}" for i in range(n)],
            "customer_id": draw.text(n, customers, missing=0.2),
            "created_at": draw.times(n, high=SPAN_DAYS - 10),
        }
    )


def _lead_versions(draw: _Draws, leads: pd.DataFrame) -> pd.DataFrame:
    first = leads[["lead_id", "created_at"]].rename(
        columns={"created_at": "valid_from"}
    )
    more = first[draw.rng.random(len(first)) < 0.5].reset_index(drop=True)
    more["valid_from"] = draw.later(more["valid_from"], 20.0)
    both = pd.concat([first, more], ignore_index=True)
    n = len(both)
    seats = draw.number(n, 10.0).map(lambda v: "null" if np.isnan(v) else f"{v}")
    plan = draw.text(n, ("trial", "paid"), missing=0.0)
    return both.assign(
        recorded_at=draw.recorded(both["valid_from"]),
        industry=draw.text(n, INDUSTRIES),
        company_size=draw.number(n, 80.0),
        region=draw.text(n, REGIONS),
        language=draw.text(n, LANGUAGES),
        product=draw.text(n, PRODUCTS),
        budget=draw.number(n, 5_000.0),
        deal_value=draw.number(n, 8_000.0),
        channel=draw.text(n, CHANNELS),
        campaign=draw.text(n, [f"c{k}" for k in range(6)], missing=0.5),
        stage=draw.text(n, ("new", "contacted", "qualified"), missing=0.0),
        grade=draw.text(n, ("A", "B"), missing=0.5),
        attributes='{"seats": ' + seats + ', "plan": "' + plan + '"}',
    )


def _rep_versions(draw: _Draws, reps: pd.DataFrame) -> pd.DataFrame:
    n = len(reps)
    first = pd.DataFrame({"rep_id": reps["rep_id"], "valid_from": START})
    moved = first.iloc[: n // 2].assign(valid_from=draw.times(n // 2).to_numpy())
    both = pd.concat([first, moved], ignore_index=True)
    n = len(both)
    return both.assign(
        recorded_at=draw.recorded(both["valid_from"]),
        team=draw.text(n, ("red", "blue"), missing=0.1),
        manager="boss",
        region=draw.text(n, REGIONS),
        languages=draw.text(n, ('["zh"]', '["en","de"]', "[]"), missing=0.0),
        products=draw.text(n, ('["basic","pro"]', "[]"), missing=0.0),
        industries=draw.text(n, ('["steel"]', '["food","mining"]'), missing=0.2),
        hired_on=pd.Timestamp("2023-05-01", tz="UTC"),
        holding_limit=draw.number(n, 40.0),
        intake_per_day=np.nan,
        weight=1.0,
        status="active",
    )


def _decisions(
    draw: _Draws, leads: pd.DataFrame, reps: pd.DataFrame, skill: float
) -> pd.DataFrame:
    again = draw.rng.random(len(leads)) < 0.15
    lead = np.concatenate([np.arange(len(leads)), np.flatnonzero(again)])
    made = leads["created_at"].iloc[lead].reset_index(drop=True)
    decided = draw.later(made, 5.0)
    rep = draw.rng.integers(len(reps), size=lead.size)
    chance = 0.4 + skill * np.linspace(-1.0, 1.0, len(reps))[rep]
    drawn = draw.rng.random(lead.size) < 0.2
    return pd.DataFrame(
        {
            "decision_id": [f"decision-{k:06}" for k in range(lead.size)],
            "lead_id": leads["lead_id"].to_numpy()[lead],
            "rep_id": reps["rep_id"].to_numpy()[rep],
            "decided_at": decided,
            "recorded_at": draw.recorded(decided),
            "policy": np.where(drawn, "random", "imported"),
            "cause": "import",
            "propensity": np.where(drawn, 1.0 / len(reps), np.nan),
            "p_convert": np.nan,
            "won": draw.rng.random(lead.size) < chance,
        }
    )


def _outcomes(draw: _Draws, decisions: pd.DataFrame) -> pd.DataFrame:
    closed = decisions[draw.rng.random(len(decisions)) < 0.85].reset_index(drop=True)
    n = len(closed)
    at = draw.later(closed["decided_at"], 25.0)
    first = pd.DataFrame(
        {
            "event_id": [f"outcome-{k:06}" for k in range(n)],
            "lead_id": closed["lead_id"],
            "decision_id": closed["decision_id"].mask(draw.rng.random(n) < 0.4),
            "result": np.where(closed["won"], "won", "lost"),
            "closed_at": at,
            "recorded_at": draw.recorded(at),
            "value": draw.number(n, 8_000.0),
            "replaces": pd.Series(np.nan, index=closed.index, dtype="str"),
        }
    )
    wrong = first[draw.rng.random(n) < 0.1].reset_index(drop=True)
    correction = wrong.assign(
        event_id=[f"correction-{k:06}" for k in range(len(wrong))],
        result=np.where(wrong["result"] == "won", "lost", "won"),
        recorded_at=draw.later(wrong["recorded_at"], 30.0),
        replaces=wrong["event_id"],
    )
    return pd.concat([first, correction], ignore_index=True)


def _activities(draw: _Draws, decisions: pd.DataFrame) -> pd.DataFrame:
    chosen = decisions.loc[
        draw.rng.integers(len(decisions), size=2 * len(decisions)),
        ["lead_id", "rep_id", "decided_at"],
    ].reset_index(drop=True)
    n = len(chosen)
    shift = pd.to_timedelta(draw.rng.integers(-20 * 1440, 20 * 1440, n), unit="min")
    happened = chosen["decided_at"] + shift
    kind = draw.text(n, ("call", "meeting", "page_view", "survey"), missing=0.0)
    return pd.DataFrame(
        {
            "lead_id": chosen["lead_id"],
            "rep_id": chosen["rep_id"].mask(draw.rng.random(n) < 0.3),
            "kind": kind,
            "happened_at": happened,
            "recorded_at": draw.recorded(happened),
            "result": "reached",
            "score": draw.number(n, 6.0).mask(kind != "survey"),
        }
    )


def _ownership(draw: _Draws, decisions: pd.DataFrame, oddities: bool) -> pd.DataFrame:
    share = 0.08 if oddities else 0.0
    back = decisions[draw.rng.random(len(decisions)) < share].reset_index(drop=True)
    return pd.DataFrame(
        {
            "lead_id": back["lead_id"],
            "kind": draw.text(
                len(back), ("declined", "overridden", "dropped"), missing=0.0
            ),
            "owner": pd.Series(np.nan, index=back.index, dtype="str"),
            "previous_owner": back["rep_id"],
            "happened_at": draw.later(back["decided_at"], 3.0),
        }
    )


def _merges(draw: _Draws, leads: pd.DataFrame, oddities: bool) -> pd.DataFrame:
    n = len(leads) // 12 if oddities else 0
    pairs = draw.rng.permutation(len(leads))[: 2 * n].reshape(n, 2)
    ids = leads["lead_id"].to_numpy()
    merged = draw.times(n, low=SPAN_DAYS / 4)
    undone = draw.later(merged, 60.0).mask(draw.rng.random(n) < 0.6)
    return pd.DataFrame(
        {
            "lead_id": ids[pairs[:, 0]],
            "survivor_id": ids[pairs[:, 1]],
            "merged_at": merged,
            "undone_at": undone,
        }
    )


def day(number: float) -> pd.Timestamp:
    return START + pd.Timedelta(days=number)


def history(**tables: Sequence[Row]) -> History:
    """A history whose rows name only what matters; times are filled in."""
    frames = {}
    for name, rows in tables.items():
        filled = []
        for k, row in enumerate(rows):
            event = (
                row.get("decided_at") or row.get("happened_at") or row.get("closed_at")
            )
            recorded = event or row.get("valid_from", START)
            usual = {
                "event_id": f"event-{k}",
                "decision_id": f"decision-{k}",
                "created_at": START,
                "valid_from": START,
                "recorded_at": recorded,
                "attributes": "{}",
                "languages": "[]",
                "products": "[]",
                "industries": "[]",
            }
            known = {c: usual.get(c, np.nan) for c in TABLES[name]}
            filled.append({**known, **row})
        frames[name] = pd.DataFrame(filled, columns=list(TABLES[name]))
    return History.of(frames)
