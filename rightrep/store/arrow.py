"""Rows as Arrow tables."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from sqlalchemy import Row


def table_of(rows: Sequence[Row[Any]], schema: pa.Schema) -> pa.Table:
    """Rows, with their columns in the schema's order, as a table of that schema."""
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    arrays = [
        pa.array(column, type=field.type)
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)
