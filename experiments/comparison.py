"""Policies side by side: what was found of each, as rows, as words and as plots."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from experiments.off_policy import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Figures = Mapping[str, float | None]


@dataclass(frozen=True, eq=False, kw_only=True)
class Side:
    """One policy, or one rule set.

    Attributes:
        name: What it is called in tables.
        figures: What was found, by name; None where nothing can be said.
        said: A sentence in place of figures, or None.
        rules: The rule set used, as JSON has it; None for a policy by itself.
        weights: Importance weights of the decisions; float64 (n,), or None.
    """

    name: str
    figures: Figures
    said: str | None = None
    rules: Mapping[str, Any] | None = None
    weights: FloatArray | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """One column of the terminal's table.

    Attributes:
        figure: Name of the figure.
        title: Heading.
        form: Format of the number.
        scale: What the number is multiplied by.
        ends: Names of the ends of its interval, or None.
    """

    figure: str
    title: str
    form: str = ",.0f"
    scale: float = 1.0
    ends: tuple[str, str] | None = None

    def cell(self, figures: Figures) -> str:
        """The figure in words; nothing where there is none."""
        value = figures.get(self.figure)
        if value is None:
            return ""
        words = format(value * self.scale, self.form)
        if self.ends is None:
            return words
        low, high = (figures.get(end) for end in self.ends)
        if low is None or high is None:
            return words
        low, high = low * self.scale, high * self.scale
        return f"{words} [{low:{self.form}}, {high:{self.form}}]"


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison:
    """Policies side by side.

    Attributes:
        ground: What they were compared on: "waiting", "history" or "market".
        baseline: The side that gains are over.
        sides: The policies, as asked for.
        facts: What was compared on and how: counts, windows, seeds.
        shown: Columns of the terminal's table.
        value: Name of the figure that a plot shows, and of the ends of its interval.
        notes: What has to be known to read the figures, a sentence each.
        heading: The first line.
    """

    ground: str
    baseline: str
    sides: Sequence[Side]
    facts: Mapping[str, Any]
    shown: Sequence[Shown]
    value: tuple[str, str | None, str | None]
    heading: str
    notes: Sequence[str] = field(default=())

    def side(self, name: str) -> Side:
        """The side of a name."""
        return next(side for side in self.sides if side.name == name)

    def in_words(self) -> list[str]:
        """The table, line by line, best first."""
        head, *_ = self.value
        order = sorted(
            self.sides, key=lambda side: -(side.figures.get(head) or -np.inf)
        )
        titles = ["policy", *(one.title for one in self.shown)]
        table = [titles] + [
            [side.name, *(one.cell(side.figures) for one in self.shown)]
            for side in order
        ]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) if k == 0 else cell.rjust(width)
                for k, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in table
        ]
        said = [f"{side.name}: {side.said}" for side in order if side.said]
        return [self.heading, *lines, *said, *self.notes]

    def as_json(self) -> bytes:
        """Everything, as one JSON object."""
        sides = [
            {
                "name": side.name,
                "said": side.said,
                "rules": side.rules,
                **side.figures,
            }
            for side in self.sides
        ]
        told = {
            "ground": self.ground,
            "baseline": self.baseline,
            "facts": self.facts,
            "notes": list(self.notes),
            "sides": sides,
        }
        return orjson.dumps(
            told, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY
        )

    def as_csv(self) -> str:
        """One row per side, one column per figure."""
        names = dict.fromkeys(name for side in self.sides for name in side.figures)
        out = io.StringIO()
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(["policy", *names, "said"])
        for side in self.sides:
            values = [side.figures.get(name) for name in names]
            rows.writerow([side.name, *values, side.said])
        return out.getvalue()


def value_plot(found: Comparison) -> "Figure":
    """The value of each side, with its interval where there is one."""
    from matplotlib.figure import Figure

    value, low, high = found.value
    known = [side for side in found.sides if side.figures.get(value) is not None]
    known.sort(key=lambda side: side.figures[value] or 0.0)
    figure = Figure(figsize=(7, 1.2 + 0.35 * len(known)), layout="constrained")
    axes = figure.subplots()
    middle = np.array([side.figures[value] for side in known], dtype=np.float64)
    ends = None
    if low is not None and high is not None:
        pairs = [(side.figures[low], side.figures[high]) for side in known]
        ends = np.abs(np.array(pairs, dtype=np.float64).reshape(-1, 2).T - middle)
    axes.errorbar(middle, range(len(known)), xerr=ends, fmt="o", capsize=3)
    axes.set_yticks(range(len(known)), [side.name for side in known])
    axes.set(xlabel=value.replace("_", " "), title=found.heading)
    return figure


def fairness_plot(found: Comparison) -> "Figure":
    """The value of each side against how unevenly it shares the load."""
    from matplotlib.figure import Figure

    value = found.value[0]
    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.subplots()
    for side in found.sides:
        y, x = side.figures.get(value), side.figures.get("load_spread")
        if x is not None and y is not None:
            axes.plot([x], [y], "o")
            axes.annotate(side.name, (x, y), xytext=(4, 4), textcoords="offset points")
    axes.set(
        xlabel="load spread: max |share - weight|",
        ylabel=value.replace("_", " "),
        title="Value and fairness",
    )
    return figure


def weights_plot(side: Side) -> "Figure":
    """How the weights of a side are distributed over the decisions."""
    from matplotlib.figure import Figure

    weights = np.empty(0) if side.weights is None else side.weights
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.hist(weights, bins=30)
    axes.set_yscale("symlog")
    axes.set(
        xlabel="importance weight (chance / propensity)",
        ylabel="decisions",
        title=f"Weights of {side.name}",
    )
    return figure
