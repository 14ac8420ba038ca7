"""What a server acknowledged survives its being killed, on both databases."""

from pathlib import Path

import pytest

from rightrep.store.engine import Store
from tests.crash.server_kills import kill_servers
from tests.serving_parts import serve

pytestmark = pytest.mark.crash


def test_killed_servers_lose_nothing_acknowledged_and_double_nothing(
    store: Store, tmp_path: Path
) -> None:
    served = serve(store, tmp_path)

    tally = kill_servers(
        served, tmp_path, n_leads=150, n_reps=6, holding_limit=20, kills=2
    )

    assert tally.kills >= 1
    assert tally.acknowledged == 6 * 20
    assert (tally.lost, tally.doubled, tally.over) == (0, 0, 0)
