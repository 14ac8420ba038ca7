"""Bringing a database to the tables that this version needs."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

_LOCK = 0x52696768  # any number of our own; "Righ"


def upgrade(connection: Connection) -> None:
    """Run every revision that the database has not seen, all or none.

    Two processes may do it at once: the second waits and finds nothing to do.

    Args:
        connection: Inside a transaction, which the caller commits.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    command.upgrade(config(connection), "head")


def config(connection: Connection) -> Config:
    """Alembic's settings; there is no ini file."""
    settings = Config()
    settings.set_main_option("script_location", "rightrep.store:migrations")
    settings.attributes["connection"] = connection
    return settings
