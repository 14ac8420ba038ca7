"""Tables of the pages as files for spreadsheets."""

import csv
import io
from collections.abc import Iterable, Sequence

from fastapi import Response

from rightrep.intake.formulas import neutralised


def csv_file(
    name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> Response:
    """A table to be saved; None is an empty cell, and no text is a formula.

    Args:
        name: Name of the file, without its ending.
        columns: Headings.
        rows: One value for each column.
    """
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(columns)
    for row in rows:
        texts = ("" if value is None else str(value) for value in row)
        writer.writerow([neutralised(text) for text in texts])
    # Excel takes a file for UTF-8 only where it begins with the mark.
    return Response(
        file.getvalue().encode("utf-8-sig"),
        media_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}.csv"',
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )
