"""Other files whose columns belong to rows of the imported one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rightrep.errors import InvalidInput
from rightrep.intake.cells import Cell
from rightrep.intake.mapping import Join, LoadedMapping
from rightrep.intake.numbers import Refused
from rightrep.intake.readers import FileOptions, reading
from rightrep.intake.words import text

MOST_ROWS = 1_000_000
"""A joined file is kept in memory; larger ones are joined before the export."""


@dataclass(frozen=True, slots=True)
class JoinedFile:
    """A joined file in memory.

    Attributes:
        rules: What the mapping says of it.
        header: Its columns.
        columns: Their cells.
        place: Index of each key's row.
    """

    rules: Join
    header: Sequence[str]
    columns: Mapping[str, Sequence[Cell]]
    place: Mapping[str, int]

    def row_of(self, cell: Cell) -> int | None:
        """The row a cell of ``on`` names; None for an empty cell.

        Raises:
            Refused: The file has no such row, and may not lack it.
        """
        if cell is None:
            return None
        name = text(cell)
        found = self.place.get(self.rules.values.get(name, name))
        if found is None and self.rules.missing == "refuse":
            raise Refused(
                f"{self.rules.file} has no {self.rules.key or self.rules.on} {name!r}. "
                "Add the row, or say in the join's values which it means."
            )
        return found


def load_joins(loaded: LoadedMapping, beside: Path) -> dict[str, JoinedFile]:
    """Every joined file of a mapping, by its name there.

    Args:
        loaded: The mapping.
        beside: The imported file; joined files are looked for in its folder, then in
            the mapping's.

    Raises:
        InvalidInput: A file is missing or unreadable, lacks its key column, names a
            key twice, or has more than ``MOST_ROWS`` rows.
    """
    return {
        name: _load(rules, _found(loaded, name, rules, beside), loaded, name)
        for name, rules in loaded.rules.joins.items()
    }


def _found(loaded: LoadedMapping, name: str, rules: Join, beside: Path) -> Path:
    folders = [beside.parent]
    if loaded.path is not None:
        folders.append(loaded.path.parent)
    for folder in folders:
        if (folder / rules.file).is_file():
            return folder / rules.file
    raise _wrong(
        loaded,
        f"{name}.file",
        f"names {rules.file!r}, which is neither beside {beside.name} nor beside the "
        "mapping.",
        "Put the file there.",
    )


def _load(rules: Join, path: Path, loaded: LoadedMapping, name: str) -> JoinedFile:
    key = rules.key or rules.on
    columns: dict[str, list[Cell]] = {}
    place: dict[str, int] = {}
    options = FileOptions(rules.encoding, rules.delimiter)
    with reading(path, options) as file:
        header = list(file.rows.header)
        if key not in header:
            raise _wrong(
                loaded,
                f"{name}.key",
                f"is {key!r}, which {path.name} does not have.",
                f"Its columns are: {', '.join(header)}.",
            )
        for batch in file.rows.batches():
            for refused in batch.refused[:1]:
                raise InvalidInput(
                    f"{path.name} line {refused.line}: {refused.reason}",
                    field=f"{loaded.kind}.joins.{name}.file",
                )
            _add_keys(place, batch.columns[header.index(key)], batch.lines, path)
            for column, cells in zip(batch.header, batch.columns, strict=True):
                columns.setdefault(column, []).extend(cells)
    return JoinedFile(rules, header, columns, place)


def _add_keys(
    place: dict[str, int], keys: Sequence[Cell], lines: Sequence[int], path: Path
) -> None:
    for cell, line in zip(keys, lines, strict=True):
        try:
            name = "" if cell is None else text(cell)
        except Refused as refused:
            raise InvalidInput(f"{path.name} line {line}: {refused}") from refused
        if name in place:
            raise InvalidInput(
                f"{path.name} line {line}: the key {name!r} comes a second time.",
                remedy="Keep one row per key.",
            )
        place[name] = len(place)
    if len(place) > MOST_ROWS:
        raise InvalidInput(
            f"{path.name} has more than {MOST_ROWS:,} rows, too many to join.",
            remedy="Join the files in the CRM's export instead.",
        )


def _wrong(loaded: LoadedMapping, key: str, what: str, remedy: str) -> InvalidInput:
    whole = f"{loaded.kind}.joins.{key}"
    name = loaded.path.name if loaded.path is not None else "mapping"
    return InvalidInput(f"{name}: {whole} {what}", field=whole, remedy=remedy)
