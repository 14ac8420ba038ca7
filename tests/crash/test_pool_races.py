"""Real processes race for leads: one owner each, no limit passed, nothing forgotten."""

from pathlib import Path

from rightrep.store.engine import Store
from tests.crash.pool_races import CLAIMS, race


def test_claims_alone_fill_every_slot_and_pass_no_limit(
    store: Store, tmp_path: Path
) -> None:
    account = race(store, tmp_path, mode="claim", leads=120, reps=6, steps=30)

    assert account.broken == 0, account
    assert account.done["claimed"] <= 6 * CLAIMS
    # Every limit was wanted by more than one process.
    assert account.done["refused: claims"] > 0
    assert account.done["came back"] > 0


def test_claims_drops_follow_ups_and_the_clock_do_each_thing_once(
    store: Store, tmp_path: Path
) -> None:
    account = race(store, tmp_path, mode="both ways", leads=60, reps=6, steps=25)

    assert account.broken == 0, account
    assert account.done["dropped"] > 0
    assert account.done["followed up"] > 0
    assert account.done["claimed"] > 0
