"""The mapping of a foreign export: a TOML file with one table per kind of file.

    [leads.columns]
    external_id = "opportunity_id"
    created_at = "engage_date"

It is read strictly: an unknown key is refused with its place, a sentence and a remedy.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rightrep.errors import InvalidInput
from rightrep.intake.fields import ATTRIBUTES, FIELDS, Kind, field_of
from rightrep.intake.mapping_errors import explained, unknown

MOST_BYTES = 1 << 20
DEFAULT_SOURCE = "crm"

Value = str | int | float | bool | datetime | date
Short = Annotated[str, Field(min_length=1, max_length=1000)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Condition(_Table):
    """What a cell must be for its row to be taken.

    Attributes:
        one_of: Allowed texts; empty allows all.
        none_of: Texts that are left out.
        present: Whether the cell must be filled (true) or empty (false).
    """

    one_of: Sequence[str] = ()
    none_of: Sequence[str] = ()
    present: bool | None = None


class Join(_Table):
    """Another file whose columns belong to rows of this one.

    Attributes:
        file: Its path, beside the imported file or the mapping.
        on: Column of the imported file that names the other file's row.
        key: Column of the other file that is matched; the same name when absent.
        values: Texts of ``on`` that mean another one.
        missing: What to do with a row whose text the other file does not have.
        encoding: The other file's encoding, found when absent.
        delimiter: The other file's delimiter, found when absent.
    """

    file: Short
    on: Short
    key: Short | None = None
    values: Mapping[str, str] = Field(default_factory=dict)
    missing: Literal["refuse", "empty"] = "refuse"
    encoding: Short | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None


class Dates(_Table):
    """How the file writes times; see ``instants.DateStyle``."""

    zone: Short | None = None
    formats: Sequence[Short] = ()
    time_of_day: time = Field(default=time(), strict=False)


class Numbers(_Table):
    """How the file writes numbers; see ``numbers.NumberStyle``."""

    decimal: str = "."
    group: str | None = None
    ignore: Sequence[Short] = ()


class KindMapping(_Table):
    """How one kind of rows is made from a file.

    Attributes:
        columns: Column of each field; several are joined by a space.
        constants: Value of a field in every row.
        defaults: Value of a field where the cell is empty.
        values: Texts of a field's column that mean another value.
        types: Whether a tenant's own field is a number or a truth value, where the
            file has texts only (CSV).
        where: Conditions on columns; rows that miss one are left out.
        joins: Other files, by the name under which ``columns`` names their columns.
        dates: How times are written.
        numbers: How numbers are written.
        source: The system whose ids these are.
        phone_region: Country of phone numbers without a country code.
        encoding: The file's encoding, found when absent.
        delimiter: A CSV's delimiter, found when absent.
        sheet: A workbook's sheet, the first visible one when absent.
        skip_lines: Lines above the header to leave out.
    """

    columns: Mapping[str, Short | Sequence[Short]] = Field(default_factory=dict)
    constants: Mapping[str, Value] = Field(default_factory=dict)
    defaults: Mapping[str, Value] = Field(default_factory=dict)
    values: Mapping[str, Mapping[str, Value]] = Field(default_factory=dict)
    types: Mapping[str, Literal["text", "number", "boolean"]] = Field(
        default_factory=dict
    )
    where: Mapping[str, Short | Sequence[str] | Condition] = Field(default_factory=dict)
    joins: Mapping[str, Join] = Field(default_factory=dict)
    dates: Dates = Dates()
    numbers: Numbers = Numbers()
    source: Annotated[str, Field(min_length=1, max_length=64)] = DEFAULT_SOURCE
    phone_region: Short | None = None
    encoding: Short | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    sheet: Short | None = None
    skip_lines: Annotated[int, Field(ge=0, le=10_000)] = 0


_KEYS = {
    "": list(KindMapping.model_fields),
    "joins": list(Join.model_fields),
    "dates": list(Dates.model_fields),
    "numbers": list(Numbers.model_fields),
}


@dataclass(frozen=True, slots=True)
class LoadedMapping:
    """One kind's table of a mapping file, or the canonical headers without one.

    Attributes:
        kind: What the rows are.
        rules: The table; without columns it stands for "headers are fields".
        path: The mapping file, or None without one.
    """

    kind: Kind
    rules: KindMapping
    path: Path | None

    @property
    def is_canonical(self) -> bool:
        """Whether the file's headers are the canonical fields."""
        return not self.rules.columns


def canonical(kind: Kind) -> LoadedMapping:
    """The mapping of a file whose headers are the canonical fields."""
    return LoadedMapping(kind, KindMapping(), None)


def load_mapping(path: Path, kind: Kind) -> LoadedMapping:
    """One kind's table of a mapping file.

    Raises:
        InvalidInput: The file cannot be read, is no TOML, lacks the table, or says
            something that makes no sense; ``field`` is the dotted key.
    """
    document = _document(path)
    for name in document:
        if name not in set(Kind):
            raise unknown(name, name, [kind.value for kind in Kind], path)
    table = document.get(kind.value)
    if not isinstance(table, dict):
        raise InvalidInput(
            f"{path.name} has no table [{kind}].",
            field=kind.value,
            remedy=f"Add [{kind}.columns], or import without a mapping.",
        )
    try:
        rules = KindMapping.model_validate(table)
    except ValidationError as error:
        raise explained(error, table, path, place=kind.value, known=_KEYS) from error
    loaded = LoadedMapping(kind, rules, path)
    _check_fields(loaded, path)
    _check_sources(loaded, path)
    return loaded


def _document(path: Path) -> dict[str, object]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InvalidInput(f"{path} is too large for a mapping.", field="mapping")
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise InvalidInput(f"There is no file {path}.", field="mapping") from error
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be read: {error.strerror}.", field="mapping"
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{path.name} is not UTF-8.", field="mapping", remedy="Save it as UTF-8."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(
            f"{path.name} is not TOML: {error}.",
            field="mapping",
            remedy="Texts need quotes; a key stands only once in a table.",
        ) from error


def _check_fields(loaded: LoadedMapping, path: Path) -> None:
    kind, rules = loaded.kind, loaded.rules
    tables: Mapping[str, Mapping[str, object]] = {
        "columns": rules.columns,
        "constants": rules.constants,
        "defaults": rules.defaults,
        "values": rules.values,
        "types": rules.types,
    }
    for name, table in tables.items():
        for field in table:
            if field_of(kind, field) is None:
                raise unknown(f"{kind}.{name}.{field}", field, FIELDS[kind], path)


def _check_sources(loaded: LoadedMapping, path: Path) -> None:
    kind, rules = loaded.kind, loaded.rules
    if loaded.is_canonical:
        return
    filled = {*rules.columns, *rules.constants}
    for field in FIELDS[kind].values():
        if field.required and field.name not in filled:
            raise _wrong(
                path,
                f"{kind}.columns.{field.name}",
                f"is missing; {field.name} is {field.about}.",
                "Name its column, or give it in [constants].",
            )
    for name in sorted({*rules.values, *rules.defaults} - filled):
        raise _wrong(
            path,
            f"{kind}.columns.{name}",
            "is missing, while its values or defaults are given.",
            "Name its column, or give it in [constants].",
        )
    for name in rules.types:
        if not name.startswith(ATTRIBUTES):
            raise _wrong(
                path,
                f"{kind}.types.{name}",
                f"is not one of your own fields, {ATTRIBUTES}NAME.",
                "Leave it out; canonical fields have their types.",
            )
    for name in sorted(set(rules.columns) & set(rules.constants)):
        raise _wrong(
            path,
            f"{kind}.constants.{name}",
            "is a column too.",
            "Keep one; for empty cells there is [defaults].",
        )


def _wrong(path: Path, key: str, what: str, remedy: str) -> InvalidInput:
    return InvalidInput(f"{path.name}: {key} {what}", field=key, remedy=remedy)
