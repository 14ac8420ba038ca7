"""The triggers of append-only tables, as revisions after the first one make them.

Revisions are never rewritten, so neither is this: other triggers get another
name. The function ``refuse_change`` is there since the first revision.
"""

from alembic import op

SQLITE = """
CREATE TRIGGER {table}_never_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, '{table} are added, never changed'); END
"""

POSTGRESQL = """
CREATE TRIGGER {table}_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
EXECUTE FUNCTION refuse_change()
"""


def append_only(table: str) -> None:
    """Have the database refuse to change or remove rows of a table."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(POSTGRESQL.format(table=table))
    else:
        for verb in ("UPDATE", "DELETE"):
            op.execute(SQLITE.format(table=table, verb=verb))
