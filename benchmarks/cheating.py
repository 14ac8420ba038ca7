"""Cheating noticed: precision and recall on planted months, alarms in clean ones.

Months of a pool's life for teams of 12, 24 and 60 reps. Planted months have two rings,
an idler, a traveller and an importer among honest reps who do the same things by
chance; clean months have nobody. An alarm counts as right when kind and reps are those
planted.
"""

import sys
from collections import Counter
from collections.abc import Sequence

from benchmarks.common import Figure, Row, options, publish
from experiments.market_cheating import PoolMonth, pool_month
from rightrep.domain.collusion import (
    Alarm,
    AlarmKind,
    CheatingLimits,
    empty_follow_ups,
    impossible_visits,
    junk_imports,
    rings,
)

MONTHS, QUICK_MONTHS = 100, 10
TEAMS = (12, 24, 60)
USUAL_TEAM = 24
PRECISION, RECALL = 0.95, 0.95
LIMITS = CheatingLimits()


def main(argv: Sequence[str] | None = None) -> int:
    """Count right, missed and false alarms by team and kind."""
    asked = options(__doc__ or "", argv, repetitions=1, quick_repetitions=1)
    months = QUICK_MONTHS if asked.quick else MONTHS
    rows = [row for n_reps in TEAMS for row in _rows(n_reps, months)]
    usual = [row for row in rows if row["reps"] == USUAL_TEAM]
    right, missed, false = (
        sum(int(str(row[name])) for row in usual)
        for name in ("right", "missed", "false")
    )
    precision, recall = right / max(right + false, 1), right / max(right + missed, 1)
    return publish(
        Figure(
            name="cheating",
            value=round(min(precision, recall), 4),
            bar=RECALL,
            holds=precision >= PRECISION and recall >= RECALL,
            rows=rows,
            title=f"{months} planted and {months} clean months a team, 600 leads each",
            notes=(
                f"{USUAL_TEAM} reps: precision {precision:.1%}, recall {recall:.1%}.",
                "In small teams an honest rep often closes a ring by chance, so that "
                "it takes more returns to be sure.",
            ),
            extra={"unit": f"lesser of precision and recall, {USUAL_TEAM} reps"},
        ),
        quick=asked.quick,
    )


def _rows(n_reps: int, months: int) -> list[Row]:
    right: Counter[AlarmKind] = Counter()
    missed: Counter[AlarmKind] = Counter()
    false: Counter[AlarmKind] = Counter()
    clean: Counter[AlarmKind] = Counter()
    for seed in range(months):
        month = pool_month(seed, n_reps=n_reps, cheating=True)
        told = {(one.kind, frozenset(one.reps)) for one in _alarms(month)}
        planted = {(kind, who) for kind, all_ in month.cheats.items() for who in all_}
        right.update(kind for kind, _ in told & planted)
        missed.update(kind for kind, _ in planted - told)
        false.update(kind for kind, _ in told - planted)
        quiet = pool_month(10_000 + seed, n_reps=n_reps, cheating=False)
        clean.update(one.kind for one in _alarms(quiet))
    return [
        {
            "reps": n_reps,
            "kind": kind.value,
            "right": right[kind],
            "missed": missed[kind],
            "false": false[kind],
            "alarms in clean months": clean[kind],
        }
        for kind in AlarmKind
    ]


def _alarms(month: PoolMonth) -> list[Alarm]:
    return [
        *rings(month.moves, LIMITS),
        *empty_follow_ups(month.follow_ups, LIMITS),
        *impossible_visits(month.visits, LIMITS),
        *junk_imports(month.brought, LIMITS),
    ]


if __name__ == "__main__":
    sys.exit(main())
