"""The page of figures says what was measured, and nothing else."""

from benchmarks.performance_page import DOCS, main_page


def test_the_page_of_figures_is_written_from_their_files() -> None:
    assert (DOCS / "performance.md").read_text(encoding="utf-8") == main_page()
