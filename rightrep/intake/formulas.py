"""Cells that a spreadsheet would run as formulas: kept as text, written harmless.

A cell that starts with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return is run by
spreadsheets when a CSV is opened (OWASP, "CSV Injection"). What we write puts an
apostrophe before such text, what we read takes exactly one away again, so that a file
of ours comes back unchanged. Plain numbers and phone numbers are left as they are.
"""

import re

_RUN = re.compile(r"'*[=+\-@\t\r]")
_MARKED = re.compile(r"''*[=+\-@\t\r]")
_HARMLESS = re.compile(r"[+-]?[\d\s().,/-]*\d[\d\s().,/-]*")


def neutralised(text: str) -> str:
    """Text that no spreadsheet runs.

    >>> neutralised("=1+1"), neutralised("+86 138 0013 8000"), neutralised("-12.5")
    ("'=1+1", '+86 138 0013 8000', '-12.5')
    """
    if _RUN.match(text) and not _HARMLESS.fullmatch(text):
        return f"'{text}"
    return text


def restored(text: str) -> str:
    """The text that ``neutralised`` was given.

    >>> restored("'=1+1"), restored("'tis")
    ('=1+1', "'tis")
    """
    if _MARKED.match(text) and not _HARMLESS.fullmatch(text[1:]):
        return text[1:]
    return text
