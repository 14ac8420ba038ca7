"""Workers die; their jobs are done, once."""

import pytest

from tests.crash.job_kills import kill_workers

pytestmark = pytest.mark.crash


def test_no_job_is_lost_or_done_twice_when_workers_are_killed(store_url: str) -> None:
    account = kill_workers(store_url, n_jobs=120, kills=10)

    assert account.acknowledged == 120
    assert (account.lost, account.doubled, account.unasked) == (0, 0, 0)
