"""Lead score: 0 to 100 for people, from the lead-only chance.

A score of 80 says that 80 of 100 leads were less likely to be won. The map is made of
ranks: the chances that the model gives to the leads it was trained on. So a score keeps
its meaning when a retrained model finds all leads likelier, or a market turns;
``p_lead`` beside it says how likely a win is. On demo markets, 20 % of the leads that
come after training score 80 or more (8 % to 24 % from refit to refit); a map made of
the chances of rows that had judged the trees strays further (7 % to 38 %).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from features.as_of import FloatArray, IntArray

TOP_SCORE = 100


@dataclass(frozen=True, eq=False)
class ScoreMap:
    """From lead-only chances to lead scores; rising, a step per hundredth of leads.

    Attributes:
        edges: Chances between scores, ascending; float64 (100,).
    """

    edges: FloatArray

    @classmethod
    def of(cls, p_lead: FloatArray) -> Self:
        """Made of the chances of the leads in training.

        Args:
            p_lead: float64 (n_leads,), not empty.
        """
        return cls(np.quantile(p_lead, np.arange(1, TOP_SCORE + 1) / (TOP_SCORE + 1)))

    def of_chance(self, p_lead: FloatArray) -> IntArray:
        """Scores in 0 to 100; int64, same shape.

        Args:
            p_lead: Lead-only chances, in [0, 1].
        """
        return np.searchsorted(self.edges, p_lead, side="left").astype(np.int64)
