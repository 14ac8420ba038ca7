"""Time to win: what was won, with open leads censored and lost ones kept."""

import numpy as np
import pandas as pd
import pytest

from experiments.drawn import DAY, NEVER, Drawn
from experiments.evidence import Evidence, gather
from experiments.survival import time_to_win
from rightrep.domain.experiment import UnitKind

NOW = 100 * DAY


def frame(*columns: str) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series([], dtype=object) for name in columns})


def drawn(won_on: list[float | None], followed: list[float]) -> Drawn:
    """Treated leads won on these days after their draws, so many days ago."""
    drawn_at = NOW - (np.array(followed) * DAY).astype(np.int64)
    units = pd.DataFrame(
        {
            "unit": [f"l{k}" for k in range(len(followed))],
            "cluster": "",
            "arm": "treatment",
            "stratum": "",
            "covariate": np.nan,
            "logged_at": pd.to_datetime(drawn_at, unit="us", utc=True),
        }
    )
    won = [
        (f"l{k}", drawn_at[k] + int(day * DAY))
        for k, day in enumerate(won_on)
        if day is not None
    ]
    outcomes = pd.DataFrame(
        {
            "event_id": [f"e{lead}" for lead, _ in won],
            "lead_id": [lead for lead, _ in won],
            "result": "won",
            "closed_at": pd.to_datetime([at for _, at in won], unit="us", utc=True),
            "value": 1.0,
            "replaces": None,
        }
    )
    events = {
        "merges": frame("lead_id", "survivor_id"),
        "decisions": frame("lead_id", "rep_id", "decided_at", "p_convert"),
        "touches": frame("lead_id", "happened_at"),
        "overrides": frame("lead_id", "happened_at"),
    }
    return gather(
        Evidence(units=units, outcomes=outcomes, **events),
        ["control", "treatment"],
        UnitKind.LEAD,
        zone="UTC",
        minor=100,
    )


def test_where_everybody_was_followed_it_is_the_share_won() -> None:
    curve = time_to_win(drawn([1, 3, 3, None, None], [50.0] * 5), 1, NOW, alpha=0.05)

    assert curve is not None
    assert curve.share[[0, 1, 2, 3, 50]] == pytest.approx([0, 0.2, 0.2, 0.6, 0.6])
    assert curve.at_risk[[0, 1, 2, 4]].tolist() == [5, 5, 4, 2]


def test_leads_that_were_followed_for_less_count_as_long_as_they_were() -> None:
    """Of four, one is won on day 2; two have left; of the two left one is won."""
    found = drawn([2, None, None, 10, None], [50, 5, 5, 50, 50])

    curve = time_to_win(found, 1, NOW, alpha=0.05)

    assert curve is not None
    assert curve.share[2] == pytest.approx(1 / 5)
    assert curve.share[10] == pytest.approx(1 - 4 / 5 * 1 / 2)
    assert (curve.low <= curve.share).all()
    assert (curve.share <= curve.high).all()


def test_without_leads_there_is_no_curve() -> None:
    assert time_to_win(drawn([None], [50]), 0, NOW, alpha=0.05) is None
    assert drawn([None], [50]).won_at.tolist() == [NEVER]
