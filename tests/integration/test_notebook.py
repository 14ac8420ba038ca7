"""The data scientist's notebook: kept without outputs, and what it shows happens."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "notebooks" / "compare_policies.ipynb"


@pytest.fixture
def notebook() -> nbformat.NotebookNode:
    read: nbformat.NotebookNode = nbformat.reads(  # type: ignore[no-untyped-call]
        NOTEBOOK.read_text(encoding="utf-8"), as_version=4
    )
    return read


def test_the_notebook_is_kept_without_outputs(
    notebook: nbformat.NotebookNode,
) -> None:
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]

    assert cells
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


def test_the_notebook_runs_without_an_error_or_a_warning(
    notebook: nbformat.NotebookNode,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("RIGHTREP_DATABASE_URL", raising=False)
    client = NotebookClient(
        notebook, timeout=200, resources={"metadata": {"path": str(tmp_path)}}
    )

    client.execute()

    outputs = [one for cell in notebook.cells for one in cell.get("outputs", [])]
    said = [one.text for one in outputs if one.get("name") == "stderr"]
    shown = [one for one in outputs if "image/png" in one.get("data", {})]
    assert said == []
    assert len(shown) == 4
