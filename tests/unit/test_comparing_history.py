"""A comparison on history says what its figures leave out."""

import pytest

from rightrep.domain.fairness import FairnessRules
from serving.usecases.comparing_history import unseen


@pytest.mark.parametrize(
    "asked",
    [
        FairnessRules(load_band=0.1),
        FairnessRules(group_band=0.0),
        FairnessRules(quality_band=0.2),
        FairnessRules(dial=0.5),
        FairnessRules(floor=1),
        FairnessRules(floors={"R-7": 2}),
    ],
)
def test_fairness_that_is_left_out_is_named(asked: FairnessRules) -> None:
    assert "routing.fairness" in " ".join(unseen(asked))


def test_later_windows_are_never_seen_and_no_fairness_is_named_where_none_is() -> None:
    (only,) = unseen(FairnessRules())

    assert "later windows is not seen" in only
