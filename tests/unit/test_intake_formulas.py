"""What a spreadsheet would run is written harmless, and comes back as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rightrep.intake.formulas import neutralised, restored

DANGEROUS = "=+-@\t\r"


@given(st.text() | st.text(alphabet="'=+-@\t\r0123456789 ."))
def test_every_text_comes_back_as_it_was(text: str) -> None:
    assert restored(neutralised(text)) == text


@given(st.text())
def test_no_written_text_is_run_by_a_spreadsheet(text: str) -> None:
    written = neutralised(text)

    harmless = not any(c.isalpha() or c in "|!'\"" for c in written)
    assert written[:1] not in DANGEROUS or not written or harmless


@pytest.mark.parametrize("text", ["-12.5", "+86 138 0013 8000", "-1,234", "+1 (415)"])
def test_numbers_and_phones_are_left_as_they_are(text: str) -> None:
    assert neutralised(text) == text


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+cmd|'/c calc'!A0", "-2+3+cmd"])
def test_formulas_get_an_apostrophe(text: str) -> None:
    assert neutralised(text) == f"'{text}"
