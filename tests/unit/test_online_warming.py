"""After warming no request waits for a compiler."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator

from numba.core.dispatcher import Dispatcher

import optimizer
from optimizer.warming import warm

MODULES = [
    importlib.import_module(f"optimizer.{module.name}")
    for module in pkgutil.iter_modules(optimizer.__path__)
]


def entries() -> Iterator[tuple[str, Dispatcher]]:
    """Kernels that plain Python calls; the others are compiled into them."""
    kernels = [module for module in MODULES if "kernel" in module.__name__]
    callers = "".join(
        inspect.getsource(module) for module in MODULES if module not in kernels
    )
    for module in kernels:
        for name, kernel in vars(module).items():
            public = isinstance(kernel, Dispatcher) and not name.startswith("_")
            if public and re.search(rf"(?<!\w){name}\(", callers):
                yield f"{module.__name__}.{name}", kernel


def test_every_kernel_that_python_calls_is_compiled_by_warming() -> None:
    warm()

    assert len(dict(entries())) > 15
    assert [name for name, kernel in entries() if not kernel.signatures] == []
