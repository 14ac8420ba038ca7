"""The guide names every field and every key of a mapping."""

from pathlib import Path

import pytest

from rightrep.intake.fields import FIELDS, Field, Kind
from rightrep.intake.mapping import (
    Condition,
    Dates,
    Join,
    KindMapping,
    Numbers,
    load_mapping,
)
from rightrep.intake.rejects import COLUMNS
from tests.intake_files import written

GUIDE = Path(__file__).parents[2] / "docs" / "importing.md"
TEXT = GUIDE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "field"),
    [(kind, field) for kind, fields in FIELDS.items() for field in fields.values()],
    ids=lambda value: value.name if isinstance(value, Field) else str(value),
)
def test_every_field_has_its_line(kind: Kind, field: Field) -> None:
    table = TEXT.split(f"**{kind.value}**\n")[1].split("\n**")[0]
    name = f"**`{field.name}`**" if field.required else f"`{field.name}`"
    words = f": {', '.join(field.words)}" if field.words else ""

    assert f"| {name} | {field.form.value}{words} | {field.about} |" in table


@pytest.mark.parametrize("table", [KindMapping, Join, Dates, Numbers, Condition])
def test_every_key_of_a_mapping_is_in_the_example(
    table: type[KindMapping | Join | Dates | Numbers | Condition],
) -> None:
    example = TEXT.split("```toml\n")[1].split("```")[0]

    for name in table.model_fields:
        assert f"{name} = " in example or f"[leads.{name}" in example, name


def test_the_example_of_the_guide_is_a_mapping(tmp_path: Path) -> None:
    example = TEXT.split("```toml\n")[1].split("```")[0]

    loaded = load_mapping(written(tmp_path, "m.toml", example), Kind.LEADS)

    assert loaded.rules.source == "salesforce"


def test_the_rejects_files_columns_are_named() -> None:
    for column in COLUMNS:
        assert f"`{column}`" in TEXT
