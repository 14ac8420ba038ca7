"""An import that is killed loses nothing that it said, and doubles nothing after."""

import subprocess
import sys
from pathlib import Path

import pytest

from rightrep.clock import FixedClock
from rightrep.intake.fields import Kind
from rightrep.store.engine import Store
from serving.usecases.imports import import_file
from tests.intake_files import NOW, written
from tests.store_records import ACME, add_tenant

IMPORT = """
import sys
from pathlib import Path
from rightrep.clock import SystemClock
from rightrep.intake import csv_reader
from rightrep.intake.fields import Kind
from rightrep.store.engine import Store
from serving.usecases.imports import import_file

csv_reader.BATCH_ROWS = 200
import_file(
    Store(sys.argv[1]), "acme", Kind.LEADS, Path(sys.argv[2]), clock=SystemClock(),
    progress=lambda rows, _done, _total: print(rows, flush=True),
)
"""


@pytest.mark.crash
def test_what_was_landed_before_a_kill_is_unchanged_and_the_rest_lands(
    store: Store, store_url: str, tmp_path: Path
) -> None:
    add_tenant(store)
    rows = "".join(f"L{i},2026-01-02,Company {i},138{i:08d}\n" for i in range(6000))
    path = written(
        tmp_path, "leads.csv", f"external_id,created_at,company,phone\n{rows}"
    )

    told = _killed_after(3, store_url, path)
    report = import_file(store, ACME, Kind.LEADS, path, clock=FixedClock(NOW))
    again = import_file(store, ACME, Kind.LEADS, path, clock=FixedClock(NOW))

    assert told <= report.unchanged < 6000
    assert report.landed + report.unchanged == 6000
    assert (again.landed, again.unchanged) == (0, 6000)


def _killed_after(batches: int, url: str, path: Path) -> int:
    """Rows that an import said it had landed when it was killed."""
    command = [sys.executable, "-c", IMPORT, url, str(path)]
    told = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(batches):
            told = int(process.stdout.readline())
        process.kill()
        return max([told, *map(int, process.stdout)])
