"""Run every figure: ``python -m benchmarks [NAME ...] [--quick] [--data=FOLDER]``."""

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence

import benchmarks


def figures() -> list[str]:
    """Names of the modules here that define ``main``, in alphabetical order."""
    return sorted(
        module.name
        for module in pkgutil.iter_modules(benchmarks.__path__)
        if not module.name.startswith("_")
        and hasattr(importlib.import_module(f"benchmarks.{module.name}"), "main")
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the figures named, or all of them; options go to each of them.

    Returns:
        0 when every bar that was measured in full holds, else 1.
    """
    known = figures()
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    given, passed_on = parser.parse_known_args(argv)
    unknown = sorted(set(given.names) - set(known))
    if unknown:
        parser.error(f"no figure is named {', '.join(unknown)}; there are {known}")
    missed = 0
    for name in given.names or known:
        missed |= importlib.import_module(f"benchmarks.{name}").main(passed_on)
    return missed


if __name__ == "__main__":
    sys.exit(main())
