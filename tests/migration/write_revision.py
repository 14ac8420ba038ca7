"""Write a revision from the difference between the tables and the last revision.

    python -m tests.migration.write_revision 0002 "what changes"

Read what it wrote: Alembic sees no renamed column, no trigger and no data. The first
revision is written with the triggers of the tables that are added to, never changed.
"""

import sys
import tempfile
from pathlib import Path

from alembic import command

from rightrep.store.engine import Store
from rightrep.store.migrate import config
from rightrep.store.triggers import APPEND_ONLY, append_only_ddl

FIRST = "0001"
VERSIONS = Path("rightrep/store/migrations/versions")
TRIGGERS = '''
SQLITE = """{sqlite}"""

FUNCTION = """{function}"""

POSTGRESQL = """{postgresql}"""


def append_only(table: str) -> None:
    """Have the database refuse to change or remove rows of a table."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(FUNCTION)
        op.execute(POSTGRESQL.format(table=table))
    else:
        for verb in ("UPDATE", "DELETE"):
            op.execute(SQLITE.format(table=table, verb=verb))
'''


def main(revision: str, message: str) -> None:
    """Write the revision's module."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/empty.db")
        if revision != FIRST:
            store.migrate()
        with store.connection() as connection:
            command.revision(
                config(connection), message, autogenerate=True, rev_id=revision
            )
        store.close()
    if revision == FIRST:
        add_triggers(next(VERSIONS.glob(f"{revision}_*.py")))


def add_triggers(module: Path) -> None:
    """Put the triggers into the first revision, as text of its own."""
    statements = [
        append_only_ddl("{table}", "sqlite")[0].replace("UPDATE", "{verb}"),
        *append_only_ddl("{table}", "postgresql"),
    ]
    sqlite, function, postgresql = statements
    helper = TRIGGERS.format(sqlite=sqlite, function=function, postgresql=postgresql)
    calls = "".join(f"    append_only({name!r})\n" for name in sorted(APPEND_ONLY))
    text = module.read_text()
    text = text.replace("\n\ndef upgrade()", f"{helper}\n\ndef upgrade()")
    text = text.replace("\n\n\ndef downgrade()", f"\n{calls}\n\ndef downgrade()")
    module.write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
