"""From facts to the inputs of rep and pair columns: one array per name."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from features.as_of import FloatArray, IntArray, Tally, take
from features.known import Known
from rightrep.errors import InvalidInput

_EVERYBODY = 0


@dataclass(frozen=True, eq=False)
class RepRows:
    """Reps at instants, and what pair columns need to know of them.

    Attributes:
        rep: int64 (n_rows,).
        at: int64 (n_rows,).
        version: Version in force of each, or -1; int64 (n_rows,).
        residual_rate: Shrunk residual win rate; float64 (n_rows,).
    """

    rep: IntArray
    at: IntArray
    version: IntArray
    residual_rate: FloatArray

    def rows(self, chosen: IntArray) -> "RepRows":
        """Some of the rows, in any order, repeated or not."""
        return RepRows(
            self.rep[chosen],
            self.at[chosen],
            self.version[chosen],
            self.residual_rate[chosen],
        )


def rep_inputs(
    known: Known, rep: IntArray, at: IntArray
) -> tuple[dict[str, Any], RepRows]:
    """Inputs of every rep column, and the rows that pair columns take.

    Args:
        known: What the whole history teaches, rated.
        rep: Rep of each row; int64 (n_rows,).
        at: Instant of each row; int64 (n_rows,).

    Raises:
        InvalidInput: There are no ratings yet.
    """
    if known.ratings is None:
        raise InvalidInput("Rep columns need ratings.", field="p_lead")
    reps = known.reps
    version = reps.version(rep, at)
    rates = known.ratings.rates(rep, reps.team.at(version), at)
    before = at - 1
    given = reps.given.count(rep, before)
    inputs = {
        "at": at,
        "prior_leads": known.recipe.prior_leads,
        **rates,
        "given_7d": reps.given.within(rep, before, 7).astype(np.float64),
        "given_30d": reps.given.within(rep, before, 30).astype(np.float64),
        "open_leads": (given - reps.ended.count(rep, at)).astype(np.float64),
        "days_since_given": reps.given.since(rep, before),
        "holding_limit": take(reps.holding_limit, version, np.nan),
        "hired_on": take(reps.hired_on, version, np.iinfo(np.int64).min),
        **_means("response", reps.response, reps.response_of_all, rep, at),
        **_means("survey", reps.satisfaction, reps.satisfaction_of_all, rep, at),
    }
    return inputs, RepRows(rep, at, version, rates["rep_residual_rate"])


def _means(
    name: str, tally: Tally, of_all: Tally, rep: IntArray, at: IntArray
) -> dict[str, FloatArray]:
    own = tally.sums(rep, at)
    everyone = of_all.sums(np.full(rep.size, _EVERYBODY, dtype=np.int64), at)
    known = everyone[1] > 0
    mean = np.full(rep.size, np.nan)
    np.divide(everyone[0], everyone[1], out=mean, where=known)
    return {f"{name}_sum": own[0], f"{name}_count": own[1], f"{name}_of_all": mean}
