"""How something closed, as it was known at an instant; corrections included."""

from dataclasses import dataclass

import numpy as np

from features.as_of import NEVER, BoolArray, IntArray, Log, instants, missing
from features.codes import Coded, codes_of, index_of
from features.history import Table

WON, LOST, VOID = 1, 0, -1


@dataclass(frozen=True, eq=False)
class Results:
    """Results of subjects (decisions, or leads) in the order they became known.

    Attributes:
        log: When which result of a subject was known.
        result: ``WON``, ``LOST`` or ``VOID`` (taken back) per row of ``log.order``.
        closed_at: When it closed; int64, same rows.
    """

    log: Log
    result: IntArray
    closed_at: IntArray

    @classmethod
    def of(cls, outcomes: Table, subject: IntArray) -> "Results":
        """From the table of outcomes.

        An outcome is known once it is closed and recorded. A correction takes the
        place of what it replaces; where it names another subject, the first one is
        open again from then on.

        Args:
            outcomes: As in ``features.history``.
            subject: Whose outcome each row is; int64 (n_outcomes,), -1 for nobody's.
        """
        closed = instants(outcomes["closed_at"])
        known = np.maximum(closed, instants(outcomes["recorded_at"]))
        won = np.where(Coded.of(outcomes["result"]).is_one_of(["won"]), WON, LOST)
        replaced = codes_of(index_of(outcomes["event_id"]), outcomes["replaces"])
        replaced[missing(outcomes["replaces"])] = -1
        later = np.flatnonzero(replaced >= 0)
        earlier = replaced[later]
        # What was corrected before it was heard of was never known.
        subject = subject.copy()
        subject[earlier[known[earlier] > known[later]]] = -1
        moved = subject[later] != subject[earlier]
        later, earlier = later[moved], earlier[moved]
        void = np.full(later.size, VOID)
        # Voids stand first, so that at the same instant a correction outlasts them.
        return cls(
            Log.of(
                np.concatenate([subject[earlier], subject]),
                np.concatenate([known[later], known]),
            ),
            np.concatenate([void, won]),
            np.concatenate([np.full(later.size, NEVER), closed]),
        )

    def won_by(
        self, subject: IntArray, at: IntArray, deadline: IntArray | None = None
    ) -> BoolArray:
        """Whether each subject is known at ``at`` to be won, by a deadline if given."""
        position = self.log.last(subject, at)
        won = position >= 0
        row = self.log.order[position[won]]
        inside = self.result[row] == WON
        if deadline is not None:
            inside &= self.closed_at[row] <= deadline[won]
        won[won] = inside
        return won

    def closed_by(self, subject: IntArray, at: IntArray) -> BoolArray:
        """Whether each subject is known at ``at`` to be won or lost."""
        position = self.log.last(subject, at)
        closed = position >= 0
        closed[closed] = self.result[self.log.order[position[closed]]] != VOID
        return closed

    def won_at(self, subject: IntArray, at: IntArray) -> IntArray:
        """When each subject closed, where it is known to be won; else ``NEVER``."""
        won = self.won_by(subject, at)
        closed = np.full(subject.size, NEVER, dtype=np.int64)
        row = self.log.order[self.log.last(subject[won], at[won])]
        closed[won] = self.closed_at[row]
        return closed

    def win_changes(self) -> tuple[IntArray, IntArray, IntArray]:
        """Every change of "is won": subject, instant, and +1 or -1."""
        won = (self.result[self.log.order] == WON).astype(np.int64)
        fresh = np.ones(won.size, dtype=np.bool_)
        fresh[1:] = self.log.key[1:] != self.log.key[:-1]
        before = np.where(fresh, 0, np.concatenate([[0], won[:-1]])[: won.size])
        changed = np.flatnonzero(won != before)
        return (
            self.log.key[changed],
            self.log.known_at[changed],
            (won - before)[changed],
        )
