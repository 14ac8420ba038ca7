"""Chances of earlier decisions are worked out once."""

import numpy as np

from features.known import Known
from features.profiles import contract_of
from features.recipe import Recipe
from tests.made_history import made_history
from training.lead_slices import LeadSlices

RECIPE = Recipe(label_window_days=40, deal_bands=(4_000.0,))


def test_only_chances_that_are_missing_are_worked_out() -> None:
    known = Known.of(made_history(seed=3, n_leads=60), RECIPE)
    nothing = np.empty(0, dtype=np.int64)
    slices = LeadSlices.of(nothing, [], contract_of(RECIPE).columns)
    anew = slices.of_decisions(known)
    kept = anew + 1.0  # no chance at all, so that it is told from one worked out
    kept[::3] = np.nan

    found = slices.of_decisions(known, kept)

    np.testing.assert_array_equal(found[::3], anew[::3])
    np.testing.assert_array_equal(found[1::3], kept[1::3])
    assert np.isfinite(anew).any()
