"""What a setting must be to be taken: known by name, in its range, short text."""

from collections.abc import Mapping
from typing import Any

from rightrep.errors import InvalidInput

MOST = 1e9
"""No number in a setting is larger."""
_MOST_LETTERS = 255


def require_known(given: object, known: set[str], where: str) -> dict[str, Any]:
    """The settings given, all of them known by name.

    Raises:
        InvalidInput: They are no settings by name, or one is unknown.
    """
    if not isinstance(given, Mapping):
        raise InvalidInput(
            f"{where} is settings by name.",
            field=where,
            remedy=f"It has {', '.join(sorted(known))}.",
        )
    for name in given:
        if name not in known:
            raise InvalidInput(
                f"{where} has no setting {name!r}.",
                field=f"{where}.{name}",
                remedy=f"It has {', '.join(sorted(known))}.",
            )
    return dict(given)


def require_number(
    value: object,
    name: str,
    *,
    low: float,
    high: float = MOST,
    whole: bool = False,
) -> None:
    """Refuse what is not a number in [low, high], or not a whole one.

    Raises:
        InvalidInput: It is not.
    """
    kinds = int if whole else (int, float)
    fits = isinstance(value, kinds) and not isinstance(value, bool)
    if fits and low <= value <= high:  # type: ignore[operator]
        return
    what = "a whole number" if whole else "a number"
    span = f"from {low:g} to {high:g}" if high < MOST else f"of at least {low:g}"
    raise InvalidInput(f"{name} is {what} {span}.", field=name)


def require_text(value: object, name: str) -> None:
    """Refuse what is no short text that can be stored.

    Raises:
        InvalidInput: It is not.
    """
    if isinstance(value, str) and len(value) <= _MOST_LETTERS and value.isprintable():
        return
    raise InvalidInput(
        f"{name} takes text of up to {_MOST_LETTERS} printable characters.", field=name
    )
