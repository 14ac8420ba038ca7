"""From facts to the inputs of rep and pair columns: one array per name."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from features.as_of import FloatArray, IntArray, Log, Tally, take
from features.columns import Float32Array
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
        kept: Pair columns of these rows once worked out, by column and by the lead's
            value; float32 (n_rows,) each.
    """

    rep: IntArray
    at: IntArray
    version: IntArray
    residual_rate: FloatArray
    kept: dict[str, dict[int, Float32Array]] = field(default_factory=dict)

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
    everybody = np.full(rep.size, _EVERYBODY, dtype=np.int64)
    inputs = {
        "at": at,
        "prior_leads": known.recipe.prior_leads,
        **rates,
        **_loads("", reps.given, reps.ended, rep, at),
        **_loads("_to_all", reps.given_to_all, reps.ended_of_all, everybody, at),
        "hired_on": take(reps.hired_on, version, np.iinfo(np.int64).min),
        **_means("response", reps.response, reps.response_of_all, rep, at),
        **_means("survey", reps.satisfaction, reps.satisfaction_of_all, rep, at),
    }
    return inputs, RepRows(rep, at, version, rates["rep_residual_rate"])


def _loads(
    suffix: str, given: Log, ended: Log, key: IntArray, at: IntArray
) -> dict[str, FloatArray]:
    """Leads given in windows before the instant, and those still open."""
    before = at - 1
    still = given.count(key, before) - ended.count(key, at)
    counts = {
        f"given_7d{suffix}": given.within(key, before, 7),
        f"given_30d{suffix}": given.within(key, before, 30),
        f"open_leads{suffix.replace('to', 'of')}": still,
    }
    return {name: count.astype(np.float64) for name, count in counts.items()}


def _means(
    name: str, tally: Tally, of_all: Tally, rep: IntArray, at: IntArray
) -> dict[str, FloatArray]:
    own = tally.sums(rep, at)
    everyone = of_all.sums(np.full(rep.size, _EVERYBODY, dtype=np.int64), at)
    known = everyone[1] > 0
    mean = np.full(rep.size, np.nan)
    np.divide(everyone[0], everyone[1], out=mean, where=known)
    return {f"{name}_sum": own[0], f"{name}_count": own[1], f"{name}_of_all": mean}
