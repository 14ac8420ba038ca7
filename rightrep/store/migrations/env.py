"""What Alembic runs: the revisions, on the connection that it was given."""

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from rightrep.store import (
    schema,
    schema_cleaning,
    schema_duplicates,
    schema_health,
    schema_learning,
    schema_ops,
    schema_plans,
    schema_pools,
    types,
)
from rightrep.store.metadata import metadata

# Imported for the tables that they put into the metadata.
TABLES = (
    schema,
    schema_cleaning,
    schema_duplicates,
    schema_health,
    schema_learning,
    schema_ops,
    schema_plans,
    schema_pools,
)


def by_name(kind: str, item: object, _: AutogenContext) -> str | Literal[False]:
    """Write our own types into a revision by their names."""
    for make in (types.Key, types.Json):
        if kind == "type" and repr(item) == repr(make()):
            return f"types.{make.__name__}()"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_item=by_name,
    user_module_prefix="types.",
)
with context.begin_transaction():
    context.run_migrations()
