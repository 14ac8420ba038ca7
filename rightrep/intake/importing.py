"""A file to be imported, as batches of records: the one door into ``intake``."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rightrep.domain.days import zone_of
from rightrep.errors import InvalidInput
from rightrep.intake.cells import Refusal
from rightrep.intake.fields import Kind
from rightrep.intake.instants import DateStyle
from rightrep.intake.joins import load_joins
from rightrep.intake.mapped import Binding
from rightrep.intake.mapping import LoadedMapping
from rightrep.intake.numbers import NumberStyle
from rightrep.intake.phones import DEFAULT_REGION, known_region
from rightrep.intake.readers import FileOptions, OpenFile, reading
from rightrep.intake.records import (
    LeadRow,
    Record,
    activity_rows,
    company_rows,
    cost_rows,
    decision_rows,
    lead_rows,
    outcome_rows,
    rep_rows,
)
from rightrep.intake.typed import Style, TypedBatch, check_constants, typed

REGISTER = "register"
"""What a register of companies is called where its mapping names no source."""


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Some rows of a file as records.

    Attributes:
        records: Rows that could be read, in the file's order; all of the file's kind.
        refused: Rows that could not.
        skipped: Rows that a ``where`` left out.
        marked: Records with a phone, an e-mail address or a tax number that cannot
            exist.
        header: The file's columns.
        consumed: Bytes of the file read so far.
    """

    records: Sequence[Record]
    refused: Sequence[Refusal]
    skipped: int
    marked: int
    header: Sequence[str]
    consumed: int
    _typed: TypedBatch

    @property
    def read(self) -> int:
        """Rows of the file in this batch, whatever became of them."""
        return len(self.records) + len(self.refused) + self.skipped

    def original(self, record: Record) -> tuple[int, dict[str, str]]:
        """A record's line in the file, and its cells as text by column."""
        batch = self._typed.batch
        cells = zip(batch.header, batch.row(record.place), strict=True)
        filled = {name: str(cell) for name, cell in cells if cell is not None}
        return batch.lines[record.place], filled

    def refuse(self, record: Record, column: str, reason: str) -> Refusal:
        """A record that could be read and still cannot land."""
        return self._typed.batch.refuse(record.place, {column: reason})


@dataclass(frozen=True, slots=True)
class OpenImport:
    """A file being imported.

    Attributes:
        size: Its bytes on disk.
        encoding: How its text was read; "" for Excel.
        source: The system whose ids its rows have.
        labels: The file's column of each field, for messages.
    """

    size: int
    encoding: str
    source: str
    labels: dict[str, str]
    _file: OpenFile
    _binding: Binding
    _kind: Kind
    _style: Style

    def batches(self) -> Iterator[RecordBatch]:
        """The file's rows, some thousands at a time; to be read once."""
        for batch in self._file.rows.batches():
            values = typed(self._kind, self._binding.apply(batch), self._style)
            records = _records(self._kind, values, self._style.currency)
            yield RecordBatch(
                records,
                values.refused,
                values.skipped,
                sum(map(_is_marked, records)),
                batch.header,
                batch.consumed,
                values,
            )


@contextmanager
def importing(
    path: Path,
    mapping: LoadedMapping,
    *,
    now: datetime,
    time_zone: str,
    currency: str,
) -> Iterator[OpenImport]:
    """Open a file for import; nothing of it has landed when this refuses.

    Args:
        path: The file: CSV, JSON lines, a JSON array or .xlsx.
        mapping: What its columns are; see ``mapping.canonical`` and ``load_mapping``.
        now: The present; aware.
        time_zone: Zone of times without one, unless the mapping names another.
        currency: Of amounts without one; ISO 4217.

    Raises:
        InvalidInput: The file cannot be read at all, a column is missing, or the
            mapping's own values make no sense.
    """
    rules = mapping.rules
    style = _style(mapping, now=now, time_zone=time_zone, currency=currency)
    check_constants(mapping.kind, rules.constants, style, "constants")
    check_constants(mapping.kind, rules.defaults, style, "defaults")
    options = FileOptions(
        rules.encoding, rules.delimiter, rules.sheet, rules.skip_lines
    )
    joins = load_joins(mapping, path)
    with reading(path, options) as file:
        binding = Binding(
            mapping,
            file.rows.header,
            joins,
            file=path.name,
            keys_vary=file.keys_vary,
        )
        yield OpenImport(
            file.size,
            file.encoding,
            _source(mapping),
            binding.labels,
            file,
            binding,
            mapping.kind,
            style,
        )


def _source(mapping: LoadedMapping) -> str:
    rules = mapping.rules
    is_told = "source" in rules.model_fields_set
    is_register = mapping.kind is Kind.COMPANIES and not is_told
    return REGISTER if is_register else rules.source


def _style(
    mapping: LoadedMapping, *, now: datetime, time_zone: str, currency: str
) -> Style:
    rules = mapping.rules
    decimal = rules.numbers.decimal
    group = rules.numbers.group
    if group is None:
        group = "," if decimal == "." else "."
    try:
        return Style(
            now=now,
            currency=currency,
            dates=DateStyle(
                zone_of(rules.dates.zone or time_zone),
                tuple(rules.dates.formats),
                rules.dates.time_of_day,
            ),
            numbers=NumberStyle(decimal, group, tuple(rules.numbers.ignore)),
            phone_region=known_region(rules.phone_region or DEFAULT_REGION),
            types=rules.types,
        )
    except InvalidInput as error:
        raise _placed(mapping, error) from error


def _placed(mapping: LoadedMapping, error: InvalidInput) -> InvalidInput:
    """The error with the TOML key that it is about."""
    place = {
        "time_zone": "dates.zone",
        "formats": "dates.formats",
        "decimal": "numbers.decimal",
        "group": "numbers.group",
    }.get(str(error.field), error.field)
    name = "" if mapping.path is None else f"{mapping.path.name}: "
    return InvalidInput(
        f"{name}{mapping.kind}.{place}: {error}", field=f"{mapping.kind}.{place}"
    )


def _is_marked(record: Record) -> bool:
    return isinstance(record, LeadRow) and (
        record.tax_problem is not None
        or any(not point.possible for point in record.points)
    )


def _records(kind: Kind, values: TypedBatch, currency: str) -> Sequence[Record]:
    match kind:
        case Kind.LEADS:
            return lead_rows(values, currency)
        case Kind.REPS:
            return rep_rows(values)
        case Kind.DECISIONS:
            return decision_rows(values)
        case Kind.OUTCOMES:
            return outcome_rows(values, currency)
        case Kind.ACTIVITIES:
            return activity_rows(values)
        case Kind.COMPANIES:
            return company_rows(values)
        case Kind.COSTS:
            return cost_rows(values, currency)
