"""What is known of one tenant, as tables; every time is datetime64[us, UTC].

The store reads them (``rightrep.store.bulk``), the simulator makes them. Functions here
and beside take a ``History`` and an instant, and see nothing later than the instant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rightrep.errors import InvalidInput

TABLES: Mapping[str, Mapping[str, str]] = {
    # one row per lead
    "leads": {
        "lead_id": "str",
        "customer_id": "str",
        "created_at": "time",
    },
    # one row per version of a lead's attributes
    "lead_versions": {
        "lead_id": "str",
        "valid_from": "time",
        "recorded_at": "time",
        "industry": "str",
        "company_size": "float",
        "region": "str",
        "language": "str",
        "product": "str",
        "budget": "float",  # major units of the tenant's currency
        "deal_value": "float",  # major units of the tenant's currency
        "channel": "str",
        "campaign": "str",
        "stage": "str",
        "grade": "str",
        "attributes": "str",  # JSON object of the tenant's own fields
    },
    # one row per rep
    "reps": {
        "rep_id": "str",
        "created_at": "time",
    },
    # one row per version of a rep's attributes
    "rep_versions": {
        "rep_id": "str",
        "valid_from": "time",
        "recorded_at": "time",
        "team": "str",
        "manager": "str",
        "region": "str",
        "languages": "str",  # JSON list
        "products": "str",  # JSON list
        "industries": "str",  # JSON list
        "hired_on": "time",  # midnight UTC of that day
        "holding_limit": "float",
        "intake_per_day": "float",
        "weight": "float",
        "status": "str",
    },
    # one row per decision
    "decisions": {
        "decision_id": "str",
        "lead_id": "str",
        "rep_id": "str",
        "decided_at": "time",
        "recorded_at": "time",
        "policy": "str",
        "cause": "str",
        "propensity": "float",
        "p_convert": "float",
    },
    # one row per outcome; a correction names the event_id it replaces
    "outcomes": {
        "event_id": "str",
        "lead_id": "str",
        "decision_id": "str",
        "result": "str",  # "won" or "lost"
        "closed_at": "time",
        "recorded_at": "time",
        "value": "float",  # major units of the tenant's currency; never a feature
        "replaces": "str",
    },
    # one row per activity
    "activities": {
        "lead_id": "str",
        "rep_id": "str",
        "kind": "str",
        "happened_at": "time",
        "recorded_at": "time",
        "result": "str",
        "score": "float",
    },
    # one row per ownership event
    "ownership": {
        "lead_id": "str",
        "kind": "str",
        "owner": "str",
        "previous_owner": "str",
        "happened_at": "time",
    },
    # one row per merge of two leads; undone_at missing while it stands
    "merges": {
        "lead_id": "str",
        "survivor_id": "str",
        "merged_at": "time",
        "undone_at": "time",
    },
}
"""Columns of each table and their kinds: str, float or time."""


class ArrowTable(Protocol):
    """As much of ``pyarrow.Table`` as is needed here."""

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        ...

    @property
    def column_names(self) -> list[str]:
        """Names of the columns."""
        ...

    def to_pandas(self) -> pd.DataFrame:
        """The same rows as a frame."""
        ...

    def column(self, i: str) -> Any:  # noqa: ANN401 - a pyarrow.ChunkedArray
        """One column."""
        ...


_DTYPES = {"str": "str", "float": "float64", "time": "datetime64[us, UTC]"}


@dataclass(frozen=True, eq=False)
class History:
    """What is known of one tenant; columns as in ``TABLES``, missing is NaN or NaT."""

    leads: pd.DataFrame
    lead_versions: pd.DataFrame
    reps: pd.DataFrame
    rep_versions: pd.DataFrame
    decisions: pd.DataFrame
    outcomes: pd.DataFrame
    activities: pd.DataFrame
    ownership: pd.DataFrame
    merges: pd.DataFrame

    @classmethod
    def of(cls, tables: Mapping[str, pd.DataFrame | ArrowTable]) -> "History":
        """From tables by name (pandas, or Arrow); tables not given are empty.

        Raises:
            InvalidInput: A table lacks a column.
        """
        return cls(**{name: _typed(name, tables.get(name)) for name in TABLES})


Columns = Mapping[str, NDArray[Any]]
"""Few rows by column: texts as objects with None, floats, times as microseconds
(a missing one is ``as_of.NEVER``)."""

Table = pd.DataFrame | Columns


@dataclass(frozen=True, eq=False)
class Few:
    """What is known of a few leads; tables as in ``TABLES``, those about leads.

    ``rightrep.store.few`` reads them.
    The same facts are made of it as of a ``History``. A frame costs more than what
    there is to do with the dozen rows that concern an arriving lead; arrays do not.
    """

    leads: Columns
    lead_versions: Columns
    decisions: Columns
    outcomes: Columns
    activities: Columns
    ownership: Columns
    merges: Columns


def _check_columns(name: str, names: Sequence[str]) -> None:
    absent = [column for column in TABLES[name] if column not in names]
    if absent:
        raise InvalidInput(
            f"The table {name!r} has no column {absent[0]!r}.", field=absent[0]
        )


def _typed(name: str, table: pd.DataFrame | ArrowTable | None) -> pd.DataFrame:
    kinds = TABLES[name]
    if table is None:
        return _empty(name)
    if isinstance(table, pd.DataFrame):
        names, n_rows = list(table.columns), len(table)
    else:
        names, n_rows = table.column_names, table.num_rows
    _check_columns(name, names)
    if n_rows == 0:
        return _empty(name)
    frame = table if isinstance(table, pd.DataFrame) else table.to_pandas()
    return pd.DataFrame(
        {column: _as_kind(frame[column], kind) for column, kind in kinds.items()}
    ).reset_index(drop=True)


@cache
def _empty(name: str) -> pd.DataFrame:
    """A table without rows; most tables of one arriving lead are, so it is shared."""
    return pd.DataFrame(
        {
            column: pd.Series(dtype=_DTYPES[kind])
            for column, kind in TABLES[name].items()
        }
    )


def _as_kind(column: pd.Series, kind: str) -> pd.Series:
    if column.dtype == _DTYPES[kind] or (kind == "str" and _is_coded(column)):
        return column
    if kind == "time":
        return pd.to_datetime(column, utc=True).astype("datetime64[us, UTC]")
    if kind == "float":
        return column.astype("float64")
    return column.where(column.notna(), np.nan).astype("str")


def _is_coded(column: pd.Series) -> bool:
    """Whether these are codes of texts already; see ``features.codes``."""
    dtype = column.dtype
    return isinstance(dtype, pd.CategoricalDtype) and dtype.categories.dtype == "str"
