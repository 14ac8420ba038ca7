"""A lead file from disk to the store: rows per second, memory, and bad files.

    python -m benchmarks.imports [--quick] [--data FOLDER]

The import is timed beside the least that any import must do: the same rows written into
the same tables by the database driver alone, from values that are ready. ``--data`` is
a folder with ``mapping.toml`` (or ``maven.toml``) and the files it names; its leads are
imported too.
"""

import gzip
import resource
import sqlite3
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.common import Figure, options, publish
from rightrep.clock import FixedClock
from rightrep.domain.ids import TenantId
from rightrep.domain.tenant import Tenant
from rightrep.errors import InvalidInput
from rightrep.intake.fields import Kind
from rightrep.store.engine import Store
from rightrep.store.tenants import create_tenant
from serving.usecases.imports import ImportReport, import_file

FULL_ROWS, QUICK_ROWS = 1_000_000, 50_000
BAD_ROWS = 20_000
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
TENANT = TenantId("bench")
BAR_SHARE = 0.4
"""At least two fifths of the driver's speed, with reading and checking."""

TABLES = (
    "aliases", "customers", "contacts", "contact_points", "leads", "lead_versions",
)  # fmt: skip
HEADER = (
    "external_id,created_at,company,contact_name,phone,email,industry,company_size,"
    "region,language,product,budget,deal_value,channel,campaign,stage,grade\n"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the JSON."""
    asked = options(__doc__ or "", argv, repetitions=1, quick_repetitions=1)
    n_rows = QUICK_ROWS if asked.quick else FULL_ROWS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = write_leads(folder / "leads.csv", n_rows)
        before = _peak_mib()
        report = _imported(folder / "store.db", path, Kind.LEADS)
        peak = _peak_mib()
        again = _imported(folder / "store.db", path, Kind.LEADS)
        driver = _driver_seconds(folder / "store.db", folder / "floor.db")
        rows: list[dict[str, str | int | float | None]] = [
            _line("leads, new", report, peak - before),
            _line("the same file again", again, None),
            {
                "file": "driver alone, values ready",
                "rows": n_rows,
                "landed": n_rows,
                "refused": 0,
                "seconds": driver,
                "rows per second": n_rows / driver,
                "added memory, MiB": None,
                "answer": "",
            },
        ]
        rows += [_bad(folder, what, make) for what, make in BAD_FILES.items()]
        if asked.data is not None:
            rows.append(_real(folder, asked.data))
    share = driver / report.seconds
    return publish(
        Figure(
            name="imports",
            value=share,
            bar=BAR_SHARE,
            holds=share >= BAR_SHARE,
            rows=rows,
            title=f"Import of {n_rows:,} leads with customers and contacts into SQLite",
            notes=[
                "value: rows per second of the import over those of the driver alone",
                "memory is the process's peak above what it was before the import",
            ],
            extra={
                "rows_per_second": n_rows / report.seconds,
                "added_memory_mib": peak - before,
            },
        ),
        quick=asked.quick,
    )


def write_leads(path: Path, count: int) -> Path:
    """A CSV of leads, each with its own company and person; the same each time."""
    rng = np.random.default_rng(3)
    phone = rng.integers(0, 10**8, count)
    amount = rng.integers(1_000, 90_000, (count, 2))
    trades = ("制造", "零售", "金融", "软件", "医疗")
    start = datetime(2025, 1, 1, tzinfo=UTC)
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER)
        for i in range(count):
            at = start + timedelta(seconds=30 * (i % 800_000))
            file.write(
                f"L{i},{at.isoformat()},公司{i}有限公司,张{i % 977},138{phone[i]:08d},"
                f"u{i}@acme{i % 5000}.com,{trades[i % 5]},{i % 4999 + 1},华东,zh,"
                f"P{i % 7},{amount[i, 0]},{amount[i, 1]}.50,web,c{i % 20},new,A\n"
            )
    return path


def _imported(database: Path, path: Path, kind: Kind) -> ImportReport:
    store = _store(database)
    report = import_file(store, TENANT, kind, path, clock=FixedClock(NOW))
    store.close()
    return report


def _store(database: Path) -> Store:
    store = Store(f"sqlite:///{database}")
    store.migrate()
    create_tenant(
        store,
        Tenant(tenant_id=TENANT, created_at=NOW, name="Bench", currency="CNY"),
    )
    return store


def _driver_seconds(filled: Path, empty: Path) -> float:
    """Seconds of the same rows into the same tables, 10,000 leads a transaction."""
    _store(empty).close()
    with sqlite3.connect(filled) as source:
        rows = {t: source.execute(f"SELECT * FROM {t}").fetchall() for t in TABLES}
    target = sqlite3.connect(empty, isolation_level=None)
    target.execute("PRAGMA synchronous=FULL")
    target.execute("PRAGMA cache_size=-65536")
    parts = max(1, len(rows["leads"]) // 10_000)
    begun = time.perf_counter()
    for part in range(parts):
        target.execute("BEGIN IMMEDIATE")
        for table, values in rows.items():
            places = ",".join("?" * len(values[0]))
            size = -(-len(values) // parts)
            some = values[part * size : (part + 1) * size]
            target.executemany(f"INSERT INTO {table} VALUES ({places})", some)
        target.execute("COMMIT")
    seconds = time.perf_counter() - begun
    target.close()
    return seconds


def _line(
    what: str, report: ImportReport, memory: float | None
) -> dict[str, str | int | float | None]:
    return {
        "file": what,
        "rows": report.read,
        "landed": report.landed,
        "refused": report.refused,
        "seconds": report.seconds,
        "rows per second": report.read / report.seconds,
        "added memory, MiB": memory,
        "answer": report.encoding,
    }


def _bad(
    folder: Path, what: str, make: Callable[[Path], Path]
) -> dict[str, str | int | float | None]:
    path = make(folder)
    begun, before = time.perf_counter(), _peak_mib()
    try:
        report = _imported(folder / f"{path.stem}.db", path, Kind.LEADS)
    except InvalidInput as error:
        return {
            "file": what,
            "rows": 0,
            "landed": 0,
            "refused": 0,
            "seconds": time.perf_counter() - begun,
            "rows per second": None,
            "added memory, MiB": _peak_mib() - before,
            "answer": str(error)[:60],
        }
    return _line(what, report, _peak_mib() - before)


def _truncated(folder: Path) -> Path:
    whole = write_leads(folder / "whole.csv", BAD_ROWS).read_bytes()
    path = folder / "truncated.csv.gz"
    packed = gzip.compress(whole)
    path.write_bytes(packed[: len(packed) // 2])
    return path


def _in_encoding(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        text = write_leads(folder / "utf8.csv", BAD_ROWS).read_text(encoding="utf-8")
        path = folder / f"{name}.csv"
        path.write_bytes(text.encode(name))
        return path

    return make


def _formulas(folder: Path) -> Path:
    text = write_leads(folder / "plain.csv", BAD_ROWS).read_text(encoding="utf-8")
    path = folder / "formulas.csv"
    path.write_text(text.replace(",公司", ",=cmd|' /C calc'!A0"), encoding="utf-8")
    return path


def _all_bad(folder: Path) -> Path:
    text = write_leads(folder / "good.csv", BAD_ROWS).read_text(encoding="utf-8")
    path = folder / "all_bad.csv"
    path.write_text(text.replace("T", " at "), encoding="utf-8")
    return path


def _open_quotes(folder: Path) -> Path:
    text = write_leads(folder / "closed.csv", BAD_ROWS).read_text(encoding="utf-8")
    path = folder / "open_quotes.csv"
    path.write_text(text.replace("7,zh", '7,"zh').replace(",公司1", ',"公司1'), "utf-8")
    return path


def _gzip_bomb(folder: Path) -> Path:
    path = folder / "bomb.csv.gz"
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(HEADER.encode())
        for _ in range(512):
            file.write(b"0" * (1 << 20))
    return path


def _xlsx_bomb(folder: Path) -> Path:
    path = folder / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("xl/workbook.xml", "<workbook/>")
        with package.open("xl/worksheets/sheet1.xml", "w") as part:
            for _ in range(512):
                part.write(b" " * (1 << 20))
    return path


BAD_FILES: dict[str, Callable[[Path], Path]] = {
    "truncated gzip": _truncated,
    "GBK": _in_encoding("gb18030"),
    "UTF-16": _in_encoding("utf-16"),
    "formulas in every row": _formulas,
    "every row bad": _all_bad,
    "quotes left open": _open_quotes,
    "gzip bomb, 512 MiB": _gzip_bomb,
    "Excel bomb, 512 MiB": _xlsx_bomb,
}


def _real(folder: Path, data: Path) -> dict[str, str | int | float | None]:
    """The leads of a real export, by the mapping beside it or the worked example."""
    example = Path(__file__).parents[1] / "docs" / "mappings" / "maven.toml"
    own = data / "mapping.toml"
    store = _store(folder / "real.db")
    report = import_file(
        store,
        TENANT,
        Kind.LEADS,
        data / "sales_pipeline.csv" if not own.exists() else data / "leads.csv",
        own if own.exists() else example,
        clock=FixedClock(NOW),
        rejects=folder / "real.rejects.csv",
    )
    store.close()
    return _line(f"leads of {data.name}", report, None)


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


if __name__ == "__main__":
    sys.exit(main())
