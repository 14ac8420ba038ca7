"""When something is done and by whom: what every log of a change keeps."""

from datetime import datetime
from typing import TypedDict


class Stamp(TypedDict):
    """The two arguments that every change takes.

    Attributes:
        at: Now; aware UTC.
        actor: The id of a key or a person, or the name of a way in.
    """

    at: datetime
    actor: str
