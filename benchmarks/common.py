"""What every figure shares: options, side-by-side timing, the table, the JSON.

A figure is a module with ``main(argv: Sequence[str] | None = None) -> int``: it parses
``options``, times its contenders with ``side_by_side`` and ends with ``publish``, which
prints one table, writes one JSON file and prints the closing line of JSON.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("numpy", "numba", "scipy", "ortools", "lightgbm", "pandas", "sqlalchemy")
TABLE_WIDTH = 180

Cell = str | int | float | bool | None
Row = Mapping[str, Cell]


@dataclass(frozen=True)
class Options:
    """What the command line asked for.

    Attributes:
        quick: Do the same on less work, in under a minute.
        repetitions: Times each contender runs; medians are quoted.
        data: Folder of a real data set, or None.
    """

    quick: bool
    repetitions: int
    data: Path | None


@dataclass(frozen=True)
class Figure:
    """One figure of the performance and quality tables, as measured.

    Attributes:
        name: Name of the figure, the module's own.
        value: The measured number that the bar is about.
        bar: What it is held to; None where the figure is only printed.
        holds: Whether the bar is met; None where there is none.
        rows: The table, one mapping per line; every line has the first one's columns.
        title: One sentence above the table.
        notes: What a reader must know to read the numbers.
        extra: Further entries of the closing line, such as units and sub-figures.
    """

    name: str
    value: float
    bar: float | None
    holds: bool | None
    rows: Sequence[Row]
    title: str
    notes: Sequence[str] = ()
    extra: Mapping[str, object] = field(default_factory=dict)


def options(
    description: str,
    argv: Sequence[str] | None = None,
    *,
    repetitions: int = 5,
    quick_repetitions: int = 3,
) -> Options:
    """Read a figure's command line.

    Args:
        description: What the figure measures; shown by ``--help``.
        argv: Arguments, or None for the process's own.
        repetitions: Times each contender runs unless told otherwise.
        quick_repetitions: The same with ``--quick``.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="less work, < 1 minute")
    parser.add_argument("--repetitions", type=int, help="runs of each contender")
    parser.add_argument("--data", type=Path, help="folder of a real data set")
    given = parser.parse_args(argv)
    usual = quick_repetitions if given.quick else repetitions
    return Options(given.quick, given.repetitions or usual, given.data)


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def side_by_side(
    contenders: Mapping[str, Callable[[], object]], repetitions: int
) -> dict[str, float]:
    """Median seconds of each contender, run in turns.

    Every repetition runs each contender once, so that a busy moment of the machine
    hits all of them and the ratios stay fair.

    Args:
        contenders: What to run, by name; compiled code should be warm already.
        repetitions: Times each runs; at least 1.
    """
    runs: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repetitions):
        for name, work in contenders.items():
            runs[name].append(seconds(work))
    return {name: statistics.median(times) for name, times in runs.items()}


def memory_mib(name: str, *, start_anew: bool = False) -> float:
    """A line of the process's status in MiB; 0 where there is none.

    Args:
        name: ``VmRSS``, the memory in use, or ``VmHWM``, the most there has been.
        start_anew: Forget the most there has been, so far.
    """
    try:
        if start_anew:
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0.0
    line = next(line for line in status.splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def machine() -> dict[str, object]:
    """The machine and the versions that the numbers belong to."""
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "memory_gib": round(
            os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1
        ),
        "copy_gb_per_second": round(_copy_bandwidth(), 1),
        "load_average": round(os.getloadavg()[0], 2),
        "system": platform.system(),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }


def publish(figure: Figure, *, quick: bool) -> int:
    """Print the table, write the JSON file, print the closing line.

    A quick run writes ``NAME.quick.json``, so that it never replaces a full one.

    Returns:
        Exit code of the process: 1 when the bar is missed in a full run, else 0.
    """
    described = machine()
    console = Console(width=TABLE_WIDTH, highlight=False, markup=False)
    console.print(_table(figure))
    for note in figure.notes:
        console.print(f"- {note}")
    console.print(
        f"- {described['cpu']}, {described['cores']} cores, load average "
        f"{described['load_average']}, copies at {described['copy_gb_per_second']} GB/s"
    )
    closing = {
        "figure": figure.name,
        "value": figure.value,
        "bar": figure.bar,
        "holds": figure.holds,
        "quick": quick,
        **figure.extra,
    }
    record = {
        **closing,
        "title": figure.title,
        "notes": list(figure.notes),
        "rows": [dict(row) for row in figure.rows],
        "machine": described,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{figure.name}{'.quick' if quick else ''}.json"
    path.write_text(json.dumps(record, indent=1, default=_plain) + "\n")
    print(json.dumps(closing, default=_plain))
    return int(figure.holds is False and not quick)


def _table(figure: Figure) -> Table:
    table = Table(
        title=figure.title, box=box.MARKDOWN, title_justify="left", title_style=""
    )
    columns = list(figure.rows[0]) if figure.rows else []
    for column in columns:
        numeric = all(not isinstance(row[column], str) for row in figure.rows)
        table.add_column(column, justify="right" if numeric else "left")
    for row in figure.rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    return table


def _cell(value: Cell) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else value


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no place in a figure's JSON.")


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _copy_bandwidth() -> float:
    """GB/s, read and written, of one thread copying 64 MiB: the ceiling of any scan."""
    source = np.ones(2**23)
    target = np.empty_like(source)
    best = min(seconds(lambda: np.copyto(target, source)) for _ in range(5))
    return 2 * source.nbytes / best / 1e9
