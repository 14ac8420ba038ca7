"""64 clients race for the same leads: does every limit hold, is each lead one rep's?

    python -m benchmarks.races [--quick]

Clients are threads of eight processes on one SQLite file, the database with one writer;
each claims, drops, follows up and lets the clock strike, for the same leads and reps.
Afterwards the whole history is read, and every promise that was broken is counted.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common import Figure, Row, options, publish
from rightrep.store.engine import Store
from tests.crash.pool_races import Account, race

MODES = ("claim", "both ways")


def main(argv: Sequence[str] | None = None) -> int:
    """Race, print the table, write the JSON."""
    asked = options(__doc__ or "", argv, repetitions=1, quick_repetitions=1)
    processes, threads = (2, 2) if asked.quick else (8, 8)
    rows: list[Row] = []
    broken = 0
    for mode in MODES:
        steps = 5 if asked.quick or mode == "both ways" else 10
        start = time.perf_counter()
        account = _race(mode, processes, threads, steps)
        rows.append(_line(mode, processes * threads, account, start))
        broken += account.broken
    return publish(
        Figure(
            name="races",
            value=broken,
            bar=0,
            holds=broken == 0,
            rows=rows,
            title=f"{processes * threads} clients in {processes} processes",
            notes=[
                "value: promises broken; seconds include starting the processes",
                "broken: leads of two reps, limits passed, claims unlogged or unsaid, "
                "leads recycled twice or after an acknowledged follow-up, owners that "
                "are not what the events add up to",
            ],
        ),
        quick=asked.quick,
    )


def _race(mode: str, processes: int, threads: int, steps: int) -> Account:
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        store = Store(f"sqlite:///{home / 'store.db'}")
        store.migrate()
        account = race(
            store,
            home,
            mode=mode,
            leads=240,
            reps=12,
            processes=processes,
            threads=threads,
            steps=steps,
        )
        store.close()
        return account


def _line(mode: str, clients: int, account: Account, start: float) -> Row:
    done = account.done
    return {
        "mode": mode,
        "clients": clients,
        "claims": done["claims"],
        "leads claimed": done["claimed"],
        "came back": done["came back"],
        "refused": sum(n for what, n in done.items() if what.startswith("refused")),
        "dropped": done["dropped"],
        "followed up": done["followed up"],
        "waited too long": done["waited too long"],
        "broken": account.broken,
        "seconds": time.perf_counter() - start,
    }


if __name__ == "__main__":
    sys.exit(main())
