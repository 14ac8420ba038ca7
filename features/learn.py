"""From what is known at an instant to a recipe for columns."""

import json
from collections.abc import Sequence

import numpy as np
import orjson
import pandas as pd

from features.as_of import FloatArray, IntArray, days_between, take
from features.encoders import CategoryEncoder
from features.known import Own
from features.lead_facts import TEXTS
from features.lead_inputs import as_numbers, as_texts
from features.market import lead_version, window_end
from features.recipe import Recipe
from rightrep.errors import TooFewOutcomes

TIME_TO_WIN_PERCENTILE = 90.0
"""Percentile of time to win that the label window takes by default."""

MOST_OWN_FIELDS = 30
"""Most of the tenant's own fields that become columns, the fullest ones first."""

_LEAST_STATED = 0.02  # an own field stated by fewer decided leads is left out
_MOST_OWN_CATEGORIES = 50  # a text with more of them is a note, not a category
_OWN_SHARE = 0.9  # of an own field's values that have to be of one type
_BANDS = 5
_SPREAD_OF_RATES = 0.2  # rates of reps and segments differ by about a fifth
_FEWEST_PRIOR, _MOST_PRIOR = 10.0, 300.0


def usual_prior(won_share: float) -> float:
    """Judged decisions at which a rate counts as much as what it is shrunk toward.

    The normal-normal rule: variance of one decision, p (1 - p), over the variance of
    true rates, taken to be (0.2 p)^2; kept in [10, 300].

    Args:
        won_share: Share of decisions won, in (0, 1).
    """
    prior = (1.0 - won_share) / (_SPREAD_OF_RATES**2 * won_share)
    return float(np.clip(prior, _FEWEST_PRIOR, _MOST_PRIOR))


def usual_time_to_win(own: Own, at: int) -> int:
    """Label window by default: ``TIME_TO_WIN_PERCENTILE`` of time to win, whole days.

    Args:
        own: What is known of leads and decisions.
        at: As of when; microseconds since 1970 UTC.

    Raises:
        TooFewOutcomes: No decision is known to be won.
    """
    decisions = own.decisions
    known = np.flatnonzero(decisions.known_at <= at)
    won_at = decisions.results.won_at(known, np.full(known.size, at, dtype=np.int64))
    days = days_between(decisions.decided_at[known], won_at)
    days = days[~np.isnan(days)]
    if days.size == 0:
        raise TooFewOutcomes(won=0, lost=0, needed=1)
    return max(1, int(np.ceil(np.percentile(days, TIME_TO_WIN_PERCENTILE))))


def learn_recipe(
    own: Own, at: int, *, label_window_days: int | None = None, zone: str = "UTC"
) -> Recipe:
    """What the columns are, learnt from the decisions known at an instant.

    Args:
        own: What is known of leads and decisions.
        at: As of when; microseconds since 1970 UTC.
        label_window_days: Days after a decision in which a win counts; the usual time
            to win when not given.
        zone: IANA zone of the tenant.

    Raises:
        TooFewOutcomes: The window is not given and nothing is known to be won.
    """
    window = label_window_days or usual_time_to_win(own, at)
    version = _versions_decided_on(own, at)
    texts = pd.DataFrame(
        {
            name: take_text(
                own.leads.texts[name].texts, own.leads.texts[name].at(version)
            )
            for name in TEXTS
        }
    )
    numbers, categories = _own_fields(pd.Series(own.leads.attributes), version)
    return Recipe(
        label_window_days=window,
        zone=zone,
        prior_leads=usual_prior(_won_share(own, at, window, zone)),
        categories=_categories(texts),
        own_numbers=numbers,
        own_categories=categories,
        deal_bands=_edges(take(own.leads.numbers["deal_value"], version, np.nan)),
        size_bands=_edges(take(own.leads.numbers["company_size"], version, np.nan)),
    )


def _won_share(own: Own, at: int, days: int, zone: str) -> float:
    """Share of judged decisions won as of ``at``, by one half and one half apart."""
    decisions = own.decisions
    end = window_end(decisions.decided_at, days, zone)
    judged = np.flatnonzero((end <= at) & (decisions.known_at <= at))
    when = np.full(judged.size, at, dtype=np.int64)
    won = decisions.results.won_by(judged, when, end[judged])
    return float((won.sum() + 0.5) / (judged.size + 1.0))


def take_text(texts: pd.Index, code: IntArray) -> pd.Series:
    """Texts by code; missing where the code is -1."""
    return pd.Series(texts.append(pd.Index([np.nan], dtype="str"))[code])


def _versions_decided_on(own: Own, at: int) -> IntArray:
    decisions = own.decisions
    usable = (decisions.known_at <= at) & (decisions.lead >= 0)
    version = lead_version(
        own.leads, decisions.lead[usable], decisions.decided_at[usable]
    )
    return version[version >= 0]


def _categories(texts: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    if texts.empty:
        return {str(name): () for name in texts.columns}
    encoder = CategoryEncoder().fit(texts.astype(object).to_numpy())
    return {
        str(name): tuple(str(one) for one in categories)
        for name, categories in zip(texts, encoder.categories_, strict=True)
    }


def _edges(values: FloatArray) -> tuple[float, ...]:
    """Values that cut the positive ones into ``_BANDS`` equal parts."""
    known = values[values > 0]
    if known.size == 0:
        return ()
    shares = np.arange(1, _BANDS) / _BANDS
    return tuple(float(edge) for edge in np.unique(np.quantile(known, shares)))


def _own_fields(
    attributes: pd.Series, version: IntArray
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    text, distinct = pd.factorize(attributes.iloc[version])
    parsed = pd.DataFrame([orjson.loads(one) for one in distinct], dtype=object)
    n_rows = np.bincount(text[text >= 0], minlength=len(distinct)).astype(np.float64)
    numbers, categories = [], {}
    for name in _fullest(parsed, n_rows, least=_LEAST_STATED * version.size):
        stated = n_rows @ parsed[name].notna().to_numpy()
        numeric = as_numbers(parsed[name])
        if n_rows @ ~np.isnan(numeric) >= _OWN_SHARE * stated:
            numbers.append(name)
            continue
        words = pd.Series(as_texts(parsed[name]), dtype="str")
        if n_rows @ words.notna().to_numpy() >= _OWN_SHARE * stated:
            found = _few_categories(words.iloc[text[text >= 0]])
            if found:
                categories[name] = found
    return tuple(sorted(numbers)), dict(sorted(categories.items()))


def _fullest(parsed: pd.DataFrame, n_rows: FloatArray, least: float) -> Sequence[str]:
    """Fields stated often enough and not always with the same value, fullest first."""
    stated = {
        str(name): float(n_rows @ parsed[name].notna().to_numpy())
        for name in parsed.columns
        if len({json.dumps(v) for v in parsed[name].dropna()}) > 1
    }
    kept = [name for name, rows in stated.items() if rows >= max(least, 1.0)]
    return sorted(kept, key=lambda name: (-stated[name], name))[:MOST_OWN_FIELDS]


def _few_categories(words: pd.Series) -> tuple[str, ...]:
    if words.nunique() > _MOST_OWN_CATEGORIES:
        return ()
    frame = words.to_frame("word").astype(object)
    return _categories(frame)["word"]
