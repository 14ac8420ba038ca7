"""What is wrong with a body: the path as the sender wrote it, and a sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

Fault = Mapping[str, Any]
"""One error of pydantic's list."""


def faults_of(found: Sequence[Fault], body: object) -> list[dict[str, str]]:
    """Every field at fault with a sentence; nothing that was sent is repeated.

    Args:
        found: Pydantic's list of errors.
        body: What was sent; paths that begin with ``body`` are looked up in it.
    """
    return [
        {"field": _path(fault, body), "message": _sentence(fault)} for fault in found
    ]


def _path(fault: Fault, body: object) -> str:
    """The path without the kinds that pydantic chose between on its way."""
    where, *parts = fault["loc"] or ("",)
    if where != "body":
        return ".".join(map(str, fault["loc"]))
    kept: list[object] = [where]
    here: Any = body
    for part in parts:
        is_place = isinstance(here, list) and isinstance(part, int)
        if (isinstance(here, dict) and part in here) or (is_place and part < len(here)):
            here = here[part]
        elif fault["type"] != "missing" or part is not parts[-1]:
            continue
        kept.append(part)
    at = fault.get("ctx", {}).get("at")
    return ".".join(map(str, [*kept, at] if at else kept))


def _sentence(fault: Fault) -> str:
    about = fault.get("ctx", {})
    if fault["type"] == "union_tag_invalid":
        name = about["discriminator"].strip("'")
        return f"There is no such {name}; give one of {about['expected_tags']}"
    return str(fault["msg"])
