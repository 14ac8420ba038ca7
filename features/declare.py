"""How a column is declared: a pure function named for it, and what it means.

A column's function takes arrays by name and gives one float per row; the caller
collects the arrays (``inputs``) once and every function picks its own.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.as_of import FloatArray, IntArray
from features.columns import Column, Float32Array, Side


@dataclass(frozen=True)
class Feature:
    """One column and the function that computes it.

    Attributes:
        column: What the column means.
        function: Pure.
        inputs: Names of what the function takes, in order.
    """

    column: Column
    function: Callable[..., FloatArray]
    inputs: tuple[str, ...]

    def __call__(self, *inputs: FloatArray | IntArray | float) -> FloatArray:
        """The column's values, from its inputs in the function's order."""
        return self.function(*inputs)


def feature(
    side: Side, *, unit: str, meaning: str, missing: str = "never"
) -> Callable[[Callable[..., FloatArray]], Feature]:
    """Declare that the decorated function is the column of its name."""

    def declare(function: Callable[..., FloatArray]) -> Feature:
        column = Column(
            name=function.__name__,
            side=side,
            unit=unit,
            meaning=meaning,
            missing=missing,
        )
        names = tuple(inspect.signature(function).parameters)
        return Feature(column, function, names)

    return declare


def as_given(
    side: Side,
    name: str,
    *,
    unit: str,
    meaning: str,
    missing: str = "never",
    categorical: bool = False,
) -> Feature:
    """A column that is one of the inputs as it is, under the same name."""
    column = Column(
        name=name,
        side=side,
        unit=unit,
        meaning=meaning,
        missing=missing,
        categorical=categorical,
    )
    return Feature(column, _same, (name,))


def compute(
    features: Sequence[Feature], inputs: Mapping[str, Any], n_rows: int
) -> Float32Array:
    """All columns side by side; float32 (n_rows, n_features)."""
    out = np.empty((n_rows, len(features)), dtype=np.float32)
    for k, one in enumerate(features):
        out[:, k] = one.function(*(inputs[name] for name in one.inputs))
    return out


def _same(values: FloatArray) -> FloatArray:
    return values
