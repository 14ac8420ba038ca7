"""Times other engines on ready rows, in whatever Python they install in.

``python _peer.py MODEL ROWS THREADS`` takes a LightGBM text model and an .npy of
float32 rows, and prints one JSON object: seconds per engine it could import. It needs
NumPy and nothing of RightRep: lleaves, for one, wants an older llvmlite than numba.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

RUNS = 3

Rows = NDArray[np.float32]


def treelite_gtil(model: str, rows: Rows, n_threads: int) -> Callable[[], object]:
    """The reference predictor of treelite."""
    treelite = import_module("treelite")
    trees = treelite.frontend.load_lightgbm_model(model)
    return lambda: treelite.gtil.predict(trees, rows, nthread=n_threads)


def onnxruntime(model: str, rows: Rows, n_threads: int) -> Callable[[], object]:
    """ONNX Runtime, its model made by onnxmltools."""
    ort, tools = import_module("onnxruntime"), import_module("onnxmltools")
    kinds = import_module("onnxmltools.convert.common.data_types")
    booster = import_module("lightgbm").Booster(model_file=model)
    made = tools.convert_lightgbm(
        booster,
        initial_types=[("rows", kinds.FloatTensorType([None, rows.shape[1]]))],
        zipmap=False,
    )
    options = ort.SessionOptions()
    options.intra_op_num_threads = n_threads
    session = ort.InferenceSession(made.SerializeToString(), options)
    return lambda: session.run(None, {"rows": rows})


def lleaves(model: str, rows: Rows, n_threads: int) -> Callable[[], object]:
    """Trees compiled to machine code; compiling them takes minutes."""
    trees = import_module("lleaves").Model(model_file=model)
    trees.compile()
    wide = rows.astype(np.float64)
    return lambda: trees.predict(wide, n_jobs=n_threads)


def main() -> None:
    """Time every engine that imports; the best of a few runs each."""
    model, path, n_threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    rows = np.load(path)
    warnings.simplefilter("ignore")
    found: dict[str, float] = {}
    for engine in (treelite_gtil, onnxruntime, lleaves):
        try:
            work = engine(model, rows, n_threads)
        except ImportError:
            continue
        work()
        found[engine.__name__] = min(_seconds(work) for _ in range(RUNS))
    print(json.dumps(found))


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
