"""Rows of a file under their canonical fields: columns chosen, joined, filtered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rightrep.errors import InvalidInput
from rightrep.intake.cells import Cell, RawBatch, Refusal
from rightrep.intake.fields import FIELDS, field_of
from rightrep.intake.joins import JoinedFile
from rightrep.intake.mapping import Condition, LoadedMapping, Value
from rightrep.intake.mapping_errors import unknown
from rightrep.intake.numbers import Refused
from rightrep.intake.rejects import REJECTED
from rightrep.intake.words import text

Column = Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Canonical:
    """A batch under its canonical fields.

    Attributes:
        batch: The rows as they were read.
        rows: Index in ``batch`` of each row here.
        columns: Cells by field; None where empty.
        labels: The file's column that a field comes from, for messages.
        refused: Rows whose joined row is missing, and rows not readable.
        skipped: Rows that a ``where`` left out.
    """

    batch: RawBatch
    rows: Sequence[int]
    columns: Mapping[str, Column]
    labels: Mapping[str, str]
    refused: Sequence[Refusal]
    skipped: int


class Binding:
    """A mapping bound to one file's columns."""

    def __init__(
        self,
        loaded: LoadedMapping,
        header: Sequence[str],
        joins: Mapping[str, JoinedFile],
        *,
        file: str,
        keys_vary: bool = False,
    ) -> None:
        """Check that every column the mapping names is there.

        Args:
            loaded: The mapping.
            header: The file's columns.
            joins: The joined files by name.
            file: The file's name, for messages.
            keys_vary: Whether rows may have other keys than the header (JSON).

        Raises:
            InvalidInput: A column is missing, or is no field (without a mapping).
        """
        self._rules = loaded.rules
        self._kind = loaded.kind
        self._joins = joins
        self._keys_vary = keys_vary
        self._columns = _sources(loaded, header, file, keys_vary=keys_vary)
        if not keys_vary:
            _check_columns(loaded, self._columns, header, joins, file)
        self.labels = {
            field: " + ".join(names) for field, names in self._columns.items()
        }

    def apply(self, batch: RawBatch) -> Canonical:
        """The batch's rows under their canonical fields."""
        given = dict(zip(batch.header, batch.columns, strict=True))
        rows = self._chosen(given, batch.n_rows)
        skipped = batch.n_rows - len(rows)
        rows, joined, refused = self._joined(batch, given, rows)
        refused = [*batch.refused, *refused]
        columns: dict[str, Column] = {
            field: self._filled(field, self._picked(names, given, joined, rows))
            for field, names in self._columns.items()
        }
        for field, value in self._rules.constants.items():
            columns[field] = [value] * len(rows)
        if self._keys_vary:
            columns |= self._unforeseen(given, rows)
        return Canonical(batch, rows, columns, self.labels, refused, skipped)

    def _chosen(self, given: Mapping[str, Column], n_rows: int) -> Sequence[int]:
        rows: Sequence[int] = range(n_rows)
        for name, condition in self._rules.where.items():
            holds = _test(condition)
            cells = given.get(name)
            rows = [i for i in rows if holds(None if cells is None else cells[i])]
        return rows

    def _joined(
        self, batch: RawBatch, given: Mapping[str, Column], rows: Sequence[int]
    ) -> tuple[Sequence[int], dict[str, list[int | None]], list[Refusal]]:
        """Each join's row for each row here; rows without one are refused."""
        refused: dict[int, dict[str, str]] = {}
        places: dict[str, dict[int, int | None]] = {}
        for name, join in self._joins.items():
            cells = given.get(join.rules.on)
            places[name] = {}
            for i in rows:
                try:
                    places[name][i] = join.row_of(None if cells is None else cells[i])
                except Refused as reason:
                    refused.setdefault(i, {})[join.rules.on] = str(reason)
        if refused:
            rows = [i for i in rows if i not in refused]
        joined = {name: [place[i] for i in rows] for name, place in places.items()}
        refusals = [batch.refuse(i, problems) for i, problems in refused.items()]
        return rows, joined, refusals

    def _picked(
        self,
        names: Sequence[str],
        given: Mapping[str, Column],
        joined: Mapping[str, Sequence[int | None]],
        rows: Sequence[int],
    ) -> Column:
        parts = [self._part(name, given, joined, rows) for name in names]
        if len(parts) == 1:
            return parts[0]
        return [
            " ".join(text(cell) for cell in cells if cell is not None) or None
            for cells in zip(*parts, strict=True)
        ]

    def _part(
        self,
        name: str,
        given: Mapping[str, Column],
        joined: Mapping[str, Sequence[int | None]],
        rows: Sequence[int],
    ) -> Column:
        if name in given:
            cells = given[name]
            return cells if len(rows) == len(cells) else [cells[i] for i in rows]
        join, _, column = name.partition(".")
        if join not in joined:
            return [None] * len(rows)
        theirs = self._joins[join].columns.get(column, ())
        return [None if at is None else theirs[at] for at in joined[join]]

    def _filled(self, field: str, cells: Column) -> Column:
        values = self._rules.values.get(field)
        if values is not None:
            cells = [_meant(cell, values) for cell in cells]
        default = self._rules.defaults.get(field)
        if default is not None:
            cells = [default if cell is None else cell for cell in cells]
        return cells

    def _unforeseen(
        self, given: Mapping[str, Column], rows: Sequence[int]
    ) -> dict[str, Column]:
        """Keys that first come later in a JSON file, when headers are fields."""
        if self._rules.columns:
            return {}
        later = [
            name
            for name in given
            if name not in self._columns and not name.startswith(REJECTED)
        ]
        return {name: [given[name][i] for i in rows] for name in later}


def _sources(
    loaded: LoadedMapping, header: Sequence[str], file: str, *, keys_vary: bool
) -> dict[str, Sequence[str]]:
    """Columns by field."""
    if not loaded.is_canonical:
        return {
            field: [names] if isinstance(names, str) else list(names)
            for field, names in loaded.rules.columns.items()
        }
    fields = [name for name in header if name and not name.startswith(REJECTED)]
    if keys_vary:
        return {field: [field] for field in dict.fromkeys(fields + _required(loaded))}
    for field in fields:
        if field_of(loaded.kind, field) is None:
            error = unknown(field, field, FIELDS[loaded.kind], None)
            raise InvalidInput(
                f"{file}: the column {error}",
                field=field,
                remedy="Rename it, or say with a mapping what the columns are.",
            )
    for field in _required(loaded):
        if field not in fields:
            raise InvalidInput(
                f"{file} has no column {field!r}.",
                field=field,
                remedy="Add it, or say with a mapping which column it is.",
            )
    return {field: [field] for field in fields}


def _required(loaded: LoadedMapping) -> list[str]:
    fields = FIELDS[loaded.kind].values()
    filled = loaded.rules.constants
    return [f.name for f in fields if f.required and f.name not in filled]


def _check_columns(
    loaded: LoadedMapping,
    sources: Mapping[str, Sequence[str]],
    header: Sequence[str],
    joins: Mapping[str, JoinedFile],
    file: str,
) -> None:
    known = [
        *(name for name in header if name),
        *(f"{name}.{column}" for name, join in joins.items() for column in join.header),
    ]
    wanted = {f"columns.{field}": name for field, ns in sources.items() for name in ns}
    wanted |= {f"where.{name}": name for name in loaded.rules.where}
    wanted |= {f"joins.{name}.on": join.rules.on for name, join in joins.items()}
    for key, name in wanted.items():
        if name not in known:
            error = unknown(repr(name), name, known, None)
            place = "" if loaded.path is None else f"{loaded.path.name}: "
            raise InvalidInput(
                f"{place}{loaded.kind}.{key} names a column that {file} does not "
                f"have. {error}",
                field=f"{loaded.kind}.{key}",
            )


def _test(condition: str | Sequence[str] | Condition) -> Callable[[Cell], bool]:
    if isinstance(condition, str):
        condition = Condition(one_of=[condition])
    elif not isinstance(condition, Condition):
        condition = Condition(one_of=list(condition))
    allowed, left_out = set(condition.one_of), set(condition.none_of)
    present = condition.present

    def holds(cell: Cell) -> bool:
        if present is not None and (cell is not None) is not present:
            return False
        word = "" if cell is None else _loose(cell)
        return (not allowed or word in allowed) and word not in left_out

    return holds


def _meant(cell: Cell, values: Mapping[str, Value]) -> Cell:
    if cell is None:
        return None
    return values.get(_loose(cell), cell)


def _loose(cell: Cell) -> str:
    """A cell as text, whatever it holds: it is compared, not kept."""
    try:
        return cell if isinstance(cell, str) else text(cell)
    except Refused:
        return str(cell)
