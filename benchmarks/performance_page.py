"""Write ``docs/performance.md`` and its chart from the figures' JSON files.

``python -m benchmarks.performance_page`` after ``make bench``. The files of full runs
are kept with the code, so that one figure can be measured anew.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.common import RESULTS

DOCS = Path(__file__).parents[1] / "docs"
CHART = "images/performance.svg"


def main_page() -> str:
    """The page as Markdown, one section per figure."""
    found = _figures()
    parts = [
        "# Figures",
        "Ratios measured side by side in one run on one machine, medians; seconds are "
        "printed beside them and never promised. `make bench` measures all of them, "
        "`python -m benchmarks NAME` one; this page is written from their JSON by "
        "`python -m benchmarks.performance_page`.",
        f"![How far each figure is from its bar]({CHART})",
    ]
    parts += [_section(figure) for figure in found]
    return "\n\n".join(parts) + "\n"


def chart(figures: Sequence[Mapping[str, Any]]) -> Figure:
    """Each figure with a bar, as a multiple of it; right of the line is better."""
    shown = [one for one in figures if one["bar"] and one["value"] > 0]
    drawn = Figure(figsize=(8, 0.5 * len(shown) + 1), layout="constrained")
    axes = drawn.subplots()
    for place, one in enumerate(shown):
        ratio = one["value"] / one["bar"]
        better = ratio if one["holds"] == (ratio >= 1) else 1 / ratio
        axes.barh(place, math.log10(better), color="C0" if one["holds"] else "C3")
    axes.axvline(0, color="0.3", linewidth=1)
    axes.set_yticks(range(len(shown)), [one["figure"] for one in shown])
    ticks = [0.1, 0.5, 1, 2, 5, 10]
    axes.set_xticks([math.log10(t) for t in ticks], [f"{t:g}x" for t in ticks])
    axes.set_xlabel("multiple of the bar; 1x meets it")
    axes.invert_yaxis()
    return drawn


def _figures() -> list[dict[str, Any]]:
    paths = RESULTS.glob("*.json")
    full = (path for path in paths if not path.stem.endswith(".quick"))
    return [json.loads(path.read_text()) for path in sorted(full)]


def _section(figure: Mapping[str, Any]) -> str:
    bar = "" if figure["bar"] is None else f", bar {figure['bar']:g}"
    held = {True: ", holds", False: ", **missed**", None: ""}[figure["holds"]]
    machine = figure["machine"]
    lines = [
        f"## {figure['figure']}: {figure['value']:.4g}{bar}{held}",
        "",
        f"{figure['title'].rstrip('.')}. {machine['cpu']}, {machine['cores']} cores, "
        f"load average {machine['load_average']} before the run ended.",
        "",
    ]
    if figure["rows"]:
        columns = list(figure["rows"][0])
        lines += ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
        lines += [
            "| " + " | ".join(_cell(row[name]) for name in columns) + " |"
            for row in figure["rows"]
        ]
    lines += ["", *(f"- {note}" for note in figure["notes"])]
    return "\n".join(lines).rstrip()


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write() -> None:
    """Write the page and its chart."""
    (DOCS / "images").mkdir(exist_ok=True)
    chart(_figures()).savefig(DOCS / CHART, metadata={"Date": None})
    (DOCS / "performance.md").write_text(main_page(), encoding="utf-8")


if __name__ == "__main__":
    write()
