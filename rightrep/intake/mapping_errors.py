"""What is wrong with a mapping, said with its TOML key and a remedy."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from rightrep.errors import InvalidInput

_MUST = {
    "columns": "must be a column's name in quotes, or a list of them",
    "constants": "must be a text, a number, true, false, or a date",
    "defaults": "must be a text, a number, true, false, or a date",
    "values": "must be a table of texts and what they mean",
    "where": "must be a text, a list of texts, or { one_of, none_of, present }",
}
_REMEDY = "docs/importing.md has an example of every key."


def unknown(
    key: str, name: str, known: Iterable[str], path: Path | None
) -> InvalidInput:
    """The error of a name that means nothing.

    Args:
        key: Dotted TOML key.
        name: Its last part.
        known: Names that would mean something.
        path: The mapping file, or None without one.
    """
    names = list(known)
    near = difflib.get_close_matches(name, names, 1)
    hint = f"Is {near[0]!r} meant? " if near else ""
    place = "" if path is None else f"{path.name}: "
    return InvalidInput(
        f"{place}{key} is not known.",
        field=key,
        remedy=f"{hint}Known are: {', '.join(names)}.",
    )


def explained(
    error: ValidationError,
    table: Mapping[str, object],
    path: Path,
    *,
    place: str,
    known: Mapping[str, Iterable[str]],
) -> InvalidInput:
    """Pydantic's first complaint about a table as a sentence.

    Args:
        error: What pydantic says.
        table: The table as it was read.
        path: The mapping file.
        place: The table's dotted key.
        known: Keys of the table, under "", and of its tables by their name.
    """
    first = error.errors()[0]
    keys = _keys(first["loc"], table)
    key = ".".join([place, *keys])
    must = _MUST.get(keys[0]) if keys else None
    if must is not None:
        what = f"{must}."
    elif first["type"] == "extra_forbidden":
        return unknown(key, keys[-1], known["" if len(keys) == 1 else keys[0]], path)
    elif first["type"] == "missing":
        key, what = f"{key}.{first['loc'][-1]}", "is missing."
    else:
        what = f"cannot be used: {first['msg'][:1].lower()}{first['msg'][1:]}."
    return InvalidInput(f"{path.name}: {key} {what}", field=key, remedy=_REMEDY)


def _keys(location: Sequence[int | str], table: object) -> list[str]:
    """The parts of a location that are keys; names of a union's branches are not."""
    keys = []
    for part in location:
        if isinstance(table, Mapping) and part in table:
            table = table[str(part)]
            keys.append(str(part))
    return keys
